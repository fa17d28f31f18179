"""How tables become as narrow as a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.cli import tables

WIDTHS = {"ID": 2, "OWNER": 6, "NAME": 20, "STATE": 8, "TAGS": 12}


def test_details_come_in_while_there_is_room_in_the_order_of_the_table() -> None:
    details = ("TAGS", "ID")
    assert tables.fitting(WIDTHS, details, 38) == ["OWNER", "NAME", "STATE"]
    assert tables.fitting(WIDTHS, details, 42) == ["ID", "OWNER", "NAME", "STATE"]
    assert tables.fitting(WIDTHS, details, 52) == ["OWNER", "NAME", "STATE", "TAGS"]
    assert tables.fitting(WIDTHS, details, 56) == list(WIDTHS)


def test_the_widest_column_is_cut_first() -> None:
    assert tables.narrowed([6, 20, 8], 38) == [6, 20, 8]
    assert tables.narrowed([6, 20, 8], 30) == [6, 12, 8]
    assert tables.narrowed([30, 20], 42) == [20, 20]


@given(st.lists(st.integers(1, 300), min_size=1, max_size=12), st.integers(20, 200))
def test_no_table_is_wider_than_it_may_be_unless_nothing_could_be_read(
    widths: list[int], limit: int
) -> None:
    found = tables.narrowed(widths, limit)
    total = sum(found) + tables.GAP * (len(found) - 1)
    assert total <= limit or max(found) <= 8
    assert all(new <= old for new, old in zip(found, widths, strict=True))


def test_a_cut_cell_says_that_it_is() -> None:
    assert tables.cut("photographs", 20) == "photographs"
    assert tables.cut("photographs", 6) == "photo…"


def test_columns_are_named_as_they_are_written() -> None:
    assert tables.chosen(["ID", "LAST BACKUP"], ["last-backup", "Id"]) == ["LAST BACKUP", "ID"]
    with pytest.raises(KeyError):
        tables.chosen(["ID"], ["size"])


def test_only_columns_that_say_how_something_is_have_a_colour() -> None:
    assert tables.colour_of("STATE", "down") == "bright_red"
    assert tables.colour_of("NAME", "down") is None
    assert tables.colour_of("STATE", "whatever") is None
