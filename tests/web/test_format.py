from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from aiohttp.web import Application

from hive import clock, localized
from web.assets import Assets
from web.rendering import cut, set_up_templates
from web.text import format as formats

NOW = datetime(2026, 11, 23, 17, 5, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    clock.use(lambda: NOW)
    yield
    clock.use(None)


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=59, seconds=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=27), "1 day ago"),
        (timedelta(days=9), "1 week ago"),
        (timedelta(days=100), "3 months ago"),
        (timedelta(days=800), "2 years ago"),
        (timedelta(seconds=-30), "just now"),
        (timedelta(hours=-3), "in 3 hours"),
    ],
)
def test_how_long_ago(span: timedelta, said: str) -> None:
    assert formats.relative(NOW - span) == said


def test_a_relative_time_tells_the_exact_one_in_utc() -> None:
    at = datetime(2026, 11, 23, 17, 0, tzinfo=timezone(timedelta(hours=1)))
    assert formats.ago(at) == (
        '<time datetime="2026-11-23T16:00:00Z" title="2026-11-23 16:00:00 UTC">1 hour ago</time>'
    )
    assert ">2026-11-23 16:00 UTC<" in formats.moment(at)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0s"),
        (192, "3m12s"),
        (3600, "1h"),
        (3725, "1h2m"),
        (90_061, "1d1h"),
        (8 * 86_400 + 4000, "8d"),
        (-5, "0s"),
    ],
)
def test_how_long_it_took(seconds: int, said: str) -> None:
    assert formats.took(NOW, NOW + timedelta(seconds=seconds)) == said


def test_what_runs_took_as_long_as_until_now() -> None:
    assert formats.took(NOW - timedelta(minutes=2), None) == "2m"


def test_sizes_are_those_of_borg_and_the_unknown_is_no_zero() -> None:
    assert formats.size(0) == "0 B"
    assert formats.size(1_400_000_000) == "1.40 GB"
    assert formats.size(None) == "\u2013"


def test_what_does_not_end_is_cut() -> None:
    assert cut("x" * 300, 10) == "x" * 10 + "…"
    assert cut("שלום 🐝") == "שלום 🐝"


def test_whatever_a_template_prints_can_be_seen() -> None:
    template = set_up_templates(Application(), Assets()).from_string(
        "{{ text }} {{ number }} {{ at|ago }}"
    )
    text = template.render(text="a\u202eb\n<", number=5, at=NOW)
    assert text.startswith("a\\u202eb\\n&lt; 5 <time ")


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (105_710_000, "106 MB"),
        (42_140_000_000, "42.1 GB"),
        (812_000_000_000, "812 GB"),
        (1_410_000_000_000, "1.41 TB"),
    ],
)
def test_where_there_is_little_room_a_size_has_three_digits(count: int, shown: str) -> None:
    assert localized.brief_size(count, "en") == shown
    assert localized.brief_size(count, "de") == shown.replace(".", ",")
