"""Rolling a repository back: what each session deleted, and going back after its name was typed."""

from __future__ import annotations

from aiohttp import web

from hive.errors import Conflict, InvalidInput, StorageError
from hive.sentences import N_
from hive.services.repositories import catalogue
from hive.services.rollback import background, preview, undo
from hive.services.rollback.background import RollbackJob
from hive.services.rollback.preview import RollbackOutlook, Step
from web.access import actor_of
from web.forms import Form, id_of, number, sent
from web.rendering import done, page
from web.text.i18n import gettext, sentence

_PATIENCE = 8.0  # seconds; the reading goes on without the browser
_REFRESH = 5  # seconds; without scripts the browser asks again


async def show(request: web.Request) -> web.Response:
    return await _page(request, Form({}))


async def submit(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await catalogue.find_changeable(actor, id_of(request))
    form = await sent(request)
    here = f"/repositories/{info.id}/rollback"
    transaction, expected = form.number("transaction"), form.number("expected")
    if form.text("name") != info.name:
        message = N_("That is not its name: nothing was changed.")
        form.complain(InvalidInput(message, field="name"))
        return await _page(request, form, transaction)
    if transaction is None or expected is None:
        return done(request, here, gettext("Choose what to go back to."), problem=True)
    try:
        job = await background.begin(
            actor, info.id, transaction, expected=expected, patience=_PATIENCE
        )
    except Conflict as error:
        return done(request, here, sentence(error.message), problem=True)
    if job.is_running:
        return done(request, here, gettext("Everything is being checked; then it goes back."))
    return _ended(request, job)


async def cancel(request: web.Request) -> web.Response:
    repository_id = id_of(request)
    here = f"/repositories/{repository_id}/rollback"
    try:
        was_running = await background.cancel(actor_of(request), repository_id)
    except Conflict as error:
        return done(request, here, sentence(error.message), problem=True)
    if was_running:
        return done(request, here, gettext("The reading stops; nothing is changed."))
    return done(request, here, gettext("Nothing was running."), problem=True)


async def take_back(request: web.Request) -> web.Response:
    """From the trash."""
    try:
        name = await undo.take_back(actor_of(request), id_of(request))
    except (Conflict, StorageError) as error:
        return done(request, "/trash", sentence(error.message), problem=True)
    return done(request, "/trash", gettext("The rollback of %(name)s was taken back.", name=name))


def _ended(request: web.Request, job: RollbackJob) -> web.Response:
    """Say how a rollback ended."""
    background.take(id_of(request))
    here = f"/repositories/{id_of(request)}/rollback"
    if job.problem is not None:
        return done(request, here, sentence(job.problem), problem=True)
    return done(request, here, gettext("The repository was rolled back."))


async def _page(request: web.Request, form: Form, transaction: int | None = None) -> web.Response:
    actor, repository_id = actor_of(request), id_of(request)
    info = await catalogue.find_changeable(actor, repository_id)
    if transaction is None:
        transaction = number(request, "to", N_("There is nothing to go back to like that."))
    ended = background.take(repository_id)
    if ended is not None:
        return _ended(request, ended)
    job, problem = None, None
    try:
        job = await background.look(actor, repository_id, patience=_PATIENCE)
    except (Conflict, StorageError) as error:
        problem = error.message
    found = None if job is None or job.is_running else job.outlook
    answer = page(
        request,
        "repositories/rollback.html",
        status=form.status,
        repository=info,
        form=form,
        job=job,
        progress=background.progress(info.id),
        problem=problem or (job.problem if job is not None else None),
        found=found,
        chosen=_chosen(found, transaction),
        commands=() if found is None else preview.client_commands(found),
        undone=[one for one in await undo.in_trash(actor) if one.repository_id == info.id],
    )
    if job is not None and job.is_running:
        answer.headers["Refresh"] = str(_REFRESH)
    return answer


def _chosen(found: RollbackOutlook | None, transaction: int | None) -> Step | None:
    steps = () if found is None else found.steps
    possible = (one for one in steps if one.transaction == transaction and one.can_be_restored)
    return next(possible, None)
