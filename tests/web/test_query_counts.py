"""However much there is, each list takes as many queries as for little."""

from __future__ import annotations

import base64

import pytest

from hive import clock
from hive.kinds import (
    Access,
    AttemptOutcome,
    DeliveryState,
    EventKind,
    Severity,
    ShareLevel,
    TriggerKind,
)
from hive.models import Alarm, Delivery, DeliveryAttempt, Event, Notification
from hive.services import triggers
from hive.services.accounts import groups, users
from hive.services.keys import keys, refused_keys
from hive.services.lifecycle import trash
from hive.services.notifications import channels, rules
from hive.services.notifications.rules import AddRule
from hive.services.permissions import OPERATOR, Actor
from hive.services.reports import tokens
from hive.services.repositories import catalogue, tags
from hive.services.storage import locations
from tests.web.browser import PASSWORD, NewBrowser
from tests.web.rows import RUNNING, add_session, public_key, put_on_disk

LISTS = (
    "/",
    "/keys",
    "/sessions",
    "/events",
    "/trash",
    "/repositories/add",
    "/repositories/{id}",
    "/repositories/{id}/keys",
    "/repositories/{id}/connect",
    "/repositories/change",
    "/machines/add",
    "/repositories/{id}/edit",
    "/repositories/{id}/triggers",
    "/repositories/{id}/reports",
    "/notifications",
    "/notifications/channels",
    "/notifications/rules",
    "/notifications/rules/add",
    "/notifications/deliveries",
    "/admin/users",
    "/admin/groups",
    "/admin/locations",
    "/admin/audit",
    "/account/sessions",
)


async def _add_one_of_each(alice: Actor, number: int, first: int) -> int:
    """Everything that the lists show, once more; `first` is the repository to add things to."""
    name = f"n{number}"
    await users.add_user(OPERATOR, users.AddUser(name=name, password=PASSWORD))
    await groups.add_group(OPERATOR, groups.AddGroup(name=name, members=["alice", name]))
    await locations.add_location(
        OPERATOR, locations.AddLocation(name=name, host=f"{name}.example.org", port=22)
    )
    key = await keys.add_key(
        alice, keys.AddKey(name=name, owner="alice", text=public_key(), groups=[name])
    )
    made = await catalogue.add_repository(
        alice,
        name,
        owner="alice",
        accesses={name: Access.APPEND_ONLY},
        share_levels={name: ShareLevel.VIEW},
    )
    deleted = await catalogue.add_repository(alice, f"x{number}", owner="alice")
    await trash.delete_repository(alice, deleted.id)
    first = first or made.id
    await catalogue.set_repository(OPERATOR, first, share_levels={name: ShareLevel.MANAGE})
    for repository in {made.id, first}:
        await put_on_disk(repository)
        await tags.change_tags(alice, repository, add=[name])
        await add_session(repository, minutes_ago=9, key_id=key.id, operation="create")
        running = await add_session(repository, minutes_ago=3, key_id=key.id, **RUNNING)
        for answered_by in (None, "alice"):
            await Alarm.create(
                repository_id=repository,
                kind=EventKind.MASS_DELETION,
                level=1,
                message="Much is gone.",
                since=clock.now(),
                session_id=running.id,
                answered_by=answered_by,
                answered_at=clock.now() if answered_by else None,
            )
        await Event.create(
            repository_id=repository, kind=EventKind.OPENED, message="Opened.", at=clock.now()
        )
    await Alarm.create(
        repository_id=made.id,
        kind=EventKind.STALE_LOCK,
        level=1,
        message="Old.",
        since=clock.now(),
    )
    await refused_keys.note(made.id, base64.b64decode(public_key().split()[1]), "192.0.2.44")
    await _notify(alice, name, made.id)
    for repository in {made.id, first}:
        title = f"{name}-{repository}"
        await triggers.add_trigger(
            alice,
            repository,
            triggers.AddTrigger(
                name=title, kind=TriggerKind.WEBHOOK, settings={"url": "https://example.org/x"}
            ),
        )
        await tokens.add_token(alice, repository, title)
    return first


async def _notify(alice: Actor, name: str, repository: int) -> None:
    channel = await channels.add(
        alice,
        name,
        owner="alice",
        kind="webhook",
        settings={"url": "https://example.org/"},
        groups=[name],
    )
    await rules.add(
        alice, "alice", AddRule(name=name, channels=[channel.id], repository=repository)
    )
    told = await Notification.create(
        user_id=alice.user_id,
        key=name,
        repository_id=repository,
        kind=EventKind.DOWN,
        severity=Severity.WARNING,
        title="Down",
        text="It is down.",
        at=clock.now(),
    )
    sent = await Delivery.create(
        notification_id=told.id,
        channel_id=channel.id,
        channel_name=name,
        channel_kind="webhook",
        token=name,
        state=DeliveryState.DEAD,
        created_at=clock.now(),
    )
    await DeliveryAttempt.create(
        delivery_id=sent.id, at=clock.now(), outcome=AttemptOutcome.PERMANENT, answer="no"
    )


@pytest.mark.long
async def test_no_list_asks_the_database_once_for_each_row(
    new_browser: NewBrowser, root: Actor, alice: Actor, statements: list[str]
) -> None:
    """Administrators see all without being asked what they may see: so others look as well."""
    browsers = {name: await new_browser() for name in ("root", "alice")}
    for name, browser in browsers.items():
        await browser.log_in(name)
    looks = [(name, path) for name in browsers for path in LISTS if is_for(name, path)]
    counts: dict[tuple[str, str], list[int]] = {look: [] for look in looks}
    first = number = 0
    for many in (2, 9):
        while number < many:
            first = await _add_one_of_each(alice, number, first)
            number += 1
        for name, path in looks:
            statements.clear()
            answer = await browsers[name].get(path.replace("{id}", str(first)))
            assert answer.status == 200, path
            counts[name, path].append(len(statements))
    wrong = [f"{look}: {few}, {more}" for look, (few, more) in counts.items() if few < more]
    assert wrong == []


def is_for(name: str, path: str) -> bool:
    return name == "root" or not path.startswith("/admin")
