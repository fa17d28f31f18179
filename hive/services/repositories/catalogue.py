"""Repositories: made, shown, changed, deleted to the trash and restored from it."""

from __future__ import annotations

import asyncio
import secrets
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from hive import clock
from hive.database import transactional
from hive.errors import Conflict, Forbidden, NotFound
from hive.kinds import Access, EventKind, Health, Level, Mode, ShareLevel, TrashReason
from hive.models import Repository, TrashEntry
from hive.sentences import N_, Sentence, say
from hive.services import audit, events, names, references, shares
from hive.services.health import review
from hive.services.keys import grants
from hive.services.keys.grants import ChangeAccess
from hive.services.permissions import (
    SYSTEM,
    Actor,
    level_on,
    repository_for,
    require,
    visible_repositories,
)
from hive.services.repositories import quotas
from hive.services.repositories.infos import RepositoryInfo, info_of, infos_of
from hive.services.storage import locations, paths, places

_LOGIN_LENGTH = 8
_LOGIN_LETTERS = string.ascii_lowercase + string.digits


@transactional
async def add_repository(
    actor: Actor,
    name: str,
    *,
    owner: str,
    location: str | None = None,
    mode: Mode = Mode.BORG,
    quota_bytes: int | None = None,
    accesses: Mapping[str, Access] | None = None,
    groups: Sequence[str] = (),
    share_levels: Mapping[str, ShareLevel | None] | None = None,
) -> RepositoryInfo:
    """Make the repository's row and login; borg init, or an import, makes it on disk."""
    names.check_repository(name)
    quotas.check(quota_bytes)
    user = await references.new_owner(actor, owner)
    await _check_free(user.id, name)
    await quotas.require_room(user)
    where = await locations.get_location(location)
    now = clock.now()
    repository = await Repository.create(
        name=name,
        directory=name,
        login=await _new_login(),
        location_id=where.id,
        owner_id=user.id,
        mode=mode,
        quota_bytes=quota_bytes,
        created_at=now,
        health=Health.UNWATCHED,
        health_since=now,
    )
    await grants.change_access(actor, repository.id, ChangeAccess(accesses=accesses or {}))
    await shares.share(actor, repository, groups, ShareLevel.MANAGE)
    await shares.set_levels(actor, repository, share_levels or {})
    await audit.record(actor, "repository.add", audit.name_of(repository), owner=user.name)
    return await info_of(repository)


async def _check_free(owner_id: int, name: str, *, besides: int = 0) -> None:
    same = Q(name=name) | Q(directory=name)
    taken = Repository.filter(same, owner_id=owner_id, deleted_at=None).exclude(id=besides)
    if await taken.exists():
        raise Conflict(
            "There is a repository %(name)s of this owner already.", field="name", name=name
        )


async def _new_login() -> str:
    """A login that no repository has, nor had while it is still in the trash."""
    while True:
        login = "".join(secrets.choice(_LOGIN_LETTERS) for _ in range(_LOGIN_LENGTH))
        if not await Repository.filter(login=login).exists():
            return login


async def list_repositories(actor: Actor, *, deleted: bool = False) -> list[RepositoryInfo]:
    """All repositories that the actor may see; `deleted`: those in the trash instead."""
    query = Repository.filter(await visible_repositories(actor), deleted_at__isnull=not deleted)
    return await infos_of(await query.order_by("name", "id"))


@dataclass(frozen=True)
class RepositoryChoice:
    """A repository to choose."""

    id: int
    name: str
    owner: str

    @property
    def reference(self) -> str:
        """What names it and no other."""
        return f"{self.owner}/{self.name}"


async def choose(actor: Actor, reference: str) -> RepositoryChoice:
    """The repository of this login, id, name or OWNER/NAME, perhaps in the trash.

    Raises as `find_repository`.
    """
    try:
        row = await _get(actor, reference)
    except NotFound as missing:
        try:
            row = await _get(actor, reference, deleted=True)
        except NotFound:
            raise missing from None
    await row.fetch_related("owner")
    return RepositoryChoice(row.id, row.name, row.owner.name)


async def matching(actor: Actor, text: str, *, limit: int = 20) -> list[RepositoryChoice]:
    """The first repositories that the actor may see with the text in name or owner's name.

    OWNER/NAME asks for both.
    """
    owner, slash, name = text.partition("/")
    within = (
        Q(owner__name__icontains=owner, name__icontains=name)
        if slash
        else Q(name__icontains=text) | Q(owner__name__icontains=text)
    )
    visible = Repository.filter(await visible_repositories(actor), within, deleted_at=None)
    return await _choices(visible.order_by("name", "id").limit(limit))


async def references_of(actor: Actor, ids: Iterable[int]) -> dict[int, str]:
    """OWNER/NAME of those of the repositories that the actor may see and that are not deleted."""
    visible = Repository.filter(await visible_repositories(actor), deleted_at=None)
    found = await _choices(visible.filter(id__in=list(set(ids))))
    return {one.id: one.reference for one in found}


async def _choices(query: QuerySet[Repository]) -> list[RepositoryChoice]:
    rows = await query.select_related("owner")
    return [RepositoryChoice(row.id, row.name, row.owner.name) for row in rows]


async def find_repository(actor: Actor, reference: str, *, deleted: bool = False) -> RepositoryInfo:
    """The repository of this login, id, name or OWNER/NAME that the actor may see."""
    return await info_of(await _get(actor, reference, deleted=deleted))


async def _get(actor: Actor, reference: str, *, deleted: bool = False) -> Repository:
    visible = Repository.filter(await visible_repositories(actor), deleted_at__isnull=not deleted)
    # All meanings at once: a name that is somebody else's login or id must not stand for it.
    meant = references.owned_thing(Repository, reference, handle="login")
    rows = await visible.filter(meant).distinct().limit(2)
    return references.the_one(
        rows,
        reference,
        several=N_(
            "%(reference)r can be several repositories: say OWNER/NAME, the login or the id."
        ),
        none=N_("There is no repository %(reference)r in the trash.")
        if deleted
        else N_("There is no repository %(reference)r."),
    )


async def level(actor: Actor, repository_id: int) -> Level:
    """How far the actor's rights on the repository reach."""
    repository = await Repository.get_or_none(id=repository_id)
    return Level.NONE if repository is None else await level_on(actor, repository)


async def find_changeable(actor: Actor, repository_id: int) -> RepositoryInfo:
    """The repository, for who may change it; raises as a change would."""
    return await info_of(await repository_for(actor, repository_id, Level.MANAGE))


@transactional
async def set_repository(
    actor: Actor,
    repository_id: int,
    *,
    name: str | None = None,
    quota_bytes: int | None = None,
    no_quota: bool = False,
    owner: str | None = None,
    share_with: Sequence[str] = (),
    share_level: ShareLevel = ShareLevel.MANAGE,
    share_until: datetime | None = None,
    unshare_from: Sequence[str] = (),
    share_levels: Mapping[str, ShareLevel | None] | None = None,
) -> RepositoryInfo:
    """Change what is given. A new name changes what people read: login, path and URL stay."""
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    before = await _audited(repository)
    if name is not None and name != repository.name:
        names.check_repository(name)
        await _check_free(repository.owner_id, name, besides=repository.id)
        repository.name = name
    if no_quota or quota_bytes is not None:
        quotas.check(quota_bytes)
        repository.quota_bytes = None if no_quota else quota_bytes
        events.quotas_changed()
    if owner is not None:
        await _give_to(actor, repository, owner)
    await repository.save()
    await shares.share(actor, repository, share_with, share_level, share_until)
    await shares.unshare(actor, repository, unshare_from)
    if owner is not None:
        await review.review(repository.id)  # reminders come as the new owner wants them
    await shares.set_levels(actor, repository, share_levels or {})
    changed = audit.changes(before, await _audited(repository))
    await audit.record(actor, "repository.set", audit.name_of(repository), **changed)
    return await info_of(repository)


async def _audited(repository: Repository) -> dict[str, object]:
    owner = await references.existing_user(repository.owner_id)
    return {
        **audit.values_of(repository, "name", "quota_bytes"),
        "owner": owner.name,
        "shared_with": await shares.levels_of(repository),
    }


async def _give_to(actor: Actor, repository: Repository, owner: str) -> None:
    await require(actor, repository, Level.OWN)
    if not actor.is_admin:
        raise Forbidden("Only an administrator gives a repository to another owner.")
    user = await references.existing_user(owner)
    await _check_free(user.id, repository.name, besides=repository.id)
    repository.owner_id = user.id
    events.quotas_changed()


@transactional
async def store_mode(actor: Actor, repository_id: int, mode: Mode) -> Mode:
    """Set the mode and return the former one; sessions that no longer fit it are ended.

    Use hive.services.lifecycle.imports.switch_mode, which also settles an import that is staged.
    """
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    former = repository.mode
    if former == mode:
        return former
    repository.mode = mode
    await repository.save()
    await events.record(
        repository.id,
        EventKind.MODE_CHANGED,
        say(
            "Mode changed from %(former)s to %(mode)s by %(name)s.",
            former=former,
            mode=mode,
            name=actor.name,
        ),
    )
    await audit.record(
        actor,
        "repository.mode",
        audit.name_of(repository),
        **audit.changes({"mode": former}, {"mode": mode}),
    )
    events.rights_changed(say("the mode is now %(mode)s", mode=mode))
    return former


async def confirm_empty(actor: Actor, repository_id: int) -> None:
    """Say that a repository whose content is gone may be created again; Conflict if it is not."""
    await require_emptied(actor, repository_id)
    await note_confirmed(actor, repository_id)


async def require_emptied(actor: Actor, repository_id: int) -> None:
    """Look on the disk; Conflict where the repository has content, or never had any."""
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    await places.require_for(repository_id)
    where = paths.place(repository.location, repository.login, repository.directory)
    is_known = repository.vanished_at is not None or repository.initialized_at is not None
    if not is_known or await asyncio.to_thread(lambda: where.is_created):
        raise Conflict(
            "The content of %(name)s is not gone: there is nothing to confirm.",
            name=repository.name,
        )


@transactional
async def note_confirmed(actor: Actor, repository_id: int) -> None:
    """The step of `confirm_empty` that touches the database."""
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    repository.vanished_at = repository.initialized_at = repository.size_bytes = None
    await repository.save()
    await events.record(
        repository.id,
        EventKind.UPDATED_LOCALLY,
        say(
            "%(name)s confirmed that it may begin empty: its former content is gone.",
            name=actor.name,
        ),
    )
    await audit.record(actor, "repository.confirm-empty", audit.name_of(repository))


async def require_manage(actor: Actor, repository_id: int) -> None:
    """Raise NotFound or Forbidden unless the actor may change the repository."""
    await repository_for(actor, repository_id, Level.MANAGE)


@transactional
async def mark_deleted(actor: Actor, repository_id: int) -> None:
    """Take the repository out of use; hive.services.lifecycle.trash moves its directory then."""
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    if repository.maintenance is not None:
        raise Conflict(
            "%(name)s is busy: %(maintenance)s. Try again in a moment.",
            name=repository.name,
            maintenance=Sentence(repository.maintenance),
        )
    repository.deleted_at = clock.now()
    repository.look_at = None
    await repository.save()
    await events.record(
        repository.id, EventKind.DELETED, say("Deleted by %(name)s.", name=actor.name)
    )
    await audit.record(actor, "repository.delete", audit.name_of(repository))
    events.rights_changed(
        say("the repository %(repository)s was deleted", repository=repository.name)
    )


@transactional
async def note_trashed(repository_id: int, root: Path, path: Path, reason: TrashReason) -> None:
    """Remember what goes to the trash; call before it is moved, so that a crash loses nothing."""
    await TrashEntry.create(
        repository_id=repository_id,
        root=str(root),
        path=str(path),
        reason=reason,
        created_at=clock.now(),
    )


async def info_by_id(repository_id: int) -> RepositoryInfo:
    """For services that have decided already that this may be shown."""
    return await find_repository_by_id(SYSTEM, repository_id)


async def find_repository_by_id(actor: Actor, repository_id: int) -> RepositoryInfo:
    """The repository, in the trash or not, for who may see it."""
    return await info_of(await repository_for(actor, repository_id, Level.VIEW, deleted=True))


async def find_current(actor: Actor, repository_id: int) -> RepositoryInfo:
    """The repository unless it is in the trash."""
    return await info_of(await repository_for(actor, repository_id, Level.VIEW))
