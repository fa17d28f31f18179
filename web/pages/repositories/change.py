"""Changing several repositories at once: chosen one by one, or by the filter of the first page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from aiohttp import web

from hive.errors import InvalidInput
from hive.sentences import N_
from hive.services.health.states import Condition
from hive.services.lifecycle import bulk
from hive.services.lifecycle.bulk import ChangedMany, ChangeMany, Part, Preview
from hive.services.overview import choices, selection
from hive.services.overview.choices import BulkChoices
from hive.services.overview.selection import Selection
from web import csv_file, csv_tables, schedule_form
from web.access import actor_of, user_of
from web.forms import Form, one_of, sent, share_levels
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
    SHARES = "shares"
    CHANNEL = "channel"


LABELS = {
    Action.SCHEDULE: N_("Schedule"),
    Action.TAGS: N_("Tags"),
    Action.PAUSE: N_("Pause"),
    Action.OWNER: N_("Owner"),
    Action.QUOTA: N_("Quota"),
    Action.SHARES: N_("Shares"),
    Action.CHANNEL: N_("Channel"),
}
_PARTS = {
    Part.OWNER: N_("Owner"),
    Part.QUOTA: N_("Quota"),
    Part.SCHEDULE: N_("Schedule"),
    Part.TAGS: N_("Tags"),
    Part.PAUSE: N_("Paused until"),
    Part.SHARES: N_("Shared with"),
    Part.CHANNELS: N_("Channels"),
}
_RESUME = "resume"
_LEAVE = "leave"  # a share as it is


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
    done, previews = None, None
    actor = actor_of(request)
    groups = await choices.group_names(actor)
    wanted = None if action is None else _wanted(form, action, groups)
    if wanted is not None and form.is_fine:
        with form.asking():
            if form.has("preview"):
                previews = await bulk.preview_many(actor, wanted)
            else:
                done = await bulk.change_many(actor, wanted)
    return await _page(request, form, Selection(ids=_chosen(form)), done, previews)


def _chosen(form: Form) -> list[int]:
    """What the boxes `repository-ID` say."""
    found = (name.removeprefix("repository-") for name in form.values if form.has(name))
    return [int(text) for text in found if _is_id(text)]


def _wanted(form: Form, action: Action, groups: Sequence[str]) -> ChangeMany:
    """What the fields of the chosen action say."""
    given: dict[str, Any] = {}
    match action:
        case Action.SCHEDULE:
            given = {"schedule": schedule_form.change_of(form)}
        case Action.TAGS:
            for name in ("add_tags", "remove_tags"):
                given[name] = form.text(name).replace(",", " ").split()
        case Action.PAUSE if form.text("span") == _RESUME:
            given = {"resume": True}
        case Action.PAUSE:
            given = {"pause_until": form.when("span")}
        case Action.OWNER:
            given = {"owner": form.text("owner") or None}
        case Action.QUOTA:
            size = form.size("quota")
            given = {"quota_bytes": size, "no_quota": size is None}
        case Action.SHARES:
            touched = [one for one in groups if form.text(f"share-{one}") != _LEAVE]
            given = {"share_levels": share_levels(form, touched)}
        case Action.CHANNEL:
            given = {"channel_id": form.number("channel")}
    return ChangeMany(repository_ids=_chosen(form), **given)


async def _page(
    request: web.Request,
    form: Form,
    wanted: Selection,
    done: ChangedMany | None = None,
    previews: Sequence[Preview] | None = None,
) -> web.Response:
    actor = actor_of(request)
    offered = await choices.for_bulk(actor)
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
        previews=previews,
        part_labels=_PARTS,
        labels=_labels(offered),
        owners=offered.owners,
        groups=offered.groups,
        channels=[(str(one.id), one.name) for one in offered.channels],
        spans=SPANS,
        most=_ROWS,
    )


def _labels(offered: BulkChoices) -> Mapping[Action, str]:
    """What there is something to choose for."""
    there = {
        Action.OWNER: offered.owners,
        Action.SHARES: offered.groups,
        Action.CHANNEL: offered.channels,
    }
    return {action: label for action, label in LABELS.items() if there.get(action, True)}
