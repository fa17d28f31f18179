from __future__ import annotations

import re
from pathlib import Path

import jinja2
import pytest
from aiohttp.web import Application

import web
from web.assets import Assets
from web.rendering import set_up_templates

HOME = Path(web.__file__).parent
TEMPLATES = sorted((HOME / "templates").rglob("*.*"))
STATIC = sorted((HOME / "static").glob("*.*"))
FORBIDDEN = {
    "an inline style": r"\bstyle\s*=|<style",
    "an inline handler": r"\son[a-z]+\s*=",
    "another site": r"(https?:)?//[a-z]",
    "an inline script": r"<script(?![^>]*\ssrc=)",
    "text that is not escaped": r"\|\s*safe\b|autoescape|\bMarkup\b",
    "a javascript: address": r"javascript:",
}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_template_has(path: Path, what: str) -> None:
    assert not re.search(FORBIDDEN[what], path.read_text(), re.IGNORECASE)


@pytest.mark.parametrize("path", STATIC, ids=lambda path: path.name)
def test_no_file_comes_from_another_site(path: Path) -> None:
    text = path.read_text(errors="replace").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|@import|url\(|eval\(|innerHTML|document\.write", text)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_template_compiles(path: Path) -> None:
    set_up_templates(Application(), Assets()).get_template(
        str(path.relative_to(HOME / "templates"))
    )


def test_every_table_tells_what_its_heads_are_for() -> None:
    for path in TEMPLATES:
        text = path.read_text()
        assert all("scope=" in head for head in re.findall(r"<th[\s>][^>]*>?", text)), path.name
        assert text.count("<table") == text.count("<caption"), path.name


def test_every_field_has_a_label() -> None:
    for path in TEMPLATES:
        text = path.read_text()
        labelled = set(re.findall(r'<label for="([^"]+)"', text))
        fields = re.findall(r"<input (?![^>]*hidden)[^>]*>", text)
        for field in fields:
            named = re.search(r'id="([^"]+)"', field)
            assert named is not None
            assert named[1] in labelled, f"{path.name}: {field}"


def test_what_is_undefined_is_an_error_and_what_is_text_is_escaped() -> None:
    made = set_up_templates(Application(), Assets())
    with pytest.raises(jinja2.UndefinedError):
        made.from_string("{{ nothing }}").render()
    assert made.from_string("{{ text }}").render(text="<b>") == "&lt;b&gt;"
