"""No text from outside, however long and whatever it is made of, takes more than linear time."""

from __future__ import annotations

import ast
import itertools
import re
import signal
import subprocess
import sys

import pytest

from tests.foreign_text import PACKAGES, ROOT

pytestmark = pytest.mark.timeout(900)  # it bounds its own processor time

MIB = 1024 * 1024
SECONDS = 20  # of processor time for a megabyte: linear work takes a hundredth of it
# A quarter of the text in a quarter of the time: the long set has the whole.
sized = pytest.mark.parametrize(
    ("length", "seconds"),
    [
        pytest.param(MIB // 4, SECONDS / 4, id="a quarter"),
        pytest.param(MIB, SECONDS, id="whole", marks=pytest.mark.long),
    ],
)

# Patterns of former versions that did not hold: what finds them finds their like.
FORMER = {
    "redaction": r"(/+ping/+|/api/push/+|hc-ping\.com/+|/p/+)[A-Za-z0-9_\-%.]{8,}",
    "placeholders": r"\{\{\s*([^{}]*?)\s*\}\}",
    "borg 2's version": r"(?im)^user-agent:[^\r\n]*borg\w*/([\w.]{1,30})",
    "sections": r"\s*\[\s*([^\[\]]+?)\s*\]",
    "sentences": r"Key (.*?): (.*?), (.*?), (.*?) in, (.*?) out\.",
}


def attempt(
    what: str, *arguments: str, seconds: float, length: int = MIB
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.foreign_text", what, str(seconds), str(length)]
    return subprocess.run(
        [*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.long
@sized
@pytest.mark.parametrize("what", ["patterns", "functions"])
def test_a_megabyte_of_its_own_parts_stalls_nothing(what: str, length: int, seconds: float) -> None:
    done = attempt(what, seconds=seconds, length=length)
    last = done.stdout.splitlines()[-1] if done.stdout else ""
    assert done.returncode == 0, (last, done.stderr)
    assert re.fullmatch(rf"all [1-9]\d+ {what}", last)


@pytest.mark.long
@pytest.mark.parametrize("what", FORMER)
def test_a_pattern_that_does_not_hold_is_found(what: str) -> None:
    done = attempt("patterns", FORMER[what], seconds=2)
    assert done.returncode == -signal.SIGXCPU, done.stdout[-200:]


def is_of_re(node: ast.AST, *names: str) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == "re"
        and node.func.attr in names
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_every_pattern_is_compiled_when_its_module_is_imported(package: str) -> None:
    """Where the test above finds it."""
    hidden = []
    uses = ("match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer")
    for file in (ROOT / package).rglob("*.py"):
        tree = ast.parse(file.read_text())
        found = [node for node in ast.walk(tree) if is_of_re(node, *uses)]
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                inside = itertools.chain.from_iterable(map(ast.walk, function.body))
                found += [node for node in inside if is_of_re(node, "compile")]
        hidden += [f"{file.relative_to(ROOT)}: {ast.unparse(node)}" for node in found]
    assert hidden == []
