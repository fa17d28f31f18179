"""SECURITY.md names tests, and these exist."""

from __future__ import annotations

import re

from tests.docs.blocks import ROOT

PAGE = ROOT / "SECURITY.md"
_ROW = re.compile(r"^\| (?!promise|---)(.+) \| (.+) \|$")
_TEST = re.compile(r"`([\w/]+(?:\.py)?/?)(?:::(\w+))?`")


def rows() -> list[tuple[str, str]]:
    found = (_ROW.match(line) for line in PAGE.read_text().splitlines())
    return [(row[1], row[2]) for row in found if row is not None]


def test_each_promise_names_tests_that_exist() -> None:
    assert len(rows()) > 15
    for promise, named in rows():
        tests = _TEST.findall(named)
        assert tests, promise
        for path, name in tests:
            file = ROOT / "tests" / path
            assert file.exists(), f"{path} is not there, for: {promise}"
            assert not name or f"def {name}(" in file.read_text(), f"{path}::{name}"
