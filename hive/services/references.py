"""How services find things by what people call them."""

from __future__ import annotations

from typing import TypeVar

from tortoise.expressions import Q

from hive.errors import InvalidInput, NotFound
from hive.models import Group, Location, User
from hive.services import names
from hive.services.permissions import Actor

Named = TypeVar("Named", User, Group, Location)

# As long as the names are stored.
_LONGEST: dict[type[User | Group | Location], int] = {User: 150, Group: 150, Location: 100}


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
    """Oneself, or anybody for an administrator; NotFound for everybody else."""
    found = await user(reference)
    if found is None or not (actor.is_admin or actor.user_id == found.id):
        raise NotFound("There is no user %(reference)r.", reference=reference)
    return found


async def existing_user(reference: str) -> User:
    """The user, for askers who may know that there is one."""
    found = await user(reference)
    if found is None:
        raise NotFound("There is no user %(reference)r.", reference=reference)
    return found


async def _one(model: type[Named], reference: str) -> Named | None:
    if len(reference) > _LONGEST[model]:
        return None  # the database would refuse to look for it
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


def owned_thing(reference: str, *, handle: str | None = None) -> Q:
    """What a reference to what somebody owns may mean: name, OWNER/NAME, id, or its `handle`.

    All at once, so that a name that looks like another's id is ambiguous and not taken for it.
    """
    owner, slash, name = reference.partition("/")
    number = names.as_id(reference)
    meanings = [Q(name=reference)]
    if handle is not None:
        meanings.append(Q(**{handle: reference}))
    if slash:
        meanings.append(Q(owner__name=owner, name=name))
    if number is not None:
        meanings.append(Q(id=number))
    return Q(*meanings, join_type=Q.OR)
