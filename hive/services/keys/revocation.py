"""Disabling a public key everywhere it is stored, by its fingerprint."""

from __future__ import annotations

from tortoise.expressions import Q

from hive.database import transactional
from hive.errors import InvalidInput, NotFound
from hive.models import Key
from hive.services import audit, events
from hive.services.keys import keys
from hive.services.keys.infos import KeyInfo
from hive.services.keys.keys import ChangeKey
from hive.services.permissions import Actor

_PREFIX = "SHA256:"


def may_disable_everywhere(actor: Actor, info: KeyInfo) -> bool:
    """Whether the actor may disable this key everywhere: one's own, administrators all."""
    return actor.manages_all or (actor.may_change and info.owner == actor.name)


async def disable_key_everywhere(actor: Actor, key_id: int) -> list[KeyInfo]:
    """The same as `disable_everywhere`, of a key that the actor may change, by its id."""
    info = await keys.find_key_by_id(actor, key_id)
    await keys.require_manage(actor, key_id)
    return await disable_everywhere(actor, info.fingerprint)


@transactional
async def disable_everywhere(actor: Actor, fingerprint: str) -> list[KeyInfo]:
    """Disable every key with this fingerprint: all for administrators, else one's own.

    Sessions that run with it end. Keys that are disabled already stay so, and are not returned.
    """
    wanted = fingerprint.strip()
    if not wanted.startswith(_PREFIX) or len(wanted) > 64:
        raise InvalidInput(
            "%(wanted)r is not a fingerprint: it begins with %(prefix)s, as `ssh-keygen -lf"
            " FILE` prints it.",
            field="fingerprint",
            wanted=wanted[:70],
            prefix=_PREFIX,
        )
    mine = Q() if actor.manages_all else Q(owner_id=actor.user_id)
    rows = await Key.filter(mine, fingerprint=wanted).order_by("id")
    if not rows:
        raise NotFound("There is no key %(wanted)s.", wanted=wanted)
    ids = [row.id for row in rows if row.enabled]
    disabled = [await keys.change_key(actor, key_id, ChangeKey(enabled=False)) for key_id in ids]
    owners = ", ".join(info.owner for info in disabled)
    await audit.record(
        actor, "key.disable-everywhere", f"key {wanted}", fingerprint=wanted, owners=owners
    )
    events.rights_changed("a key was disabled everywhere")
    return disabled
