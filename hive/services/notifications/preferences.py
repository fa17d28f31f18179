"""What somebody wants to be notified of, besides rules: reminders, digests, shared repositories."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hive.database import transactional
from hive.errors import InvalidInput
from hive.kinds import Digest, Rest
from hive.models import Preference
from hive.sentences import say
from hive.services import audit, references
from hive.services.health import review
from hive.services.permissions import Actor

_BOUNDS = {
    "reminder_hours": (1, 48, say("Reminders can be sent every 1 to 48 hours.")),
    "expiration_days": (1, 30, say("Reminders can end after 1 to 30 days.")),
    "digest_hour": (0, 23, say("The hour of a digest is 0 to 23.")),
    "digest_weekday": (0, 6, say("The weekday of a digest is 0 (Monday) to 6 (Sunday).")),
}


@dataclass(frozen=True, kw_only=True)
class Preferences:
    reminder_hours: int
    expiration_days: int
    is_told_of_shared: bool
    digest: Digest
    digest_hour: int
    digest_weekday: int
    is_told_of_critical: bool
    rest: Rest
    is_mailed: bool


async def get(actor: Actor, user: str | int) -> Preferences:
    """Those of a user: one's own, or anybody's for an administrator."""
    person = await references.person(actor, user)
    return _info(await Preference.get_or_none(user_id=person.id) or Preference())


@transactional
async def change(actor: Actor, user: str | int, **values: Any) -> Preferences:  # noqa: ANN401 - its fields
    """Set the fields of Preferences that are given; InvalidInput names the one that is wrong."""
    person = await references.person_to_change(actor, user)
    row, _ = await Preference.get_or_create(user_id=person.id)
    before = as_document(_info(row))
    for name, value in values.items():
        if name in _BOUNDS:
            least, most, words = _BOUNDS[name]
            if not least <= value <= most:
                raise InvalidInput(words, field=name)
        setattr(row, name, value)
    await row.save()
    await review.preference_changed(person.id)
    changed = audit.changes(before, as_document(_info(row)))
    await audit.record(actor, "user.preferences", f"user {person.name}", **changed)
    return _info(row)


def _info(row: Preference) -> Preferences:
    return Preferences(
        reminder_hours=row.reminder_hours,
        expiration_days=row.expiration_days,
        is_told_of_shared=row.is_told_of_shared,
        digest=row.digest,
        digest_hour=row.digest_hour,
        digest_weekday=row.digest_weekday,
        is_told_of_critical=row.is_told_of_critical,
        rest=row.rest,
        is_mailed=row.is_mailed,
    )


def as_document(preferences: Preferences) -> dict[str, Any]:
    return asdict(preferences)
