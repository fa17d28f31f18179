"""Rules: what is told by which channel."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from hive.errors import InvalidInput
from hive.formats import format_duration
from hive.kinds import Severity
from hive.services.notifications import rules, saving
from hive.services.notifications.rule_infos import RuleInfo
from hive.services.notifications.rules import AddRule, ChangeRule, Choices
from hive.services.notifications.saving import SavedRule
from hive.services.outbox import kinds
from hive.services.versions import Thing
from web import versioned
from web.access import actor_of, user_of
from web.forms import Form, boxes, id_of, query, sent
from web.pages.notifications.person import Person, names_for, person_of
from web.rendering import done, page
from web.text.i18n import gettext
from web.text.words import word

_HERE = "/notifications/rules"
_NOT_IN_IDS = re.compile(r"[^a-z]+")
_MOST_LOST = 5
_LEAST = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)


async def show_all(request: web.Request) -> web.Response:
    person = await person_of(request)
    return page(
        request,
        "notifications/rules.html",
        rules=await rules.list_rules(actor_of(request), person.user.id),
        person=person,
        names=await names_for(request),
    )


async def show_add(request: web.Request) -> web.Response:
    person = await person_of(request)
    return await _add_page(request, person, Form({"severity": str(Severity.WARNING)}))


async def add(request: web.Request) -> web.Response:
    actor, person, form = actor_of(request), await person_of(request), await sent(request)
    choices = await rules.choices(actor, person.user.id)
    severity = _severity(form)
    if form.is_fine:
        with form.asking():
            wanted = AddRule(
                name=form.text("name"),
                channels=boxes(form, channel_boxes(one.id for one in choices.channels)),
                repository=form.text("repository") or None,
                tag=form.text("tag") or None,
                owner=form.text("owner") or None,
                kinds=boxes(form, kind_boxes(kinds.NAMES)),
                severity=severity,
                quiet=form.text("quiet") or None,
                is_quiet_for_critical=form.has("is_quiet_for_critical"),
                **_escalation(form, None),
            )
            saved = await saving.add_rule(actor, person.user.id, wanted)
            message = gettext("The rule %(name)s was added.", name=saved.rule.name)
            return _saved(request, saved, person.path(_HERE), message)
    return await _add_page(request, person, form)


def _saved(request: web.Request, saved: SavedRule, path: str, message: str) -> web.Response:
    """Say that it was saved, and what it would have sent lately."""
    found = saved.preview
    response = done(request, path, message)
    done(
        request,
        path,
        gettext(
            "In the last 30 days it would have sent %(sent)s of %(all)s notifications.",
            sent=found.sent,
            all=found.events,
        ),
    )
    if found.lost:
        lost = ", ".join(f"{count} {word(kind)}" for kind, count in found.lost[:_MOST_LOST])
        warning = gettext("No longer sent by any rule: %(lost)s.", lost=lost)
        done(request, path, warning, problem=True)
    if found.tag_without_repository is not None:
        warning = gettext(
            "No repository has the tag %(tag)s, so this rule matches nothing.",
            tag=found.tag_without_repository,
        )
        done(request, path, warning, problem=True)
    return response


def _escalation(form: Form, nothing: str | None) -> dict[str, Any]:
    """After what time, and to whom: the form has one list of channels and users."""
    after, target = form.text("escalate_after"), form.text("escalate_to")
    if not after and not target:
        return {"escalate_after": nothing}
    kind, _, name = target.partition(":")
    to = {"channel": "escalate_channel", "user": "escalate_user"}.get(kind)
    value = int(name) if kind == "channel" and name.isdecimal() else name
    return {"escalate_after": after or None, **({to: value} if to is not None else {})}


def channel_boxes(ids: Iterable[int]) -> dict[str, int]:
    """The name of each channel's box."""
    return {f"channel-{channel_id}": channel_id for channel_id in ids}


def kind_boxes(names: Iterable[str]) -> dict[str, str]:
    """The name of each kind's box: an id of HTML, which has no blanks."""
    return {"kind-" + _NOT_IN_IDS.sub("-", name): name for name in names}


def _severity(form: Form) -> Severity:
    found = form.read("severity", Severity)
    if found is None and form.is_fine:
        form.complain(InvalidInput("This is none of the choices.", field="severity"))
    return found or Severity.WARNING


async def _add_page(request: web.Request, person: Person, form: Form) -> web.Response:
    choices = await rules.choices(actor_of(request), person.user.id)
    back = person.path(_HERE)
    return _form_page(request, None, form, choices, back=back, named=person.named)


async def show(request: web.Request) -> web.Response:
    form = await versioned.opened(Thing.RULE, id_of(request), _stored, request)
    info = await rules.find_rule_by_id(actor_of(request), id_of(request))
    return await _edit_page(request, info, form)


async def _stored(request: web.Request) -> Form:
    return _as_it_is(await rules.find_rule_by_id(actor_of(request), id_of(request)))


def _as_it_is(info: RuleInfo) -> Form:
    values = {
        "name": info.name,
        "repository": _reference(info),
        "tag": info.tag or "",
        "owner": info.owner or "",
        "severity": str(info.severity),
        "quiet": info.quiet or "",
        "escalate_after": format_duration(info.escalate_after) if info.escalate_after else "",
        "escalate_to": _target(info),
    }
    ticked = [*channel_boxes(info.channel_ids), *kind_boxes(info.kinds)]
    states = {"enabled": info.enabled, "is_quiet_for_critical": info.is_quiet_for_critical}
    ticked += [name for name, is_ticked in states.items() if is_ticked]
    return Form({**values, **dict.fromkeys(ticked, "yes")})


def _target(info: RuleInfo) -> str:
    if info.escalate_user is not None:
        return f"user:{info.escalate_user}"
    return "" if info.escalate_channel_id is None else f"channel:{info.escalate_channel_id}"


async def change(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info, form = await rules.find_rule_by_id(actor, id_of(request)), await sent(request)
    choices = await rules.choices(actor, info.user_id)
    severity = _severity(form)
    if form.is_fine:
        with form.asking():
            changes = ChangeRule(
                name=form.text("name"),
                enabled=form.has("enabled"),
                repository=_repository(form, info),
                tag=form.text("tag"),
                owner=form.text("owner"),
                kinds=boxes(form, kind_boxes(kinds.NAMES)),
                severity=severity,
                quiet=form.text("quiet"),
                is_quiet_for_critical=form.has("is_quiet_for_critical"),
                **_escalation(form, ""),
                channels=boxes(form, _all_channels(info, choices)),
                version=versioned.seen(form, Thing.RULE),
            )
            saved = await saving.change_rule(actor, info.id, changes)
            message = gettext("The rule %(name)s was changed.", name=saved.rule.name)
            return _saved(request, saved, _list_of(request, info), message)
    await versioned.beside(form, Thing.RULE, info.id, _stored, request)
    return await _edit_page(request, info, form)


def _all_channels(info: RuleInfo, choices: Choices) -> dict[str, int]:
    return channel_boxes([*(one.id for one in choices.channels), *info.channel_ids])


async def _edit_page(request: web.Request, info: RuleInfo, form: Form) -> web.Response:
    choices = await rules.choices(actor_of(request), info.user_id)
    back = _list_of(request, info)
    named = info.user if info.user != user_of(request).name else None
    return _form_page(request, info, form, choices, back=back, named=named)


def _list_of(request: web.Request, info: RuleInfo) -> str:
    """The list that has this rule."""
    return query(_HERE, user=info.user if info.user != user_of(request).name else None)


def _form_page(
    request: web.Request,
    info: RuleInfo | None,
    form: Form,
    choices: Choices,
    *,
    back: str,
    named: str | None,
) -> web.Response:
    offered = {one.id for one in choices.channels}
    kept = zip(info.channel_ids, info.channels, strict=True) if info is not None else ()
    return page(
        request,
        "notifications/rule.html",
        status=form.status,
        rule=info,
        form=form,
        named=named,
        back=back,
        choices=choices,
        owners=_owners(info, choices),
        targets=_targets(info, choices),
        zone=choices.timezone,
        severities=_severities(info),
        groups=[(group, kind_boxes(names)) for group, names in kinds.by_group()],
        named_alone=kinds.NAMED_ALONE,
        has_kinds=any(form.has(name) for name in kind_boxes(kinds.NAMES)),
        lost_channels=[(number, name) for number, name in kept if number not in offered],
    )


def _reference(info: RuleInfo) -> str:
    """What names the rule's repository in the form."""
    return f"{info.repository_owner}/{info.repository}" if info.repository else ""


def _repository(form: Form, info: RuleInfo) -> str | int:
    """What was typed; what stayed as it was may be out of sight by now, and keeps its id."""
    typed = form.text("repository")
    return info.repository_id or "" if typed == _reference(info) else typed


def _owners(info: RuleInfo | None, choices: Choices) -> list[tuple[str, str]]:
    names = list(choices.owners)
    if info and info.owner and info.owner not in names:
        names.append(info.owner)
    return [("", gettext("anybody")), *((name, name) for name in names)]


def _targets(info: RuleInfo | None, choices: Choices) -> list[tuple[str, str]]:
    """Whom a rule may escalate to: what it does already is among them."""
    found = {f"channel:{one.id}": one.name for one in choices.channels}
    found |= {f"user:{name}": gettext("user %(name)s", name=name) for name in choices.owners}
    if info is not None and (target := _target(info)):
        found.setdefault(target, info.escalate_channel or info.escalate_user or "")
    return [("", gettext("nobody")), *found.items()]


def _severities(info: RuleInfo | None) -> list[Severity]:
    """That recoveries are told as their troubles are makes them no choice of their own."""
    kept = [info.severity] if info and info.severity not in _LEAST else []
    return [*_LEAST, *kept]


async def show_delete(request: web.Request) -> web.Response:
    info = await rules.find_rule_by_id(actor_of(request), id_of(request))
    return page(request, "notifications/rule_delete.html", rule=info)


async def delete(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await rules.find_rule_by_id(actor, id_of(request))
    await rules.delete(actor, info.id)
    message = gettext("The rule %(name)s was deleted.", name=info.name)
    return done(request, _list_of(request, info), message)
