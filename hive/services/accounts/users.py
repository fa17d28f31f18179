"""Users: added, changed, logged in and deleted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hive import clock
from hive.database import after_commit, transactional
from hive.deadlines import require_future
from hive.errors import Conflict, Forbidden, InvalidInput, NotFound
from hive.kinds import Role, Source
from hive.models import Group, Key, Membership, Repository, User, WebSession
from hive.sentences import say
from hive.services import audit, events, names, references, runtime
from hive.services.accounts import attempt_limits, known_browsers, passwords, reset_tokens
from hive.services.permissions import SYSTEM, Actor, require_admin, require_sight
from hive.services.repositories import quotas

_EMAIL = re.compile(r"[^@\s\x00-\x1f<>,;]+@[^@\s\x00-\x1f<>,;]+")


@dataclass(frozen=True, kw_only=True)
class UserInfo:
    id: int
    name: str
    email: str | None
    role: Role
    enabled: bool
    has_password: bool
    groups: tuple[str, ...]
    created_at: datetime
    last_login_at: datetime | None
    timezone: str | None
    language: str | None
    theme: str | None
    quota_bytes: int | None = None
    keys_enabled: bool = True
    expires_at: datetime | None = None
    max_repositories: int | None = None
    needs_second_factor: bool = False  # whether that is required of them

    @property
    def is_admin(self) -> bool:
        return self.role == Role.ADMINISTRATOR

    @property
    def sees_all(self) -> bool:
        """Whether the pages of administration are for them, at least to look at."""
        return self.actor(Source.WEB, None).sees_all

    @property
    def may_change(self) -> bool:
        """Whether they may change anything besides their own account."""
        return self.actor(Source.WEB, None).may_change

    def actor(self, source: Source, address: str | None) -> Actor:
        return Actor(self.id, self.name, self.role, source, address)


@dataclass(frozen=True)
class ResetLink:
    """Where a user chooses a new password, once and not for long."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class AddUser:
    """A user to add.

    email     an empty one is none
    password  None: the user cannot log in to the web pages
    """

    name: str
    email: str | None = None
    password: str | None = field(default=None, repr=False)
    role: Role = Role.MEMBER


@dataclass(frozen=True, kw_only=True)
class ChangeUser:
    """What is to change of a user; what is absent stays as it is.

    email             an empty one removes it
    enabled           both switches at once
    may_log_in        False ends their browser sessions
    may_use_keys      False ends the sessions of their keys
    expires_at        both are switched off then; `never_expires` removes the end there is
    quota_bytes       a new quota; `no_quota` removes the one there is
    max_repositories  how many they may own; `no_max_repositories` removes the limit
    is_confirmed      also disable a user on whom something depends
    """

    email: str | None = None
    role: Role | None = None
    enabled: bool | None = None
    may_log_in: bool | None = None
    may_use_keys: bool | None = None
    expires_at: datetime | None = None
    never_expires: bool = False
    max_repositories: int | None = None
    no_max_repositories: bool = False
    quota_bytes: int | None = None
    no_quota: bool = False
    is_confirmed: bool = False

    @property
    def disables_something(self) -> bool:
        return False in (self.enabled, self.may_log_in, self.may_use_keys)


async def add_user(actor: Actor, wanted: AddUser) -> UserInfo:
    """Add a user, for administrators.

    InvalidInput names the field, `name`, `email` or `password`; Conflict for a name that is taken.
    """
    require_admin(actor)
    names.check_account(wanted.name, "user")
    email = _check_email(wanted.email)
    hashed = None if wanted.password is None else await passwords.hash_password(wanted.password)
    return await store_user(actor, wanted.name, email=email, password_hash=hashed, role=wanted.role)


@transactional
async def store_user(
    actor: Actor,
    name: str,
    *,
    email: str | None = None,
    password_hash: str | None,
    role: Role,
) -> UserInfo:
    """The step of `add_user` that touches the database, for services that checked the rest."""
    require_admin(actor)
    if await User.filter(name__iexact=name).exists():
        raise Conflict("There is a user %(name)s already.", field="name", name=name)
    user = await User.create(
        name=name,
        email=email,
        password_hash=password_hash,
        role=role,
        created_at=clock.now(),
    )
    await audit.record(actor, "user.add", f"user {name}", role=role)
    return await _info(user)


def _check_email(email: str | None) -> str | None:
    if email is None or email == "":
        return None
    if len(email) > 254 or not _EMAIL.fullmatch(email):
        raise InvalidInput(
            "%(email)r is not a valid e-mail address.", field="email", email=email[:60]
        )
    return email


async def list_users(actor: Actor) -> list[UserInfo]:
    require_sight(actor)
    return await _infos(await User.all().order_by("name"))


async def find_user(actor: Actor, reference: str) -> UserInfo:
    """The user of this name or id; anybody finds themselves, who sees everything, everybody."""
    return await _info(await references.person(actor, reference))


async def get_user(actor: Actor, user_id: int) -> UserInfo:
    """The same by id."""
    return await _info(await references.person_by_id(actor, user_id))


@transactional
async def set_user(actor: Actor, user_id: int, wanted: ChangeUser) -> UserInfo:
    """Change what is given: people their own address, administrators everything."""
    user = await references.person_by_id(actor, user_id)
    before = _audited(user)
    was_administrator = user.is_admin and user.enabled
    if wanted.email is not None:
        user.email = _check_email(wanted.email)
    if wanted.role is not None:
        user.role = wanted.role
    _switch(user, wanted)
    if wanted.no_quota or wanted.quota_bytes is not None:
        quotas.check(wanted.quota_bytes)
        user.quota_bytes = None if wanted.no_quota else wanted.quota_bytes
    changed = audit.changes(before, _audited(user))
    if user.id != actor.user_id or changed.keys() - _BY_THEMSELVES:
        require_admin(actor)
    await user.save()
    if was_administrator:
        await _keep_an_administrator()
    if not user.enabled:
        await _log_out(user)
    if changed.keys() & {"enabled", "keys_enabled"}:
        events.rights_changed(f"user {user.name} was disabled")
    if "quota_bytes" in changed:
        events.quotas_changed()
    await audit.record(actor, "user.set", f"user {user.name}", **changed)
    return await _info(user)


_BY_THEMSELVES = {"email"}


def _switch(user: User, wanted: ChangeUser) -> None:
    """Whether they can log in, whether their keys open anything, and until when."""
    for switch, value in (
        ("enabled", wanted.enabled),
        ("keys_enabled", wanted.enabled),
        ("enabled", wanted.may_log_in),
        ("keys_enabled", wanted.may_use_keys),
    ):
        if value is not None:
            setattr(user, switch, value)
    if wanted.never_expires or wanted.expires_at is not None:
        if wanted.expires_at is not None:
            require_future(wanted.expires_at, field="expires")
        user.expires_at = None if wanted.never_expires else wanted.expires_at
    elif user.expires_at is not None and user.expires_at <= clock.now() and user.enabled:
        user.expires_at = None  # it ended, and was switched on again
    if wanted.no_max_repositories or wanted.max_repositories is not None:
        quotas.check_count(wanted.max_repositories)
        user.max_repositories = None if wanted.no_max_repositories else wanted.max_repositories


def _audited(user: User) -> dict[str, object]:
    switches = ("enabled", "keys_enabled", "expires_at")
    return audit.values_of(user, "email", "role", *switches, "quota_bytes", "max_repositories")


@transactional
async def end_account(user_id: int) -> None:
    """The time of an account has come: nobody logs in with it, and its keys open nothing.

    The last administrator stays: somebody has to be able to change that.
    """
    user = await _get(user_id)
    before = _audited(user)
    others = User.filter(role=Role.ADMINISTRATOR, enabled=True).exclude(id=user.id)
    if user.is_admin and not await others.exists():
        return
    user.enabled = user.keys_enabled = False
    await user.save()
    await _log_out(user)
    changed = audit.changes(before, _audited(user))
    await audit.record(SYSTEM, "user.expired", f"user {user.name}", **changed)
    events.rights_changed(say("the account %(name)s ended", name=user.name))


async def _log_out(user: User) -> None:
    """End their browser sessions, and the links by which they could choose a password."""
    await WebSession.filter(user_id=user.id).delete()
    await reset_tokens.withdraw(user.id)


async def _keep_an_administrator() -> None:
    """Call after the change, inside its transaction: nobody locks everybody out."""
    if not await User.filter(role=Role.ADMINISTRATOR, enabled=True).exists():
        raise Conflict("This is the last enabled administrator: appoint another one first.")


async def set_password(actor: Actor, user_id: int, password: str) -> None:
    """Store a new password and end the user's browser sessions."""
    if not (actor.is_admin or actor.user_id == user_id):
        raise NotFound("There is no such user.")
    await store_password(actor, user_id, await passwords.hash_password(password))


@transactional
async def store_password(
    actor: Actor,
    user_id: int,
    password_hash: str,
    *,
    keep: str | None = None,
    forget_browsers: bool = True,
    keep_browser: str | None = None,
) -> None:
    """The step of `set_password` that touches the database; `keep` is the digest of a session.

    Wrong passwords from before no longer count: with a new one, the person must get in.
    """
    user = await _get(user_id)
    user.password_hash = password_hash
    await user.save(update_fields=["password_hash"])
    ended = WebSession.filter(user_id=user_id)
    await (ended.exclude(token_sha256=keep) if keep else ended).delete()
    await reset_tokens.withdraw(user_id)
    if forget_browsers:
        await known_browsers.forget(user_id, keep=keep_browser)
    await audit.record(actor, "user.password", f"user {user.name}")
    _forgive_tries(user_id, user.name)


def _forgive_tries(user_id: int, name: str) -> None:
    after_commit(lambda: attempt_limits.announce(user_id, name))


async def _get(user_id: int) -> User:
    user = await User.get_or_none(id=user_id)
    if user is None:
        raise NotFound("There is no such user.")
    return user


@transactional
async def unlock(actor: Actor, user_id: int) -> None:
    """Forget the wrong passwords and codes of a user."""
    require_admin(actor)
    user = await _get(user_id)
    await audit.record(actor, "user.unlock", f"user {user.name}")
    _forgive_tries(user.id, user.name)


def wrong_passwords(name: str) -> int:
    """How many wrong passwords there were for an account within a day, in this process."""
    return attempt_limits.limits().passwords.number(name)


async def reset_link(actor: Actor, user_id: int) -> ResetLink:
    """A link for a user who forgot the password, to be handed over by the administrator."""
    require_admin(actor)
    token, expires_at = await _issue_reset(actor, user_id)
    return ResetLink(f"{runtime.base_url()}/reset/{token}", expires_at)


@transactional
async def _issue_reset(actor: Actor, user_id: int) -> tuple[str, datetime]:
    user = await _get(user_id)
    if not user.enabled:
        raise Conflict("%(name)s is disabled: enable the account first.", name=user.name)
    await audit.record(actor, "user.reset.link", f"user {user.name}")
    return await reset_tokens.issue(user_id)


@transactional
async def delete_user(actor: Actor, user_id: int) -> None:
    """Delete a user who owns nothing any more."""
    require_admin(actor)
    if actor.user_id == user_id:
        raise Forbidden("You cannot delete yourself: another administrator can.")
    user = await _get(user_id)
    repositories = await Repository.filter(owner_id=user_id).count()
    keys = await Key.filter(owner_id=user_id).count()
    if repositories or keys:
        raise Conflict(
            "%(name)s still owns %(repositories)s (including the trash) and %(keys)s: first delete"
            " them or give them to another user, or disable the user.",
            name=user.name,
            repositories=say("1 repository")
            if repositories == 1
            else say("%(count)s repositories", count=repositories),
            keys=say("1 key") if keys == 1 else say("%(count)s keys", count=keys),
        )
    was_administrator = user.is_admin and user.enabled
    await user.delete()
    if was_administrator and await User.exists():
        await _keep_an_administrator()
    await audit.record(actor, "user.delete", f"user {user.name}")


async def authenticate(name: str, password: str) -> UserInfo | None:
    """The enabled user with this name and password; takes as long for an unknown name."""
    # What cannot be a name is not asked for: not every database takes every text.
    user = await User.get_or_none(name=name) if names.ACCOUNT.fullmatch(name) else None
    right = await passwords.verify(password, user.password_hash if user else None)
    if user is None or not right or not user.enabled:
        return None
    return await _info(user)


async def enabled_user(user_id: int) -> UserInfo | None:
    """The user, for those who are about to log them in."""
    user = await User.get_or_none(id=user_id, enabled=True)
    return await _info(user) if user is not None else None


async def password_mark(user_id: int) -> str:
    """Tells one password of a user from the next; not to be shown to anybody."""
    user = await User.get_or_none(id=user_id)
    return (user.password_hash if user else None) or ""


@transactional
async def note_login(actor: Actor) -> None:
    await User.filter(id=actor.user_id).update(last_login_at=clock.now())
    await audit.record(actor, "user.login", f"user {actor.name}")


async def administrator_exists() -> bool:
    return await User.filter(role=Role.ADMINISTRATOR).exists()


async def _info(user: User) -> UserInfo:
    return (await _infos([user]))[0]


async def _infos(rows: Sequence[User]) -> list[UserInfo]:
    groups: dict[int, list[Group]] = {row.id: [] for row in rows}
    for one in await Membership.filter(user_id__in=list(groups)).select_related("group"):
        groups[one.user_id].append(one.group)
    return [_as_info(row, groups[row.id]) for row in rows]


def _needs_second_factor(user: User, groups: Sequence[Group]) -> bool:
    required = runtime.settings().web.require_second_factor
    if required == "everybody" or (required == "administrators" and user.is_admin):
        return True
    return any(group.requires_second_factor for group in groups)


def _as_info(user: User, groups: Sequence[Group]) -> UserInfo:
    return UserInfo(
        id=user.id,
        name=user.name,
        email=user.email,
        role=user.role,
        enabled=user.enabled,
        has_password=user.password_hash is not None,
        groups=tuple(sorted(group.name for group in groups)),
        created_at=user.created_at,
        last_login_at=user.last_login_at,
        timezone=user.timezone,
        language=user.language,
        theme=user.theme,
        quota_bytes=user.quota_bytes,
        keys_enabled=user.keys_enabled,
        expires_at=user.expires_at,
        max_repositories=user.max_repositories,
        needs_second_factor=_needs_second_factor(user, groups),
    )
