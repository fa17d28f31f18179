"""Pages speak every language completely: texts, templates and catalogues agree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from aiohttp.web import Application
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from jinja2 import nodes

import web
from hive import catalogues, clock
from hive.config.settings import Settings
from hive.config.sources import setting_names
from hive.services.permissions import Actor
from hive.translation import translate
from tests.web.browser import Browser
from web.assets import Assets
from web.rendering import set_up_templates
from web.text import format as formats
from web.text import i18n, words
from web.text.i18n import Reader, reading

HOME = Path(web.__file__).parent
TEMPLATES = sorted((HOME / "templates").rglob("*.html"))
OTHERS = [language for language in i18n.LANGUAGES if language != catalogues.DEFAULT]
KEYWORDS: dict[str, Any] = {
    **dict.fromkeys(("_", "N_", "gettext", *catalogues.KEYWORDS)),
    "ngettext": (1, 2),
}
SPOKEN = ("aria-label", "data-label", "data-done", "title", "placeholder", "alt")
SAME_EVERYWHERE = {"Borg Hive", "borg", "Python", "hint-"}  # hint-: the middle of an id
ATTRIBUTE = re.compile(r'[\w-]+="[^"]*"?')  # in a block that stands inside of a tag
PLACEHOLDER = re.compile(r"%\(\w+\)(?:s|r|g|\.\df)")


Text = tuple[str | None, str | tuple[str, ...]]  # its context and itself


@pytest.fixture(scope="module")
def used() -> set[Text]:
    """Every text that code and templates ask to be translated, and what services say."""
    with (catalogues.LOCALES / "babel.ini").open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]  # of Babel
    found = extract_from_dir(HOME.parent, methods, options, keywords=KEYWORDS)
    return {(context, message) for _, _, message, _, context in found}


def catalogue(language: str) -> Catalog:
    with (catalogues.LOCALES / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_has_each_text_and_no_other(language: str, used: set[Text]) -> None:
    """script/translate brings it up to date."""
    ours = {
        (one.context, tuple(one.id) if isinstance(one.id, list | tuple) else one.id)
        for one in catalogue(language)
        if one.id
    }
    assert len(used) > 300
    assert used - ours == set(), "not in the catalogue"
    assert ours - used == set(), "no longer used"


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated_with_its_values(language: str) -> None:
    for one in catalogue(language):
        if not one.id:
            continue
        assert not one.fuzzy, one.id
        originals = [one.id] if isinstance(one.id, str) else list(one.id)
        translated = [one.string] if isinstance(one.string, str) else list(one.string or ())
        assert all(translated), one.id
        assert len(originals) == len(translated)
        for text in translated:
            wanted = set(PLACEHOLDER.findall(originals[-1]))
            found = set(PLACEHOLDER.findall(text))
            # the singular may say "one" instead of the number
            assert wanted - found <= {"%(count)s"} if len(originals) > 1 else wanted == found
            assert sorted(re.findall(r"<[^>]+>", text)) == sorted(
                re.findall(r"<[^>]+>", originals[-1])
            ), one.id


class Spoken(HTMLParser):
    """What of HTML people read or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.texts += [value for name, value in attrs if name in SPOKEN and value]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_speaks_past_the_catalogue(path: Path) -> None:
    """What remains of a template when all that is translated or computed is taken out."""
    tree = set_up_templates(Application(), Assets()).parse(path.read_text())
    spoken = Spoken()
    for output in tree.find_all(nodes.Output):
        for part in output.nodes:
            spoken.feed(part.data if isinstance(part, nodes.TemplateData) else "\ufffc")
    spoken.close()
    left = {ATTRIBUTE.sub("", text).strip(" \n\ufffc\u2013,·") for text in spoken.texts}
    assert {text for text in left if re.search(r"[A-Za-z]{2}", text)} <= SAME_EVERYWHERE


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_expression_of_a_template_speaks_past_the_catalogue(path: Path) -> None:
    tree = set_up_templates(Application(), Assets()).parse(path.read_text())
    said = [text for output in tree.find_all(nodes.Output) for text in constants(output)]
    # A sentence or a word that begins like one; classes, paths and attributes do not.
    assert [text for text in said if re.match(r"[A-Z][a-z]|[a-z]+ [a-z]+ ", text)] == []


def constants(node: nodes.Node) -> Iterator[str]:
    """The texts in an expression that can be printed as they are."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, nodes.CondExpr):
        for part in (node.expr1, node.expr2):
            yield from constants(part) if part is not None else ()
    elif isinstance(node, nodes.Output | nodes.Concat):
        for part in node.nodes:
            yield from constants(part)


def test_every_stored_word_has_a_translation_or_is_the_same_everywhere() -> None:
    with reading(Reader("de")):
        for kind in words.KINDS:
            for value in kind:
                is_same = str(value) in words.SAME
                assert is_same or words.word(value) != str(value), repr(value)


@pytest.mark.parametrize("language", OTHERS)
def test_the_description_of_every_setting_is_translated(language: str) -> None:
    described = [
        info.description or ""
        for section, key in setting_names(Settings)
        for info in [Settings.model_fields[section].annotation.model_fields[key]]  # type: ignore[union-attr]
    ]
    assert len(described) > 80
    assert [text for text in described if translate(text, language) == text] == []


def test_a_name_in_a_translated_text_is_as_harmless_as_elsewhere() -> None:
    template = set_up_templates(Application(), Assets()).from_string(
        "{{ _('Edit %(name)s', name=name) }} {% trans name=name %}Edit {{ name }}{% endtrans %}"
    )
    text = template.render(name="<b>\u202e\n%(x)s")
    assert text == " ".join(["Edit &lt;b&gt;\\u202e\\n%(x)s"] * 2)


def test_one_environment_speaks_to_each_reader_in_turn() -> None:
    """Macros of an imported template and filters of constants were made once, for the first."""
    made = set_up_templates(Application(), Assets())
    template = made.from_string(
        '{% import "parts.html" as parts %}{{ parts.state("fine") }} {{ "done"|word }}'
        ' {{ "Choose a key."|said }} {{ _("Save") }}'
    )
    for language, said in (
        ("en", ("Fine", "done", "Choose a key.", "Save")),
        ("de", ("In Ordnung", "fertig", "Einen Schlüssel wählen.", "Speichern")),
        ("en", ("Fine", "done", "Choose a key.", "Save")),
    ):
        with reading(Reader(language)):
            text = template.render()
        assert [word for word in said if word not in text] == []


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("fr, en;q=0.4, de;q=0.7", "de"),
        ("en;q=0.8, de;q=0", "en"),
        ("fr", "en"),
        ("de;q=x", "en"),
        ("*", "en"),
        (",".join(["fr"] * 10_000) + ",de", "en"),
        ("de;q=0.5;x=y", "en"),
    ],
)
def test_the_browser_says_which_language(accepted: str, language: str) -> None:
    assert i18n.preferred(accepted) == language


async def test_pages_and_errors_speak_the_language_of_the_browser(
    browser: Browser, alice: Actor
) -> None:
    german = {"Accept-Language": "de"}
    login = await browser.get("/login", headers=german)
    assert '<html lang="de">' in login.text
    assert "<h1>Anmelden</h1>" in login.text
    await browser.log_in("alice")
    assert "Diese Seite gibt es nicht" in (await browser.get("/nothing", headers=german)).text
    assert "There is no such page" in (await browser.get("/nothing")).text


async def test_what_was_chosen_counts_more_and_is_kept(browser: Browser, alice: Actor) -> None:
    answer = await browser.post("/appearance", {"language": "de", "theme": "dark", "next": "/keys"})
    assert (answer.status, answer.location) == (303, "/keys")
    page = await browser.get("/login", headers={"Accept-Language": "en"})
    assert '<html lang="de" data-theme="dark">' in page.text
    await browser.post("/appearance", {"theme": "system"})
    assert '<html lang="de">' in (await browser.get("/login")).text


async def test_what_cannot_be_chosen_changes_nothing(browser: Browser, root: Actor) -> None:
    wrong = {"language": "../de", "theme": '"><script>', "next": "//evil.example"}
    assert (await browser.post("/appearance", wrong)).location == "/"
    forged = {"Cookie": 'hive-theme="><script>; hive-language=xx'}
    assert '<html lang="en">' in (await browser.get("/login", headers=forged)).text


async def test_times_and_counts_are_german_too() -> None:
    now = clock.now()
    clock.use(lambda: now)
    with reading(Reader("de")):
        assert formats.relative(now - timedelta(hours=3)) == "vor 3 Stunden"
        assert formats.relative(now + timedelta(days=1)) == "in 1 Tag"
        assert formats.relative(now) == "gerade eben"
        made = set_up_templates(Application(), Assets())
        text = "{% trans count=n %}One key.{% pluralize %}{{ count }} keys.{% endtrans %}"
        assert made.from_string(text).render(n=1) == "Ein Schlüssel."
        assert made.from_string(text).render(n=3) == "3 Schlüssel."
