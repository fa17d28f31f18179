"""What services say in English, found in their code and recognised again when it is shown.

A service says a whole sentence, with its values in it: "There is no user 'x'." For the catalogues
each becomes a text with placeholders, "There is no user %(reference)s.", in the context CONTEXT;
to show it, the text that the sentence is made of is looked for, and the values are taken along.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, TypeVar

CONTEXT = "service"
_ERRORS = {
    "Conflict",
    "DeliveryFailed",
    "Forbidden",
    "TooMany",
    "InvalidInput",
    "NotFound",
    "Reason",
    "StorageError",
    "Unavailable",
}
_TELLING = {"events.record", "alarms.happened"}
_SAYING = {*_ERRORS, "phrase"}
_MAX_NAME = 30
_LONGEST = 8192  # characters of a sentence; what is longer is shown as it came
_NOT_IN_NAMES = re.compile(r"\W+")
_PLACEHOLDER = re.compile(r"%\((\w+)\)s|%%")
Node = TypeVar("Node", bound=ast.AST)
Found = tuple[int, str, tuple[str, str], list[str]]


def extract(
    file: BinaryIO, _keywords: object, _comment_tags: object, options: Mapping[str, str]
) -> Iterator[Found]:
    """For Babel: the sentences of errors and events, and phrases, in a file of Python."""
    for scope in ast.walk(ast.parse(file.read())):
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            assigned = _assigned(scope)
            for call in _own(scope, ast.Call):
                for line, text in _texts(_said(call), assigned):
                    yield line, "pgettext", (CONTEXT, text), []


def _own(scope: ast.AST, kind: type[Node]) -> Iterator[Node]:
    """What stands in the scope itself, not in functions inside of it."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, kind):
            yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _assigned(scope: ast.AST) -> dict[str, list[ast.expr]]:
    """What the names of a scope are made of: a sentence may be put together before it is said."""
    found: dict[str, list[ast.expr]] = {}
    for one in _own(scope, ast.Assign):
        for target in one.targets:
            if isinstance(target, ast.Name):
                found.setdefault(target.id, []).append(one.value)
    return found


def _said(call: ast.Call) -> ast.expr | None:
    """The sentence that a call says, if it says one."""
    if isinstance(call.func, ast.Name) and call.func.id in _SAYING and call.args:
        return call.args[0]
    is_event = isinstance(call.func, ast.Attribute) and ast.unparse(call.func) in _TELLING
    return call.args[2] if is_event and len(call.args) > 2 else None


def _texts(
    said: ast.expr | None, assigned: Mapping[str, list[ast.expr]]
) -> Iterator[tuple[int, str]]:
    match said:
        case ast.Constant(value=str(text)) if text:
            yield said.lineno, text.replace("%", "%%")
        case ast.JoinedStr():
            yield said.lineno, _with_placeholders(said)
        case ast.IfExp():
            yield from _texts(said.body, assigned)
            yield from _texts(said.orelse, assigned)
        case ast.Name(id=name):
            for value in assigned.get(name, ()):
                if not isinstance(value, ast.Name):
                    yield from _texts(value, assigned)


def _with_placeholders(said: ast.JoinedStr) -> str:
    names: dict[str, str] = {}  # by the expression
    parts = []
    for value in said.values:
        if isinstance(value, ast.FormattedValue):
            expression = ast.unparse(value.value)
            if expression not in names:
                names[expression] = _name(expression, set(names.values()))
            parts.append(f"%({names[expression]})s")
        elif isinstance(value, ast.Constant):
            parts.append(str(value.value).replace("%", "%%"))
    return "".join(parts)


def _name(expression: str, taken: set[str]) -> str:
    name = _NOT_IN_NAMES.sub("_", expression).strip("_").lower()[:_MAX_NAME].strip("_") or "value"
    if name[0].isdigit():
        name = f"value_{name}"  # no group of a pattern begins with a digit
    while name in taken:
        name += "_"
    return name


class Sentences:
    """The translations of one language, by the sentences that services say."""

    def __init__(self, translations: Iterable[tuple[str, str]]) -> None:
        self._whole: dict[str, str] = {}
        templates = []
        for original, translation in translations:
            if "%(" in original:
                templates.append((_Template.of(original), translation))
            else:
                self._whole[original % ()] = translation % ()
        # The one that says the most itself is meant.
        templates.sort(key=lambda one: one[0].literals, reverse=True)
        self._templates = templates
        self._known = lru_cache(maxsize=2048)(self._translate)

    def translate(self, sentence: str) -> str | None:
        """None where nobody says this."""
        return self._known(sentence) if len(sentence) <= _LONGEST else None

    def _translate(self, sentence: str) -> str | None:
        if sentence in self._whole:
            return self._whole[sentence]
        for template, translation in self._templates:
            values = template.values_in(sentence)
            if values is not None:
                return translation % values
        return None


@dataclass(frozen=True)
class _Template:
    """A sentence with holes: its beginning, and each hole's name with the text behind it.

    Values can be the text of clients, so no pattern that backtracks looks for them.
    """

    beginning: str
    holes: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, text: str) -> _Template:
        # text, name, text, name, text; of %% the name is None
        pieces = _PLACEHOLDER.split(text)
        beginning, holes = pieces[0], list[tuple[str, str]]()
        for name, behind in zip(pieces[1::2], pieces[2::2], strict=True):
            if name is not None:
                holes.append((name, behind))
            elif holes:
                holes[-1] = (holes[-1][0], f"{holes[-1][1]}%{behind}")
            else:
                beginning += f"%{behind}"
        return cls(beginning, tuple(holes))

    @property
    def literals(self) -> int:
        return len(self.beginning) + sum(len(behind) for _, behind in self.holes)

    def values_in(self, sentence: str) -> dict[str, str] | None:
        """What stands in the holes, the first ones as short as can be; None if it is another."""
        end = len(sentence) - len(self.holes[-1][1])
        position = len(self.beginning)
        if position > end or not sentence.startswith(self.beginning):
            return None
        if not sentence.endswith(self.holes[-1][1]):
            return None
        values: dict[str, str] = {}
        for name, behind in self.holes[:-1]:
            if name in values:
                begin = position + len(values[name])
                found = begin if sentence.startswith(behind, begin) else -1
            else:
                found = sentence.find(behind, position, end)
            value = sentence[position:found]
            if found < 0 or found + len(behind) > end or values.setdefault(name, value) != value:
                return None
            position = found + len(behind)
        value = sentence[position:end]
        return values if values.setdefault(self.holes[-1][0], value) == value else None
