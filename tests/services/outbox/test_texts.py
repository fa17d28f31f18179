"""What messages say: where to look, above all."""

from __future__ import annotations

from datetime import UTC, datetime

from hive.kinds import EventKind
from hive.services.outbox.texts import AboutRepository, event_lines

AT = datetime(2026, 11, 20, 3, 12, tzinfo=UTC)


def lines(url: str | None) -> list[str]:
    about = AboutRepository("documents", "k3v9x2ab", "alice", url, "nas")
    return event_lines(EventKind.DOWN, "No backup since yesterday.", AT, {}, about)


def test_a_message_ends_with_the_address_of_the_page() -> None:
    url = "https://hive.example.org/repositories/1"
    assert lines(url)[-1] == url


def test_without_an_address_it_says_on_which_server_to_look() -> None:
    assert lines(None)[-1] == "More: the pages of Borg Hive on the server nas."
