"""Those who were notified of a problem hear what became of it: who answered it, and its end.

By the same channels, even if the rules have changed since. The person who answered needs no message
about that, but a service that keeps incidents does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hive.kinds import DeliveryState, EventKind
from hive.models import Delivery, Event
from hive.services.outbox import incidents, recipients, sending
from hive.services.outbox.incidents import Phase
from hive.services.outbox.routing import OWN_MAIL, Destination, Person, quiet_until
from hive.services.outbox.writing import Ways

_MOST_LOOKED_AT = 2000
# It never arrived, so that its end is no news.
_UNTOLD = (DeliveryState.DROPPED, DeliveryState.DEAD)

# What a person does about a problem, and where the problem is then.
ANSWERS: Mapping[EventKind, Phase] = {
    EventKind.ACKNOWLEDGED: Phase.ACKNOWLEDGED,
    EventKind.MUTED: Phase.ACKNOWLEDGED,
    EventKind.PAUSED: Phase.RESOLVED,
    EventKind.ALARM_ANSWERED: Phase.RESOLVED,
}


@dataclass(frozen=True)
class Told:
    """Who was notified of a problem that is not over for them, by which channel."""

    user_id: int
    place: Destination


def answered(event: Event) -> list[str]:
    """The problems that an event answers."""
    details: dict[str, Any] = event.details
    if event.kind == EventKind.ALARM_ANSWERED:
        named = details.get("alarms") or [details.get("alarm")]
        kinds = [EventKind(one) for one in named if one in set(EventKind)]
        return [incidents.of_repository(event.repository_id, kind) for kind in kinds]
    return [incidents.of_repository(event.repository_id, EventKind.DOWN)]


async def told(incident: str) -> list[Told]:
    """Those who were notified of a problem since it began."""
    rows = (
        await Delivery.filter(notification__incident=incident)
        .exclude(state__in=_UNTOLD)
        .order_by("-id")
        .limit(_MOST_LOOKED_AT)
        .select_related("notification")
    )
    over: set[Told] = set()
    found: dict[Told, None] = {}
    for row in rows:
        if row.channel_id is None and row.channel_kind != OWN_MAIL:
            continue  # the channel was deleted
        place = Destination(channel_id=row.channel_id, name=row.channel_name, kind=row.channel_kind)
        one = Told(row.notification.user_id, place)
        phase = row.notification.details.get("phase")
        if phase == Phase.RESOLVED:
            over.add(one)
        elif phase == Phase.OPEN and one not in over:
            found[one] = None
    return list(found)


async def ways_to(
    those: Iterable[Told], now: datetime, *, but: Mapping[int, set[int | None]], by: str = ""
) -> Ways:
    """Their ways, without those places that are notified already; nothing to who did it (`by`)."""
    kept = [one for one in those if one.place.channel_id not in but.get(one.user_id, ())]
    people = await recipients.load({one.user_id for one in kept})
    ways: list[tuple[Person, dict[Destination, datetime]]] = []
    for person in people:
        own = [one.place for one in kept if one.user_id == person.id]
        if person.name == by:
            own = [place for place in own if _keeps_incidents(place)]
        if own:
            ways.append((person, {place: quiet_until(person, place, now) for place in own}))
    return ways


def _keeps_incidents(place: Destination) -> bool:
    known = sending.channels().get(place.kind)
    return known is not None and known.keeps_incidents
