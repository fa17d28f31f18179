"""Alarms about lost content and changed configs, in the transaction that records them."""

from __future__ import annotations

from hive.kinds import EventKind, Operation
from hive.models import Session
from hive.sentences import say
from hive.services import events
from hive.services.alarms import alarms


async def note_gone(session: Session) -> None:
    """The content went away during this session: by it, or by somebody else."""
    if session.operation in (Operation.DELETE_REPOSITORY, Operation.UNKNOWN):
        await alarms.happened(
            session.repository_id,
            EventKind.CLIENT_DELETED,
            say(
                "Repository content deleted by key %(key_name)s (borg delete).",
                key_name=session.key_name,
            ),
            session_id=session.id,
        )
    else:
        await alarms.happened(
            session.repository_id,
            EventKind.CONTENT_GONE,
            say(
                "The repository's content disappeared from the disk while key "
                "%(key_name)s used it.",
                key_name=session.key_name,
            ),
            session_id=session.id,
        )


async def note_config(repository_id: int, session: Session | None, *, is_suspicious: bool) -> None:
    """The config changed, by this session or past the gate; suspicious where it may not be."""
    if not is_suspicious:
        await events.record(
            repository_id,
            EventKind.CONFIG_CHANGED,
            say(
                "The repository's config (it holds the key of repokey encryption) changed; the"
                " former one is kept."
            ),
            session_id=None if session is None else session.id,
        )
        return
    if session is None:
        await alarms.happened(
            repository_id,
            EventKind.CONFIG_SUSPICIOUS,
            say(
                "The repository's config (it holds the key of repokey encryption) was changed past"
                " the gate; the former one is kept."
            ),
        )
        return
    await alarms.happened(
        repository_id,
        EventKind.CONFIG_SUSPICIOUS,
        say(
            "Key %(key_name)s, whose access is %(access)s, changed the repository's config (it"
            " holds the key of repokey encryption); the former one is kept.",
            key_name=session.key_name,
            access=session.access,
        ),
        session_id=session.id,
    )
