from __future__ import annotations

import asyncio

import pytest

from hive.errors import Conflict, Forbidden, InvalidInput, NotFound
from hive.kinds import Role, Source
from hive.models import AuditEntry, User
from hive.services import audit
from hive.services.accounts import browser_sessions, first_setup, groups, users
from hive.services.permissions import OPERATOR
from tests import factories
from tests.factories import PASSWORD, People

pytestmark = pytest.mark.usefixtures("hive")


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", "-x", "a/b", "a b", "a\nb", "\u00e4", "x" * 151, "a\0"]
)
async def test_hostile_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        await users.add_user(OPERATOR, users.AddUser(name=name))
    with pytest.raises(InvalidInput):
        await groups.add_group(OPERATOR, groups.AddGroup(name=name))


async def test_two_users_do_not_differ_by_case_alone() -> None:
    await users.add_user(OPERATOR, users.AddUser(name="alice"))
    with pytest.raises(Conflict):
        await users.add_user(OPERATOR, users.AddUser(name="ALICE"))


@pytest.mark.parametrize("email", ["x", "a@b@c", "a b@c", "a@b\nBcc: c@d", "@", "x@" + "y" * 300])
async def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(InvalidInput):
        await users.add_user(OPERATOR, users.AddUser(name="alice", email=email))


async def test_a_hive_without_administrators_can_be_changed_from_the_command_line() -> None:
    alice = await users.add_user(OPERATOR, users.AddUser(name="alice"))
    bob = await users.add_user(OPERATOR, users.AddUser(name="bob"))
    assert (await users.set_user(OPERATOR, alice.id, users.ChangeUser(email="a@example.org"))).email
    assert not (await users.set_user(OPERATOR, alice.id, users.ChangeUser(enabled=False))).enabled
    await users.delete_user(OPERATOR, bob.id)


async def test_the_last_administrator_stays() -> None:
    admin = await users.add_user(OPERATOR, users.AddUser(name="admin", role=Role.ADMINISTRATOR))
    await users.add_user(OPERATOR, users.AddUser(name="alice"))
    with pytest.raises(Conflict):
        await users.set_user(OPERATOR, admin.id, users.ChangeUser(role=Role.MEMBER))
    with pytest.raises(Conflict):
        await users.set_user(OPERATOR, admin.id, users.ChangeUser(enabled=False))
    with pytest.raises(Conflict):
        await users.delete_user(OPERATOR, admin.id)
    assert (await users.find_user(OPERATOR, "admin")).is_admin


async def test_who_owns_something_is_not_deleted(people: People) -> None:
    await factories.make_key(people.alice)
    with pytest.raises(Conflict, match="1 key:"):
        await users.delete_user(OPERATOR, people.alice.user_id or 0)


async def test_nobody_deletes_themselves(people: People) -> None:
    with pytest.raises(Forbidden):
        await users.delete_user(people.admin, people.admin.user_id or 0)


async def test_a_name_that_is_anothers_id_stands_for_neither() -> None:
    first = await users.add_user(OPERATOR, users.AddUser(name="alice"))
    await users.add_user(OPERATOR, users.AddUser(name=str(first.id)))
    with pytest.raises(InvalidInput):
        await users.find_user(OPERATOR, str(first.id))
    assert (await users.find_user(OPERATOR, "alice")).id == first.id
    with pytest.raises(NotFound):
        await users.find_user(OPERATOR, "9" * 40)


async def test_passwords_are_checked_and_never_kept_in_words() -> None:
    with pytest.raises(InvalidInput, match="at least 10 characters"):
        await users.add_user(OPERATOR, users.AddUser(name="alice", password="short"))
    user = await users.add_user(OPERATOR, users.AddUser(name="alice", password=PASSWORD))
    assert await users.authenticate("alice", PASSWORD)
    assert await users.authenticate("alice", "wrong password") is None
    assert await users.authenticate("nobody", PASSWORD) is None
    await users.set_user(OPERATOR, user.id, users.ChangeUser(enabled=False))
    assert await users.authenticate("alice", PASSWORD) is None
    row = await User.get(id=user.id)
    assert PASSWORD not in str(row.password_hash)
    assert all(PASSWORD not in str(entry.details) for entry in await AuditEntry.all())


async def test_a_user_named_with_digits_stays_logged_in() -> None:
    first = await users.add_user(OPERATOR, users.AddUser(name="alice"))
    digits = await users.add_user(OPERATOR, users.AddUser(name=str(first.id)))
    token = await browser_sessions.open_session(digits, address="192.0.2.1", user_agent="x")
    found = await browser_sessions.user_of(token)
    assert found is not None
    assert found.id == digits.id


async def test_disabling_a_user_ends_their_browser_sessions(people: People) -> None:
    info = await users.find_user(OPERATOR, "alice")
    token = await browser_sessions.open_session(info, address="192.0.2.1", user_agent="x")
    assert await browser_sessions.user_of(token)
    await users.set_user(OPERATOR, info.id, users.ChangeUser(enabled=False))
    assert await browser_sessions.user_of(token) is None


async def test_one_set_up_token_makes_one_administrator() -> None:
    """Two people who hold the link at once: the second must not end up as administrator too."""
    token = await first_setup.new_setup_token()
    assert token is not None
    results = await asyncio.gather(
        *(
            first_setup.complete_setup(token, name, PASSWORD, address="192.0.2.1")
            for name in ("first", "second", "third")
        ),
        return_exceptions=True,
    )
    made = [result for result in results if not isinstance(result, BaseException)]
    assert len(made) == 1
    assert [user.name for user in await users.list_users(OPERATOR)] == [made[0].name]
    assert await first_setup.new_setup_token() is None
    with pytest.raises(Forbidden):
        await first_setup.complete_setup(token, "fourth", PASSWORD, address="192.0.2.1")


async def test_changes_are_in_the_audit_log_with_who_and_from_where(people: People) -> None:
    await users.set_user(
        people.alice, people.alice.user_id or 0, users.ChangeUser(email="a@example.org")
    )
    entry = (await audit.recent(OPERATOR))[0]
    assert (entry.action, entry.actor, entry.source) == ("user.set", "alice", Source.WEB)
    assert entry.address == "192.0.2.1"
    assert entry.details == {"email": {"from": None, "to": "a@example.org"}}


async def test_groups_are_renamed_joined_and_left(people: People) -> None:
    group = await groups.find_group(OPERATOR, "team")
    changed = await groups.set_group(
        OPERATOR,
        group.id,
        groups.ChangeGroup(name="crew", add_members=["charlie"], remove_members=["bob"]),
    )
    assert (changed.name, changed.members) == ("crew", ("alice", "charlie"))
    assert [found.name for found in await groups.list_groups(people.charlie)] == ["crew"]
    assert await groups.list_groups(people.bob) == []
    with pytest.raises(NotFound):
        await groups.find_group(people.bob, "crew")
    with pytest.raises(NotFound):
        await groups.set_group(
            OPERATOR, group.id, groups.ChangeGroup(name="gone", add_members=["nobody"])
        )
    assert (await groups.find_group(OPERATOR, str(group.id))).name == "crew"


async def test_no_reference_is_too_long_to_be_nobody(people: People) -> None:
    for reference in ("x" * 151, "9" * 5000):
        with pytest.raises(NotFound):
            await users.find_user(people.admin, reference)
        with pytest.raises(NotFound):
            await groups.find_group(people.admin, reference)
