"""What messages say: what is known, and where to look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hive import layout
from hive.kinds import EventKind
from hive.services.outbox.texts import AboutRepository, event_blocks

AT = datetime(2026, 11, 20, 3, 12, tzinfo=UTC)


def lines(url: str | None, kind: EventKind = EventKind.DOWN, **details: object) -> list[str]:
    about = AboutRepository("documents", "k3v9x2ab", "alice", url, "nas")
    blocks = event_blocks(kind, "No backup since yesterday.", AT, details, about)
    return [str(line) for line in layout.as_lines(blocks)]


def test_the_address_of_the_page_is_left_to_the_channel_so_that_it_comes_once() -> None:
    url = "https://hive.example.org/repositories/1"
    assert url not in "\n".join(lines(url))


def test_without_an_address_it_says_on_which_server_to_look() -> None:
    assert lines(None)[-1] == "More: the pages of Borg Hive on the server nas."


def test_the_end_of_a_missing_backup_says_from_when_to_when_it_was_missing() -> None:
    since = (AT - timedelta(hours=2)).isoformat()
    found = lines(None, EventKind.RECOVERED, former="down", since=since)
    assert found[0] == (
        "documents was down from 2026-11-20 01:12 UTC to 2026-11-20 03:12 UTC; it is fine again."
    )
    assert not any(line.startswith("Since:") for line in found)
