"""Many rows, read a page at a time."""

from __future__ import annotations

from hive.models import Repository
from hive.paging import in_pages
from tests import factories
from tests.factories import People


async def test_every_row_is_read_once_in_pages_of_the_given_size(people: People) -> None:
    made = [await factories.make_repository(people.alice, f"r{number}") for number in range(5)]
    pages = [
        [row.id for row in page]
        async for page in in_pages(Repository.exclude(id=made[1].id), rows=2)
    ]
    assert pages == [[made[0].id, made[2].id], [made[3].id, made[4].id]]


async def test_what_is_deleted_between_two_pages_does_not_disturb(people: People) -> None:
    made = [await factories.make_repository(people.alice, f"r{number}") for number in range(4)]
    seen = []
    async for page in in_pages(Repository.all(), rows=2):
        seen += [row.id for row in page]
        await Repository.filter(id__in=[made[0].id, made[2].id]).delete()
    assert seen == [made[0].id, made[1].id, made[3].id]
