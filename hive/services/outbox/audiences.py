"""Who hears of a repository: its people, the administrators who want to, and who stands in.

Nobody is left out: what is a warning or worse and would reach nobody goes to all administrators,
and so does what concerns a repository whose owner is disabled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hive.kinds import Severity
from hive.models import User
from hive.sentences import Sentence, join, say
from hive.services.outbox import recipients
from hive.services.outbox.kinds import ORDER, Matter
from hive.services.outbox.routing import (
    Destination,
    Person,
    fallback,
    route,
    route_of_administrator,
    weight_of,
)
from hive.services.permissions import SEEING_ALL

Way = tuple[Person, dict[Destination, datetime]]


@dataclass(frozen=True)
class Found:
    """Who is notified by what; `stand_ins` are those that would not be if others were."""

    ways: Sequence[Way]
    stand_ins: Sequence[Way] = ()
    reasons: tuple[Sentence, ...] = ()  # why nobody else is

    @property
    def why(self) -> str:
        return join(*self.reasons, by=", ")


@dataclass(frozen=True)
class Audience:
    """The people around one repository."""

    people: Sequence[Person]  # its owner and members of groups, as far as they are enabled
    administrators: Sequence[Person]  # the others
    disabled_owner: str | None = None
    owner_id: int = 0
    named: frozenset[int] = frozenset()  # the repositories that a rule of theirs names

    def likeness(self, repository_id: int) -> object:
        """Equal for repositories of one owner whose matters go the same ways, tags apart."""
        own = repository_id if repository_id in self.named else None
        return self.owner_id, tuple(person.id for person in self.people), own

    def ways(self, matter: Matter, now: datetime) -> Found:
        """Who is notified of a matter."""
        found, without = self._of_people(matter, now)
        is_serious = matter.by_default and ORDER.index(weight_of(matter)) >= ORDER.index(
            Severity.WARNING
        )
        is_reached = any(works(times) for _, times in found)
        is_orphan = self.disabled_owner is not None
        stand_ins = []
        for person in self.administrators:
            times = route_of_administrator(person, matter, now)
            if times is not None:
                found.append((person, times))
            elif is_serious and person.is_responsible and (is_orphan or not is_reached):
                stand_ins.append((person, dict.fromkeys(fallback(person), now)))
        if is_orphan:
            without.insert(
                0,
                say(
                    "its owner %(name)s is disabled",
                    name=self.disabled_owner,
                ),
            )
        return Found(found, stand_ins, tuple(without))

    def _of_people(self, matter: Matter, now: datetime) -> tuple[list[Way], list[Sentence]]:
        """Their ways, and why others of them have none."""
        found: list[Way] = []
        without: list[Sentence] = []
        for person in self.people:
            times = route(person, matter, now)
            if times is not None:
                found.append((person, times))
            if not works(times):
                without.append(why_not(person, times))
        return found, without


def works(times: dict[Destination, datetime] | None) -> bool:
    """Whether a message can arrive by one of these ways."""
    return any(not place.error for place in times or ())


def why_not(person: Person, times: dict[Destination, datetime] | None) -> Sentence:
    """Why somebody is not notified."""
    if times and len(times) == 1:
        return say("%(channels)s of %(name)s fails", channels=_names(times), name=person.name)
    if times:
        return say("%(channels)s of %(name)s fail", channels=_names(times), name=person.name)
    if times is None and fallback(person):
        return say("no rule of %(name)s matches", name=person.name)
    return _why_no_way(person)


def _why_no_way(person: Person) -> Sentence:
    """Why there is nothing that reaches somebody."""
    if person.channels:
        return say("all channels of %(name)s are disabled", name=person.name)
    if person.has_address and not person.is_mailed:
        return say("%(name)s has stopped mail to their address", name=person.name)
    if person.has_address:
        return say(
            "%(name)s has a mail address, but this server has no mail relay", name=person.name
        )
    return say("%(name)s has no mail address and no channel", name=person.name)


def _names(times: dict[Destination, datetime]) -> str:
    return join(
        *(say("mail") if place.channel_id is None else place.name for place in times), by=", "
    )


async def of_repository(repository_id: int, owner_id: int) -> Audience:
    ids = await recipients.of_repository(repository_id, owner_id)
    overseers = await recipients.overseers()
    loaded = await recipients.load(ids | overseers)
    owner = await User.get(id=owner_id)
    return Audience(
        [person for person in loaded if person.id in ids],
        [person for person in loaded if person.id not in ids],
        None if owner.enabled else owner.name,
    )


async def of_repositories(owners: Mapping[int, int]) -> dict[int, Audience]:
    """Those of many repositories, given with their owners; in a constant number of queries."""
    shared = await recipients.members_of_shared(owners)
    users = {user.id: user for user in await User.all()}
    people = {person.id: person for person in await recipients.of_users(users.values())}
    administrators = [one for one in people.values() if users[one.id].role in SEEING_ALL]
    rules = (rule for person in people.values() for rule in person.rules)
    named = frozenset(rule.repository_id for rule in rules if rule.repository_id is not None)
    alike: dict[tuple[int, frozenset[int]], Audience] = {}
    found = {}
    for repository_id, owner_id in owners.items():
        ids = frozenset({owner_id, *shared.get(repository_id, ())})
        owner = users[owner_id]
        if (owner_id, ids) not in alike:
            alike[owner_id, ids] = Audience(
                [people[one] for one in sorted(ids) if one in people],
                [person for person in administrators if person.id not in ids],
                None if owner.enabled else owner.name,
                owner_id,
                named,
            )
        found[repository_id] = alike[owner_id, ids]
    return found
