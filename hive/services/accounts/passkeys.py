"""Passkeys: WebAuthn credentials, as a second factor and as a login without a password."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    CollectedClientData,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from hive import clock, log
from hive.database import transactional
from hive.errors import Conflict, InvalidInput, NotFound
from hive.kinds import Source
from hive.models import Passkey
from hive.services import audit, names, runtime
from hive.services.accounts import challenges, second_factor
from hive.services.permissions import Actor, own_id

logger = log.get(__name__)

MOST = 20  # of one user
_MAX_RESPONSE = 20_000  # characters
# What reading a made-up answer raises: the library checks no shapes.
_UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RecursionError,
    struct.error,
    UnsupportedAlgorithm,
)


@dataclass(frozen=True)
class RelyingParty:
    """Who we are to the browser: the host that passkeys are bound to, and where pages are."""

    id: str
    origin: str


@dataclass(frozen=True, kw_only=True)
class PasskeyInfo:
    id: int
    name: str
    rp_id: str
    created_at: datetime
    last_used_at: datetime | None


async def list_passkeys(actor: Actor) -> list[PasskeyInfo]:
    rows = await Passkey.filter(user_id=own_id(actor)).order_by("id")
    return [_info(row) for row in rows]


async def get_passkey(actor: Actor, passkey_id: int) -> PasskeyInfo:
    return _info(await _own(actor, passkey_id))


# --- adding -------------------------------------------------------------------------------


async def creation_options(actor: Actor, party: RelyingParty) -> dict[str, Any]:
    """What the browser needs to make a passkey; ask for the password before."""
    user_id = own_id(actor)
    rows = await Passkey.filter(user_id=user_id)
    if len(rows) >= MOST:
        raise Conflict("You have %(most)s passkeys already. Delete one first.", most=MOST)
    options, _ = _server(party).register_begin(
        PublicKeyCredentialUserEntity(
            name=actor.name, id=_user_handle(user_id), display_name=actor.name
        ),
        [AttestedCredentialData(row.credential) for row in rows if row.rp_id == party.id],
        resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=UserVerificationRequirement.PREFERRED,
        challenge=challenges.new(_adding(user_id)),
    )
    return dict(options.public_key)


async def add_passkey(
    actor: Actor, party: RelyingParty, name: str, response: str
) -> tuple[str, ...]:
    """Store the passkey that the browser made; returns recovery codes where there were none."""
    title = names.check_title(name, "passkey")
    user_id = own_id(actor)
    try:
        found = RegistrationResponse.from_dict(_object(response))
        client_data = found.response.client_data
        state = _state(client_data, _adding(user_id), UserVerificationRequirement.PREFERRED)
        made = _server(party).register_complete(state, found)
        credential = made.credential_data
        if credential is None or credential.credential_id != found.raw_id:
            raise ValueError("the credential is missing or not the one that was named")
    except _UNREADABLE as error:
        logger.info("a new passkey was refused", user=actor.name, reason=str(error))
        raise InvalidInput("This passkey was not accepted. Try again.", field="name") from None
    challenges.take(client_data.challenge)
    return await _store(actor, title, party.id, credential, made.counter)


@transactional
async def _store(
    actor: Actor, name: str, rp_id: str, credential: AttestedCredentialData, counter: int
) -> tuple[str, ...]:
    digest = hashlib.sha256(credential.credential_id).hexdigest()
    if await Passkey.filter(credential_sha256=digest).exists():
        raise Conflict("This passkey is stored already.")
    await Passkey.create(
        user_id=actor.user_id,
        name=name,
        credential_sha256=digest,
        credential=bytes(credential),
        rp_id=rp_id,
        sign_count=counter,
        created_at=clock.now(),
    )
    await audit.record(actor, "user.passkey.add", f"user {actor.name}", passkey=name)
    return await second_factor.codes_for_first_factor(own_id(actor))


@transactional
async def rename_passkey(actor: Actor, passkey_id: int, name: str) -> None:
    title = names.check_title(name, "passkey")
    row = await _own(actor, passkey_id)
    await audit.record(
        actor, "user.passkey.rename", f"user {actor.name}", passkey=row.name, name=title
    )
    row.name = title
    await row.save(update_fields=["name"])


@transactional
async def delete_passkey(actor: Actor, passkey_id: int) -> None:
    """Forget a passkey; ask for the password before."""
    row = await _own(actor, passkey_id)
    await row.delete()
    await audit.record(actor, "user.passkey.delete", f"user {actor.name}", passkey=row.name)
    await second_factor.forget_codes_without_factor(row.user_id)


# --- proving ------------------------------------------------------------------------------


async def second_options(user_id: int, login: str, party: RelyingParty) -> dict[str, Any] | None:
    """What the browser needs for the second step of this login, if a passkey can be it here."""
    rows = await Passkey.filter(user_id=user_id, rp_id=party.id)
    if not rows:
        return None
    options, _ = _server(party).authenticate_begin(
        [AttestedCredentialData(row.credential) for row in rows],
        UserVerificationRequirement.PREFERRED,
        challenges.new(_second(login)),
    )
    return dict(options.public_key)


def login_options(party: RelyingParty) -> dict[str, Any]:
    """What the browser needs to log in without name and password."""
    options, _ = _server(party).authenticate_begin(
        None, UserVerificationRequirement.REQUIRED, challenges.new("log in")
    )
    return dict(options.public_key)


async def take_second(
    user_id: int, login: str, party: RelyingParty, response: str, *, address: str
) -> bool:
    """Whether a passkey of this user signed the challenge of this login."""
    preferred = UserVerificationRequirement.PREFERRED
    found = await _take(
        party, response, _second(login), preferred, address=address, user_id=user_id
    )
    return found is not None


async def take_login(party: RelyingParty, response: str, *, address: str) -> int | None:
    """The user who logs in by a passkey alone, if it is good and knew its person by PIN or body."""
    required = UserVerificationRequirement.REQUIRED
    return await _take(party, response, "log in", required, address=address)


async def _take(
    party: RelyingParty,
    response: str,
    purpose: str,
    verification: UserVerificationRequirement,
    *,
    address: str,
    user_id: int | None = None,
) -> int | None:
    try:
        found = AuthenticationResponse.from_dict(_object(response))
        digest = hashlib.sha256(found.raw_id).hexdigest()
    except _UNREADABLE:
        return None
    row = await Passkey.get_or_none(credential_sha256=digest, rp_id=party.id).select_related("user")
    if row is None or (user_id is not None and row.user_id != user_id):
        logger.info("a passkey was refused", reason="it is not known here")
        return None
    actor = Actor(row.user_id, row.user.name, row.user.role, Source.WEB, address)
    try:
        answer = found.response
        state = _state(answer.client_data, purpose, verification)
        _server(party).authenticate_complete(state, [AttestedCredentialData(row.credential)], found)
        if answer.user_handle not in (None, b"", _user_handle(row.user_id)):
            raise ValueError("it names another user")
        counter = answer.authenticator_data.counter
    except _UNREADABLE as error:
        logger.info("a passkey was refused", user=actor.name, reason=str(error))
        return None
    challenges.take(answer.client_data.challenge)
    return row.user_id if await _note_use(actor, row.id, counter) else None


@transactional
async def _note_use(actor: Actor, passkey_id: int, counter: int) -> bool:
    """Note that it was used; not where its counter says that a copy of it was used since."""
    passkey = Passkey.filter(id=passkey_id)
    # Most passkeys of today do not count: theirs stays 0.
    fresh = passkey.filter(sign_count=0) if counter == 0 else passkey.filter(sign_count__lt=counter)
    if await fresh.update(sign_count=counter, last_used_at=clock.now()):
        return True
    logger.warning("a passkey counted backwards: there may be a copy", user=actor.name)
    await audit.record(actor, "user.passkey.copied", f"user {actor.name}", counter=counter)
    return False


def _state(
    client_data: CollectedClientData, purpose: str, verification: UserVerificationRequirement
) -> dict[str, Any]:
    """What the library checks against; the challenge was ours, or ValueError."""
    if not challenges.is_good(client_data.challenge, purpose):
        raise ValueError("the challenge is not one of ours for this, or was taken, or is old")
    if client_data.cross_origin:
        raise ValueError("the page was in a frame of another site")
    return {
        "challenge": websafe_encode(client_data.challenge),
        "user_verification": verification,
    }


def _server(party: RelyingParty) -> Fido2Server:
    return Fido2Server(
        PublicKeyCredentialRpEntity(name="Borg Hive", id=party.id),
        verify_origin=lambda origin: origin == party.origin,
    )


def _object(text: str) -> Mapping[str, Any]:
    document = json.loads(text) if len(text) <= _MAX_RESPONSE else None
    if not isinstance(document, dict):
        raise ValueError("no object, or too long")
    return document


def _adding(user_id: int) -> str:
    return f"add to {user_id}"


def _second(login: str) -> str:
    return f"second step of {login}"


def _user_handle(user_id: int) -> bytes:
    """Names the user to the authenticator, and tells it nothing about them."""
    return hashlib.sha256(f"{runtime.host_id()} user {user_id}".encode()).digest()


async def _own(actor: Actor, passkey_id: int) -> Passkey:
    row = await Passkey.get_or_none(id=passkey_id, user_id=own_id(actor))
    if row is None:
        raise NotFound("There is no such passkey.")
    return row


def _info(row: Passkey) -> PasskeyInfo:
    return PasskeyInfo(
        id=row.id,
        name=row.name,
        rp_id=row.rp_id,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )
