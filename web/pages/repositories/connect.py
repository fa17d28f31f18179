"""Connecting a machine: what to run on it, step by step, and what the server has seen of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from hive.kinds import Access
from hive.services.overview.connecting import Seen, connection
from hive.services.repositories import machines
from hive.services.repositories.machines import ConnectKey
from web.access import actor_of
from web.forms import Form, id_of, one_of, query, sent
from web.pages.repositories import frame
from web.rendering import done
from web.setup_guides import clients
from web.setup_guides.clients import Client
from web.setup_guides.parts import Guide, Milestone, Step
from web.text.i18n import gettext


@dataclass(frozen=True)
class ShownStep:
    """A step with its tick: when it was seen; and whether it is the one to take now."""

    step: Step
    seen_at: datetime | None
    is_next: bool


async def show(request: web.Request) -> web.Response:
    access = one_of(request, "access", Access) or Access.APPEND_ONLY
    return await _page(request, Form({"access": str(access)}))


async def add_key(request: web.Request) -> web.Response:
    """Store the key that was pasted on the page itself."""
    actor, repository_id = actor_of(request), id_of(request)
    form = await sent(request)
    access = form.read("access", Access) or Access.APPEND_ONLY
    if form.is_fine:
        with form.asking():
            wanted = ConnectKey(public_key=form.values.get("public_key", ""), access=access)
            key = await machines.connect_key(actor, repository_id, wanted)
            message = gettext("The key %(name)s opens this repository now.", name=key.name)
            client = one_of(request, "client", Client) or Client.BORG
            there = f"/repositories/{repository_id}/connect?client={client}"
            return done(request, there, message)
    return await _page(request, form)


async def _page(request: web.Request, form: Form) -> web.Response:
    client = one_of(request, "client", Client) or Client.BORG
    found = await connection(actor_of(request), id_of(request))
    frame.require_there(found.head)
    times = times_of(found.seen)
    return frame.tab_page(
        request,
        "repositories/connect.html",
        frame.CONNECT,
        found.head,
        status=form.status,
        form=form,
        connection=found,
        seen=found.seen,
        times=times,
        count_seen=sum(at is not None for at in times.values()),
        client=client,
        clients=[
            (title, _link(request, value), value == client)
            for value, title in clients.TITLES.items()
        ],
        steps=shown_steps(clients.guide(client, found), times),
        accesses=[Access.APPEND_ONLY, Access.FULL],
    )


def _link(request: web.Request, client: Client) -> str:
    """The steps of this client; what the key is to do stays as it was chosen."""
    return query(request.path, client=client, access=one_of(request, "access", Access))


def times_of(seen: Seen) -> dict[Milestone, datetime | None]:
    """By what is seen of a step, in the order of the steps."""
    return dict(zip(Milestone, seen.times, strict=True))


def shown_steps(guide: Guide, times: dict[Milestone, datetime | None]) -> list[ShownStep]:
    """The step to take is the first one behind the last tick: others may not be seen at all."""
    ticks = [None if step.sees is None else times[step.sees] for step in guide.steps]
    done_until = max((n for n, at in enumerate(ticks) if at is not None), default=-1)
    return [
        ShownStep(step, at, number == done_until + 1)
        for number, (step, at) in enumerate(zip(guide.steps, ticks, strict=True))
    ]
