"""The first use of a key, and the networks that it comes from: told once each."""

from __future__ import annotations

from hive import addresses
from hive.database import transactional
from hive.kinds import EventKind
from hive.models import Event, Session
from hive.sentences import say
from hive.services import events


@transactional
async def key_used(session_id: int) -> None:
    """Tell of a key's first use ever, or of a network that it never came from; once a session."""
    session = await Session.get_or_none(id=session_id)
    if session is None or session.key_id is None:
        return
    kinds = [EventKind.KEY_FIRST_USED, EventKind.NEW_NETWORK]
    if await Event.filter(session_id=session_id, kind__in=kinds).exists():
        return
    earlier = Session.filter(key_id=session.key_id, id__lt=session_id)
    peers = await earlier.distinct().values_list("peer", flat=True)
    network = addresses.neighbourhood(session.peer)
    seen = {addresses.neighbourhood(str(peer)) for peer in peers}
    if network is None or network in seen:
        return
    if peers:
        kind = EventKind.NEW_NETWORK
        message = say(
            "Key %(key_name)s came from %(peer)s, a network new to it.",
            key_name=session.key_name,
            peer=session.peer,
        )
    else:
        kind = EventKind.KEY_FIRST_USED
        message = say(
            "Key %(key_name)s was used for the first time, from %(peer)s.",
            key_name=session.key_name,
            peer=session.peer,
        )
    await events.record(
        session.repository_id,
        kind,
        message,
        session_id=session_id,
        fingerprint=session.key_fingerprint,
        peer=session.peer,
        network=network,
        networks_before=sorted(str(one) for one in seen if one)[:20],
    )
