"""Who may see which page and do what: every route, for everybody; a new route must be added."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from hive.services.keys import keys
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from tests.web.browser import PASSWORD, NewBrowser
from tests.web.rows import public_key
from tests.web.scene import Scene, add_passkey, make_scene
from web.access import is_public

# root administrates; alice owns; dora's group may manage, bob's may see; charlie has no share.
# olga is an operator, audrey an auditor.
ROLES = ("root", "alice", "dora", "bob", "charlie", "olga", "audrey")


@dataclass(frozen=True)
class Rule:
    """What each of ROLES gets, and what a form sends so that it would work."""

    statuses: str
    fields: dict[str, str] = field(default_factory=dict)
    needs: str | None = None  # a field that takes the id of this thing of the scene
    needs_box: str | None = None  # a box that has the id of this thing in its name

    def status(self, role: str) -> int:
        return int(self.statuses.split()[ROLES.index(role)])


EVERYBODY = Rule("200 200 200 200 200 200 200")
NOBODY = Rule("404 404 404 404 404 404 404")
ALICE = Rule("404 200 404 404 404 404 404")  # her own: administrators have no business there
VISIBLE = Rule("200 200 200 200 404 200 200")
MANAGED = Rule("200 200 200 403 404 200 403")
ADMIN = Rule("200 403 403 403 403 403 403")
OVERSEEN = Rule("200 403 403 403 403 200 200")
ADDING = Rule("200 200 200 200 200 200 403")
OWN = Rule("200 200 404 404 404 404 404")


def change(**fields: str) -> Rule:
    return Rule("303 303 303 403 404 303 403", fields)


def owner_change(**fields: str) -> Rule:
    return Rule("303 303 404 404 404 404 404", fields)


def own_change(**fields: str) -> Rule:
    return Rule("303 303 303 303 303 303 303", fields)


def admin_change(**fields: str) -> Rule:
    return Rule("303 403 403 403 403 403 403", fields)


def operator_change(**fields: str) -> Rule:
    return Rule("303 403 403 403 403 303 403", fields)


GET = {
    "/": EVERYBODY,
    "/wall": EVERYBODY,
    "/keys": EVERYBODY,
    "/keys/add": EVERYBODY,
    "/keys/{id}": VISIBLE,
    "/keys/{id}/replace": Rule("200 200 403 403 404 403 403"),  # whoever opens more than others see
    "/keys/{id}/delete": MANAGED,
    "/keys/refused/{id}": Rule("200 200 200 404 404 200 404"),
    "/repositories/names": EVERYBODY,
    "/sessions": EVERYBODY,
    "/sessions/{id}": VISIBLE,
    "/events": EVERYBODY,
    "/trash": EVERYBODY,
    "/machines/add": EVERYBODY,
    "/machines/import": EVERYBODY,
    "/repositories.csv": EVERYBODY,
    "/repositories/change": EVERYBODY,
    "/help": EVERYBODY,
    "/help/{name}": NOBODY,  # tests/web/test_help.py asks for real ones
    "/help/pictures/{name}": NOBODY,
    "/repositories/add": EVERYBODY,
    "/repositories/{id}": VISIBLE,
    "/repositories/{id}/edit": MANAGED,
    "/repositories/{id}/sessions": VISIBLE,
    "/repositories/{id}/history": VISIBLE,
    "/repositories/{id}/connect": VISIBLE,
    "/repositories/{id}/settings": VISIBLE,
    "/repositories/{id}/keys": VISIBLE,
    "/repositories/{id}/mode": MANAGED,
    "/repositories/{id}/locks": MANAGED,
    "/repositories/{id}/move": Rule("200 200 403 403 404 403 403"),  # another disk, another address
    "/repositories/{id}/schedule": MANAGED,
    "/repositories/{id}/rollback": MANAGED,
    "/repositories/{id}/delete": MANAGED,
    "/account": EVERYBODY,
    "/account/email": EVERYBODY,
    "/account/password": EVERYBODY,
    "/account/sessions": EVERYBODY,
    "/account/second-factor": EVERYBODY,
    "/account/second-factor/app": EVERYBODY,
    "/account/second-factor/app/qr.svg": NOBODY,  # before one begins to set up an app
    "/account/second-factor/recovery-codes": EVERYBODY,
    "/account/passkeys/new": EVERYBODY,
    "/account/passkeys/{id}": ALICE,
    "/notifications": EVERYBODY,
    "/notifications/channels": EVERYBODY,
    "/notifications/channels/add": EVERYBODY,
    "/notifications/channels/{id}": VISIBLE,
    "/notifications/channels/{id}/delete": MANAGED,
    "/notifications/rules": EVERYBODY,
    "/notifications/rules/add": EVERYBODY,
    "/notifications/rules/{id}": OWN,
    "/notifications/rules/{id}/delete": OWN,
    "/notifications/deliveries": EVERYBODY,
    "/notifications/preferences": EVERYBODY,
    "/repositories/{id}/triggers": VISIBLE,
    "/repositories/{id}/triggers/add": MANAGED,
    "/triggers/{id}": VISIBLE,
    "/triggers/{id}/edit": MANAGED,
    "/triggers/{id}/delete": MANAGED,
    "/triggers/runs/{id}": VISIBLE,
    "/repositories/{id}/reports": VISIBLE,
    "/repositories/{id}/reports/tokens/add": MANAGED,
    "/reports/{id}": VISIBLE,
    "/reports/tokens/{id}/delete": MANAGED,
    "/admin": OVERSEEN,
    "/admin/users": OVERSEEN,
    "/admin/users/add": ADMIN,
    "/admin/users/{id}": OVERSEEN,
    "/admin/users/{id}/delete": ADMIN,
    "/admin/users/{id}/hand-over": ADMIN,
    "/account/groups": EVERYBODY,
    "/resume": Rule("303 303 303 303 303 303 303"),
    "/admin/groups": OVERSEEN,
    "/admin/groups/add": ADMIN,
    "/admin/groups/{id}": ADMIN,
    "/admin/groups/{id}/delete": ADMIN,
    "/admin/locations": OVERSEEN,
    "/admin/locations/add": ADMIN,
    "/admin/locations/{id}": ADMIN,
    "/admin/locations/{id}/delete": ADMIN,
    "/admin/host-keys": OVERSEEN,
    "/admin/addresses": OVERSEEN,
    "/admin/settings": OVERSEEN,
    "/admin/audit": OVERSEEN,
    "/admin/jobs": OVERSEEN,
    "/admin/wall": OVERSEEN,
}
PASSWORDS = {"password": "a long new password", "repeated": "a long new password"}
# In this order: what deletes comes last.
POST = {
    "/acknowledge": own_change(),
    "/admin/wall": Rule("200 403 403 403 403 403 403", {"name": "kitchen"}),
    "/admin/wall/{id}/revoke": admin_change(),
    "/keys/add": Rule("303 303 303 303 303 303 403", {"name": "another", "owner": "alice"}),
    "/keys/{id}": change(name="laptop", enabled="yes"),
    "/keys/refused/{id}": Rule(
        "303 303 303 404 404 303 404", {"name": "found", "access": "read-only"}
    ),
    "/keys/refused/{id}/dismiss": Rule(
        "404 404 404 404 404 404 404"
    ),  # let in by then, or never seen
    "/sessions/{id}/end": change(next="/sessions"),
    "/repositories/add": Rule("303 303 303 303 303 303 403", {"name": "another", "owner": "alice"}),
    "/machines/add": Rule(
        "303 303 303 303 303 303 403",
        {"name": "desktop", "owner": "alice", "key_from": "later", "kind": "day"},
    ),
    "/repositories/change": Rule(
        "422 422 422 422 422 422 422", {"action": "tags"}
    ),  # tests/web/test_change_several.py changes some
    "/repositories/{id}/connect": change(),
    "/keys/{id}/replace": Rule("422 422 403 403 404 403 403", {"expires": "soon"}),
    "/repositories/{id}/edit": change(name="documents"),
    "/repositories/{id}/keys": Rule(
        "303 303 303 403 404 303 403", {"access": "read-only"}, needs="key"
    ),
    "/repositories/{id}/mode": change(mode="EXPORT"),
    "/repositories/{id}/strict-paths": change(),
    "/repositories/{id}/confirm-empty": change(),
    "/repositories/{id}/locks": change(),
    "/repositories/{id}/move": Rule(
        "303 303 403 403 404 403 403", {"location": "attic", "confirmed": "yes"}
    ),
    "/repositories/{id}/move/cancel": Rule("303 303 403 403 404 403 403"),
    # what is refused is said for each line
    "/machines/import": Rule("303 303 303 303 303 303 422", {"list": "name\nnew-one\n"}),
    "/repositories/{id}/schedule": change(kind="interval", every="1d", tag="home"),
    "/repositories/{id}/watch": change(),
    "/alarms/{id}/answer": change(seen="1"),
    "/alarms/{id}/disable-key": change(),
    "/repositories/{id}/pause": change(span="+1d"),
    "/repositories/{id}/resume": change(),
    "/repositories/{id}/mute": change(span="+1d"),
    "/repositories/{id}/unmute": change(),
    "/repositories/{id}/acknowledge": change(),
    "/repositories/{id}/dismiss-small-backup": change(),
    "/repositories/{id}/check": change(),
    "/repositories/{id}/compact": change(),
    "/repositories/{id}/check/stop": change(),
    "/repositories/{id}/compact/stop": change(),
    "/repositories/{id}/discard-import": change(),
    "/repositories/{id}/clear-config-limits": change(),
    "/repositories/{id}/measure": change(),
    "/repositories/{id}/owner": Rule("303 403 403 403 404 403 403", {"owner": "alice"}),
    "/repositories/{id}/triggers/add": change(name="n", kind="webhook", url="https://example.org"),
    "/triggers/{id}/edit": change(name="renamed"),
    "/triggers/{id}/start": change(),
    "/triggers/{id}/enable": change(),
    "/triggers/{id}/disable": change(),
    "/triggers/{id}/delete": change(),
    "/repositories/{id}/reports/tokens/add": Rule("200 200 200 403 404 200 403", {"name": "new"}),
    "/reports/tokens/{id}/delete": change(),
    "/trash/{id}/restore": change(),
    "/keys/{id}/disable-everywhere": Rule("303 303 404 403 404 303 403"),
    "/keys/{id}/delete": change(),
    "/repositories/{id}/rollback": change(name="documents", transaction="1", expected="2"),
    "/repositories/{id}/rollback/cancel": change(),
    "/trash/rollbacks/{id}/take-back": NOBODY,  # there is none
    "/repositories/{id}/delete": change(name="documents"),
    "/account": own_change(timezone="Europe/Berlin", language="en", theme="dark"),
    "/account/email": own_change(email="new@example.org", password=PASSWORD),
    "/account/sessions/{id}/end": Rule("404 303 404 404 404 404 404"),
    "/account/password": own_change(password=PASSWORD, new=PASSWORD, repeated=PASSWORD),
    "/account/sessions/end-others": own_change(),
    "/account/second-factor/app/begin": own_change(),
    "/account/second-factor/app": Rule("422 422 422 422 422 422 422", {"code": "no code"}),
    "/account/second-factor/app/remove": own_change(password=PASSWORD),
    "/account/second-factor/recovery-codes": Rule(
        "409 200 409 409 409 409 409", {"password": PASSWORD}
    ),
    "/account/passkeys/new": EVERYBODY,  # at a bare address it says that there are none
    "/account/passkeys": EVERYBODY,
    "/account/passkeys/{id}": Rule("404 303 404 404 404 404 404", {"name": "renamed"}),
    "/account/passkeys/{id}/delete": Rule("404 303 404 404 404 404 404", {"password": PASSWORD}),
    "/admin/addresses": operator_change(network="192.0.2.99", ruling="ban"),
    "/admin/addresses/release": operator_change(network="192.0.2.99"),
    "/notifications/channels/add": Rule(
        "303 303 303 303 303 303 403",
        {"kind": "email", "name": "new", "owner": "alice", "address": "a@example.org"},
    ),
    "/notifications/channels/{id}": change(
        name="phone", server="https://127.0.0.1:1", topic="backups"
    ),
    "/notifications/channels/{id}/test": change(),
    "/notifications/channels/{id}/allow": Rule("303 403 403 403 404 403 403"),
    "/notifications/allowed/revoke": admin_change(network="192.168.1.5"),
    "/admin/maintenance": operator_change(**{"for": "4h"}),
    "/admin/maintenance/end": operator_change(),
    "/notifications/rules/add": Rule(
        "422 303 303 303 422 422 422",  # root and charlie may not use alice's channel
        {"name": "new", "severity": "info"},
        needs_box="channel",
    ),
    "/notifications/rules/{id}": Rule(
        "303 303 404 404 404 404 404", {"name": "night", "severity": "info"}, needs_box="channel"
    ),
    "/notifications/deliveries/{id}/repeat": Rule("303 303 404 404 404 303 404"),
    "/notifications/preferences": Rule(
        "303 303 303 303 303 303 303",
        {
            "reminder_hours": "6",
            "expiration_days": "3",
            "digest": "daily",
            "digest_hour": "8",
            "digest_weekday": "0",
        },
    ),
    "/notifications/rules/{id}/delete": owner_change(),
    "/notifications/channels/{id}/delete": change(with_rules="yes"),
    "/admin/users/add": admin_change(name="new"),
    "/admin/users/{id}": admin_change(email="new@example.org", enabled="yes"),
    "/admin/users/{id}/password": admin_change(**PASSWORDS),
    "/admin/users/{id}/reset-link": ADMIN,
    "/admin/users/{id}/unlock": admin_change(),
    "/admin/users/{id}/invite": ADMIN,
    "/admin/users/{id}/invite/revoke": admin_change(),
    "/admin/users/{id}/hand-over": admin_change(receiver="charlie", confirmed="yes"),
    "/admin/users/{id}/second-factor/off": admin_change(),
    "/admin/users/{id}/delete": admin_change(),
    "/account/groups/{id}": Rule("303 404 404 403 404 403 403", {"add": "charlie"}),
    "/admin/groups/add": admin_change(name="new"),
    "/admin/groups/{id}": admin_change(name="renamed"),
    "/admin/groups/{id}/delete": admin_change(),
    "/admin/locations/add": admin_change(name="new", host="new.example.org"),
    "/admin/locations/{id}": admin_change(host="other.example.org", port="22"),
    "/admin/locations/{id}/delete": admin_change(),
    # no clock is watched in this test: an administrator learns that it is trusted
    "/admin/clock": Rule("409 403 403 403 403 409 403"),
    # no scheduler runs in this test: an administrator is told so
    "/admin/jobs": Rule("503 403 403 403 403 503 403", {"name": "empty the trash"}),
    "/logout": Rule("303 303 303 303 303 303 303"),
}


@pytest.mark.parametrize("role", ROLES)
async def test_each_page_and_action_is_for_whom_it_is(new_browser: NewBrowser, role: str) -> None:
    browser, scene = await new_browser(), await make_scene()
    await browser.log_in(role)
    await add_passkey("alice")
    wrong = []
    for pattern, rule in GET.items():
        answer = await browser.get(scene.path(pattern))
        if answer.status != rule.status(role):
            wrong.append(f"GET {pattern}: {answer.status}, not {rule.status(role)}")
    for pattern, rule in POST.items():
        answer = await browser.post(scene.path(pattern), _fields(rule, scene))
        if answer.status != rule.status(role):
            wrong.append(f"POST {pattern}: {answer.status}, not {rule.status(role)}")
    assert not wrong, "\n".join(wrong)


def _fields(rule: Rule, scene: Scene) -> dict[str, str]:
    fields = {**rule.fields, "public_key": public_key()}
    if rule.needs is not None:
        fields[rule.needs] = str(getattr(scene, rule.needs))
    if rule.needs_box is not None:
        fields[f"{rule.needs_box}-{getattr(scene, rule.needs_box)}"] = "yes"
    return fields


STREAMS = {("GET", "/live")}  # test_live.py


async def test_every_route_has_its_rule(new_browser: NewBrowser) -> None:
    app = (await new_browser()).client.app
    assert isinstance(app, web.Application)
    closed = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.method != "HEAD" and route.resource and not is_public(route.handler)
    }
    ruled = {("GET", one) for one in GET} | {("POST", one) for one in POST}
    assert closed == ruled | STREAMS


async def test_to_strangers_what_is_there_and_what_is_not_look_the_same(
    new_browser: NewBrowser,
) -> None:
    browser, scene = await new_browser(), await make_scene()
    await browser.log_in("charlie")
    for pattern in [*GET, *POST]:
        if "{id}" not in pattern or pattern.startswith("/admin"):
            continue
        ask = browser.get if pattern in GET else browser.post
        there = await ask(scene.path(pattern))
        nowhere = await ask(pattern.replace("{id}", "999999"))
        assert there.status == nowhere.status == 404, pattern
        assert re.sub(r"\d+", "", there.text) == re.sub(r"\d+", "", nowhere.text), pattern


async def test_lists_show_nothing_of_what_is_not_shared(new_browser: NewBrowser) -> None:
    browser = await new_browser()
    await make_scene()
    await browser.log_in("charlie")
    for pattern in [one for one in GET if "{id}" not in one and not one.startswith("/admin")]:
        text = (await browser.get(pattern)).text
        for secret in ("documents", "photos", "old-server", "laptop</bdi>", "family", "alice"):
            assert secret not in text, pattern


async def test_who_shares_edits_without_taking_away_what_they_cannot_see(
    new_browser: NewBrowser,
) -> None:
    """Dora is not in `family`: saving the form must leave that share, and alice the owner."""
    browser, scene = await new_browser(), await make_scene()
    await browser.log_in("dora")
    form = {"name": "documents", "quota": "2TB", "share-team": "manage", "owner": "dora"}
    assert (await browser.post(f"/repositories/{scene.repository}/edit", form)).status == 303
    info = await catalogue.find_repository_by_id(OPERATOR, scene.repository)
    assert (info.owner, {one.group: one.level for one in info.groups}) == (
        "alice",
        {"family": "view", "team": "manage"},
    )
    forged = {**form, "share-family": ""}
    assert (await browser.post(f"/repositories/{scene.repository}/edit", forged)).status == 303
    saved = {"name": "laptop", "enabled": "yes", "share-team": "manage", "owner": "dora"}
    assert (await browser.post(f"/keys/{scene.key}", saved)).status == 303
    key = await keys.find_key_by_id(OPERATOR, scene.key)
    assert (key.owner, key.groups) == ("alice", ("family", "team"))
    again = await catalogue.find_repository_by_id(OPERATOR, scene.repository)
    assert len(again.groups) == 2
    assert {one.access for one in again.keys} == {"full", "append-only"}
