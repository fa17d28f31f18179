"""The version on a form, and both values where somebody else saved in between.

A form that changes something is opened with `opened`, saves with `seen`, and is shown again with
`beside`: what was typed stays, what is stored now is shown below the fields that differ, and the
form carries the version that was just shown, so that saving once more is meant.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ParamSpec

from hive.services import versions
from hive.services.versions import Thing, Version
from web.forms import Form

P = ParamSpec("P")

_FIELD = "version"
_MAX_LENGTH = 64


async def opened(
    thing: Thing,
    thing_id: int,
    read: Callable[P, Awaitable[Form]],
    *args: P.args,
    **named: P.kwargs,
) -> Form:
    """A form that begins with what is stored, which `read` reads with these arguments."""
    version = await versions.digest_of(thing, thing_id)  # first: what changes then is a conflict
    form = await read(*args, **named)
    form.values = {**form.values, _FIELD: version}
    return form


def seen(form: Form, thing: Thing) -> Version | None:
    """The version that was on the form; None on a form without one, of a script for example."""
    digest = form.text(_FIELD)[:_MAX_LENGTH]
    return Version(thing, digest) if digest else None


async def beside(
    form: Form,
    thing: Thing,
    thing_id: int,
    read: Callable[P, Awaitable[Form]],
    *args: P.args,
    **named: P.kwargs,
) -> None:
    """If the save was a conflict, put what is stored now beside what was typed."""
    if form.is_outdated:
        now = await opened(thing, thing_id, read, *args, **named)
        form.values = {**form.values, _FIELD: now.text(_FIELD)}
        form.stored = now.values
