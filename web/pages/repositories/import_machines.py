"""Adding many machines from a CSV list, with a preview."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from hive.errors import InvalidInput
from hive.services.repositories import machine_import, machine_lists
from hive.services.repositories.machine_import import ImportedMachine
from hive.services.repositories.machine_lists import Column, ListRefused, Problem
from web.access import actor_of
from web.forms import Form, sent
from web.rendering import done, page
from web.text.i18n import gettext

_EXAMPLE = """\
name,owner,key,schedule,timezone,quota,tags,groups
web1,maria,ssh-ed25519 AAAA… root@web1,03:00,Europe/Berlin,500GB,web linux,admins
db1,maria,ssh-ed25519 AAAA… root@db1,12h,,2TB,database,admins:view
"""


async def show(request: web.Request) -> web.Response:
    return _page(request, Form({}))


async def submit(request: web.Request) -> web.Response:
    form = await sent(request, with_files=True)
    text, file = form.text("list"), form.values.get("file", "").strip()
    if text and file and text != file:
        form.complain(InvalidInput("Paste a list or choose a file, not both.", field="file"))
    form.values = {**form.values, "list": text or file}
    problems: Sequence[Problem] = ()
    found: Sequence[ImportedMachine] | None = None
    is_rehearsal = form.has("preview")
    if form.is_fine:
        with form.asking():
            try:
                found = await machine_import.import_machines(
                    actor_of(request), text or file, is_rehearsal=is_rehearsal
                )
            except ListRefused as refused:
                problems = refused.problems
                raise
    if found is not None and not is_rehearsal:
        new = sum(one.is_new for one in found)
        message = gettext(
            "Machines added: %(new)s. There already: %(former)s.", new=new, former=len(found) - new
        )
        return done(request, "/", message)
    return _page(request, form, found, problems)


def _page(
    request: web.Request,
    form: Form,
    found: Sequence[ImportedMachine] | None = None,
    problems: Sequence[Problem] = (),
) -> web.Response:
    return page(
        request,
        "repositories/import_machines.html",
        status=form.status,
        form=form,
        found=found,
        list_problems=problems,
        columns=[column.value for column in Column],
        example=_EXAMPLE,
        most=machine_lists.MAX_LINES,
    )
