"""A hive with one of everything, for tests that look at all pages."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import timedelta

from hive import clock
from hive.kinds import (
    Access,
    ArchiveCreated,
    AttemptOutcome,
    DeliveryState,
    EndReason,
    EventKind,
    Mode,
    Role,
    RunVerdict,
    Severity,
    ShareLevel,
    Source,
    TriggerKind,
    TriggerReason,
    TriggerState,
)
from hive.models import (
    Alarm,
    Delivery,
    DeliveryAttempt,
    Event,
    Inspection,
    Notification,
    Passkey,
    Run,
    Statistic,
    TriggerRun,
    User,
)
from hive.sentences import Size, say
from hive.services import triggers
from hive.services.accounts import browser_sessions, groups, users, wall_links
from hive.services.alarms import alarms
from hive.services.gate import host_keys
from hive.services.health import schedules
from hive.services.health.schedules import ScheduleChange
from hive.services.keys import grants, keys, refused_keys
from hive.services.lifecycle import trash
from hive.services.notifications import channels, rules
from hive.services.notifications.rules import AddRule
from hive.services.permissions import OPERATOR, Actor
from hive.services.reports import reports, tokens
from hive.services.reports.reports import Report, ReportKind
from hive.services.repositories import catalogue, tags
from hive.services.storage import locations
from tests.web.browser import PASSWORD
from tests.web.rows import RUNNING, add_session, public_key, put_on_disk

PASSKEY = 1
_SHARES = {"family": ShareLevel.VIEW, "team": ShareLevel.MANAGE}


@dataclass(frozen=True)
class Scene:
    """Alice owns it all, bob's group may see it, dora's may manage it, charlie sees nothing."""

    repository: int
    in_use: int  # another one, on which a session runs
    deleted: int
    empty: int  # only alice's
    key: int
    other_key: int
    refused: int
    session: int
    live: int
    browser_session: int
    location: int
    user: int
    owner: int  # alice
    group: int
    alarm: int
    channel: int
    rule: int
    delivery: int
    trigger: int
    trigger_run: int
    ping_token: int
    report: int
    wall_link: int

    def path(self, pattern: str) -> str:
        """The path of a route's pattern that leads to a thing of alice's."""
        ids = {
            "/triggers/runs/": self.trigger_run,
            "/triggers/": self.trigger,
            "/reports/tokens/": self.ping_token,
            "/reports/": self.report,
            "/repositories/": self.repository,
            "/alarms/": self.alarm,
            "/trash/": self.deleted,
            "/keys/refused/": self.refused,
            "/keys/": self.key,
            "/sessions/{id}/end": self.live,
            "/sessions/": self.session,
            "/account/passkeys/": PASSKEY,
            "/account/sessions/": self.browser_session,
            "/notifications/channels/": self.channel,
            "/notifications/rules/": self.rule,
            "/notifications/deliveries/": self.delivery,
            "/admin/locations/": self.location,
            "/admin/users/": self.user,
            "/admin/groups/": self.group,
            "/account/groups/": self.group,
            "/admin/wall/": self.wall_link,
        }
        found = next((one for start, one in ids.items() if pattern.startswith(start)), 0)
        return pattern.replace("{id}", str(found))


async def user(name: str, *, role: Role = Role.MEMBER) -> Actor:
    made = await users.add_user(OPERATOR, users.AddUser(name=name, password=PASSWORD, role=role))
    return made.actor(Source.WEB, "192.0.2.1")


async def make_scene() -> Scene:
    """Users root, alice, bob, dora, charlie, olga, audrey and unused; passwords are PASSWORD."""
    await host_keys.load()
    await user("root", role=Role.ADMINISTRATOR)
    alice = await user("alice")
    await user("bob")
    await user("dora")
    await user("charlie")
    await user("olga", role=Role.OPERATOR)
    await user("audrey", role=Role.AUDITOR)
    await groups.add_group(OPERATOR, groups.AddGroup(name="family", members=["alice", "bob"]))
    await groups.add_group(OPERATOR, groups.AddGroup(name="team", members=["alice", "dora"]))
    laptop = await keys.add_key(
        alice, keys.AddKey(name="laptop", owner="alice", text=f"{public_key()} alice@laptop")
    )
    await keys.change_key(alice, laptop.id, keys.ChangeKey(share_levels=_SHARES))
    nas = await keys.add_key(
        alice, keys.AddKey(name="nas", owner="alice", text=public_key(), networks=["192.0.2.0/24"])
    )
    made = [await _repository(alice, name) for name in ("documents", "photos", "old-server")]
    empty = await catalogue.add_repository(alice, "music", owner="alice", mode=Mode.IMPORT)
    for one in made:
        await grants.change_access(
            alice,
            one,
            grants.ChangeAccess(accesses={"laptop": Access.FULL, "nas": Access.APPEND_ONLY}),
        )
        await put_on_disk(one)
    session, live = await _sessions(made[0], made[1], laptop.id)
    await _health(alice, made[0], made[1])
    await alarms.happened(
        made[0],
        EventKind.MASS_DELETION,
        say(
            "Key %(key)s deleted %(percent).0f %% of the data: %(lost)s of %(had)s.",
            key="laptop",
            percent=91.0,
            lost=Size(9_100_000_000),
            had=Size(10_000_000_000),
        ),
        session_id=session,
        lost_percent=91.0,
    )
    alarm = await Alarm.get(kind=EventKind.MASS_DELETION)
    await trash.delete_repository(alice, made[2])
    blob = base64.b64decode(public_key().split()[1])
    await refused_keys.note(made[0], blob, "192.0.2.44")
    refused = (await refused_keys.list_refused(alice))[0]
    place = await locations.add_location(
        OPERATOR, locations.AddLocation(name="attic", host="attic.example.org", port=22)
    )
    unused = await user("unused")
    spare = await groups.add_group(OPERATOR, groups.AddGroup(name="spare", members=["bob"]))
    assert unused.user_id is not None
    assert alice.user_id is not None
    channel, rule, delivery = await _notifications(alice, made[0])
    return Scene(
        repository=made[0],
        in_use=made[1],
        deleted=made[2],
        empty=empty.id,
        key=laptop.id,
        other_key=nas.id,
        refused=refused.id,
        session=session,
        live=live,
        browser_session=await _browser_session(alice),
        location=place.id,
        user=unused.user_id,
        owner=alice.user_id,
        group=spare.id,
        alarm=alarm.id,
        channel=channel,
        rule=rule,
        delivery=delivery,
        wall_link=(await wall_links.add(OPERATOR, "hall")).info.id,
        **await _triggers_and_reports(alice, made[0]),
    )


async def add_passkey(name: str) -> None:
    """After they logged in: their next login takes a second step."""
    owner = await User.get(name=name)
    await Passkey.create(
        id=PASSKEY,
        user_id=owner.id,
        name="security key",
        credential_sha256="0" * 64,
        credential=b"",
        rp_id="hive.example.org",
        sign_count=0,
        created_at=clock.now(),
    )


async def _browser_session(alice: Actor) -> int:
    user = await users.get_user(alice, alice.user_id or 0)
    await browser_sessions.open_session(user, address="192.0.2.8", user_agent="curl/8.9.1")
    return (await browser_sessions.list_own(alice, None))[0].id


async def _repository(alice: Actor, name: str) -> int:
    made = await catalogue.add_repository(
        alice,
        name,
        owner="alice",
        quota_bytes=2_000_000_000_000,
        share_levels=dict(_SHARES),
    )
    return made.id


async def _notifications(alice: Actor, repository: int) -> tuple[int, int, int]:
    """A channel and a rule of alice's, and a notification that could not be delivered by it."""
    settings = {"server": "https://127.0.0.1:1", "topic": "backups", "token": "tk_secret_of_alice"}
    phone = await channels.add(alice, "phone", owner="alice", kind="ntfy", settings=settings)
    await channels.change(alice, phone.id, share_levels=_SHARES)
    wanted = AddRule(
        name="night",
        channels=[phone.id],
        repository=repository,
        kinds=["down", "late"],
        quiet="22:00-07:00",
    )
    rule = await rules.add(alice, "alice", wanted)
    told = await Notification.create(
        user_id=alice.user_id,
        key="event:1",
        kind=EventKind.DOWN,
        severity=Severity.CRITICAL,
        repository_id=repository,
        title="documents: a backup is missing",
        text="The last backup was 9 days ago.\n\nSee whether the client is on.",
        details={"repository": "documents"},
        at=clock.now() - timedelta(hours=5),
    )
    delivery = await Delivery.create(
        token="t" * 32,
        notification_id=told.id,
        channel_id=phone.id,
        channel_name="phone",
        channel_kind="ntfy",
        state=DeliveryState.DEAD,
        attempts=2,
        created_at=told.at,
    )
    for outcome, answer in (
        (AttemptOutcome.PASSING, "ntfy answered 503"),
        (AttemptOutcome.PERMANENT, "ntfy answered 403: forbidden"),
    ):
        await DeliveryAttempt.create(
            delivery_id=delivery.id, at=told.at, seconds=0.31, outcome=outcome, answer=answer
        )
    return phone.id, rule.id, delivery.id


async def _health(alice: Actor, repository: int, in_use: int) -> None:
    """One with a schedule, tags and a history; and an alarm."""
    now = clock.now()
    for days in (40, 9, 1):
        size = (900 - days) * 10**9
        await Statistic.create(
            repository_id=repository,
            at=now - timedelta(days=days),
            size_bytes=size,
            live_bytes=size - 10**10,
            reclaimable_bytes=10**10,
        )
    await Inspection.create(
        repository_id=repository,
        at=now,
        kind="borg1",
        encryption="none",
        size_bytes=899 * 10**9,
        checked_at=now - timedelta(days=3),
        check_error="Segment 7 is damaged.",
    )
    await schedules.set_schedule(alice, repository, ScheduleChange(every=timedelta(days=1)))
    await tags.change_tags(alice, repository, add=["home"])
    await Alarm.create(
        repository_id=in_use, kind=EventKind.STALE_LOCK, level=1, message="Old.", since=now
    )


async def _triggers_and_reports(alice: Actor, repository: int) -> dict[str, int]:
    """A webhook that was called, a token, and what was reported with it."""
    hook = await triggers.add_trigger(
        alice,
        repository,
        triggers.AddTrigger(
            name="wake the laptop",
            kind=TriggerKind.WEBHOOK,
            settings={
                "url": "https://automation.example.org/hook/hidden-path",
                "header.Authorization": "Bearer hidden-bearer",
                "body": '{"hidden": "{login}"}',
            },
            cron="0 3 * * *",
            timezone="Europe/Berlin",
            is_for_late=True,
        ),
    )
    run = await TriggerRun.create(
        trigger_id=hook.id,
        reason=TriggerReason.BUTTON,
        asked_by="alice",
        state=TriggerState.FAILED,
        started_at=clock.now() - timedelta(hours=3),
        ended_at=clock.now() - timedelta(hours=2),
        message="The answer was 503: the laptop sleeps too deeply.",
    )
    new = await tokens.add_token(alice, repository, "laptop")
    admitted = await tokens.admit(new.token, "192.0.2.17")
    assert admitted is not None
    said = "Creating archive at ssh://login@hive/./documents::today\nConnection closed.\n"
    for kind in (ReportKind.START, ReportKind.FINISH):
        report = await reports.receive(
            admitted, Report(kind=kind, peer="192.0.2.17", text=said, user_agent="curl")
        )
    await Run.filter(id=report).update(verdict=RunVerdict.NOTHING_WRITTEN, judge_at=None)
    return {
        "trigger": hook.id,
        "trigger_run": run.id,
        "ping_token": new.info.id,
        "report": report,
    }


async def _sessions(repository: int, in_use: int, key: int) -> tuple[int, int]:
    for days in range(8, 1, -1):
        await add_session(repository, minutes_ago=days * 1440, key_id=key, operation="create")
    await add_session(
        repository,
        minutes_ago=1400,
        key_id=key,
        end_reason=EndReason.CLIENT_GONE,
        exit_status=None,
        error="The client went away in the middle of a backup.",
        archive_created=ArchiveCreated.PARTIAL,
    )
    session = await add_session(
        repository,
        minutes_ago=30,
        key_id=key,
        operation="create",
        borg_version="1.4.1",
        archive_created=ArchiveCreated.YES,
        bytes_added=1_380_000_000,
        bytes_removed=0,
        bytes_freed=0,
        reclaimable_bytes=12_000_000,
    )
    for kind, words in (
        (EventKind.OPENED, "Key laptop opened it from 192.0.2.17."),
        (EventKind.CLOSED, "Key laptop: create, done, exit status 0, 1.40 GB in, 3.40 kB out."),
        (EventKind.MASS_DELETION, "One session deleted 62 % of the live data."),
    ):
        await Event.create(
            repository_id=repository,
            session_id=session.id,
            kind=kind,
            message=words,
            at=clock.now(),
        )
    live = await add_session(in_use, minutes_ago=12, key_id=key, **RUNNING)
    return session.id, live.id
