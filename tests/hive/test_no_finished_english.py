"""No sentence for readers is put together from finished English: text and values stay apart.

What is passed as text to an error, an event, an alarm or a check is a literal that catalogues
know, or a sentence; never an f-string, a sum or a format of strings, which nobody can translate.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import hive
from hive import catalogues

HOME = Path(hive.__file__).parent.parent
ROOMS = ("hive/services", "hive/notify", "hive/outgoing", "hive/borg", "sshgate")
PATTERNS = ("hive/*.py", *(f"{room}/**/*.py" for room in ROOMS))
FILES = sorted(path for pattern in PATTERNS for path in HOME.glob(pattern))

# Where the texts are among the arguments: by the name of what is called, or its last two names.
TEXTS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(catalogues.KEYWORDS, (0,)),
    "Finding": (1,),
    "events.record": (2,),
    "alarms.begin": (2,),
    "alarms.happened": (2,),
    "alarms.end": (2,),
    "Check": (2, 3),
    "Trouble": (1, 2, 3),
    "Notice": (2,),
}
NAMES = frozenset(("title", "message", "remedy", "unknown"))
READY_MADE = frozenset(
    ("Check", "Trouble", "Notice", "events.record", "alarms.begin", "alarms.happened", "alarms.end")
)  # whose literals are sentences as well


def called(call: ast.Call) -> str:
    """The name in TEXTS, or the empty one."""
    names = ast.unparse(call.func).split(".")
    return next((name for name in (".".join(names[-2:]), names[-1]) if name in TEXTS), "")


def texts(call: ast.Call, name: str) -> Iterator[ast.expr]:
    yield from (call.args[place] for place in TEXTS[name] if place < len(call.args))
    if name in READY_MADE:
        yield from (one.value for one in call.keywords if one.arg in NAMES)


def is_put_together(text: ast.expr) -> bool:
    if isinstance(text, ast.IfExp):
        return is_put_together(text.body) or is_put_together(text.orelse)
    is_format = (
        isinstance(text, ast.Call)
        and isinstance(text.func, ast.Attribute)
        and text.func.attr == "format"
    )
    return isinstance(text, ast.JoinedStr | ast.BinOp) or is_format


def is_bare(text: ast.expr) -> bool:
    """English that no catalogue gets."""
    return isinstance(text, ast.Constant) and isinstance(text.value, str) and " " in text.value


def wrongs(source: str) -> list[str]:
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [
        f"line {text.lineno}: {ast.unparse(text)}"
        for call in calls
        if (name := called(call))
        for text in texts(call, name)
        if is_put_together(text) or (name in READY_MADE and is_bare(text))
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOME)))
def test_no_text_is_put_together(path: Path) -> None:
    assert wrongs(path.read_text()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        'raise NotFound(f"There is no {thing}.")',
        'raise Conflict("There is no " + thing)',
        'say("There is no %s" % thing)',
        'say("There is no {}".format(thing))',
        'await events.record(1, kind, f"Key {key}.")',
        'Check("ok", "Clock", "It is right")',
        'Trouble(kind, say("Title"), "It is wrong.")',
        'Trouble(kind, say("Title"), message=f"{what} is wrong.")',
    ],
)
def test_such_a_text_would_be_found(wrong: str) -> None:
    assert len(wrongs(f"async def f():\n    {wrong}")) == 1


def test_sentences_and_literals_are_fine() -> None:
    fine = 'raise NotFound("There is no %(thing)s.", thing=thing)\nCheck("ok", "Clock", say("A b"))'
    assert wrongs(fine) == []
