from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hive.errors import AccessRefused, InvalidInput, NotFound, RefusalCause
from hive.sentences import Cron, Sentence, Size, load, say, store
from hive.translation import translate

AT = datetime(2026, 11, 30, 14, 5, tzinfo=UTC)


def test_a_sentence_is_its_english() -> None:
    said = say("There is no user %(name)r.", name="al'ice\n")
    assert said == 'There is no user "al\'ice\\n".'
    assert f"{said} Really." == 'There is no user "al\'ice\\n". Really.'
    assert said.text == "There is no user %(name)r."


def test_a_text_without_values_is_taken_literally() -> None:
    assert say("100 % sure, %(name)s") == "100 % sure, %(name)s"


def test_a_percent_sign_beside_values_is_written_twice() -> None:
    assert say("%(share)s %% of %(what)s", share=5, what="all") == "5 % of all"


@pytest.mark.parametrize(
    ("value", "english", "german"),
    [
        (Size(8_330_000_000_000), "8.33 TB", "8,33 TB"),
        (Size(12), "12 B", "12 B"),
        (AT, "2026-11-30 14:05 UTC", "30.11.2026 14:05 UTC"),
        (date(2026, 11, 30), "2026-11-30", "30.11.2026"),
        (timedelta(days=9, hours=3), "9 days", "1 Woche"),
        (timedelta(seconds=3), "less than a minute", "weniger als eine Minute"),
        (Cron("0 3 1 * *"), "At 03:00 on the first day of every month", None),
        (Path("/srv/x"), "/srv/x", "/srv/x"),
        (RefusalCause.QUOTA, "over quota", "over quota"),
        (None, "None", "None"),
    ],
)
def test_values_are_written_as_the_reader_does(
    value: object, english: str, german: str | None
) -> None:
    said = say("Value: %(value)s", value=value)
    assert said == f"Value: {english}"
    if german is not None:
        assert translate(said, "de") == f"Value: {german}"  # the text itself is in no catalogue


def test_a_value_can_be_a_sentence_and_is_translated_as_well() -> None:
    said = say("%(schedule)s, %(next)s", schedule=say("Every day"), next=say("next tomorrow"))
    assert said == "Every day, next tomorrow"
    assert translate(said, "de") == "Jeden Tag, nächste morgen"


def test_times_are_in_the_zone_of_the_reader() -> None:
    said = say("At %(at)s", at=AT)
    assert translate(said, "de", ZoneInfo("Europe/Berlin")) == "At 30.11.2026 15:05"


def test_errors_are_made_of_text_and_values() -> None:
    error = InvalidInput("%(text)r is not a size", field="size", text="x")
    assert (error.message, error.field) == ("'x' is not a size", "size")
    assert isinstance(error.message, Sentence)
    refused = AccessRefused("Key %(key)s is disabled.", RefusalCause.KEY_DISABLED, key="a")
    assert (str(refused), refused.cause) == ("Key a is disabled.", RefusalCause.KEY_DISABLED)
    assert NotFound(error.message).message is error.message


@pytest.mark.parametrize(
    "said",
    [
        say("Plain."),
        say("%(a)s, %(b)r, %(c).0f", a=Size(5), b="x", c=2.6),
        say("%(a)s %(b)s %(c)s %(d)s", a=AT, b=timedelta(days=2), c=Cron("0 3 * * *"), d=None),
        say("%(inner)s", inner=say("%(day)s", day=date(2026, 1, 2))),
    ],
)
def test_a_stored_sentence_comes_back_as_it_was(said: Sentence) -> None:
    back = load(store(said, 1000))
    assert isinstance(back, Sentence)
    assert (back, back.text, back.values) == (said, said.text, said.values)
    assert pickle.loads(pickle.dumps(said)).values == said.values  # noqa: S301 - our own


def test_text_of_former_versions_stays_as_it_is() -> None:
    for text in ("", "Key a: 5 % gone.", "%(name)s", '{"say"', '{"say": 1}'):
        assert load(text) == text
        assert store(text, 1000) == text or load(store(text, 1000)) == text


@pytest.mark.parametrize(
    "forged",
    [
        '{"say": "%(a)999999999s", "values": {"a": 1}}',
        '{"say": "%(a)d", "values": {"a": "x"}}',
        '{"say": ["x"], "values": {"a": "x"}}',
        '{"say": "x", "values": {"a": {"at": "never"}}}',
    ],
)
def test_text_that_only_looks_like_a_stored_sentence_is_shown_as_it_is(forged: str) -> None:
    assert load(forged) == forged
    assert load(store(forged, 1000)) == forged


def test_what_is_too_long_to_be_stored_is_cut_as_english() -> None:
    said = say("It says: %(text)s", text="x" * 2000)
    stored = store(said, 1000)
    assert stored == f"It says: {'x' * 2000}"[:1000]
