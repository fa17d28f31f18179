"""Who may do what: owner, managing member, viewing member, stranger, and each role."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from hive import clock
from hive.database import transactional
from hive.errors import Forbidden, HiveError, NotFound
from hive.kinds import Access, EndReason, Level, Mode, Role, Severity, ShareLevel, Source
from hive.models import Channel, ConfigVersion, Key, Repository
from hive.services import audit, events, permissions, shares
from hive.services.accounts import groups, users
from hive.services.gate import host_keys
from hive.services.keys import grants, keys
from hive.services.keys.infos import KeyInfo
from hive.services.lifecycle import config_restore, imports, trash
from hive.services.notifications import rules
from hive.services.outbox import audiences, recipients
from hive.services.outbox.kinds import Matter
from hive.services.permissions import OPERATOR, Actor
from hive.services.repositories import catalogue, machines
from hive.services.repositories.infos import RepositoryInfo
from hive.services.sessions import config_versions, record
from hive.services.sessions import infos as session_infos
from hive.services.storage import locations
from hive.services.upkeep import queue
from tests import factories
from tests.factories import People


@dataclass(frozen=True)
class Scene:
    """Alice's things; `manager` and `viewer` are members of groups they are shared with."""

    people: People
    actors: dict[str, Actor]
    repository: RepositoryInfo
    key: KeyInfo
    session_id: int
    version: int


@pytest.fixture
async def scene(people: People) -> Scene:
    viewer = await factories.make_user("victor")
    await groups.add_group(OPERATOR, groups.AddGroup(name="viewers", members=["victor", "alice"]))
    key = await factories.make_key(people.alice, share_with="team")
    await keys.change_key(
        people.alice, key.id, keys.ChangeKey(share_with=["viewers"], share_level=ShareLevel.VIEW)
    )
    repository = await factories.make_repository(
        people.alice, accesses={key.fingerprint: Access.FULL}, share_with="team"
    )
    await catalogue.set_repository(
        people.alice, repository.id, share_with=["viewers"], share_level=ShareLevel.VIEW
    )
    session = await factories.open_session(repository, key)
    row = await ConfigVersion.create(
        repository_id=repository.id, sha256="0" * 64, content=b"x", created_at=repository.created_at
    )
    actors = {
        "owner": people.alice,
        "manager": people.bob,
        "viewer": viewer,
        "stranger": people.charlie,
        "administrator": people.admin,
        "operator": await factories.make_user("olga", role=Role.OPERATOR),
        "auditor": await factories.make_user("audrey", role=Role.AUDITOR),
    }
    return Scene(people, actors, repository, key, session.session_id, row.id)


async def close_session(scene: Scene) -> None:
    await record.finish(
        scene.session_id,
        record.Outcome(end_reason=EndReason.DONE, exit_status=0, bytes_in=0, bytes_out=0),
    )


async def give_and_take(actor: Actor, scene: Scene) -> None:
    await grants.change_access(
        actor,
        scene.repository.id,
        grants.ChangeAccess(accesses={scene.key.fingerprint: Access.READ_ONLY}),
    )
    await grants.change_access(
        actor, scene.repository.id, grants.ChangeAccess(remove_keys=[scene.key.fingerprint])
    )


async def delete_and_restore(actor: Actor, scene: Scene) -> None:
    await close_session(scene)
    await trash.delete_repository(actor, scene.repository.id)
    await trash.restore_repository(actor, scene.repository.id)


async def restore_config(actor: Actor, scene: Scene) -> None:
    await close_session(scene)
    scene.repository.path.mkdir(parents=True)
    await config_restore.restore_config(actor, scene.repository.id, scene.version)


Action = Callable[[Actor, Scene], Awaitable[object]]
SEE: dict[str, Action] = {
    "find the repository": lambda a, s: catalogue.find_repository(a, s.repository.login),
    "find the repository by id": lambda a, s: catalogue.find_repository_by_id(a, s.repository.id),
    "find the key": lambda a, s: keys.find_key(a, s.key.fingerprint),
    "see the session": lambda a, s: session_infos.get_session(a, s.session_id),
}
CHANGE: dict[str, Action] = {
    "rename the repository": lambda a, s: catalogue.set_repository(
        a, s.repository.id, name="other"
    ),
    "set a quota": lambda a, s: catalogue.set_repository(a, s.repository.id, quota_bytes=10**9),
    "switch the mode": lambda a, s: catalogue.store_mode(a, s.repository.id, Mode.EXPORT),
    "delete and restore": delete_and_restore,
    "give and take access": give_and_take,
    "rename the key": lambda a, s: keys.change_key(a, s.key.id, keys.ChangeKey(name="other")),
    "disable the key": lambda a, s: keys.change_key(a, s.key.id, keys.ChangeKey(enabled=False)),
    "delete the key": lambda a, s: keys.delete_key(a, s.key.id),
    "end the session": lambda a, s: record.kill(a, s.session_id),
    "see the kept configs": lambda a, s: config_versions.list_versions(a, s.repository.id),
    "put a config back": restore_config,
}
OWN: dict[str, Action] = {
    "give the repository away": lambda a, s: catalogue.set_repository(
        a, s.repository.id, owner="bob"
    ),
}
ADMINISTER: dict[str, Action] = {
    "add a user": lambda a, _: users.add_user(a, users.AddUser(name="new")),
    "list users": lambda a, _: users.list_users(a),
    "disable a user": lambda a, s: users.set_user(
        a, s.people.charlie.user_id or 0, users.ChangeUser(enabled=False)
    ),
    "delete a user": lambda a, s: users.delete_user(a, s.people.charlie.user_id or 0),
    "add a group": lambda a, _: groups.add_group(a, groups.AddGroup(name="new")),
    "add a location": lambda a, _: locations.add_location(
        a, locations.AddLocation(name="new", host="h.example")
    ),
    "change a location": lambda a, _: locations.change_location(
        a, 1, locations.ChangeLocation(host="h.example")
    ),
    "delete a location": lambda a, _: locations.delete_location(a, 77),
    "read the audit log": lambda a, _: audit.recent(a),
    "accept host keys": lambda a, _: host_keys.accept_current(a),
}
OVERSEE = {"list users", "read the audit log"}
ADD: dict[str, Action] = {
    "add a repository": lambda a, _: catalogue.add_repository(a, "another", owner=a.name),
    "add a key": lambda a, _: keys.add_key(
        a, keys.AddKey(name="another", owner=a.name, text=factories.key_line())
    ),
    "add a channel": lambda a, _: factories.make_webhook(a),
    "add a machine": lambda a, _: machines.add_machine(
        a, machines.AddMachine(name="another", public_key=factories.key_line())
    ),
}
ALLOWED = {
    **{(what, who): True for what in SEE for who in ("owner", "manager", "viewer")},
    **{(what, who): True for what in CHANGE for who in ("owner", "manager")},
    **{(what, "operator"): True for what in (*SEE, *CHANGE, *OVERSEE)},
    **{(what, "auditor"): True for what in (*SEE, *OVERSEE)},
    **{(what, who): True for what in ADD for who in ("owner", "viewer", "stranger", "operator")},
    **{(what, "manager"): True for what in ADD},
}
ALL = {**SEE, **CHANGE, **OWN, **ADMINISTER, **ADD}
ROLES = ("owner", "manager", "viewer", "stranger", "administrator", "operator", "auditor")


@pytest.mark.parametrize("who", ROLES)
@pytest.mark.parametrize("what", ALL)
async def test_everybody_may_do_what_their_level_allows_and_no_more(
    scene: Scene, what: str, who: str
) -> None:
    error: HiveError | None = None
    try:
        await ALL[what](scene.actors[who], scene)
    except HiveError as raised:
        error = raised
    if who == "administrator":
        assert error is None or what == "delete a location"
    elif (what, who) in ALLOWED:
        assert error is None
    elif who == "stranger" and what not in ADMINISTER:
        assert isinstance(error, NotFound)  # charlie must not even learn that it is there
    else:
        assert isinstance(error, Forbidden | NotFound)


@pytest.mark.parametrize("who", ROLES)
async def test_lists_hold_what_one_may_see(scene: Scene, who: str) -> None:
    actor = scene.actors[who]
    seen = 0 if who == "stranger" else 1
    assert len(await catalogue.list_repositories(actor)) == seen
    assert len(await keys.list_keys(actor)) == seen
    assert len(await session_infos.list_sessions(actor)) == seen
    assert bool(await events.recent(actor)) == bool(seen)
    assert len(await events.recent(actor, repository_id=scene.repository.id)) > 0 or not seen


async def test_levels_are_as_the_roles_say(scene: Scene) -> None:
    levels = {
        who: await catalogue.level(actor, scene.repository.id)
        for who, actor in scene.actors.items()
    }
    assert levels == {
        "owner": Level.OWN,
        "manager": Level.MANAGE,
        "viewer": Level.VIEW,
        "stranger": Level.NONE,
        "administrator": Level.OWN,
        "operator": Level.MANAGE,
        "auditor": Level.VIEW,
    }


async def test_a_repository_is_found_by_whoever_has_the_level_and_refused_in_one_way(
    scene: Scene,
) -> None:
    """Whoever may not see it learns no more than of an id that does not exist."""
    find, one = permissions.repository_for, scene.repository.id
    nothing = "There is no such repository."
    assert (await find(scene.actors["viewer"], one, Level.VIEW)).location.is_default
    assert (await find(scene.actors["manager"], one, Level.MANAGE)).id == one
    with pytest.raises(Forbidden):
        await find(scene.actors["viewer"], one, Level.MANAGE)
    with pytest.raises(Forbidden):
        await find(scene.actors["manager"], one, Level.OWN)
    for actor, repository_id in ((scene.actors["stranger"], one), (scene.people.admin, one + 99)):
        with pytest.raises(NotFound, match=nothing):
            await find(actor, repository_id, Level.VIEW)


async def test_a_repository_in_the_trash_is_found_only_where_that_is_asked_for(
    scene: Scene,
) -> None:
    """It cannot be changed: what is listed of it is for reading."""
    owner, one = scene.people.alice, scene.repository.id
    await catalogue.mark_deleted(owner, one)
    for level in (Level.VIEW, Level.MANAGE, Level.OWN):
        with pytest.raises(NotFound):
            await permissions.repository_for(owner, one, level)
    with pytest.raises(NotFound):
        await config_versions.list_versions(owner, one)
    assert await queue.list_upkeeps(owner, one) == []
    assert (await permissions.repository_for(owner, one, Level.OWN, deleted=True)).id == one
    with pytest.raises(NotFound):
        await permissions.repository_for(scene.actors["stranger"], one, Level.VIEW, deleted=True)


async def test_who_may_only_use_a_key_does_not_learn_what_else_it_opens(scene: Scene) -> None:
    await factories.make_repository(
        scene.people.alice, "private", accesses={scene.key.fingerprint: Access.FULL}
    )
    viewed = await keys.find_key(scene.actors["viewer"], scene.key.fingerprint)
    assert [use.repository for use in viewed.uses] == ["documents"]
    owned = await keys.find_key(scene.people.alice, scene.key.fingerprint)
    assert {use.repository for use in owned.uses} == {"documents", "private"}


async def test_nobody_shares_with_groups_they_are_not_in(scene: Scene) -> None:
    await groups.add_group(OPERATOR, groups.AddGroup(name="others", members=["charlie"]))
    with pytest.raises(NotFound):
        await catalogue.set_repository(
            scene.people.alice, scene.repository.id, share_with=["others"]
        )
    with pytest.raises(NotFound):
        await keys.change_key(
            scene.people.alice, scene.key.id, keys.ChangeKey(share_with=["others"])
        )
    with pytest.raises(NotFound):
        await shares.share(
            scene.people.charlie, await keys.get_key(OPERATOR, "laptop"), ["team"], ShareLevel.VIEW
        )


@pytest.mark.parametrize("kind", ["repository", "key", "channel"])
async def test_the_same_share_gives_the_same_rights_on_everything(
    people: People, kind: str
) -> None:
    """Repositories, keys and channels: one rule, also for ending a share with a group one left."""
    alice, bob, thing = people.alice, people.bob, await thing_of(people.alice, kind)
    assert await permissions.level_on(alice, thing) == Level.OWN
    assert await permissions.level_on(people.admin, thing) == Level.OWN
    assert await permissions.level_on(bob, thing) == Level.NONE
    for share, level in ((ShareLevel.VIEW, Level.VIEW), (ShareLevel.MANAGE, Level.MANAGE)):
        await shares.share(alice, thing, ["team"], share)
        assert await permissions.level_on(bob, thing) == level
        assert await permissions.level_on(people.charlie, thing) == Level.NONE
    with pytest.raises(NotFound):
        await shares.share(people.charlie, thing, ["team"], ShareLevel.VIEW)
    team = await groups.find_group(OPERATOR, "team")
    await groups.set_group(OPERATOR, team.id, groups.ChangeGroup(remove_members=["alice"]))
    await shares.unshare(alice, thing, ["team"])
    assert await permissions.level_on(bob, thing) == Level.NONE
    with pytest.raises(NotFound):
        await shares.unshare(alice, thing, ["team"])  # it is no longer hers to know of


async def thing_of(owner: Actor, kind: str) -> permissions.Thing:
    if kind == "repository":
        info = await factories.make_repository(owner)
        return await Repository.get(id=info.id)
    if kind == "key":
        return await Key.get(id=(await factories.make_key(owner)).id)
    return await Channel.get(id=(await factories.make_webhook(owner)).id)


async def test_nobody_adds_things_for_others(people: People) -> None:
    with pytest.raises(NotFound):
        await catalogue.add_repository(people.charlie, "x", owner="alice")
    with pytest.raises(NotFound):
        await keys.add_key(
            people.charlie, keys.AddKey(name="x", owner="alice", text=factories.key_line())
        )


async def test_nobody_grants_a_key_they_cannot_see(people: People) -> None:
    key = await factories.make_key(people.alice)
    repository = await factories.make_repository(people.charlie)
    with pytest.raises(NotFound):
        await grants.change_access(
            people.charlie,
            repository.id,
            grants.ChangeAccess(accesses={key.fingerprint: Access.FULL}),
        )


async def test_the_end_of_a_share_is_the_end_of_seeing(scene: Scene) -> None:
    await catalogue.set_repository(scene.people.alice, scene.repository.id, unshare_from=["team"])
    with pytest.raises(NotFound):
        await catalogue.find_repository(scene.people.bob, "documents")


async def test_imports_are_settled_by_who_may_change_only(scene: Scene) -> None:
    for who in ("viewer", "stranger"):
        with pytest.raises((Forbidden, NotFound)):
            await imports.switch_mode(scene.actors[who], scene.repository.id, Mode.IMPORT)


async def test_users_see_themselves_only(people: People) -> None:
    assert (await users.find_user(people.alice, "alice")).name == "alice"
    with pytest.raises(NotFound):
        await users.find_user(people.alice, "bob")
    with pytest.raises(NotFound):
        await users.set_user(
            people.alice, people.bob.user_id or 0, users.ChangeUser(email="x@example.org")
        )
    with pytest.raises(NotFound):
        await users.set_password(people.alice, people.bob.user_id or 0, factories.PASSWORD)
    with pytest.raises(Forbidden):
        await users.set_user(
            people.alice, people.alice.user_id or 0, users.ChangeUser(role=Role.ADMINISTRATOR)
        )


async def test_an_auditor_changes_nothing_even_where_a_service_forgets_to_ask(
    scene: Scene,
) -> None:
    """The row of the audit log is refused, and with it the transaction that it belongs to."""
    auditor = scene.actors["auditor"]

    @transactional
    async def careless() -> None:
        await Repository.filter(id=scene.repository.id).update(name="changed")
        await audit.record(auditor, "repository.set", "repository documents")

    with pytest.raises(Forbidden):
        await careless()
    assert (await Repository.get(id=scene.repository.id)).name == "documents"
    await users.set_user(auditor, auditor.user_id or 0, users.ChangeUser(email="a@example.org"))


async def test_what_belongs_to_an_auditor_is_for_reading_as_well(scene: Scene) -> None:
    mine = await factories.make_repository(scene.people.charlie, "mine")
    charlie = scene.people.charlie.user_id or 0
    await users.set_user(OPERATOR, charlie, users.ChangeUser(role=Role.AUDITOR))
    auditor = (await users.get_user(OPERATOR, charlie)).actor(Source.WEB, None)
    assert await catalogue.level(auditor, mine.id) == Level.VIEW
    with pytest.raises(Forbidden):
        await catalogue.set_repository(auditor, mine.id, name="other")


async def test_an_auditor_is_notified_of_nothing_until_a_rule_says_otherwise(scene: Scene) -> None:
    auditor = scene.actors["auditor"]
    user_id = auditor.user_id or 0
    team = await groups.find_group(OPERATOR, "team")
    await groups.set_group(OPERATOR, team.id, groups.ChangeGroup(add_members=["audrey"]))
    owner = scene.people.alice.user_id or 0
    assert user_id not in await recipients.of_repository(scene.repository.id, owner)
    assert (
        user_id
        not in (await recipients.members_of_shared({scene.repository.id: owner}))[
            scene.repository.id
        ]
    )
    assert user_id not in await recipients.administrators()
    matter = Matter("down", Severity.CRITICAL, repository_id=scene.repository.id, owner_id=owner)
    for told in (False, True):
        audience = await audiences.of_repository(scene.repository.id, owner)
        named = {person.name for person, _ in audience.ways(matter, clock.now()).ways}
        assert ("audrey" in named) is told
        if not told:
            hook = await factories.make_webhook(scene.people.admin, name="hers")
            await Channel.filter(id=hook.id).update(owner_id=user_id)
            await rules.add(OPERATOR, "audrey", rules.AddRule(name="all", channels=[hook.id]))
