"""The page of messages quotes what the code says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.docs.blocks import DOCS, ROOT

PAGE = DOCS / "reference" / "messages.md"
# Of OpenSSH and of borg.
OF_OTHERS = {
    "Permission denied (publickey)",
    "Cache, or information obtained from the security directory is newer than repository",
    "Failed to create/acquire the lock",
}
_ROW = re.compile(r"^\| `([^`]+)` \|")
_PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w*\}")
VALUE = "…"


def quoted() -> list[str]:
    rows = (_ROW.match(line) for line in PAGE.read_text().splitlines())
    return [row[1] for row in rows if row is not None]


@cache
def said() -> str:
    """Every text of the code in which the placeholder stands for each value, one a line."""
    files = [*ROOT.glob("hive/**/*.py"), *ROOT.glob("sshgate/**/*.py")]
    return "\n".join(text for file in files for text in texts(ast.parse(file.read_text())))


def texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else VALUE for part in node.values
            ).replace("\n", " ")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield _PLACEHOLDER.sub(VALUE, node.value).replace("\n", " ")


def test_there_are_messages() -> None:
    assert len(quoted()) > 40
    assert set(quoted()) > OF_OTHERS


@pytest.mark.parametrize("message", [one for one in quoted() if one not in OF_OTHERS])
def test_the_code_says_it(message: str) -> None:
    parts = [part for part in (one.strip() for one in message.split(VALUE)) if len(part) > 3]
    assert parts, message
    missing = [part for part in parts if part not in said()]
    assert missing == [], f"{PAGE.name} quotes {message!r}, which the code does not say"
