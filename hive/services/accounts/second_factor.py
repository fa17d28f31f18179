"""The second factor: codes of an authenticator app, and recovery codes. Passkeys: passkeys.py."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

import pyotp
from tortoise.expressions import Q

from hive import clock, log, tokens
from hive.database import transactional
from hive.errors import Conflict, InvalidInput, NotFound, Sealed, Unavailable
from hive.models import Passkey, RecoveryCode, Totp, User
from hive.services import audit, runtime
from hive.services import secrets as sealed
from hive.services.accounts import attempt_limits
from hive.services.accounts.users import UserInfo
from hive.services.permissions import Actor, own_id, require_admin

logger = log.get(__name__)

CODES = 10
_STEP_SECONDS = 30
_DRIFT = (-1, 0, 1)  # steps that the clock of a phone may differ
# Without letters that look like digits; 16 of them are 80 bits, too many to try.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_CODE_LENGTH = 16
_LOOKALIKES = str.maketrans("oil", "011")


@dataclass(frozen=True)
class Factors:
    """What a user has set up beside the password."""

    totp: bool
    passkeys: int
    recovery_codes: int  # that are left

    @property
    def is_on(self) -> bool:
        return self.totp or self.passkeys > 0


@dataclass(frozen=True)
class Enrolment:
    """What an authenticator app needs to know."""

    secret: str
    uri: str


async def factors_of(user_id: int) -> Factors:
    return Factors(
        await Totp.filter(user_id=user_id, confirmed_at__isnull=False).exists(),
        await Passkey.filter(user_id=user_id).count(),
        await RecoveryCode.filter(user_id=user_id, used_at=None).count(),
    )


async def is_missing(user: UserInfo) -> bool:
    """Whether a second factor is required of the user who has none."""
    return user.needs_second_factor and not (await factors_of(user.id)).is_on


# --- the app ------------------------------------------------------------------------------


@transactional
async def begin_totp(actor: Actor) -> None:
    """Make a new secret; it counts only after a code of it was given."""
    user_id = own_id(actor)
    await _require_no_totp(user_id)
    await Totp.filter(user_id=user_id).delete()
    row = await Totp.create(user_id=user_id, secret="", created_at=clock.now())
    await sealed.seal_totp(row, pyotp.random_base32())
    await row.save(update_fields=["secret"])


async def enrolment(actor: Actor) -> Enrolment | None:
    """The secret that waits for its first code, if one does."""
    row = await Totp.get_or_none(user_id=own_id(actor), confirmed_at=None)
    if row is None:
        return None
    host = (runtime.public_url() or "").partition("://")[2]
    issuer = f"Borg Hive {host.replace(':', ' ')}".strip()  # a colon ends the issuer in the URI
    secret = _secret(row)
    uri = pyotp.TOTP(secret).provisioning_uri(name=actor.name, issuer_name=issuer)
    return Enrolment(secret, uri)


def _secret(row: Totp) -> str:
    try:
        return sealed.totp_secret(row)
    except Sealed as error:
        logger.error("a code of an authenticator app cannot be checked", reason=error.message)
        raise Unavailable(
            "Codes from authenticator apps cannot be checked at the moment. Use a "
            "passkey or a recovery code, and notify an administrator."
        ) from error


async def confirm_totp(actor: Actor, code: str) -> tuple[str, ...]:
    """Switch the app on by its first code; returns recovery codes where there were none."""
    attempt = attempt_limits.limits().own_codes.attempt_own(
        attempt_limits.codes_account(own_id(actor))
    )
    codes = await _confirm_totp(actor, code)
    if codes is None:
        raise InvalidInput(
            "This is not the code that the app shows now. Are the clocks right?", field="code"
        )
    attempt.forgive()
    return codes


@transactional
async def _confirm_totp(actor: Actor, code: str) -> tuple[str, ...] | None:
    user_id = own_id(actor)
    await _require_no_totp(user_id)
    row = await Totp.get_or_none(user_id=user_id)
    if row is None:
        raise Conflict("Start again: there is no secret to confirm.")
    step = _step_of(_secret(row), code)
    if step is None:
        return None
    row.confirmed_at, row.last_step = clock.now(), step
    await row.save()
    await audit.record(actor, "user.totp.on", f"user {actor.name}")
    return await codes_for_first_factor(user_id)


async def _require_no_totp(user_id: int) -> None:
    if await Totp.filter(user_id=user_id, confirmed_at__isnull=False).exists():
        raise Conflict("An authenticator app is set up already. Remove it first.")


@transactional
async def remove_totp(actor: Actor) -> None:
    """Forget the app; ask for the password before."""
    user_id = own_id(actor)
    if await Totp.filter(user_id=user_id).delete():
        await audit.record(actor, "user.totp.off", f"user {actor.name}")
    await forget_codes_without_factor(user_id)


@transactional
async def take_totp_code(user_id: int, code: str) -> bool:
    """Whether this is a code of the user's app that was not taken before, nor a later one."""
    row = await Totp.get_or_none(user_id=user_id, confirmed_at__isnull=False)
    step = _step_of(_secret(row), code) if row is not None else None
    if row is None or step is None:
        return False
    unused = Q(last_step=None) | Q(last_step__lt=step)
    return bool(await Totp.filter(unused, id=row.id).update(last_step=step))


def _step_of(secret: str, code: str) -> int | None:
    """The time step whose code this is, near the present one."""
    typed = "".join(code[:100].split())
    if not (typed.isascii() and typed.isdigit() and len(typed) == 6):
        return None
    now, totp = int(clock.now().timestamp()) // _STEP_SECONDS, pyotp.TOTP(secret)
    found = None
    for step in (now + drift for drift in _DRIFT):
        if hmac.compare_digest(totp.generate_otp(step), typed):
            found = step
    return found


# --- recovery codes -----------------------------------------------------------------------


@transactional
async def new_recovery_codes(actor: Actor) -> tuple[str, ...]:
    """Ten new codes in place of the old ones; ask for the password before."""
    user_id = own_id(actor)
    if not (await factors_of(user_id)).is_on:
        raise Conflict("Recovery codes replace a second factor: set one up first.")
    codes = await _replace_codes(user_id)
    await audit.record(actor, "user.recovery_codes", f"user {actor.name}")
    return codes


async def codes_for_first_factor(user_id: int) -> tuple[str, ...]:
    """Codes for who has none yet, inside the transaction that adds the factor."""
    if await RecoveryCode.filter(user_id=user_id).exists():
        return ()
    return await _replace_codes(user_id)


async def forget_codes_without_factor(user_id: int) -> None:
    if not (await factors_of(user_id)).is_on:
        await RecoveryCode.filter(user_id=user_id).delete()


async def _replace_codes(user_id: int) -> tuple[str, ...]:
    await RecoveryCode.filter(user_id=user_id).delete()
    codes = tuple(_new_code() for _ in range(CODES))
    for code in codes:
        await RecoveryCode.create(
            user_id=user_id, code_sha256=_digest(code), created_at=clock.now()
        )
    return codes


@transactional
async def take_recovery_code(actor: Actor, code: str) -> bool:
    """Whether this is a recovery code of the actor's; it is used up then."""
    user_id = own_id(actor)
    unused = RecoveryCode.filter(user_id=user_id, code_sha256=_digest(code), used_at=None)
    if not await unused.update(used_at=clock.now()):
        return False
    left = await RecoveryCode.filter(user_id=user_id, used_at=None).count()
    await audit.record(actor, "user.recovery_code.used", f"user {actor.name}", left=left)
    return True


def _new_code() -> str:
    text = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))
    return "-".join(text[start : start + 4] for start in range(0, _CODE_LENGTH, 4))


def _digest(code: str) -> str:
    plain = "".join(code[:100].lower().replace("-", " ").split()).translate(_LOOKALIKES)
    return tokens.digest(plain)


# --- by an administrator ------------------------------------------------------------------


@transactional
async def switch_off(actor: Actor, user_id: int) -> None:
    """Remove app, passkeys and recovery codes of somebody who lost them."""
    require_admin(actor)
    user = await User.get_or_none(id=user_id)
    if user is None:
        raise NotFound("There is no such user.")
    apps = await Totp.filter(user_id=user_id).delete()
    passkeys = await Passkey.filter(user_id=user_id).delete()
    await RecoveryCode.filter(user_id=user_id).delete()
    await audit.record(
        actor, "user.second_factor.off", f"user {user.name}", apps=apps, passkeys=passkeys
    )
