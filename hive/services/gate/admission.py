"""The gate's questions once somebody has logged in: may they do that now, may it go on.

The rules are in `decide`, a pure function; everything else here collects what it needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from hive import clock, log, signals
from hive.borg.repository_path import PathRule
from hive.database import after_commit, transactional
from hive.driver_error import DriverError
from hive.errors import AccessRefused, DatabaseError, RefusalCause
from hive.kinds import Access, EventKind, Mode, Need
from hive.models import Grant, Key, Repository, Session
from hive.sentences import Sentence, say
from hive.services import events, runtime
from hive.services.gate import authentication
from hive.services.gate.authentication import Identity
from hive.services.repositories import infos as repository_infos
from hive.services.storage import paths as storage
from hive.services.storage import places
from hive.services.storage.places import Absence

logger = log.get(__name__)

_MOST_NAMES = 1000  # of other repositories, which a former path must not mean


@dataclass(frozen=True)
class SessionRequest:
    """What a client asks for on a channel."""

    need: Need
    command: str
    peer: str
    client: str | None


@dataclass(frozen=True, kw_only=True)
class Admission:
    """A session that may begin: its row is written, its slot is taken."""

    session_id: int
    repository_id: int
    name: str
    login: str
    place: storage.Place
    url: str
    mode: Mode
    access: Access
    need: Need
    is_created: bool
    import_folder: str | None  # that the last import came in
    paths: PathRule


@dataclass(frozen=True, kw_only=True)
class GateFacts:
    """What `decide` decides on."""

    name: str
    mode: Mode
    access: Access
    is_created: bool
    maintenance: str | None
    running: tuple[Need, ...]  # sessions on this repository now
    is_vanished: bool = False  # it contained something that no session of ours deleted


def decide(situation: GateFacts, need: Need) -> None:
    """Raise AccessRefused, in words for the client, unless `need` is allowed now.

    mode     need     access                   besides
    any      status   any
    BORG     borg     full, append-only        no import or export session runs
    BORG     borg     read-only                the same, and the repository is created
    IMPORT   import   full                     no other session runs
    EXPORT   export   full, read-only          created, no borg or import session runs
    """
    if need == Need.STATUS:
        return
    _check_mode(situation, need)
    name = situation.name
    if situation.maintenance:
        raise AccessRefused(
            "Repository %(name)s is busy: %(maintenance)s. Try again in a moment.",
            RefusalCause.BUSY,
            name=name,
            maintenance=Sentence(situation.maintenance),
        )
    _check_access(situation, need)
    _check_running(situation, need)


def _check_mode(situation: GateFacts, need: Need) -> None:
    wanted = {Need.BORG: Mode.BORG, Need.IMPORT: Mode.IMPORT, Need.EXPORT: Mode.EXPORT}[need]
    if situation.mode == wanted:
        return
    now = {
        Mode.BORG: "it takes borg; rsync needs mode IMPORT (to upload) or EXPORT (to download)",
        Mode.IMPORT: "it takes rsync uploads only (rsync -a SOURCE/ LOGIN@HOST:)",
        Mode.EXPORT: "it takes rsync downloads only (rsync -a LOGIN@HOST: TARGET)",
    }[situation.mode]
    raise AccessRefused(
        "Repository %(name)s is in mode %(mode)s: %(now)s. Its owner can switch the mode"
        " to %(wanted)s.",
        RefusalCause.MODE,
        name=situation.name,
        mode=situation.mode,
        now=now,
        wanted=wanted,
    )


def _check_access(situation: GateFacts, need: Need) -> None:
    name, access = situation.name, situation.access
    if need == Need.IMPORT and access != Access.FULL:
        raise AccessRefused(
            "This key has %(access)s access to %(name)s: an import needs a key with full access.",
            RefusalCause.ACCESS,
            access=access,
            name=name,
        )
    if need == Need.EXPORT and access == Access.APPEND_ONLY:
        raise AccessRefused(
            "This key has append-only access to %(name)s: an export needs a key with full or"
            " read-only access.",
            RefusalCause.ACCESS,
            name=name,
        )
    if situation.is_vanished and need == Need.BORG:
        raise AccessRefused(
            "The content of repository %(name)s is gone from the server's disk, and "
            "no session deleted it. It is not created again until someone who "
            "manages it confirms that it may begin empty, on its page or by hive "
            "repo set --confirm-empty.",
            RefusalCause.NOT_CREATED,
            name=name,
        )
    # creating it adds to what is there, and takes nothing from anybody
    may_create = need == Need.IMPORT or (need == Need.BORG and access != Access.READ_ONLY)
    if not situation.is_created and not may_create:
        raise AccessRefused(
            "Repository %(name)s is not created yet: run borg init with a key that has full or"
            " append-only access.",
            RefusalCause.NOT_CREATED,
            name=name,
        )


def _check_running(situation: GateFacts, need: Need) -> None:
    in_the_way = {
        Need.BORG: {Need.IMPORT, Need.EXPORT},
        Need.IMPORT: {Need.IMPORT, Need.EXPORT, Need.BORG},
        Need.EXPORT: {Need.IMPORT, Need.BORG},
    }[need]
    blocking = [other for other in situation.running if other in in_the_way]
    if blocking:
        raise AccessRefused(
            "Repository %(name)s is in use: a session of kind %(blocking)s is running. Try"
            " again when it has ended.",
            RefusalCause.BUSY,
            name=situation.name,
            blocking=blocking[0],
        )


@transactional
async def admit(identity: Identity, request: SessionRequest) -> Admission:
    """Decide on a request and open its session, in one transaction; AccessRefused otherwise."""
    grant, admission = await decided(identity, request)
    session_id = await open_session(grant, request, clock.now())
    return replace(admission, session_id=session_id)


async def decided(identity: Identity, request: SessionRequest) -> tuple[Grant, Admission]:
    """Decide on a request; what is admitted has no session yet. Nothing is written."""
    grant = await current_grant(identity, request.peer)
    repository = grant.repository
    where = repository_infos.place_of(repository)
    away = places.known(repository.location_id)
    if away is not None and request.need != Need.STATUS:
        raise AccessRefused(
            "%(message)s Its administrator has been notified. Try again when it is back.",
            RefusalCause.UNAVAILABLE,
            message=away.message,
        )
    # what is known has to do where the disk cannot be asked
    is_created = repository.initialized_at is not None if away else where.is_created
    running = await _running(repository.id)
    is_expected = repository.initialized_at is not None and not running
    decide(
        GateFacts(
            name=repository.name,
            mode=repository.mode,
            access=grant.access,
            is_created=is_created,
            maintenance=repository.maintenance,
            running=tuple(running),
            is_vanished=not is_created and (is_expected or repository.vanished_at is not None),
        ),
        request.need,
    )
    if request.need != Need.STATUS:
        await _check_limits(identity, on_repository=len(running))
    return grant, Admission(
        session_id=0,
        repository_id=repository.id,
        name=repository.name,
        login=repository.login,
        place=where,
        url=repository_infos.url(repository.location, repository.login, repository.directory),
        mode=repository.mode,
        access=grant.access,
        need=request.need,
        is_created=is_created,
        import_folder=repository.import_folder,
        paths=await _path_rule(repository),
    )


async def look_at_storage(identity: Identity) -> None:
    """See whether the storage is there; `decided` goes by it. Call outside of transactions."""
    try:
        row = await Repository.get_or_none(id=identity.repository_id).select_related("location")
        if row is not None:
            await places.look(row.location)
    except (DatabaseError, DriverError) as error:
        logger.error("the storage could not be looked at", reason=str(error))


async def current_grant(identity: Identity, address: str, *, is_running: bool = False) -> Grant:
    """The grant that lets this key in from there now; AccessRefused where none does."""
    grant = (
        await Grant.filter(
            repository_id=identity.repository_id,
            key_id=identity.key_id,
            repository__deleted_at=None,
        )
        .select_related("repository__location", "repository__owner", "key__owner")
        .first()
    )
    problem = (
        RefusalCause.KEY_NOT_GRANTED
        if grant is None
        else authentication.problem_of(grant.key, address, is_running=is_running)
    )
    if grant is None or problem is not None:
        raise AccessRefused(
            "This key no longer has access to this repository.",
            problem or RefusalCause.KEY_NOT_GRANTED,
        )
    return grant


async def _running(repository_id: int) -> list[Need]:
    rows = await Session.filter(repository_id=repository_id, ended_at=None)
    return [row.need for row in rows if row.need != Need.STATUS]


async def _check_limits(identity: Identity, *, on_repository: int) -> None:
    """Refuse one more session where there are too many; to ask for the status is none of them."""
    ssh = runtime.settings().ssh
    running = Session.filter(ended_at=None).exclude(need=Need.STATUS)
    for count, limit, what in (
        (on_repository, ssh.max_sessions_per_repository, "this repository"),
        (
            await running.filter(key_id=identity.key_id).count(),
            ssh.max_sessions_per_key,
            "this key",
        ),
        (await running.count(), ssh.max_sessions, "this server"),
    ):
        if count >= limit:
            raise AccessRefused(
                "Too many sessions: %(limit)s are running on %(what)s, which is the limit. Try"
                " again when one has ended.",
                RefusalCause.LIMIT,
                limit=limit,
                what=what,
            )


async def open_session(grant: Grant, request: SessionRequest, now: datetime) -> int:
    """Write the row of a session that begins (or began) `now`; its id."""
    repository, key = grant.repository, grant.key
    session = await Session.create(
        repository_id=repository.id,
        login=repository.login,
        key_id=key.id,
        key_fingerprint=key.fingerprint,
        key_name=key.name,
        peer=request.peer,
        client=request.client,
        command=request.command,
        need=request.need,
        mode=repository.mode,
        access=grant.access,
        started_at=now,
        node=runtime.node(),
    )
    await Key.filter(id=key.id).update(last_used_at=now)
    if request.need == Need.STATUS and repository.last_backup_at is None:
        asked = signals.StatusAsked(repository.id)
        after_commit(lambda: signals.tell(asked))
    if request.need != Need.STATUS:
        await Repository.filter(id=repository.id).update(last_access_at=now)
        kind = {
            Need.BORG: EventKind.OPENED,
            Need.IMPORT: EventKind.IMPORT_BEGUN,
            Need.EXPORT: EventKind.EXPORT_BEGUN,
        }[request.need]
        await events.record(
            repository.id,
            kind,
            say(
                "Key %(name)s from %(peer)s, %(access)s access.",
                name=key.name,
                peer=request.peer,
                access=grant.access,
            ),
            session_id=session.id,
        )
    return session.id


async def _path_rule(repository: Repository) -> PathRule:
    """Which paths open the repository; one from before the rule accepts former ones too."""
    others: frozenset[str] = frozenset()
    if not repository.strict_paths:
        same_owner = Repository.filter(owner_id=repository.owner_id, deleted_at=None)
        rows = same_owner.exclude(id=repository.id).limit(_MOST_NAMES)
        others = frozenset(map(str, await rows.values_list("directory", flat=True)))
    names = frozenset({repository.directory, repository.name})
    return PathRule(
        names, repository.login, accepts_former=not repository.strict_paths, others=others - names
    )


async def no_longer_allowed(session_ids: Iterable[int]) -> dict[int, str]:
    """Of these running sessions, those that the rules of now would not begin, and why."""
    ended: dict[int, str] = {}
    for session in await Session.filter(id__in=list(session_ids), ended_at=None):
        reason = await _objection(session)
        if reason is not None:
            ended[session.id] = reason
    return ended


async def _objection(session: Session) -> str | None:
    if session.key_id is None:
        return say("the key was deleted")
    identity = Identity(
        session.login, session.repository_id, session.key_id, session.key_fingerprint
    )
    try:
        grant = await current_grant(identity, session.peer, is_running=True)
        if session.need != Need.STATUS:
            _check_mode(_situation_of(grant), session.need)
    except AccessRefused as refused:
        return refused.message
    away = places.known(grant.repository.location_id)
    if away is not None and away.kind == Absence.FOREIGN:
        return say("the storage is used by another installation")
    if grant.access != session.access:
        return say("the access of this key is now %(access)s", access=grant.access)
    return None


def _situation_of(grant: Grant) -> GateFacts:
    repository = grant.repository
    return GateFacts(
        name=repository.name,
        mode=repository.mode,
        access=grant.access,
        is_created=True,
        maintenance=None,
        running=(),
    )
