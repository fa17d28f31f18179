"""What people do to their own second factor once they have typed their password again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hive.services import names
from hive.services.accounts import own_account, passkeys, second_factor
from hive.services.accounts.passkeys import RelyingParty
from hive.services.permissions import Actor


@dataclass(frozen=True, kw_only=True)
class NewPasskey:
    """The checked name of a passkey to be, and what the browser needs to make it."""

    name: str
    options: dict[str, Any]


async def remove_totp(actor: Actor, *, password: str) -> None:
    """Forget the authenticator app; InvalidInput with the field `password` where it is wrong."""
    await own_account.require_password(actor, password)
    await second_factor.remove_totp(actor)


async def new_recovery_codes(actor: Actor, *, password: str) -> tuple[str, ...]:
    """New recovery codes in place of the old ones; Conflict where there is no second factor."""
    await own_account.require_password(actor, password)
    return await second_factor.new_recovery_codes(actor)


async def begin_passkey(
    actor: Actor, party: RelyingParty, *, name: str, password: str
) -> NewPasskey:
    """Begin to add a passkey; InvalidInput names the field, `name` or `password`."""
    title = names.check_title(name, "passkey")
    await own_account.require_password(actor, password)
    return NewPasskey(name=title, options=await passkeys.creation_options(actor, party))


async def delete_passkey(actor: Actor, passkey_id: int, *, password: str) -> None:
    """Forget a passkey; NotFound where it is not one of the actor's."""
    await own_account.require_password(actor, password)
    await passkeys.delete_passkey(actor, passkey_id)
