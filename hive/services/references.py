"""How services find things by what people call them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from tortoise.expressions import Q

from hive.errors import InvalidInput, NotFound
from hive.models import Channel, Group, Key, Location, Repository, User
from hive.services import names
from hive.services.permissions import Actor, require_admin, require_change

Named = TypeVar("Named", User, Group, Location)
T = TypeVar("T")
Owned = TypeVar("Owned", Channel, Key, Repository)

_NO_ID = 0  # ids begin with 1


async def user(reference: str | int) -> User | None:
    """The user of this name or id; a number is an id, even if a user has it as a name."""
    if isinstance(reference, int):
        return await User.get_or_none(id=reference)
    return await _one(User, reference)


async def group(reference: str) -> Group | None:
    return await _one(Group, reference)


async def location(reference: str) -> Location | None:
    return await _one(Location, reference)


async def person(actor: Actor, reference: str | int) -> User:
    """Oneself, or anybody for who sees everything; NotFound for everybody else."""
    found = await user(reference)
    if found is None or not (actor.sees_all or actor.user_id == found.id):
        raise NotFound("There is no user %(reference)r.", reference=reference)
    return found


async def person_by_id(actor: Actor, user_id: int) -> User:
    """The same by id."""
    found = await User.get_or_none(id=user_id)
    if found is None or not (actor.sees_all or actor.user_id == found.id):
        raise NotFound("There is no such user.")
    return found


async def person_to_change(actor: Actor, reference: str | int) -> User:
    """Oneself, or anybody for an administrator."""
    found = await person(actor, reference)
    if found.id != actor.user_id:
        require_admin(actor)
    return found


async def new_owner(actor: Actor, reference: str | int) -> User:
    """Whom something new is to belong to: the actor, or anybody for who manages everything."""
    require_change(actor)
    return await person(actor, reference)


async def existing_user(reference: str | int) -> User:
    """The user, for askers who may know that there is one."""
    found = await user(reference)
    if found is None:
        raise NotFound("There is no user %(reference)r.", reference=reference)
    return found


async def _one(model: type[Named], reference: str) -> Named | None:
    if not _may_be(model, "name", reference):
        return None
    condition = Q(name=reference)
    number = names.as_id(reference)
    if number is not None:
        condition |= Q(id=number)
    rows = await model.filter(condition).limit(2)
    if len(rows) > 1:
        # guessing would let a name that is a number stand for another's id
        raise InvalidInput(
            "%(reference)r is the name of one and the id of another: say the other name or id.",
            reference=reference,
        )
    return rows[0] if rows else None


def owned_thing(model: type[Owned], reference: str, *, handle: str | None = None) -> Q:
    """What a reference to what somebody owns may mean: name, OWNER/NAME, id, or its `handle`.

    All at once, so that a name that looks like another's id is ambiguous and not taken for it.
    """
    owner, slash, name = reference.partition("/")
    number = names.as_id(reference)
    meanings = [Q(id=number if number is not None else _NO_ID)]
    if _may_be(model, "name", reference):
        meanings.append(Q(name=reference))
    if handle is not None and _may_be(model, handle, reference):
        meanings.append(Q(**{handle: reference}))
    if slash and _may_be(User, "name", owner) and _may_be(model, "name", name):
        meanings.append(Q(owner__name=owner, name=name))
    return Q(*meanings, join_type=Q.OR)


def the_one(found: Sequence[T], reference: str, *, several: str, none: str) -> T:
    """What a reference stands for, of what it may mean; nobody guesses where that is several.

    `several` and `none` are what is said otherwise.
    """
    if len(found) > 1:
        raise InvalidInput(several, reference=reference)
    if not found:
        raise NotFound(none, reference=reference)
    return found[0]


def _may_be(model: type[Named | Owned], field: str, text: str) -> bool:
    """Whether the text is short enough; for a longer one the database refuses to look."""
    longest = model._meta.fields_map[field].max_length  # type: ignore[attr-defined]  # noqa: SLF001
    return len(text) <= int(longest)
