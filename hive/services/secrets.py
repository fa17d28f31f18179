"""Secrets at rest: settings of channels and triggers, and secrets of authenticator apps.

They lie in the database sealed with the key file `secret` of the data directory, so a copy of the
database alone reveals none. Whatever is stored in clear (by an older version) still opens, and is
sealed when the server starts.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hive import log, memory, sealing
from hive.database import transactional
from hive.errors import Conflict, Sealed, StorageError
from hive.models import Channel, Installation, Totp, Trigger
from hive.sealing import KeyRing
from hive.sentences import listed, say
from hive.services import audit, runtime
from hive.services.checks import Check
from hive.services.permissions import Actor, require_admin
from hive.sql import forget_deleted_content, wipe_deleted_content, wipe_log

logger = log.get(__name__)

_SUBJECT = say("Stored secrets")
_BATCH = 200  # rows sealed in one transaction
_SEALED = "sealed"  # the one key of settings that are sealed

Row = Channel | Trigger | Totp
_TABLES: tuple[type[Row], ...] = (Channel, Trigger, Totp)
_Stamp = tuple[str, int, int, int]


class _Memory:
    """The keys of the file, read again when the file changes.

    Former keys stay in memory: what was read from the database just before keys changed must
    still open.
    """

    def __init__(self) -> None:
        self._stamp: _Stamp | None = None
        self._ring: KeyRing | None = None

    def ring(self) -> KeyRing | None:
        path = runtime.paths().secret
        stamp = _stamp_of(str(path))
        if stamp is None:
            return None
        if stamp != self._stamp:
            before = self._ring if self._stamp and self._stamp[0] == stamp[0] else None
            found = sealing.read(path)
            if found is None:
                return None
            known = {one.id for one in found.keys}
            more = tuple(one for one in before.keys if one.id not in known) if before else ()
            self._ring = KeyRing(found.current, found.former + more)
            self._stamp = stamp
        return self._ring


def _stamp_of(path: str) -> _Stamp | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - called for each secret
    except OSError:
        return None
    return path, status.st_ino, status.st_mtime_ns, status.st_size


# --- opening and sealing ------------------------------------------------------------------


def settings_of(row: Channel | Trigger) -> dict[str, Any]:
    """The settings of a channel or trigger; Sealed where the key that opens them is not here."""
    sealed = row.settings.get(_SEALED)
    if not isinstance(sealed, str) or len(row.settings) != 1 or not sealing.is_sealed(sealed):
        return row.settings
    found = json.loads(_open(sealed, row))
    return dict(found)


def opens(row: Row) -> bool:
    """Whether what is sealed in a row can be opened."""
    try:
        if isinstance(row, Totp):
            totp_secret(row)
        else:
            settings_of(row)
    except Sealed:
        return False
    return True


def totp_secret(row: Totp) -> str:
    """The secret of an authenticator app."""
    return _open(row.secret, row) if sealing.is_sealed(row.secret) else row.secret


async def seal_settings(row: Channel | Trigger, settings: Mapping[str, Any]) -> None:
    """Put settings into a row that has an id already; save it afterwards."""
    ring = await _ring_to_seal_with()
    row.settings = {_SEALED: ring.seal(json.dumps(dict(settings)), _place(row))}


async def seal_totp(row: Totp, secret: str) -> None:
    ring = await _ring_to_seal_with()
    row.secret = ring.seal(secret, _place(row))


def _place(row: Row) -> str:
    column = "secret" if isinstance(row, Totp) else "settings"
    return f"{row._meta.db_table}/{row.id}/{column}"  # noqa: SLF001 - the ORM's own name for it


def _open(sealed: str, row: Row) -> str:
    try:
        ring = memory.of(_Memory).ring()
    except StorageError as error:
        raise Sealed(error.message) from error
    if ring is None:
        raise Sealed(_missing())
    return ring.open(sealed, _place(row))


def _missing() -> str:
    return say(
        "The key file %(path)s is missing: stored secrets cannot be opened. "
        "Restore it from a copy.",
        path=runtime.paths().secret,
    )


async def _ring_to_seal_with() -> KeyRing:
    """The keys, made where there are none yet; Sealed where they were lost."""
    ring = memory.of(_Memory).ring()
    if ring is not None:
        return ring
    if any(await _sealed_with()):
        raise Sealed(_missing())
    sealing.create(runtime.paths().secret)
    made = memory.of(_Memory).ring()
    if made is None:
        raise Sealed(_missing())
    return made


async def signing_ring() -> KeyRing:
    """The keys that prove what is from here; Sealed where they are missing."""
    return await _ring_to_seal_with()


# --- all of them --------------------------------------------------------------------------


async def _sealed_with() -> dict[str, int]:
    """How many secrets each key has sealed, by its id; "" for those in clear."""
    found: dict[str, int] = {}
    for table in _TABLES:
        for row in await table.all():
            key = sealing.key_id(_stored(row))
            found[key] = found.get(key, 0) + 1
    return found


def _stored(row: Row) -> str:
    return row.secret if isinstance(row, Totp) else str(row.settings.get(_SEALED, ""))


async def prepare() -> None:
    """When the server starts: have a key, and seal what older versions stored in clear.

    Nothing here keeps the server from starting: what cannot be opened is shown where it is used.
    """
    try:
        ring = await _ring_to_seal_with()
        installation = await Installation.first()
        if installation is not None and not installation.is_sealed:
            await _seal_all(ring.current.id)
            # What was in clear before lies in free pages and in the log of the database.
            await wipe_deleted_content()
            await Installation.all().update(is_sealed=True)
            logger.info("stored secrets are sealed", key=ring.current.id)
    except (Sealed, StorageError) as error:
        logger.error("stored secrets are not available", reason=error.message)
    for finding in await findings():
        if finding.level != "ok":
            logger.warning(f"{finding.message}. {finding.remedy or ''}".strip())


async def _seal_all(key: str, *, on_step: Callable[[str], None] | None = None) -> int:
    """Seal whatever is not sealed with this key; how much could not be opened.

    Each batch is a separate transaction: after an interruption it continues where it stopped.
    """
    await forget_deleted_content()
    closed = 0
    for table in _TABLES:
        last = 0
        while True:
            last, failed, is_over = await _seal_batch(table, last, key)
            closed += failed
            if on_step is not None:
                on_step(table.__name__)
            if is_over:
                break
    return closed


@transactional
async def _seal_batch(table: type[Row], after: int, key: str) -> tuple[int, int, bool]:
    rows = await table.filter(id__gt=after).order_by("id").limit(_BATCH)
    failed = 0
    for row in rows:
        if sealing.key_id(_stored(row)) == key:
            continue
        try:
            await _seal_again(row)
        except Sealed:
            failed += 1  # it stays as it is, for the day when its key is found
    last = rows[-1].id if rows else after
    return last, failed, len(rows) < _BATCH


async def _seal_again(row: Row) -> None:
    if isinstance(row, Totp):
        await seal_totp(row, totp_secret(row))
        await row.save(update_fields=["secret"])
    else:
        await seal_settings(row, settings_of(row))
        await row.save(update_fields=["settings"])


# --- a new key ----------------------------------------------------------------------------


async def rotate(
    actor: Actor, *, is_lost: bool = False, on_step: Callable[[str], None] | None = None
) -> int:
    """Seal everything with a new key, also while the server runs; how many secrets there are.

    The former key stays in the file until nothing needs it any more, so an interruption at any
    moment loses nothing: the next call goes on. `is_lost`: the former key is gone for good; what
    it sealed stays closed.
    """
    require_admin(actor)
    path = runtime.paths().secret
    with _one_rotation():
        before = sealing.read(path)
        if before is None and not is_lost and any(await _sealed_with()):
            raise Sealed(_missing())
        fresh = sealing.new_key()
        sealing.replace(path, KeyRing(fresh, before.keys if before else ()))
        closed = await _seal_all(fresh.id, on_step=on_step)
        if closed and not is_lost:
            raise Conflict(
                "%(closed)s secrets cannot be opened, so the former keys stay in %(path)s. Set"
                " these secrets again (hive doctor names them), then rotate again.",
                closed=closed,
                path=path,
            )
        held = await _sealed_with()
        kept = tuple(one for one in (before.keys if before else ()) if one.id in held)
        sealing.replace(path, KeyRing(fresh, kept))
        await wipe_log()
    await _note_rotation(actor, fresh.id)
    return sum(held.values())


@contextmanager
def _one_rotation() -> Iterator[None]:
    lock = runtime.paths().secret.with_name(".secret.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Conflict("Another command is changing the key already.") from None
    finally:
        os.close(descriptor)


@transactional
async def _note_rotation(actor: Actor, key: str) -> None:
    await audit.record(actor, "secrets.rotate", "stored secrets", key=key)


# --- for the doctor -----------------------------------------------------------------------


async def closed() -> list[str]:
    """What has a secret that cannot be opened, in words."""
    channels = await Channel.all().select_related("owner")
    triggers = await Trigger.all().select_related("repository")
    apps = await Totp.all().select_related("user")
    return [
        *(f"channel {one.owner.name}/{one.name}" for one in channels if not opens(one)),
        *(f"trigger {one.name} of {one.repository.login}" for one in triggers if not opens(one)),
        *(f"authenticator app of {one.user.name}" for one in apps if not opens(one)),
    ]


async def findings() -> list[Check]:
    """Whether the key file is there, private and the right one; and old copies in clear."""
    path = runtime.paths().secret
    found = [Check("ok", _SUBJECT, say("Stored secrets can be opened with the key file"))]
    try:
        ring = await asyncio.to_thread(sealing.read, path)
    except StorageError as error:
        ring = None
        found = [Check("error", _SUBJECT, error.message.rstrip("."), None)]
    else:
        if ring is None and any(await _sealed_with()):
            found = [
                Check(
                    "error",
                    _SUBJECT,
                    say(
                        "The key file %(path)s is missing, so stored secrets cannot be opened",
                        path=path,
                    ),
                    say(
                        "Restore it from a copy. If there is none: hive secrets rotate --lost, "
                        "then set the secrets again."
                    ),
                )
            ]
    if ring is not None and not runtime.is_private(path):
        found.append(
            Check(
                "error",
                _SUBJECT,
                say("The key file %(path)s can be read by others", path=path),
                say("chmod 600 %(path)s, then hive secrets rotate.", path=path),
            )
        )
    names = await closed() if ring is not None else []
    if names:
        shown = listed(names, 5)
        found = [
            Check(
                "error",
                _SUBJECT,
                say(
                    "These secrets cannot be opened with the key file %(path)s: %(names)s",
                    path=path,
                    names=shown,
                ),
                say("Restore the former key file, or set these secrets again."),
            ),
            *(one for one in found if one.level != "ok"),
        ]
    return [*found, *await asyncio.to_thread(_old_copies)]


_FIRST_SEALED = 9  # the migration from which on secrets are sealed


def _old_copies() -> list[Check]:
    """Copies from before an upgrade hold the secrets in clear."""
    database = runtime.paths().database
    old = []
    for copy in sorted(database.parent.glob(f"{database.name}.before-*")):
        number = copy.name.rpartition(".before-")[2][:4]
        if number.isdigit() and int(number) <= _FIRST_SEALED:
            old.append(copy.name)
    if not old:
        return []
    return [
        Check(
            "warning",
            _SUBJECT,
            say(
                "Copies from before the upgrade hold secrets in clear text: %(names)s",
                names=", ".join(old),
            ),
            say(
                "Delete them from %(directory)s when the upgrade has proved itself.",
                directory=database.parent,
            ),
        )
    ]
