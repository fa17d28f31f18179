"""What is kept of output that is too long to keep: its beginning and its end."""

from __future__ import annotations

import random

import pytest

from hive.excerpt import Excerpt


@pytest.mark.parametrize("seed", range(20))
def test_it_does_not_matter_in_which_pieces_it_comes(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same each time
    whole = bytes(chance.choice(b"abc\n") for _ in range(chance.randrange(200)))
    excerpt, once = Excerpt(20, 30), Excerpt(20, 30)
    once.add(whole)
    rest = whole
    while rest:
        size = chance.randrange(1, 60)
        excerpt.add(rest[:size])
        rest = rest[size:]
    assert excerpt.text == once.text
    assert excerpt.is_cut == (len(whole) > 50)
    if not excerpt.is_cut:
        assert excerpt.text == whole.decode()
    else:
        assert excerpt.text.startswith(whole[:20].decode())
        assert excerpt.text.endswith(whole[-30:].decode())
        assert f"... {len(whole) - 50} bytes were left out ...\n" in excerpt.text


def test_a_gap_between_whole_lines_leaves_no_half_line() -> None:
    excerpt = Excerpt(10, 10, whole_lines=True)
    excerpt.add(b"one\nhalf of a sec" + b"x" * 50 + b"ret\nlast\n")
    assert excerpt.text == "one\n... 67 bytes were left out ...\nlast\n"


def test_one_long_line_is_left_out_as_a_whole_or_kept_from_both_ends() -> None:
    line = b"a" * 40
    whole, parts = Excerpt(10, 10, whole_lines=True), Excerpt(10, 10)
    for excerpt in (whole, parts):
        excerpt.add(line)
    assert whole.text == "... 40 bytes were left out ...\n"
    assert parts.text == "aaaaaaaaaa\n... 20 bytes were left out ...\naaaaaaaaaa"


def test_where_nothing_is_wanted_only_the_size_is_known() -> None:
    excerpt = Excerpt(0, 0)
    for _ in range(3):
        excerpt.add(b"abc")
    assert (excerpt.size, excerpt.is_cut) == (9, True)
    assert excerpt.text == "... 9 bytes were left out ...\n"
    assert Excerpt(0, 0).text == ""
