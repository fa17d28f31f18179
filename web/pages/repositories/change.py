"""Changing several repositories at once: chosen one by one, or by the filter of the first page."""

from __future__ import annotations

from enum import StrEnum

from aiohttp import web

from hive.errors import InvalidInput
from hive.sentences import N_
from hive.services.health.states import Condition
from hive.services.lifecycle import bulk
from hive.services.lifecycle.bulk import ChangedMany, ChangeMany
from hive.services.overview import choices, selection
from hive.services.overview.selection import Selection
from web import csv_file, csv_tables, schedule_form
from web.access import actor_of, user_of
from web.forms import Form, one_of, sent
from web.pages.repositories.tabs import SPANS
from web.rendering import page
from web.text.i18n import gettext

_ROWS = 200
_MAX_TEXT = 100


class Action(StrEnum):
    """What is to change."""

    SCHEDULE = "schedule"
    TAGS = "tags"
    PAUSE = "pause"
    OWNER = "owner"
    QUOTA = "quota"


LABELS = {
    Action.SCHEDULE: N_("Schedule"),
    Action.TAGS: N_("Tags"),
    Action.PAUSE: N_("Pause"),
    Action.OWNER: N_("Owner"),
    Action.QUOTA: N_("Quota"),
}


async def show(request: web.Request) -> web.Response:
    wanted = _selection(request)
    begun = {"action": str(Action.SCHEDULE), **schedule_form.preselected(user_of(request))}
    found = await selection.first(actor_of(request), wanted, _ROWS)
    if wanted.is_filter:  # what was chosen or searched for is what is meant
        begun |= {f"repository-{one.id}": "yes" for one in found[:_ROWS]}
    return await _page(request, Form(begun), wanted)


def _selection(request: web.Request) -> Selection:
    ids = [int(text) for text in request.query.getall("id", []) if _is_id(text)]
    return Selection(
        text=request.query.get("q", "").strip()[:_MAX_TEXT],
        tag=request.query.get("tag", "").strip()[:_MAX_TEXT],
        state=one_of(request, "state", Condition),
        ids=ids[:_ROWS],
    )


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


async def as_csv(request: web.Request) -> web.StreamResponse:
    """The repositories of the first page's filter as CSV."""
    rows = selection.pages(actor_of(request), _selection(request))
    return await csv_file.answer(request, csv_tables.REPOSITORIES, csv_file.filled(rows))


async def submit(request: web.Request) -> web.Response:
    form = await sent(request)
    action = form.read("action", Action)
    if action is None and form.is_fine:
        form.complain(InvalidInput("Say what is to change.", field="action"))
    done = None
    wanted = None if action is None else _wanted(form, action)
    if wanted is not None and form.is_fine:
        with form.asking():
            done = await bulk.change_many(actor_of(request), wanted)
    return await _page(request, form, Selection(ids=_chosen(form)), done)


def _chosen(form: Form) -> list[int]:
    """What the boxes `repository-ID` say."""
    found = (name.removeprefix("repository-") for name in form.values if form.has(name))
    return [int(text) for text in found if _is_id(text)]


def _wanted(form: Form, action: Action) -> ChangeMany | None:
    """What the fields of the chosen action say; None where they are wrong."""
    ids = _chosen(form)
    match action:
        case Action.SCHEDULE:
            change = schedule_form.change_of(form)
            return ChangeMany(repository_ids=ids, schedule=change) if form.is_fine else None
        case Action.TAGS:
            return ChangeMany(
                repository_ids=ids,
                add_tags=form.text("add_tags").replace(",", " ").split(),
                remove_tags=form.text("remove_tags").replace(",", " ").split(),
            )
        case Action.PAUSE:
            return ChangeMany(repository_ids=ids, pause_until=form.when("span"))
        case Action.OWNER:
            return ChangeMany(repository_ids=ids, owner=form.text("owner") or None)
        case Action.QUOTA:
            size = form.size("quota")
            return ChangeMany(repository_ids=ids, quota_bytes=size, no_quota=size is None)


async def _page(
    request: web.Request, form: Form, wanted: Selection, done: ChangedMany | None = None
) -> web.Response:
    actor = actor_of(request)
    found = await selection.first(actor, wanted, _ROWS)
    return page(
        request,
        "repositories/change.html",
        status=form.status,
        form=form,
        repositories=found[:_ROWS],
        has_more=len(found) > _ROWS,
        wanted=wanted,
        done=done,
        summary=None
        if done is None
        else gettext(
            "Changed: %(count)s. Refused: %(refused)s.",
            count=done.changed,
            refused=len(done.refusals),
        ),
        labels=LABELS if actor.is_admin else {a: w for a, w in LABELS.items() if a != Action.OWNER},
        owners=await choices.owners(actor),
        spans=SPANS,
        most=_ROWS,
    )
