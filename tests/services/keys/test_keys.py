from __future__ import annotations

from datetime import timedelta

import pytest

from hive import clock, signals
from hive.errors import Conflict, InvalidInput, NotFound
from hive.kinds import Access, EventKind
from hive.models import Grant
from hive.services import events as recorded
from hive.services.gate import authentication
from hive.services.keys import grants, keys
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.signals import RightsChanged
from tests import factories
from tests.factories import People


async def test_the_same_key_twice_for_one_owner_is_refused(people: People) -> None:
    key = await factories.make_key(people.alice)
    with pytest.raises(Conflict, match="laptop"):
        await factories.make_key(people.alice, "other", line=f"{key.line} with a comment")
    assert (await factories.make_key(people.bob, line=key.line)).fingerprint == key.fingerprint


async def test_one_owner_has_one_key_of_a_name(people: People) -> None:
    await factories.make_key(people.alice)
    with pytest.raises(Conflict, match="named laptop"):
        await factories.make_key(people.alice)


@pytest.mark.parametrize(
    "name", ["", "  ", "a\0b", "a\x1b[2J", "\u202e", "x" * 151, "alice/laptop"]
)
async def test_hostile_names_of_keys_are_refused(people: People, name: str) -> None:
    with pytest.raises(InvalidInput):
        await factories.make_key(people.alice, name)


async def test_blanks_in_names_of_keys_become_one(people: People) -> None:
    assert (await factories.make_key(people.alice, "  the\n laptop ")).name == "the laptop"


async def test_keys_are_found_by_all_they_are_called(people: People) -> None:
    key = await factories.make_key(people.alice)
    other = await factories.make_key(people.bob)
    for reference in (key.fingerprint, str(key.id), "alice/laptop"):
        assert (await keys.find_key(OPERATOR, reference)).id == key.id
    with pytest.raises(InvalidInput, match="several"):
        await keys.find_key(OPERATOR, "laptop")
    assert (await keys.find_key(people.bob, "laptop")).id == other.id
    with pytest.raises(NotFound):
        await keys.find_key(people.charlie, key.fingerprint)


async def test_a_key_named_like_anothers_id_does_not_stand_for_it(
    people: People,
) -> None:
    """charlie names a key so that an administrator who means alice's would take charlie's."""
    key = await factories.make_key(people.alice)
    await factories.make_key(people.charlie, str(key.id))
    with pytest.raises(InvalidInput, match="several"):
        await keys.find_key(OPERATOR, str(key.id))
    assert (await keys.find_key(OPERATOR, key.fingerprint)).id == key.id
    assert (await keys.find_key(OPERATOR, "alice/laptop")).id == key.id


@pytest.mark.parametrize("network", ["", "x", "10.0.0.1/8", "10.0.0.0/33", "1.2.3.4\n", "::/129"])
async def test_what_is_no_network_is_refused(people: People, network: str) -> None:
    key = await factories.make_key(people.alice)
    if network.strip() == "1.2.3.4":
        assert (
            await keys.change_key(people.alice, key.id, keys.ChangeKey(networks=[network]))
        ).networks
        return
    with pytest.raises(InvalidInput):
        await keys.change_key(people.alice, key.id, keys.ChangeKey(networks=[network]))


async def test_a_key_logs_in_only_while_and_from_where_it_may(people: People) -> None:
    key = await factories.make_key(people.alice)
    repository = await factories.make_repository(
        people.alice, accesses={key.fingerprint: Access.FULL}
    )

    async def gets_in(address: str = "192.0.2.7") -> bool:
        return bool(await authentication.authenticate(repository.login, key.fingerprint, address))

    assert await gets_in()
    await keys.change_key(
        people.alice, key.id, keys.ChangeKey(networks=["10.0.0.0/8", "2001:db8::/32"])
    )
    assert not await gets_in()
    assert await gets_in("10.1.2.3")
    assert await gets_in("::ffff:10.1.2.3")
    assert await gets_in("2001:db8::1%eth0")
    await keys.change_key(people.alice, key.id, keys.ChangeKey(networks=[]))
    await keys.change_key(
        people.alice, key.id, keys.ChangeKey(expires_at=clock.now() + timedelta(hours=1))
    )
    assert await gets_in()
    later = clock.now() + timedelta(hours=2)
    clock.use(lambda: later)
    assert not await gets_in()
    await keys.change_key(people.alice, key.id, keys.ChangeKey(never_expires=True, enabled=False))
    assert not await gets_in()
    await keys.change_key(people.alice, key.id, keys.ChangeKey(enabled=True))
    assert await gets_in()


async def test_a_deleted_key_opens_nothing_and_running_sessions_are_told(people: People) -> None:
    key = await factories.make_key(people.alice)
    repository = await factories.make_repository(
        people.alice, accesses={key.fingerprint: Access.FULL}
    )
    heard: list[signals.Happening] = []
    unsubscribe = signals.subscribe(heard.append)
    await keys.delete_key(people.alice, key.id)
    unsubscribe()
    assert any(isinstance(happening, RightsChanged) for happening in heard)
    assert await Grant.all().count() == 0
    kinds = [event.kind for event in await recorded.recent(OPERATOR, repository_id=repository.id)]
    assert kinds[0] == EventKind.KEY_CHANGED


async def test_one_key_has_one_access_to_a_repository(people: People) -> None:
    key = await factories.make_key(people.alice)
    repository = await factories.make_repository(people.alice)
    for access_ in Access:
        await grants.change_access(
            people.alice, repository.id, grants.ChangeAccess(accesses={key.fingerprint: access_})
        )
    found = await catalogue.find_repository(people.alice, repository.login)
    assert [granted.access for granted in found.keys] == [Access.READ_ONLY]
    with pytest.raises(InvalidInput, match="one access"):
        await grants.change_access(
            people.alice,
            repository.id,
            grants.ChangeAccess(accesses={"laptop": Access.FULL, str(key.id): Access.APPEND_ONLY}),
        )
    with pytest.raises(InvalidInput, match="one"):
        grants.accesses(["laptop"], ["laptop"])


async def test_the_same_key_of_two_owners_does_not_get_two_accesses(people: People) -> None:
    """An append-only client whose key somebody adds again under another name stays append-only."""
    key = await factories.make_key(people.alice, share_with="team")
    twin = await factories.make_key(people.bob, "twin", line=key.line)
    repository = await factories.make_repository(people.bob)
    await grants.change_access(
        people.bob, repository.id, grants.ChangeAccess(accesses={str(key.id): Access.APPEND_ONLY})
    )
    with pytest.raises(Conflict):
        await grants.change_access(
            people.bob, repository.id, grants.ChangeAccess(accesses={str(twin.id): Access.FULL})
        )


async def test_taking_a_key_that_is_not_granted_is_said(people: People) -> None:
    await factories.make_key(people.alice)
    repository = await factories.make_repository(people.alice)
    with pytest.raises(NotFound, match="no access"):
        await grants.change_access(
            people.alice, repository.id, grants.ChangeAccess(remove_keys=["laptop"])
        )


async def test_a_manager_takes_off_a_key_that_is_not_theirs_to_see(people: People) -> None:
    key = await factories.make_key(people.alice)
    repository = await factories.make_repository(
        people.alice, accesses={key.fingerprint: Access.FULL}, share_with="team"
    )
    await grants.change_access(
        people.bob, repository.id, grants.ChangeAccess(remove_keys=["laptop"])
    )
    assert (await catalogue.find_repository(people.bob, "documents")).keys == ()
