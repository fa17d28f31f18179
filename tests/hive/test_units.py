from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies

from hive import clock, formats, units
from hive.errors import InvalidInput

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def _now() -> Iterator[None]:
    clock.use(lambda: NOW)
    yield
    clock.use(None)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1500", 1500),
        ("10 B", 10),
        ("5G", 5 * 1000**3),
        ("5gb", 5 * 1000**3),
        ("10GB", 10 * 1000**3),
        ("5 GiB", 5 * 1024**3),
        ("5Gi", 5 * 1024**3),
        ("1.5T", 1_500_000_000_000),
        ("0.5KiB", 512),
        (" 3 M ", 3_000_000),
    ],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "G", "-1", "1,5G", "1.G", "5 giga", "1e3", "٣", "iB", "5iB", "9.3EB", "9" * 30]
)
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"for example|largest"):
        units.parse_size(text)


@given(strategies.text())
def test_any_text_is_a_size_or_refused(text: str) -> None:
    with suppress(InvalidInput):
        assert 0 <= units.parse_size(text) < 2**63


@pytest.mark.parametrize("text", ["none", "None", "0", "0 GB"])
def test_no_limit_can_be_written(text: str) -> None:
    assert units.parse_limit(text) is None


def test_a_limit_is_a_size() -> None:
    assert units.parse_limit("1k") == 1000


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (1_234_567, "1.23 MB"),
        (999_999, "1.00 MB"),
        (5 * 1000**3, "5.00 GB"),
        (2**63 - 1, "9.22 EB"),
        (10**22, "10000.00 EB"),
        (-1500, "-1.50 kB"),
    ],
)
def test_a_size_is_shown_as_in_borg(size: int, text: str) -> None:
    assert formats.format_size(size) == text


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90m", timedelta(minutes=90)),
        ("6h", timedelta(hours=6)),
        ("1d", timedelta(days=1)),
        ("2W", timedelta(weeks=2)),
        ("1d 12h", timedelta(hours=36)),
        ("0s", timedelta()),
    ],
)
def test_a_time_span_is_read(text: str, span: timedelta) -> None:
    assert units.parse_duration(text) == span


@pytest.mark.parametrize("text", ["", "1", "d", "1y", "-1d", "1.5h", "999999999w"])
def test_what_is_no_time_span_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        units.parse_duration(text)


@given(strategies.timedeltas(timedelta(), timedelta(days=36_000)))
def test_a_time_span_shown_reads_back(span: timedelta) -> None:
    whole = timedelta(seconds=int(span.total_seconds()))
    assert units.parse_duration(formats.format_duration(whole)) == whole


@pytest.mark.usefixtures("_now")
@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T18:00:00Z", datetime(2027, 1, 31, 18, tzinfo=UTC)),
        ("2027-01-31T18:00:00+01:00", datetime(2027, 1, 31, 17, tzinfo=UTC)),
        ("+90d", NOW + timedelta(days=90)),
    ],
)
def test_a_point_in_time_is_read(text: str, at: datetime) -> None:
    when = units.parse_when(text)
    assert when == at
    assert when.tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["", "+", "+1", "90d", "2027-02-30", "2027-01-31T18:00", "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_point_in_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        units.parse_when(text)
