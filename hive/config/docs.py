"""The example configuration and the reference of settings, made from the settings themselves."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hive.config.settings import Settings
from hive.config.sources import environment_name

_TOML_BEGINNING = """\
Settings of Borg Hive with their defaults. Remove the # before a setting to change it.
Each setting is also an environment variable: HIVE_SSH__LISTEN is `listen` in [ssh].
Sizes are numbers of bytes or text: 10GB is a power of 1000, 10GiB a power of 1024."""

_MARKDOWN_BEGINNING = """\
# Configuration

<!-- Made by script/generate from hive/config/sections/; changes belong there. -->

Borg Hive runs without any configuration. To change a setting, use one of these; the first that
sets it wins:

1. an option of the command line, if there is one (`hive serve --ssh 0.0.0.0:22`),
2. an environment variable, `HIVE_SECTION__SETTING` (`HIVE_SSH__LISTEN=0.0.0.0:22`); an empty one
   counts as not set,
3. the configuration file, in TOML, named by `hive --config FILE` or `HIVE_CONFIG`. `hive config
   example` prints one with every setting; [config.example.toml](../../config.example.toml) is the
   same.

`hive config check` reports what is wrong. A file that is named and missing, an unknown setting
and a wrong value are errors that name the line or the variable. `HIVE_CONFIG` and `HIVE_DATA_DIR`
name the file and the data directory; they are not settings. A variable without `__` that is not a
setting may belong to another program: it causes only a warning.

Relative paths start at the working directory. Sizes are numbers of bytes or text: `10GB` is a
power of 1000, `10GiB` a power of 1024. If a size may be unlimited, `none` and `0` mean that. In
an environment variable, a list is separated by colons (paths) or commas (networks)."""

_MARKDOWN_END = """\
## The data directory

If `data_dir` is not set, it is `./data` of the checkout under `script/server`,
`/var/lib/borg-hive` for root, and `~/.local/share/borg-hive` (or its counterpart under
`XDG_DATA_HOME`) for everyone else. `hive --data-dir DIR` and `HIVE_DATA_DIR` take precedence over
everything else. [The data directory](data-directory.md) lists what is in it.
"""


def example_toml() -> str:
    """A file with every setting in a comment; uncommented, it is valid."""
    lines = [f"# {line}" for line in _TOML_BEGINNING.splitlines()]
    for section, model in _sections():
        lines += ["", "", f"# {model.__doc__}", f"[{section}]"]
        for key, info in model.model_fields.items():
            sentences = f"{info.description}{_choices(info)}"
            if not _has_default(info):
                sentences += " Not set by default; for example:"
            lines += ["", *(f"# {line}" for line in textwrap.wrap(sentences, 96))]
            lines.append(f"#{key} = {_shown_value(info)}")
    return "\n".join(lines) + "\n"


def markdown() -> str:
    """The reference for people: a table for each section."""
    parts = [_MARKDOWN_BEGINNING]
    for section, model in _sections():
        rows = ["| setting | default | description |", "|---|---|---|"]
        for key, info in model.model_fields.items():
            default = f"`{_shown_value(info)}`" if _has_default(info) else "not set"
            if key == "data_dir":
                default = "see below"
            rows.append(f"| `{key}` | {default} | {info.description}{_choices(info)} |")
        example = environment_name((section, next(iter(model.model_fields))))
        parts.append(f"## {section}\n\n{model.__doc__} Environment: `{example}`, ...")
        parts.append("\n".join(rows))
    return "\n\n".join([*parts, _MARKDOWN_END])


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    for section, info in Settings.model_fields.items():
        assert isinstance(info.annotation, type)  # noqa: S101 - sections are classes
        yield section, info.annotation


def _has_default(info: FieldInfo) -> bool:
    """Whether a default can be written down; `none` of a size limit can."""
    return info.default_factory is None and (info.default is not None or not info.examples)


def _shown_value(info: FieldInfo) -> str:
    """The default, or where there is none to show the example, as TOML has it."""
    value = info.default
    if not _has_default(info) and info.examples:
        value = info.examples[0]
    if value is None:
        return '"none"'
    if isinstance(value, tuple):
        return json.dumps([str(item) for item in value])
    if isinstance(value, dict):
        pairs = (f"{name} = {json.dumps(list(words))}" for name, words in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return _shown_number(value)
    return json.dumps(value)


def _shown_number(number: int) -> str:
    """Large powers of two are sizes and readable as such."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB")):
        if number and number % 1024**power == 0:
            return f'"{number // 1024**power}{unit}"'
    return str(number)


def _choices(info: FieldInfo) -> str:
    if get_origin(info.annotation) is not Literal:
        return ""
    *others, last = (f"`{choice}`" for choice in get_args(info.annotation))
    return f" One of {', '.join(others)} or {last}."
