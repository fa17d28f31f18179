"""Settings out of file, environment and command line, and errors that name the place.

The tree's model alone decides what is valid; this module knows where each value came from.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hive.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)
Name = tuple[str, ...]

ENVIRONMENT_PREFIX = "HIVE_"
# Names of files and programs, read by the command line and the scripts; no settings.
_NOT_SETTINGS = {"HIVE_CONFIG", "HIVE_DATA_DIR", "HIVE_DEFAULT_DATA_DIR", "HIVE_PYTHON"}
_SEPARATOR = "__"  # between section and key; only a name with it was surely meant as a setting

_TOML_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)$")
_HEADER = re.compile(r"\s*\[([^\[\]]+)\]")
_ASSIGNMENT = re.compile(r"""([A-Za-z0-9_\-."' \t]+)=""")
_QUOTED = re.compile(r"'([^']*)'")

# by the beginning of pydantic's name for the error
_REQUIREMENTS = {
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "int_": "must be a whole number",
    "string_": "must be text in quotes",
    "path_": "must be a path in quotes",
    "tuple_": "must be a list in square brackets",
    "model_": "is a section: write its name in square brackets, and its settings below",
}


@dataclass
class _Sources:
    """The values of all sources laid over each other, and where each came from."""

    tree: dict[str, Any] = field(default_factory=dict)
    places: dict[Name, str] = field(default_factory=dict)

    def put(self, name: Name, value: object, place: str) -> None:
        branch = self.tree
        for part in name[:-1]:
            below = branch.setdefault(part, {})
            if not isinstance(below, dict):
                return  # a value in place of a section is wrong: validation reports it
            branch = below
        branch[name[-1]] = value
        self.places[name] = place

    def place(self, name: Name) -> str:
        """Where the setting, or else what it is part of, was given."""
        while name:
            if name in self.places:
                return self.places[name]
            name = name[:-1]
        return "configuration"


def read(
    model: type[Model],
    *,
    config_file: Path | None,
    environment: Mapping[str, str],
    overrides: Mapping[str, object],
) -> Model:
    """The validated tree; ConfigError with a line for each thing that is wrong."""
    sources = _Sources()
    if config_file is not None:
        _add_file(sources, config_file)
    problems = _add_environment(sources, environment, model)
    for dotted, value in overrides.items():
        if value is not None:
            sources.put(tuple(dotted.split(".")), value, "command line")
    try:
        settings = _validated(model, sources.tree)
    except ValidationError as error:
        problems += [_explain(details, sources, model) for details in error.errors()]
    if problems:
        raise ConfigError("\n".join(problems))
    return settings


def _validated(model: type[Model], tree: dict[str, Any]) -> Model:
    """The tree; of what is given alone, validators are built: all of them take 30 ms."""
    sections: dict[str, Any] = {}
    for name, below in model.model_fields.items():
        section = below.annotation
        assert isinstance(section, type)  # noqa: S101 - sections are classes
        assert issubclass(section, BaseModel)  # noqa: S101
        try:
            sections[name] = (
                section.model_validate(tree[name]) if name in tree else section.model_construct()
            )
        except ValidationError:
            break
    if sections.keys() == model.model_fields.keys() and tree.keys() <= sections.keys():
        return model.model_construct(**sections)
    return model.model_validate(tree)  # which says all that is wrong, and where


def _add_file(sources: _Sources, config_file: Path) -> None:
    import tomllib  # noqa: PLC0415 - most commands read no file

    try:
        text = config_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            "%(config_file)s: the file does not exist; name an existing file, or none to"
            " use the defaults",
            config_file=config_file,
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            "%(config_file)s: the file cannot be read: %(reason)s",
            config_file=config_file,
            reason=reason,
        ) from None
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_explain_syntax(config_file, text, str(error))) from None
    for name, value in _leaves(tree):
        for length in range(1, len(name) + 1):
            line = find_line(text, name[:length])
            sources.places[name[:length]] = f"{config_file}:{line}" if line else str(config_file)
        sources.put(name, value, sources.places[name])


def _explain_syntax(config_file: Path, text: str, message: str) -> str:
    found = _TOML_PLACE.search(message)
    line = int(found[1]) if found else text.count("\n") + 1
    column = f", column {found[2]}" if found else ""
    said = _TOML_PLACE.sub("", message).rstrip().removesuffix(" (at end of document)")
    hint = ""
    if said == "Invalid value":
        hint = '; text is written in quotes: name = "value"'
    return f"{config_file}:{line}: not valid TOML{column}: {said}{hint}"


def _leaves(tree: Mapping[str, Any], above: Name = ()) -> Iterator[tuple[Name, object]]:
    """Every value with its full name; an empty table is a value too, so that none is lost."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def find_line(text: str, name: Name) -> int | None:
    """The line that gives `name` or, failing that, the closest thing it is part of.

    A reader of lines, not of TOML: it serves error messages, and tomllib keeps no places.
    """
    found: dict[Name, int] = {}
    table: Name = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _keys(header[1])
            found.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            found.setdefault((*table, *_keys(assignment[1])), number)
    while name:
        if name in found:
            return found[name]
        name = name[:-1]
    return None


def _keys(dotted: str) -> Name:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _add_environment(
    sources: _Sources, environment: Mapping[str, str], model: type[BaseModel]
) -> list[str]:
    """Take what names a setting; return a sentence for each variable that should and does not."""
    known = {environment_name(name): name for name in setting_names(model)}
    for variable, name in known.items():
        if value := environment.get(variable):  # compose files pass on an unset one as empty
            sources.put(name, value, f"environment variable {variable}")
    return [
        f"environment variable {name}: there is no such setting{_similar_variable(name, known)}"
        for name in _unknown(environment, known)
        if _SEPARATOR in name
    ]


def unknown_variables(environment: Mapping[str, str], model: type[BaseModel]) -> list[str]:
    """A sentence on the variables that begin like settings, but may be somebody else's.

    Kubernetes adds HIVE_PORT and the like to every container beside a service called `hive`.
    """
    known = {environment_name(name) for name in setting_names(model)}
    sentences, others = [], []
    for variable in _unknown(environment, known):
        if _SEPARATOR in variable:
            continue  # `read` refuses it
        if hint := _similar_variable(variable, known):
            sentences.append(f"{variable} in the environment is not a setting{hint}")
        else:
            others.append(variable)
    if others:
        sentences.append(f"Not settings, ignored in the environment: {', '.join(others)}")
    return sentences


def _unknown(environment: Mapping[str, str], known: Container[str]) -> list[str]:
    return sorted(
        variable
        for variable in environment
        if variable.startswith(ENVIRONMENT_PREFIX)
        and variable not in known
        and variable not in _NOT_SETTINGS
    )


def _similar_variable(variable: str, known: Iterable[str]) -> str:
    # without the prefix, which alone would make everything look alike
    short = variable.removeprefix(ENVIRONMENT_PREFIX)
    names = [name.removeprefix(ENVIRONMENT_PREFIX) for name in (*known, *sorted(_NOT_SETTINGS))]
    return _similar(short, names, (ENVIRONMENT_PREFIX + "{}").format)


def setting_names(model: type[BaseModel]) -> Iterator[Name]:
    """('ssh', 'listen') and so on, in the order of the tree."""
    for section, below in model.model_fields.items():
        assert isinstance(below.annotation, type)  # noqa: S101 - sections are classes
        assert issubclass(below.annotation, BaseModel)  # noqa: S101
        for key in below.annotation.model_fields:
            yield section, key


def environment_name(name: Name) -> str:
    return ENVIRONMENT_PREFIX + "__".join(name).upper()


def _similar(wrong: str, known: Iterable[str], show: Callable[[str], str] = str) -> str:
    close = difflib.get_close_matches(wrong, known, n=1, cutoff=0.6)
    return f"; did you mean {show(close[0])}?" if close else ""


def _explain(details: ErrorDetails, sources: _Sources, model: type[BaseModel]) -> str:
    # past section and key, a location holds only pydantic's own steps: an index, a union's branch
    name = tuple(str(part) for part in details["loc"][:2])
    place = sources.place(name)
    if details["type"] == "extra_forbidden":
        return f"{place}: {_explain_unknown(name, model)}"
    shown = ".".join(name)
    if details["type"] == "value_error":
        # the validators' own words; they keep secrets out themselves
        return f"{place}: {shown} {details['ctx']['error']}"
    return f"{place}: {shown} {_requirement(details)}"


def _explain_unknown(name: Name, model: type[BaseModel]) -> str:
    names = list(setting_names(model))
    if len(name) == 1:
        sections = list(model.model_fields)
        hint = _similar(name[0], sections, "[{}]".format)
        homes = [f"[{section}]" for section, key in names if key == name[0]]
        if homes:
            hint = f"; {name[0]} belongs under {' or '.join(homes)}"
        return f"there is no section {name[0]}{hint or '; there are ' + ', '.join(sections)}"
    section, key = name
    hint = _similar(key, [own for above, own in names if above == section])
    homes = [f"[{above}]" for above, own in names if own == key]
    if homes:
        hint = f"; {key} belongs under {' or '.join(homes)}"
    return f"there is no setting {key} in [{section}]{hint}"


def _requirement(details: ErrorDetails) -> str:
    """What would be right, for the kinds of error that pydantic finds by itself."""
    context = details.get("ctx", {})
    kind = details["type"]
    if kind == "literal_error":
        choices = _QUOTED.findall(str(context["expected"]))
        return f"must be {context['expected']}{_similar(str(details['input']), choices, repr)}"
    for beginning, requirement in _REQUIREMENTS.items():
        if kind.startswith(beginning):
            return requirement.format_map(context)
    return f"is wrong: {details['msg']}"
