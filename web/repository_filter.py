"""The field that names a repository: typed, with suggestions, because a list would be too long."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from hive.errors import InvalidInput, NotFound
from hive.sentences import Sentence
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from web.access import actor_of

_MAX_CHARACTERS = 300


@dataclass(frozen=True)
class RepositoryFilter:
    """What was typed, the repository that it names, and what is wrong if it names none.

    With a problem there are no rows to show; `problems` is as of a form.
    """

    text: str = ""
    repository_id: int | None = None
    problem: Sentence | None = None

    @property
    def problems(self) -> dict[str, Sentence]:
        return {"repository": self.problem} if self.problem is not None else {}


async def repository_filter(request: web.Request, actor: Actor) -> RepositoryFilter:
    """The filter ?repository= of a list: a name, OWNER/NAME, a login or an id."""
    text = request.query.get("repository", "").strip()[:_MAX_CHARACTERS]
    if not text:
        return RepositoryFilter()
    try:
        found = await catalogue.choose(actor, text)
    except (NotFound, InvalidInput) as error:
        return RepositoryFilter(text, problem=error.message)
    return RepositoryFilter(found.reference, found.id)


async def names(request: web.Request) -> web.Response:
    """Suggest repositories while somebody types; the page's own script asks."""
    text = request.query.get("q", "").strip()[:_MAX_CHARACTERS]
    found = await catalogue.matching(actor_of(request), text)
    return web.json_response([one.reference for one in found])
