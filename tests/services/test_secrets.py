"""Secrets at rest: a copy of the database alone reveals none, and none is ever lost."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from tortoise.connection import get_connection

from hive import sealing
from hive.config.settings import Settings
from hive.errors import Conflict, Sealed, StorageError, Unavailable
from hive.kinds import TriggerKind
from hive.models import Channel, Installation, Totp, Trigger
from hive.services import runtime, secrets, triggers
from hive.services.accounts import second_factor
from hive.services.notifications import channels
from hive.services.permissions import OPERATOR, SYSTEM, Actor
from hive.services.repositories import catalogue
from hive.services.server import doctor
from tests import factories
from tests.another_process import forget
from tests.factories import People

TOKEN = "tk_very-secret-token-of-a-channel"
HEADER = "Bearer very-secret-header-of-a-trigger"
BODY = "very-secret-body-of-a-trigger"


class InterruptedSealing(Exception):
    pass


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate({"server": {"data_dir": str(tmp_path / "data")}})


@pytest.fixture
async def people(settings: Settings) -> AsyncIterator[People]:
    await runtime.start(settings)
    yield await factories.make_people()
    await runtime.stop()


@pytest.fixture
def key_file(settings: Settings) -> Path:
    return settings.paths.secret


async def _fill(alice: Actor) -> str:
    """A channel, a trigger and an authenticator app; returns the secret of the last."""
    await channels.add(
        alice,
        "phone",
        owner="alice",
        kind="ntfy",
        settings={"server": "https://ntfy.example.org", "topic": "backups", "token": TOKEN},
    )
    made = await catalogue.add_repository(alice, "documents", owner="alice")
    await triggers.add_trigger(
        alice,
        made.id,
        triggers.AddTrigger(
            name="wake",
            kind=TriggerKind.WEBHOOK,
            settings={
                "url": "https://example.org/hook",
                "header.Authorization": HEADER,
                "body": f'{{"value": "{BODY}"}}',
            },
            cron="0 3 * * *",
        ),
    )
    await second_factor.begin_totp(alice)
    enrolment = await second_factor.enrolment(alice)
    assert enrolment is not None
    return enrolment.secret


async def _readable(alice: Actor) -> tuple[str, str, str]:
    channel, trigger, totp = await Channel.get(), await Trigger.get(), await Totp.get()
    return (
        secrets.settings_of(channel)["token"],
        secrets.settings_of(trigger)["header.Authorization"],
        secrets.totp_secret(totp),
    )


def _as_in_a_new_process() -> None:
    """Only what the key file says counts."""
    forget(secrets)


def _bytes_of(settings: Settings) -> bytes:
    """All that the database consists of: the file, and its log."""
    path = settings.paths.database
    files = [path, path.with_name(f"{path.name}-wal")]
    return b"".join(one.read_bytes() for one in files if one.exists())


def _reveals(settings: Settings, totp: str) -> list[str]:
    content = _bytes_of(settings)
    return [one for one in (TOKEN, HEADER, BODY, totp) if one.encode() in content]


async def _make_clear(alice: Actor) -> None:
    """Store everything as older versions did, and leave traces of it."""
    connection = get_connection("default")
    for table, row in (
        ("channel", await Channel.get()),
        ("trigger", await Trigger.get()),
    ):
        text = json.dumps(secrets.settings_of(row))
        await connection.execute_query(f"UPDATE {table} SET settings = ?", [text])  # noqa: S608 - our own names
        for number in range(50):  # of rows that were deleted
            await connection.execute_query(
                "INSERT INTO audit_entry (at, actor, source, action, subject, details)"
                " VALUES ('2026-01-01', 'x', 'web', 'x', 'x', ?)",
                [text + " " * number],
            )
    totp = await Totp.get()
    await connection.execute_query("UPDATE totp SET secret = ?", [secrets.totp_secret(totp)])
    await connection.execute_query("DELETE FROM audit_entry WHERE actor = 'x'")
    await connection.execute_query("UPDATE installation SET is_sealed = 0")


async def test_nothing_that_is_stored_reveals_a_secret(people: People, settings: Settings) -> None:
    totp = await _fill(people.alice)
    assert _reveals(settings, totp) == []
    assert await _readable(people.alice) == (TOKEN, HEADER, totp)
    await runtime.stop()
    assert _reveals(settings, totp) == []
    await runtime.start(settings)


async def test_changing_one_setting_keeps_the_secrets(people: People, settings: Settings) -> None:
    await _fill(people.alice)
    channel, trigger = await Channel.get(), await Trigger.get()
    await channels.change(people.alice, channel.id, settings={"topic": "others"})
    changed = triggers.ChangeTrigger(settings={"method": "put"})
    await triggers.change_trigger(people.alice, trigger.id, changed)
    await channel.refresh_from_db()
    await trigger.refresh_from_db()
    assert secrets.settings_of(channel)["token"] == TOKEN
    assert secrets.settings_of(channel)["topic"] == "others"
    assert secrets.settings_of(trigger)["header.Authorization"] == HEADER


async def test_the_key_file_is_private_and_made_once(people: People, key_file: Path) -> None:
    await secrets.prepare()
    made = key_file.read_bytes()
    assert key_file.stat().st_mode & 0o777 == 0o600
    await secrets.prepare()
    assert key_file.read_bytes() == made
    assert sealing.create(key_file) == sealing.read(key_file)
    assert key_file.read_bytes() == made


async def test_what_older_versions_stored_is_sealed_without_a_trace(
    people: People, settings: Settings
) -> None:
    totp = await _fill(people.alice)
    await _make_clear(people.alice)
    assert len(_reveals(settings, totp)) == 4
    await secrets.prepare()
    assert _reveals(settings, totp) == []
    assert await _readable(people.alice) == (TOKEN, HEADER, totp)
    assert (await Installation.get()).is_sealed


@pytest.mark.parametrize("at", ["Channel", "Trigger", "Totp", "wiping"])
async def test_an_interrupted_sealing_goes_on_at_the_next_start(
    people: People, settings: Settings, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    totp = await _fill(people.alice)
    await _make_clear(people.alice)
    with monkeypatch.context() as patched:
        _interrupt(patched, at)
        with pytest.raises(InterruptedSealing):
            await secrets.prepare()
    assert await _readable(people.alice) == (TOKEN, HEADER, totp)
    await secrets.prepare()
    assert _reveals(settings, totp) == []
    assert await _readable(people.alice) == (TOKEN, HEADER, totp)


def _interrupt(patched: pytest.MonkeyPatch, at: str) -> None:
    """Have the sealing end suddenly when it comes to a table, or to what follows them."""
    batch = secrets._seal_batch

    async def seal(table: Any, after: int, key: str) -> Any:
        if table.__name__ == at:
            raise InterruptedSealing
        return await batch(table, after, key)

    async def wipe() -> None:
        raise InterruptedSealing

    patched.setattr(secrets, "_seal_batch", seal)
    if at == "wiping":
        patched.setattr(secrets, "wipe_deleted_content", wipe)
        patched.setattr(secrets, "wipe_log", wipe)


async def test_rotation_seals_everything_with_a_new_key(
    people: People, settings: Settings, key_file: Path, tmp_path: Path
) -> None:
    totp = await _fill(people.alice)
    former = sealing.read(key_file)
    stored = (await Channel.get()).settings["sealed"]
    assert former is not None
    assert await secrets.rotate(SYSTEM) == 3
    ring = sealing.read(key_file)
    assert ring is not None
    assert ring.former == ()
    assert ring.current != former.current
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert await _readable(people.alice) == (TOKEN, HEADER, totp)
    # nothing that the former key opens is left anywhere in the file
    assert stored.encode() not in _bytes_of(settings)
    assert former.current.id.encode() not in _bytes_of(settings)


@pytest.mark.parametrize("at", ["Channel", "Trigger", "Totp", "wiping"])
async def test_an_interrupted_rotation_loses_nothing_and_goes_on(
    people: People,
    settings: Settings,
    key_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    at: str,
) -> None:
    totp = await _fill(people.alice)
    with monkeypatch.context() as patched:
        _interrupt(patched, at)
        with pytest.raises(InterruptedSealing):
            await secrets.rotate(SYSTEM)
    _as_in_a_new_process()
    assert await _readable(people.alice) == (TOKEN, HEADER, totp)
    await secrets.rotate(SYSTEM)
    _as_in_a_new_process()
    ring = sealing.read(key_file)
    assert ring is not None
    assert ring.former == ()
    assert await _readable(people.alice) == (TOKEN, HEADER, totp)


async def test_a_running_server_notices_new_keys(
    people: People, settings: Settings, key_file: Path
) -> None:
    """What it had read before opens too, and what it stores is sealed with the new key."""
    await _fill(people.alice)
    before = await Channel.get()
    ring = sealing.read(key_file)
    assert ring is not None
    sealing.replace(key_file, sealing.KeyRing(sealing.new_key()))  # by another process
    assert secrets.settings_of(before)["token"] == TOKEN
    await secrets.seal_settings(before, {"token": "new"})
    assert sealing.key_id(before.settings["sealed"]) != ring.current.id


async def test_one_rotation_at_a_time(people: People, settings: Settings) -> None:
    await _fill(people.alice)
    with secrets._one_rotation(), pytest.raises(Conflict, match="Another command"):
        await secrets.rotate(SYSTEM)


async def test_sealed_text_opens_in_its_own_place_only(people: People, settings: Settings) -> None:
    await _fill(people.alice)
    channel, trigger = await Channel.get(), await Trigger.get()
    other = await channels.add(
        people.bob,
        "of bob",
        owner="bob",
        kind="ntfy",
        settings={"server": "https://ntfy.example.org", "topic": "mine"},
    )
    await Channel.filter(id=other.id).update(settings=channel.settings)
    await Trigger.filter(id=trigger.id).update(settings=channel.settings)
    with pytest.raises(Sealed, match="copied here"):
        secrets.settings_of(await Channel.get(id=other.id))
    with pytest.raises(Sealed, match="copied here"):
        secrets.settings_of(await Trigger.get())
    found = await channels.find_by_id(people.bob, other.id)
    assert TOKEN not in str(found)
    assert "cannot be opened" in found.description


@pytest.fixture
def damaged() -> list[str]:
    """Sealed texts that were changed."""
    sealed = sealing.KeyRing(sealing._key(b"k" * 32)).seal("text", "place")
    head, _, packed = sealed.rpartition(":")
    return [
        f"{head}:{packed[:-4]}AAAA",
        f"{head}:",
        f"{head}:###",
        f"{head}:AAAA",
        sealed.replace("hive1", "hive2"),
    ]


def test_damaged_text_does_not_open(damaged: list[str]) -> None:
    ring = sealing.KeyRing(sealing._key(b"k" * 32))
    for text in damaged:
        with pytest.raises(Sealed):
            ring.open(text, "place")


async def test_without_its_key_file_nothing_is_lost_and_all_is_said(
    people: People, settings: Settings, key_file: Path
) -> None:
    totp = await _fill(people.alice)
    await secrets.prepare()
    kept = key_file.read_bytes()
    key_file.unlink()
    await secrets.prepare()  # the server starts
    assert not key_file.exists()  # and makes no other key, which would hide the loss
    with pytest.raises(Sealed, match="is missing"):
        await _readable(people.alice)
    channel = (await channels.list_channels(people.alice))[0]
    assert "cannot be opened" in channel.description
    trigger = (await triggers.list_triggers(people.alice))[0]
    assert trigger.settings == {}
    with pytest.raises(Sealed):
        await channels.change(people.alice, channel.id, settings={"topic": "x"})
    with pytest.raises(Sealed):
        await triggers.change_trigger(
            people.alice, trigger.id, triggers.ChangeTrigger(settings={"method": "put"})
        )
    with pytest.raises(Unavailable, match="recovery"):
        await second_factor.enrolment(people.alice)
    with pytest.raises(Sealed, match="is missing"):
        await secrets.rotate(SYSTEM)
    found = [one for one in await doctor.examine_running(OPERATOR) if one.level == "error"]
    assert any("is missing" in one.message for one in found)
    key_file.write_bytes(kept)
    assert await _readable(people.alice) == (TOKEN, HEADER, totp)


async def test_with_another_key_file_the_doctor_names_what_is_closed(
    people: People, settings: Settings, key_file: Path
) -> None:
    totp = await _fill(people.alice)
    kept = key_file.read_bytes()
    key_file.unlink()
    sealing.create(key_file)
    _as_in_a_new_process()
    messages = " ".join(one.message for one in await secrets.findings())
    for words in ("channel alice/phone", "trigger wake", "authenticator app of alice"):
        assert words in messages
    with pytest.raises(Conflict, match="cannot be opened"):
        await secrets.rotate(SYSTEM)
    await secrets.rotate(SYSTEM, is_lost=True)
    # What the lost key sealed is still there, for the day when the key is found.
    ring = sealing.read(key_file)
    assert ring is not None
    key_file.write_bytes(key_file.read_bytes() + kept)
    _as_in_a_new_process()
    assert await _readable(people.alice) == (TOKEN, HEADER, totp)


async def test_after_a_lost_key_secrets_can_be_set_again(
    people: People, settings: Settings, key_file: Path
) -> None:
    await _fill(people.alice)
    key_file.unlink()
    _as_in_a_new_process()
    await secrets.rotate(SYSTEM, is_lost=True)
    channel = await Channel.get()
    given = {"server": "https://ntfy.example.org", "topic": "backups", "token": "tk_new"}
    await channels.change(people.alice, channel.id, settings=given)
    assert secrets.settings_of(await Channel.get())["token"] == "tk_new"


@pytest.mark.parametrize("content", [b"", b"nonsense\n", b"\xff\xfe", b"AAAA\n"])
async def test_what_is_no_key_file_is_said_and_not_overwritten(
    people: People, settings: Settings, key_file: Path, content: bytes
) -> None:
    await _fill(people.alice)
    key_file.write_bytes(content)
    with pytest.raises(Sealed, match="not a key file"):
        await _readable(people.alice)
    await secrets.prepare()
    assert key_file.read_bytes() == content
    assert any("not a key file" in one.message for one in await secrets.findings())
    with pytest.raises(StorageError):
        await secrets.rotate(SYSTEM)


async def test_a_key_file_that_others_can_read_is_an_error(
    people: People, settings: Settings, key_file: Path
) -> None:
    await secrets.prepare()
    key_file.chmod(0o644)
    assert any("read by others" in one.message for one in await secrets.findings())


async def test_copies_from_before_the_upgrade_are_named(people: People, settings: Settings) -> None:
    await secrets.prepare()
    database = settings.paths.database
    copy = database.with_name(f"{database.name}.before-0009_accounts_and_secrets")
    shutil.copy(database, copy)
    found = [one for one in await secrets.findings() if one.level == "warning"]
    assert copy.name in found[0].message


async def test_codes_of_a_sealed_app_are_accepted(people: People, settings: Settings) -> None:
    totp = await _fill(people.alice)
    assert await second_factor.confirm_totp(people.alice, pyotp.TOTP(totp).now())


def test_sqlite_is_what_the_tests_look_into(people: People, settings: Settings) -> None:
    with sqlite3.connect(settings.paths.database) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
