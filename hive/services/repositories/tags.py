"""Tags: words that people give to repositories, to find them and to make rules for them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tortoise.functions import Count

from hive.database import transactional
from hive.errors import InvalidInput
from hive.kinds import Level
from hive.models import RepositoryTag
from hive.services import audit
from hive.services.permissions import Actor, of_visible_repositories, repository_for

MAX_TAGS = 50  # of one repository
_TAG = re.compile(r"[\w.-]{1,50}")


def check_tag(text: str) -> str:
    """The tag as it is kept: lower case. InvalidInput where it can be none."""
    tag = text.strip().lower()
    if not _TAG.fullmatch(tag):
        raise InvalidInput(
            "%(text)r is not a valid tag: a tag has up to 50 letters, digits, dots, "
            "dashes and underscores.",
            field="tag",
            text=text[:60],
        )
    return tag


@transactional
async def change_tags(
    actor: Actor, repository_id: int, *, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> None:
    """Give tags to a repository and take tags from it; one it has, or has not, is no error."""
    row = await repository_for(actor, repository_id, Level.MANAGE)
    wanted = {check_tag(text) for text in add}
    unwanted = {check_tag(text) for text in remove}
    if both := wanted & unwanted:
        raise InvalidInput(
            "%(both)s cannot be added and removed at once.", field="tag", both=min(both)
        )
    has = {tag.tag for tag in await RepositoryTag.filter(repository_id=repository_id)}
    if len((has | wanted) - unwanted) > MAX_TAGS:
        raise InvalidInput(
            "A repository has up to %(max_tags)s tags.", field="tag", max_tags=MAX_TAGS
        )
    await RepositoryTag.filter(repository_id=repository_id, tag__in=list(unwanted)).delete()
    for tag in sorted(wanted - has):
        await RepositoryTag.create(repository_id=repository_id, tag=tag)
    added, removed = sorted(wanted - has), sorted(unwanted & has)
    if added or removed:
        subject = audit.name_of(row)
        after = sorted((has | wanted) - unwanted)
        changed = audit.changes({"tags": sorted(has)}, {"tags": after})
        await audit.record(actor, "repository.tag", subject, **changed)


@transactional
async def replace_tags(actor: Actor, repository_id: int, wanted: Sequence[str]) -> None:
    """Have the repository's tags be just these."""
    checked = {check_tag(text) for text in wanted}
    has = {tag.tag for tag in await RepositoryTag.filter(repository_id=repository_id)}
    await change_tags(actor, repository_id, add=sorted(checked - has), remove=sorted(has - checked))


async def list_tags(actor: Actor) -> dict[str, int]:
    """The tags of the repositories that the actor may see, with how many have each."""
    query = RepositoryTag.filter(await of_visible_repositories(actor), repository__deleted_at=None)
    rows = await query.annotate(count=Count("id")).group_by("tag").values("tag", "count")
    return {row["tag"]: row["count"] for row in sorted(rows, key=lambda row: str(row["tag"]))}
