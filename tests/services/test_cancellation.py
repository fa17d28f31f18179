"""Callers that leave at any moment: asyncssh and web clients do, and nothing may be left torn."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from hive import background, clock, database, signals, sql
from hive.errors import HiveError, RefusalCause
from hive.kinds import Access, EndReason, Mode, Need, ShareLevel
from hive.models import (
    AuditEntry,
    ConfigVersion,
    Event,
    Grant,
    Group,
    HealthChange,
    Key,
    Location,
    PasswordReset,
    Repository,
    RepositoryTag,
    Session,
    TrashEntry,
    User,
)
from hive.services.accounts import browser_sessions, groups, second_factor, users
from hive.services.gate import admission, authentication, host_keys, refusals
from hive.services.gate.admission import SessionRequest
from hive.services.health import review, schedules
from hive.services.health.schedules import ScheduleChange
from hive.services.keys import grants, keys
from hive.services.keys.infos import KeyInfo
from hive.services.lifecycle import config_restore, imports, trash
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue, maintenance, tags
from hive.services.repositories import infos as repository_infos
from hive.services.sessions import config_versions, record
from hive.services.storage import locations
from tests import factories
from tests.factories import People

CANCELS = 400
SECONDS = 12.0


class World:
    """Things to change, and a name that was never used for each try."""

    def __init__(self, people: People, key: KeyInfo) -> None:
        self.people = people
        self.key = key
        self.count = 0
        self.lines = [factories.key_line() for _ in range(CANCELS)]

    def name(self) -> str:
        self.count += 1
        return f"new{self.count}"

    async def repository(self) -> repository_infos.RepositoryInfo:
        made = await factories.make_repository(
            self.people.alice, self.name(), accesses={self.key.fingerprint: Access.FULL}
        )
        daily = ScheduleChange(every=timedelta(days=1))
        await schedules.set_schedule(OPERATOR, made.id, daily)
        made.path.mkdir(parents=True)
        return made

    async def session(self) -> int:
        made = await self.repository()
        return (await factories.open_session(made, self.key)).session_id


OUTCOME = record.Outcome(end_reason=EndReason.DONE, exit_status=0, bytes_in=1, bytes_out=2)
Try = Callable[[World], Awaitable[Callable[[], Awaitable[object]]]]


def plain(make: Callable[[World], Awaitable[object]]) -> Try:
    async def prepare(world: World) -> Callable[[], Awaitable[object]]:
        return lambda: make(world)

    return prepare


def on_repository(
    make: Callable[[World, repository_infos.RepositoryInfo], Awaitable[object]],
) -> Try:
    async def prepare(world: World) -> Callable[[], Awaitable[object]]:
        made = await world.repository()
        return lambda: make(world, made)

    return prepare


async def _restorable(world: World) -> Callable[[], Awaitable[object]]:
    made = await world.repository()
    await trash.delete_repository(OPERATOR, made.id)
    return lambda: trash.restore_repository(OPERATOR, made.id)


async def _finishable(world: World) -> Callable[[], Awaitable[object]]:
    session = await world.session()
    return lambda: record.finish(session, OUTCOME)


async def _killable(world: World) -> Callable[[], Awaitable[object]]:
    session = await world.session()
    return lambda: record.kill(OPERATOR, session)


async def _admit(world: World, made: repository_infos.RepositoryInfo) -> None:
    identity = await authentication.authenticate(made.login, world.key.fingerprint, "192.0.2.7")
    assert identity is not None
    await admission.admit(identity, SessionRequest(Need.BORG, "borg serve", "192.0.2.7", None))


async def _config_kept(world: World) -> Callable[[], Awaitable[object]]:
    made = await world.repository()
    await config_versions.keep_config(await Repository.get(id=made.id), b"content", None)
    version = (await config_versions.list_versions(OPERATOR, made.id))[0].id
    return lambda: config_restore.restore_config(OPERATOR, made.id, version)


async def _user_to_delete(world: World) -> Callable[[], Awaitable[object]]:
    user = await users.add_user(OPERATOR, users.AddUser(name=world.name()))
    return lambda: users.delete_user(OPERATOR, user.id)


async def _group_to_delete(world: World) -> Callable[[], Awaitable[object]]:
    group = await groups.add_group(OPERATOR, groups.AddGroup(name=world.name(), members=["alice"]))
    return lambda: groups.delete_group(OPERATOR, group.id)


async def _location_to_delete(world: World) -> Callable[[], Awaitable[object]]:
    location = await locations.add_location(
        OPERATOR, locations.AddLocation(name=world.name(), host="h.example")
    )
    return lambda: locations.delete_location(OPERATOR, location.id)


async def _key_to_delete(world: World) -> Callable[[], Awaitable[object]]:
    key = await factories.make_key(world.people.alice, world.name(), line=world.lines.pop())
    await factories.make_repository(
        world.people.alice, world.name(), accesses={key.fingerprint: Access.FULL}
    )
    return lambda: keys.delete_key(OPERATOR, key.id)


async def _logged_in(world: World) -> Callable[[], Awaitable[object]]:
    user = await users.find_user(OPERATOR, "alice")
    token = await browser_sessions.open_session(user, address="192.0.2.1", user_agent="x")
    return lambda: browser_sessions.end(token)


async def _open_session(_: World) -> object:
    user = await users.find_user(OPERATOR, "bob")
    return await browser_sessions.open_session(user, address="192.0.2.1", user_agent="x")


TRIES: dict[str, Try] = {
    "add user": plain(
        lambda w: users.add_user(OPERATOR, users.AddUser(name=w.name(), email="a@example.org"))
    ),
    "set user": plain(
        lambda w: users.set_user(
            OPERATOR, w.people.charlie.user_id or 0, users.ChangeUser(enabled=True)
        )
    ),
    "set password": plain(
        lambda w: users.set_password(OPERATOR, w.people.charlie.user_id or 0, "0123456789")
    ),
    "make reset link": plain(lambda w: users.reset_link(OPERATOR, w.people.bob.user_id or 0)),
    "begin app": plain(lambda w: second_factor.begin_totp(w.people.bob)),
    "switch off second factor": plain(
        lambda w: second_factor.switch_off(OPERATOR, w.people.bob.user_id or 0)
    ),
    "delete user": _user_to_delete,
    "add group": plain(
        lambda w: groups.add_group(
            OPERATOR, groups.AddGroup(name=w.name(), members=["alice", "bob"])
        )
    ),
    "set group": plain(
        lambda w: groups.set_group(
            OPERATOR, 1, groups.ChangeGroup(name=w.name(), add_members=["charlie"])
        )
    ),
    "delete group": _group_to_delete,
    "add location": plain(
        lambda w: locations.add_location(
            OPERATOR, locations.AddLocation(name=w.name(), host="h.example")
        )
    ),
    "set location": plain(
        lambda _: locations.change_location(
            OPERATOR, 1, locations.ChangeLocation(host="h.example", port=22)
        )
    ),
    "delete location": _location_to_delete,
    "add key": plain(
        lambda w: keys.add_key(
            OPERATOR, keys.AddKey(name=w.name(), owner="alice", text=w.lines.pop(), groups=["1"])
        )
    ),
    "set key": plain(
        lambda w: keys.change_key(
            OPERATOR,
            w.key.id,
            keys.ChangeKey(networks=[], share_with=["1"], share_level=ShareLevel.VIEW),
        )
    ),
    "delete key": _key_to_delete,
    "add repository": plain(
        lambda w: catalogue.add_repository(
            OPERATOR,
            w.name(),
            owner="alice",
            accesses={w.key.fingerprint: Access.FULL},
            groups=["1"],
        )
    ),
    "set repository": on_repository(
        lambda w, r: catalogue.set_repository(
            OPERATOR, r.id, name=w.name(), quota_bytes=10**9, share_with=["1"]
        )
    ),
    "switch mode": on_repository(lambda _, r: imports.switch_mode(OPERATOR, r.id, Mode.IMPORT)),
    "settle": on_repository(lambda _, r: imports.finish_import(r.id)),
    "grant": on_repository(
        lambda w, r: grants.change_access(
            OPERATOR, r.id, grants.ChangeAccess(accesses={w.key.fingerprint: Access.READ_ONLY})
        )
    ),
    "revoke": on_repository(
        lambda w, r: grants.change_access(
            OPERATOR, r.id, grants.ChangeAccess(remove_keys=[w.key.fingerprint])
        )
    ),
    "delete repository": on_repository(lambda _, r: trash.delete_repository(OPERATOR, r.id)),
    "restore repository": _restorable,
    "restore config": _config_kept,
    "empty trash": plain(lambda _: trash.empty_expired()),
    "set schedule": on_repository(
        lambda _, r: schedules.set_schedule(OPERATOR, r.id, ScheduleChange(every=timedelta(days=1)))
    ),
    "pause": on_repository(
        lambda _, r: schedules.pause(OPERATOR, r.id, clock.now() + timedelta(days=1))
    ),
    "mute": on_repository(
        lambda _, r: schedules.mute(OPERATOR, r.id, clock.now() + timedelta(days=1))
    ),
    "change tags": on_repository(lambda _, r: tags.change_tags(OPERATOR, r.id, add=["a", "b"])),
    "note a backup": on_repository(lambda _, r: review.note_backup(r.id, clock.now())),
    "begin maintenance": on_repository(lambda _, r: maintenance.begin(r.id, "being tested")),
    "admit": on_repository(_admit),
    "finish": _finishable,
    "kill": _killable,
    "refuse": on_repository(
        lambda _, r: refusals.record(r.id, RefusalCause.BUSY, "refused", peer="192.0.2.7")
    ),
    "interrupt": plain(lambda _: record.interrupt_left_open()),
    "log in": plain(_open_session),
    "log out": _logged_in,
    "accept host keys": plain(lambda _: host_keys.accept_current(OPERATOR)),
}


async def cancel_after(call: Awaitable[object], steps: int) -> None:
    """Run it as a task, cancel that after so many turns of the loop, wait for what goes on."""
    task = asyncio.ensure_future(call)
    for _ in range(steps):
        if task.done():
            break
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError, HiveError):
        await task
    # what was begun ends by itself; the next try must not have to wait for it, but we look now
    while background.tasks:
        await asyncio.wait(set(background.tasks))


async def actions() -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in await AuditEntry.all():
        found[entry.action] = found.get(entry.action, 0) + 1
    return found


async def assert_nothing_is_torn() -> None:
    assert await asyncio.wait_for(database.answers(), 5)
    assert await sql.problems() == []
    audited = await actions()
    deleted = audited.get
    assert await User.all().count() == audited["user.add"] - deleted("user.delete", 0)
    assert await Group.all().count() == audited["group.add"] - deleted("group.delete", 0)
    made = audited.get("location.add", 0) - deleted("location.delete", 0)
    assert await Location.all().count() == 1 + made
    assert await Key.all().count() == audited["key.add"] - deleted("key.delete", 0)
    assert await Repository.all().count() == audited.get("repository.add", 0)
    gone = audited.get("repository.delete", 0) - audited.get("repository.restore", 0)
    assert await Repository.filter(deleted_at__isnull=False).count() == gone
    modes = await Repository.filter(mode=Mode.IMPORT).count()
    assert (
        modes
        == audited.get("repository.mode", 0)
        == await Event.filter(kind="mode changed").count()
    )
    assert await Event.filter(kind="opened").count() == await Session.all().count()
    ended = await Session.filter(ended_at__isnull=False).count()
    assert await Event.filter(kind="closed").count() == ended
    for kind, action in (("paused", "pause"), ("muted", "mute")):
        told = await Event.filter(kind=kind).count()
        assert told == audited.get(f"repository.{action}", 0)
    assert await Repository.filter(health="paused").count() == audited.get("repository.pause", 0)
    backed_up = await Repository.filter(last_backup_at__not_isnull=True).count()
    assert backed_up == await HealthChange.filter(health="fine").count()
    assert await RepositoryTag.all().count() == 2 * audited.get("repository.tag", 0)
    assert await PasswordReset.all().count() == audited.get("user.reset.link", 0)
    put_back = audited.get("repository.restore-config", 0)
    assert await ConfigVersion.filter(content=b"content").count() >= put_back
    for repository in await Repository.all().select_related("location"):
        assert repository.maintenance in (None, "being tested")
        # its directory is where its row says it is
        home = repository_infos.place_of(repository).home
        in_trash = await TrashEntry.filter(repository_id=repository.id).count()
        assert not (repository.deleted_at and home.exists())
        assert in_trash == 0 or repository.deleted_at is not None
    for grant in await Grant.all().select_related("repository", "key"):
        assert grant.repository.owner_id == grant.key.owner_id


@pytest.fixture
async def world(people: People) -> World:
    return World(people, await factories.make_key(people.alice))


@pytest.mark.long
async def test_nothing_is_torn_wherever_a_caller_leaves(world: World) -> None:
    heard: list[signals.Happening] = []
    unsubscribe = signals.subscribe(heard.append)
    chance = random.Random(4711)  # noqa: S311 - no secret
    started = time.monotonic()
    names = list(TRIES)
    done = 0
    while done < CANCELS and time.monotonic() - started < SECONDS:
        name = names[done % len(names)]
        call = await TRIES[name](world)
        await cancel_after(call(), chance.choice([chance.randrange(30), chance.randrange(600)]))
        done += 1
        if done % 40 == 0:
            await assert_nothing_is_torn()
    unsubscribe()
    await assert_nothing_is_torn()
    assert done >= 2 * len(names), f"too slow: {done} tries"
    told = [happening for happening in heard if isinstance(happening, signals.RepositoryEvent)]
    assert len({happening.id for happening in told}) == len(told) == await Event.all().count()


async def test_many_callers_who_leave_at_once_do_not_freeze_the_database(world: World) -> None:
    chance = random.Random(7)  # noqa: S311 - no secret
    calls = [
        asyncio.ensure_future(users.add_user(OPERATOR, users.AddUser(name=world.name())))
        for _ in range(60)
    ]
    for call in calls:
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.wait_for(users.add_user(OPERATOR, users.AddUser(name="after")), 10)
    while background.tasks:
        await asyncio.wait(set(background.tasks))
    await assert_nothing_is_torn()
