"""The map of the house is drawn from the tree."""

from __future__ import annotations

import re

import pytest

from tests.docs.blocks import DOCS, ROOT

PAGE = DOCS / "explanation" / "architecture.md"
TOP = ("hive", "sshgate", "web")
# What holds no code: the page names the directory above.
WITHOUT_CODE = {"web/static", "web/templates", "web/locales"}
_PATH = re.compile(r"`((?:[\w.-]+/)+(?:[\w-]+\.\w+)?)`")


def named() -> set[str]:
    """Every path on the page, without a slash at its end."""
    return {path.rstrip("/") for path in _PATH.findall(PAGE.read_text())}


def packages() -> set[str]:
    found = {
        str(file.parent.relative_to(ROOT)) for top in TOP for file in ROOT.glob(f"{top}/**/*.py")
    }
    return found | WITHOUT_CODE


def test_the_map_shows_every_package() -> None:
    assert sorted(packages() - named()) == []


def test_every_path_on_the_map_exists() -> None:
    assert sorted(path for path in named() if not (ROOT / path).exists()) == []


def test_each_package_says_what_lives_there() -> None:
    silent = [
        package
        for package in packages() - WITHOUT_CODE
        if not (ROOT / package / "__init__.py").read_text().startswith('"""')
    ]
    assert silent == []


@pytest.mark.parametrize(
    "walk",
    ["SSH key to a child", "bytes to a verdict", "late backup to a mail", "page to its template"],
)
def test_the_walk_is_there(walk: str) -> None:
    assert walk in PAGE.read_text()
