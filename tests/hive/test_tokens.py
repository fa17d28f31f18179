"""Tokens: each is another, and what is stored does not tell them."""

from __future__ import annotations

import re

from hive import tokens


def test_a_token_is_long_and_never_twice_the_same() -> None:
    made = {tokens.new() for _ in range(50)}
    assert len(made) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in made)


def test_what_is_stored_is_the_sha256_of_the_token() -> None:
    assert tokens.digest("abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_text_that_no_token_can_be_has_a_digest_as_well() -> None:
    """It comes from strangers; half a surrogate pair is no error of the server."""
    assert len(tokens.digest("\ud800")) == 64
