from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from hive import clock
from hive.errors import Conflict, Forbidden, HiveError, InvalidInput, NotFound
from hive.kinds import Access, EventKind, ShareLevel
from hive.models import Event, Key
from hive.services.keys import grants, keys, refused_keys, replacing
from hive.services.keys.grants import ChangeAccess
from hive.services.keys.keys import AddKey, ChangeKey
from hive.services.keys.replacing import ReplaceKey
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from hive.services.sessions import key_places
from tests import factories
from tests.factories import People, key_line


async def opened_by(actor: Actor, key_id: int) -> dict[str, Access]:
    info = await keys.find_key_by_id(actor, key_id)
    return {use.repository: use.access for use in info.uses}


async def two_repositories(people: People, key_id: int) -> None:
    for name, access in (("documents", Access.FULL), ("photos", Access.APPEND_ONLY)):
        made = await catalogue.add_repository(people.alice, name, owner="alice")
        wanted = ChangeAccess(key_accesses={key_id: access})
        await grants.change_access(people.alice, made.id, wanted)


async def test_the_new_key_takes_over_all_that_the_old_one_opens(people: People) -> None:
    old = await keys.add_key(
        people.alice,
        AddKey(name="laptop", text=key_line(), networks=["192.0.2.0/24"], groups=["team"]),
    )
    await two_repositories(people, old.id)
    line = key_line()
    made = await replacing.replace_key(people.alice, old.id, ReplaceKey(public_key=line))
    assert made.taken_over == 2
    assert (made.key.name, made.key.owner, made.key.networks) == (
        "laptop",
        "alice",
        ("192.0.2.0/24",),
    )
    assert made.key.groups == ("team",)
    assert line.split()[1] in made.key.line
    both = {"documents": Access.FULL, "photos": Access.APPEND_ONLY}
    assert await opened_by(people.alice, made.key.id) == both
    former = await keys.find_key_by_id(people.alice, old.id)
    assert (former.enabled, former.uses, former.groups) == (False, (), ())
    assert former.name.startswith("laptop (replaced ")
    told = await Event.filter(kind=EventKind.KEY_CHANGED).order_by("-id").limit(2)
    assert all("Key laptop was replaced by alice" in str(event.message) for event in told)


async def test_the_old_key_is_deleted_where_that_is_wished(people: People) -> None:
    old = await factories.make_key(people.alice)
    await two_repositories(people, old.id)
    wanted = ReplaceKey(public_key=key_line(), delete_old=True)
    made = await replacing.replace_key(people.alice, old.id, wanted)
    assert [info.id for info in await keys.list_keys(people.alice)] == [made.key.id]
    assert len(await opened_by(people.alice, made.key.id)) == 2


async def test_a_key_is_replaced_more_than_once_on_one_day(people: People) -> None:
    key = await factories.make_key(people.alice)
    for _ in range(3):
        wanted = ReplaceKey(public_key=key_line(), expires_at=clock.now() + timedelta(days=90))
        made = await replacing.replace_key(people.alice, key.id, wanted)
        key = made.key
    assert key.expires_at is not None
    assert await Key.all().count() == 4


async def test_a_stored_key_takes_over_and_keeps_the_wider_access(people: People) -> None:
    old = await factories.make_key(people.alice)
    await two_repositories(people, old.id)
    line = key_line()
    known = await factories.make_key(people.alice, "desktop", line=line)
    documents, photos = await catalogue.list_repositories(people.alice)
    for made, access in ((documents, Access.READ_ONLY), (photos, Access.FULL)):
        wanted = ChangeAccess(key_accesses={known.id: access})
        await grants.change_access(people.alice, made.id, wanted)
    replaced = await replacing.replace_key(people.alice, old.id, ReplaceKey(public_key=line))
    assert (replaced.key.id, replaced.key.name) == (known.id, "desktop")
    both = {"documents": Access.FULL, "photos": Access.FULL}
    assert await opened_by(people.alice, known.id) == both


async def test_what_cannot_replace_it_changes_nothing(people: People) -> None:
    line = key_line()
    old = await factories.make_key(people.alice, line=line)
    await two_repositories(people, old.id)
    disabled = key_line()
    other = await factories.make_key(people.alice, "other", line=disabled)
    await keys.change_key(people.alice, other.id, ChangeKey(enabled=False))
    for wrong in (line, "nonsense", disabled):
        with pytest.raises(HiveError) as caught:
            await replacing.replace_key(people.alice, old.id, ReplaceKey(public_key=wrong))
        assert isinstance(caught.value, InvalidInput | Conflict)
        assert caught.value.field == "public_key"
    assert (await keys.find_key_by_id(people.alice, old.id)).name == "laptop"
    assert len(await opened_by(people.alice, old.id)) == 2


async def test_the_same_key_of_somebody_else_opens_a_repository_once(people: People) -> None:
    old = await factories.make_key(people.alice)
    await two_repositories(people, old.id)
    line = key_line()
    await factories.make_key(people.bob, "bobs", line=line, share_with="team")
    documents, _ = await catalogue.list_repositories(people.alice)
    wanted = ChangeAccess(accesses={"bob/bobs": Access.READ_ONLY})
    await grants.change_access(people.alice, documents.id, wanted)
    with pytest.raises(Conflict, match="Somebody else has stored this key too"):
        await replacing.replace_key(people.alice, old.id, ReplaceKey(public_key=line))


async def test_who_may_merely_change_a_key_does_not_replace_it(people: People) -> None:
    """A replacement would open repositories that they do not even see."""
    old = await factories.make_key(people.alice, share_with="team")
    with pytest.raises(Forbidden):
        await replacing.replace_key(people.bob, old.id, ReplaceKey(public_key=key_line()))
    with pytest.raises(NotFound):
        await replacing.replace_key(people.charlie, old.id, ReplaceKey(public_key=key_line()))
    made = await replacing.replace_key(people.admin, old.id, ReplaceKey(public_key=key_line()))
    assert made.key.owner == "alice"
    assert [share.level for share in made.key.shares] == [ShareLevel.MANAGE]


async def test_the_old_key_stays_valid_for_a_while_and_its_use_is_seen(people: People) -> None:
    old = await factories.make_key(people.alice)
    await two_repositories(people, old.id)
    until = clock.now() + timedelta(days=14)
    wanted = ReplaceKey(public_key=key_line(), keep_until=until)
    made = await replacing.replace_key(people.alice, old.id, wanted)
    assert made.taken_over == 2
    former = await keys.find_key_by_id(people.alice, old.id)
    assert (former.enabled, former.expires_at) == (True, until)
    both = {"documents": Access.FULL, "photos": Access.APPEND_ONLY}
    assert await opened_by(people.alice, old.id) == both
    assert await opened_by(people.alice, made.key.id) == both
    documents = former.uses[0].repository_id
    info = await catalogue.info_by_id(documents)
    await factories.open_session(info, former)
    places = await key_places.places_of_key(people.alice, old.id)
    assert {one.repository: one.used_from for one in places.values()} == {
        "documents": "192.0.2.7",
        "photos": "",
    }
    unused = await key_places.places_of_key(people.alice, made.key.id)
    assert [one.used_at for one in unused.values()] == [None, None]


async def test_where_a_replaced_key_still_knocks_is_seen_by_who_may_see_it(people: People) -> None:
    old = await factories.make_key(people.alice)
    await two_repositories(people, old.id)
    opened = (await keys.find_key_by_id(people.alice, old.id)).uses
    blob = (await Key.get(id=old.id)).blob
    await replacing.replace_key(people.alice, old.id, ReplaceKey(public_key=key_line()))
    await refused_keys.note(opened[0].repository_id, base64.b64decode(blob), "192.0.2.44")
    (place,) = (await key_places.places_of_key(people.alice, old.id)).values()
    assert (place.repository, place.refused_from, place.refusals) == ("documents", "192.0.2.44", 1)
    assert await key_places.places_of_key(people.bob, old.id) == {}


@pytest.mark.parametrize(
    ("days", "delete_old"), [(-1, False), (14, True)], ids=["it is over", "it is deleted"]
)
async def test_a_wrong_time_to_keep_the_old_key_changes_nothing(
    people: People, days: int, delete_old: bool
) -> None:
    old = await factories.make_key(people.alice)
    wanted = ReplaceKey(
        public_key=key_line(),
        keep_until=clock.now() + timedelta(days=days),
        delete_old=delete_old,
    )
    with pytest.raises(InvalidInput) as caught:
        await replacing.replace_key(people.alice, old.id, wanted)
    assert caught.value.field == "keep_until"
    assert (await keys.find_key_by_id(people.alice, old.id)).enabled
