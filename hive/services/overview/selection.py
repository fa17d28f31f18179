"""Repositories by the filter of the first page, page after page, in the order of their ids."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from tortoise.expressions import Q, Subquery

from hive.models import Repository, RepositoryTag
from hive.paging import in_pages
from hive.services import names
from hive.services.health.states import Condition
from hive.services.overview import rows
from hive.services.overview.rows import Row
from hive.services.permissions import Actor, visible_repositories

_MAX_TEXT, _MAX_TAG = 100, 50  # the columns take no longer text, not even to compare it


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which repositories; what is empty does not narrow.

    text  what their name, owner, login or a tag contains; "#nas": a tag alone
    ids   these alone
    """

    text: str = ""
    tag: str = ""
    state: Condition | None = None
    ids: Sequence[int] = ()

    @property
    def is_filter(self) -> bool:
        return bool(self.text or self.tag or self.state or self.ids)


async def pages(actor: Actor, wanted: Selection) -> AsyncIterator[list[Row]]:
    """Those that the actor may see; a page may be empty where a state is asked for."""
    query = Repository.filter(await visible_repositories(actor), deleted_at=None)
    if wanted.ids:
        query = query.filter(id__in=list(wanted.ids))
    if wanted.tag:
        query = query.filter(id__in=_with_tag(Q(tag=wanted.tag[:_MAX_TAG].lower())))
    if wanted.text:
        query = query.filter(_by_text(wanted.text[:_MAX_TEXT]))
    async for page in in_pages(query):
        found = await rows.rows_of(actor, [row.id for row in page])
        yield [one for one in found if wanted.state in (None, one.condition)]


async def first(actor: Actor, wanted: Selection, limit: int) -> list[Row]:
    """As many as `limit`, and one more where there are more."""
    found: list[Row] = []
    async for page in pages(actor, wanted):
        found += page
        if len(found) > limit:
            break
    return found[: limit + 1]


def _by_text(text: str) -> Q:
    if text.startswith("#"):
        return Q(id__in=_with_tag(Q(tag=text[1 : _MAX_TAG + 1].lower())))
    named = Q(name__icontains=text) | Q(owner__name__icontains=text)
    if names.LOGIN.fullmatch(text):
        named |= Q(login=text)
    return named | Q(id__in=_with_tag(Q(tag__contains=text[:_MAX_TAG].lower())))


def _with_tag(condition: Q) -> Subquery:
    return Subquery(RepositoryTag.filter(condition).values("repository_id"))
