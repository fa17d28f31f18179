"""Warnings of keys that expire: their owners have time to replace them."""

from __future__ import annotations

from datetime import datetime, timedelta

from tortoise.expressions import Subquery

from hive import clock
from hive.database import transactional
from hive.kinds import Severity
from hive.models import Grant, Key
from hive.sentences import Sentence, say
from hive.services import runtime
from hive.services.outbox import outbox, recipients
from hive.services.outbox.expiries import WARN_BEFORE, step_of
from hive.services.outbox.kinds import KEY_EXPIRES, Matter
from hive.services.outbox.outbox import Notice

_AT_ONCE = 200  # keys of one look; the others come with the next


async def warn() -> int:
    """Notify the owners of keys that expire, once for each step; how many were notified.

    Only of keys that are enabled and open something.
    """
    now = clock.now()
    opening = Grant.filter(repository__deleted_at=None).values("key_id")
    keys = Key.filter(
        enabled=True,
        owner__keys_enabled=True,
        expires_at__gt=now - timedelta(days=1),
        expires_at__lte=now + WARN_BEFORE[0],
        id__in=Subquery(opening),
    )
    told = 0
    for key in await keys.order_by("expires_at").limit(_AT_ONCE).select_related("owner"):
        told += await _warn(key, now)
    return told


@transactional
async def _warn(key: Key, now: datetime) -> int:
    expires_at = key.expires_at
    step = None if expires_at is None else step_of(expires_at, now)
    if expires_at is None or step is None:
        return 0
    grants = Grant.filter(key_id=key.id, repository__deleted_at=None)
    opened = [row.repository.name for row in await grants.select_related("repository")]
    notice = Notice(
        f"{KEY_EXPIRES}:{key.id}:{clock.rfc3339(expires_at)}:{step.days}",
        Matter(KEY_EXPIRES, Severity.WARNING, owner_id=key.owner_id),
        _title(key, step),
        [
            _sentence(key, expires_at, now, len(opened)),
            say("It opens: %(names)s.", names=", ".join(sorted(opened)[:10])),
            "",
            say(
                "Replace it on its page, or with hive key replace: the new key takes over all that"
                " this one opens. To keep using this one, give it a later end."
            ),
            *_link(key),
        ],
    )
    return await outbox.tell(await recipients.load({key.owner_id}), notice)


def _title(key: Key, step: timedelta) -> Sentence:
    if step == timedelta(0):
        return say("The key %(name)s has expired", name=key.name)
    return say("The key %(name)s expires soon", name=key.name)


def _sentence(key: Key, expires_at: datetime, now: datetime, count: int) -> Sentence:
    if expires_at <= now:
        return say(
            "Your key %(name)s expired on %(until)s. Clients that use it can no longer log in.",
            name=key.name,
            until=expires_at,
        )
    return say(
        "Your key %(name)s expires on %(until)s. Clients that use it cannot log in after that.",
        name=key.name,
        until=expires_at,
    )


def _link(key: Key) -> list[str]:
    base = runtime.public_url()
    return [f"{base}/keys/{key.id}"] if base else []
