"""What people call something finds it, whatever the length of what they type."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from hive.errors import NotFound
from hive.services.accounts import groups, users
from hive.services.keys import keys
from hive.services.notifications import channels
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from tests import factories
from tests.factories import People

FINDERS: dict[str, Callable[[Actor, str], Awaitable[object]]] = {
    "repository": catalogue.find_repository,
    "key": keys.find_key,
    "channel": channels.find,
    "user": users.find_user,
    "group": groups.find_group,
}


@pytest.mark.parametrize("kind", FINDERS)
@pytest.mark.parametrize("length", [33, 101, 151, 5000])
async def test_what_is_longer_than_any_name_is_not_found(
    people: People, kind: str, length: int
) -> None:
    for text in ("x" * length, f"alice/{'x' * length}", f"{'x' * length}/documents"):
        with pytest.raises(NotFound):
            await FINDERS[kind](people.admin, text)


async def test_a_repository_with_a_long_name_is_found_by_it(people: People) -> None:
    name = "x" * 64
    made = await factories.make_repository(people.alice, name)
    for reference in (name, f"alice/{name}", str(made.id), made.login):
        assert (await catalogue.find_repository(people.alice, reference)).id == made.id
