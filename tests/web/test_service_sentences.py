"""What services say in English is found in their code and said in the reader's language."""

from __future__ import annotations

from io import BytesIO

import pytest

from hive.services.permissions import Actor
from tests.web.browser import Browser
from web.text.i18n import Reader, reading, sentence
from web.text.service_sentences import Sentences, extract

CODE = b"""
class Keys:
    def find(self, name):
        raise NotFound(f"There is no key {name!r}: {name!r} of {self.owner.name}.")

async def note(key):
    message = f"Key {key} came." if key else "It came, 100 % sure."
    await events.record(1, KIND, message)
    logger.info("nobody is told this")
    other = ValueError("nor this")
"""


def test_sentences_are_found_with_their_values_as_placeholders() -> None:
    found = [text for _, _, (_, text), _ in extract(BytesIO(CODE), (), (), {})]
    assert sorted(found) == [
        "It came, 100 %% sure.",
        "Key %(key)s came.",
        "There is no key %(name)s: %(name)s of %(self_owner_name)s.",
    ]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("There is no key 'x'.", "Kein Schluessel 'x'."),
        ("There is no key 'x' of %(alice)s.", "Keiner von %(alice)s namens 'x'."),
        ("There is no key 'a\nb'.", "Kein Schluessel 'a\nb'."),
        ("x is x: x", "x ist x"),
        ("x is y: x", None),
        ("All of it, 5 % each.", "Alles, je 5 %."),
        ("Nobody says this.", None),
    ],
)
def test_what_was_said_is_recognised_with_its_values(said: str, shown: str | None) -> None:
    sentences = Sentences(
        [
            ("There is no key %(name)s.", "Kein Schluessel %(name)s."),
            ("There is no key %(name)s of %(owner)s.", "Keiner von %(owner)s namens %(name)s."),
            ("%(a)s is %(a)s: %(b)s", "%(a)s ist %(b)s"),
            ("All of it, 5 %% each.", "Alles, je 5 %%."),
        ]
    )
    assert sentences.translate(said) == shown


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("There is no user 'x'.", "Es gibt keinen Benutzer 'x'."),
        ("Only an administrator may do this.", "Nur die Verwaltung darf das."),
        (
            "Key laptop: create, done, 1.40 GB in, 3.40 kB out.",
            "Schl\u00fcssel laptop: create, done, 1.40 GB empfangen, 3.40 kB gesendet.",
        ),
        ("borg's own words", "borg's own words"),
    ],
)
def test_a_german_reader_is_told_in_german(said: str, shown: str) -> None:
    with reading(Reader("de")):
        assert sentence(said) == shown
    assert sentence(said) == said


async def test_a_form_says_in_german_what_is_wrong(browser: Browser, alice: Actor) -> None:
    await browser.log_in("alice")
    await browser.post("/appearance", {"language": "de", "next": "/"})
    answer = await browser.post("/repositories/add", {"name": "x", "owner": "alice", "quota": "5"})
    assert "Ein Kontingent beträgt mindestens 10 MB" in answer.text
