from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from hive.kinds import EventKind, Rest, Severity
from hive.services.outbox.kinds import (
    ACCESS_EXPIRES,
    DEAD_LETTER,
    DIGEST,
    DOWNTIME,
    KEY_EXPIRES,
    MANY_WRONG_LOGINS,
    NAMES,
    TABLE,
    Matter,
    by_group,
    matter_of,
)
from hive.services.outbox.routing import (
    Destination,
    Person,
    Quiet,
    RoutingRule,
    can_be_told,
    end_of_quiet,
    route,
    route_of_administrator,
)

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MAIL = Destination(channel_id=None, name="own mail address", kind="own mail")
PAGER, CHAT = (
    Destination(channel_id=1, name="pager", kind="webhook"),
    Destination(channel_id=2, name="chat", kind="slack"),
)
OFF = Destination(channel_id=3, name="off", kind="webhook", enabled=False)
ALICE = Person(
    id=1, name="alice", timezone=BERLIN, own_mail=MAIL, rest=Rest.NOTHING
)  # her rules alone count

DOWN = Matter("down", Severity.CRITICAL, repository_id=7, owner_id=1, tags=frozenset({"office"}))
LOCK = replace(DOWN, kind="stale lock", severity=Severity.WARNING)
LATE = replace(DOWN, kind="late", severity=Severity.WARNING, by_default=False)


def night(end: int = 7 * 60, *, for_critical: bool = False) -> Quiet:
    return Quiet(22 * 60, end, for_critical)


def channels(person: Person, matter: Matter) -> list[str]:
    return sorted(place.name for place in route(person, matter, NOW) or ())


def test_without_rules_every_channel_of_ones_own_is_used() -> None:
    person = replace(ALICE, channels=(PAGER, CHAT, OFF))
    assert channels(person, DOWN) == ["chat", "pager"]
    assert channels(replace(ALICE, channels=()), DOWN) == ["own mail address"]
    assert channels(replace(ALICE, own_mail=None), DOWN) == []


@pytest.mark.parametrize(
    ("rule", "is_told"),
    [
        (RoutingRule(), True),
        (RoutingRule(repository_id=7), True),
        (RoutingRule(repository_id=8), False),
        (RoutingRule(tag="office"), True),
        (RoutingRule(tag="home"), False),
        (RoutingRule(owner_id=1), True),
        (RoutingRule(owner_id=2), False),
        (RoutingRule(kinds=frozenset({"down"})), True),
        (RoutingRule(kinds=frozenset({"late"})), False),
        (RoutingRule(severity=Severity.CRITICAL), True),
        (RoutingRule(repository_id=7, tag="home"), False),
    ],
)
def test_a_rule_tells_what_fits_all_that_it_says(rule: RoutingRule, is_told: bool) -> None:
    person = replace(ALICE, channels=(CHAT,), rules=(replace(rule, places=(PAGER,)),))
    assert channels(person, DOWN) == (["pager"] if is_told else [])


def test_the_least_severity_holds_back_what_is_below_it() -> None:
    person = replace(ALICE, rules=(RoutingRule(severity=Severity.CRITICAL, places=(PAGER,)),))
    assert channels(person, LOCK) == []


def test_what_is_not_told_by_default_is_told_to_rules_that_name_it() -> None:
    assert channels(ALICE, LATE) == []
    anything = replace(ALICE, rules=(RoutingRule(places=(PAGER,)),))
    assert channels(anything, LATE) == []
    named = replace(ALICE, rules=(RoutingRule(kinds=frozenset({"late"}), places=(PAGER,)),))
    assert channels(named, LATE) == ["pager"]


def test_rules_add_up_and_use_each_channel_once_at_its_earliest_time() -> None:
    quiet_now = Quiet(12 * 60, 14 * 60)
    rules = (
        RoutingRule(places=(PAGER, CHAT), quiet=quiet_now),
        RoutingRule(tag="office", places=(PAGER,)),
    )
    found = route(replace(ALICE, rules=rules), LOCK, NOW)
    assert found == {PAGER: NOW, CHAT: datetime(2026, 11, 20, 13, 0, tzinfo=UTC)}


def test_what_no_rule_matches_goes_on_unless_its_person_wants_less() -> None:
    typo = RoutingRule(tag="sever", places=(PAGER,))
    person = replace(ALICE, channels=(CHAT,), rules=(typo,), rest=Rest.ALL)
    assert channels(person, DOWN) == channels(person, LOCK) == ["chat"]
    assert channels(person, LATE) == []  # it is sent to who asks for it alone
    critical = replace(person, rest=Rest.CRITICAL)
    assert (channels(critical, DOWN), channels(critical, LOCK)) == (["chat"], [])
    assert route(replace(person, rest=Rest.NOTHING), DOWN, NOW) is None


def test_where_every_way_is_broken_mail_is_used_as_well() -> None:
    broken = replace(PAGER, error="It fails.")
    assert channels(replace(ALICE, channels=(broken,)), DOWN) == ["own mail address", "pager"]
    assert channels(replace(ALICE, channels=(broken, CHAT)), DOWN) == ["chat", "pager"]
    by_rule = replace(ALICE, rules=(RoutingRule(places=(broken,)),))
    assert channels(by_rule, DOWN) == ["own mail address", "pager"]


def test_an_administrator_hears_of_others_what_is_critical_and_what_rules_name() -> None:
    ada = replace(ALICE, channels=(CHAT,), rest=Rest.ALL)
    assert route_of_administrator(ada, DOWN, NOW) == {CHAT: NOW}
    assert route_of_administrator(ada, LOCK, NOW) is None
    assert route_of_administrator(replace(ada, is_told_of_critical=False), DOWN, NOW) is None
    asked = replace(
        ada, is_told_of_critical=False, rules=(RoutingRule(owner_id=1, places=(PAGER,)),)
    )
    assert route_of_administrator(asked, LOCK, NOW) == {PAGER: NOW}
    assert route_of_administrator(asked, replace(LOCK, owner_id=2), NOW) is None


def test_a_rule_whose_channels_are_gone_does_not_fall_silent() -> None:
    assert channels(replace(ALICE, channels=(CHAT,), rules=(RoutingRule(),)), DOWN) == ["chat"]


def test_a_rule_whose_channel_is_switched_off_is_silent_on_purpose() -> None:
    assert (
        channels(replace(ALICE, channels=(CHAT,), rules=(RoutingRule(places=(OFF,)),)), DOWN) == []
    )


def test_whom_nothing_leads_to_cannot_be_told() -> None:
    nobody = replace(ALICE, own_mail=None, channels=(OFF,))
    assert not can_be_told(nobody)
    assert can_be_told(ALICE)
    assert can_be_told(replace(nobody, channels=(PAGER,)))
    assert can_be_told(
        replace(nobody, rules=(RoutingRule(places=(OFF,)), RoutingRule(places=(CHAT,))))
    )
    assert not can_be_told(replace(ALICE, rules=(RoutingRule(places=(OFF,)),)))
    assert can_be_told(replace(ALICE, rules=(RoutingRule(places=()),)))


def test_every_kind_that_a_rule_may_name_is_in_one_group() -> None:
    grouped = [kind for _, kinds in by_group() for kind in kinds]
    assert sorted(grouped) == sorted(NAMES)
    others = (DEAD_LETTER, DIGEST, DOWNTIME, KEY_EXPIRES, ACCESS_EXPIRES, MANY_WRONG_LOGINS)
    assert by_group()[-1] == (None, others)


def test_who_is_told_of_a_trouble_is_told_of_its_end() -> None:
    recovered = matter_of(EventKind.RECOVERED, {"former": "down"})
    assert recovered is not None
    for rule in (RoutingRule(severity=Severity.CRITICAL), RoutingRule(kinds=frozenset({"down"}))):
        person = replace(ALICE, rules=(replace(rule, places=(PAGER,)),))
        assert channels(person, recovered) == ["pager"]
    info = matter_of(EventKind.ALARM_ENDED, {"alarm": "stale lock"})
    assert info is not None
    person = replace(ALICE, rules=(RoutingRule(severity=Severity.CRITICAL, places=(PAGER,)),))
    assert channels(person, info) == []


def test_the_end_of_what_was_only_late_is_told_to_nobody_who_was_not_told_that() -> None:
    recovered = matter_of(EventKind.RECOVERED, {"former": "late"})
    assert recovered is not None
    assert channels(ALICE, recovered) == []
    person = replace(ALICE, rules=(RoutingRule(kinds=frozenset({"late"}), places=(PAGER,)),))
    assert channels(person, recovered) == ["pager"]


def test_a_digest_goes_where_a_rule_names_it_or_where_it_always_went() -> None:
    digest = Matter(DIGEST, Severity.INFO)
    everything = RoutingRule(severity=Severity.INFO, places=(PAGER,))
    assert channels(replace(ALICE, channels=(CHAT,), rules=(everything,)), digest) == ["chat"]
    named = RoutingRule(kinds=frozenset({DIGEST}), places=(PAGER,))
    assert channels(replace(ALICE, channels=(CHAT,), rules=(named,)), digest) == ["pager"]


def test_what_is_muted_and_what_is_in_no_table_is_never_told() -> None:
    assert matter_of(EventKind.DOWN, {"muted": True}) is None
    assert matter_of(EventKind.OPENED, {}) is None
    assert EventKind.UPDATED not in TABLE


def test_a_full_quota_is_critical_and_a_filling_one_a_warning() -> None:
    severities = [
        matter.severity
        for level in (80, 90, 100)
        if (matter := matter_of(EventKind.QUOTA_FILLING, {"level": level}))
    ]
    assert severities == [Severity.WARNING, Severity.WARNING, Severity.CRITICAL]


def test_quiet_hours_hold_what_is_not_critical() -> None:
    at_night = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)  # midnight in Berlin
    morning = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
    loud = replace(ALICE, rules=(RoutingRule(places=(PAGER,), quiet=night()),))
    assert route(loud, LOCK, at_night) == {PAGER: morning}
    assert route(loud, DOWN, at_night) == {PAGER: at_night}
    silent = replace(ALICE, rules=(RoutingRule(places=(PAGER,), quiet=night(for_critical=True)),))
    assert route(silent, DOWN, at_night) == {PAGER: morning}


@pytest.mark.parametrize(
    ("now", "quiet", "end"),
    [
        # an ordinary night, before and after midnight
        ("2026-11-20T22:30+01:00", night(), "2026-11-21T07:00+01:00"),
        ("2026-11-21T03:00+01:00", night(), "2026-11-21T07:00+01:00"),
        # the bounds: the first minute is quiet, the last one is not
        ("2026-11-20T22:00+01:00", night(), "2026-11-21T07:00+01:00"),
        ("2026-11-21T07:00+01:00", night(), "2026-11-21T07:00+01:00"),
        ("2026-11-20T21:59+01:00", night(), "2026-11-20T21:59+01:00"),
        # quiet hours of one day
        ("2026-11-20T13:00+01:00", Quiet(720, 840), "2026-11-20T14:00+01:00"),
        # clocks go forward on 2027-03-28: the night is an hour shorter, its end is the same
        ("2027-03-27T23:00+01:00", night(), "2027-03-28T07:00+02:00"),
        # its end is in the hour that is left out: the first moment after it
        ("2027-03-28T01:30+01:00", night(150), "2027-03-28T03:30+02:00"),
        # clocks go back on 2026-10-25: the night is an hour longer, its end is the same
        ("2026-10-24T23:00+02:00", night(), "2026-10-25T07:00+01:00"),
        # its end is in the hour that comes twice: the first time
        ("2026-10-25T01:00+02:00", night(150), "2026-10-25T02:30+02:00"),
        # the wall shows quiet time again, after the end: it does not go back in time
        ("2026-10-25T02:10+01:00", night(150), "2026-10-25T02:10+01:00"),
    ],
)
def test_quiet_hours_end_by_the_clock_on_the_wall(now: str, quiet: Quiet, end: str) -> None:
    found = end_of_quiet(quiet, BERLIN, datetime.fromisoformat(now).astimezone(UTC))
    assert found == datetime.fromisoformat(end)
