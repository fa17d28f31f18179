from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pyotp
import pytest

from hive import clock
from hive.errors import Conflict, Forbidden, InvalidInput, NotFound
from hive.models import AuditEntry, RecoveryCode, Totp
from hive.services.accounts import second_factor
from hive.services.permissions import OPERATOR, Actor
from hive.services.secrets import totp_secret
from tests.factories import People

pytestmark = pytest.mark.usefixtures("hive")


@pytest.fixture
def now() -> datetime:
    """The clock stands still in the middle of a step."""
    at = clock.now().replace(second=15, microsecond=0)
    clock.use(lambda: at)
    return at


async def set_up(actor: Actor) -> tuple[pyotp.TOTP, tuple[str, ...]]:
    await second_factor.begin_totp(actor)
    enrolment = await second_factor.enrolment(actor)
    assert enrolment is not None
    app = pyotp.TOTP(enrolment.secret)
    return app, await second_factor.confirm_totp(actor, app.at(clock.now()))


async def test_an_app_counts_only_after_its_first_code(people: People, now: datetime) -> None:
    alice = people.alice
    await second_factor.begin_totp(alice)
    enrolment = await second_factor.enrolment(alice)
    assert enrolment is not None
    assert pyotp.parse_uri(enrolment.uri).secret == enrolment.secret
    assert not (await second_factor.factors_of(alice.user_id or 0)).is_on
    with pytest.raises(InvalidInput):
        await second_factor.confirm_totp(alice, "12345")
    codes = await second_factor.confirm_totp(alice, pyotp.TOTP(enrolment.secret).at(now))
    assert len(set(codes)) == 10
    assert (await second_factor.factors_of(alice.user_id or 0)).is_on
    assert await second_factor.enrolment(alice) is None
    with pytest.raises(Conflict):
        await second_factor.begin_totp(alice)


async def test_a_code_is_taken_once_and_none_before_it(people: People, now: datetime) -> None:
    """Somebody who looks over alice's shoulder types the code that she has just used."""
    user_id = people.alice.user_id or 0
    app, _ = await set_up(people.alice)
    at = {step: app.at(now + timedelta(seconds=30 * step)) for step in (-2, -1, 0, 1, 2)}
    assert not await second_factor.take_totp_code(user_id, at[0])  # it switched the app on
    assert not await second_factor.take_totp_code(user_id, at[-1])
    assert not await second_factor.take_totp_code(user_id, at[2])
    assert await second_factor.take_totp_code(user_id, f" {at[1][:3]} {at[1][3:]} ")
    assert not await second_factor.take_totp_code(user_id, at[1])
    clock.use(lambda: now + timedelta(seconds=60))
    assert await second_factor.take_totp_code(user_id, at[2])
    assert not await second_factor.take_totp_code(user_id, at[1])


async def test_of_many_who_send_one_code_at_once_one_is_let_in(
    people: People, now: datetime
) -> None:
    user_id = people.alice.user_id or 0
    app, _ = await set_up(people.alice)
    code = app.at(now + timedelta(seconds=30))
    taken = await asyncio.gather(*(second_factor.take_totp_code(user_id, code) for _ in range(10)))
    assert taken.count(True) == 1


@pytest.mark.parametrize(
    "code",
    ["", "000000 0", "\uff11\uff12\uff13\uff14\uff15\uff16", "-12345", "a" * 10_000, "1e5\0"],
)
async def test_what_is_no_code_is_refused(people: People, code: str) -> None:
    await set_up(people.alice)
    assert not await second_factor.take_totp_code(people.alice.user_id or 0, code)
    assert not await second_factor.take_recovery_code(people.alice, code)


async def test_an_app_that_is_not_confirmed_lets_nobody_in(people: People, now: datetime) -> None:
    await second_factor.begin_totp(people.alice)
    code = pyotp.TOTP(totp_secret(await Totp.get())).at(now)
    assert not await second_factor.take_totp_code(people.alice.user_id or 0, code)


async def test_the_codes_of_one_are_not_those_of_another(people: People, now: datetime) -> None:
    app, codes = await set_up(people.alice)
    await set_up(people.bob)
    code = app.at(now + timedelta(seconds=30))
    assert not await second_factor.take_totp_code(people.bob.user_id or 0, code)
    assert not await second_factor.take_recovery_code(people.bob, codes[0])


async def test_tries_to_switch_on_are_counted(people: People) -> None:
    await second_factor.begin_totp(people.alice)
    for _ in range(20):
        with pytest.raises(InvalidInput):
            await second_factor.confirm_totp(people.alice, "000000x")
    with pytest.raises(Forbidden, match="Too many"):
        await second_factor.confirm_totp(people.alice, "000000x")


async def test_a_recovery_code_works_once_however_it_is_typed(people: People) -> None:
    _, codes = await set_up(people.alice)
    typed = codes[0].replace("-", " ").upper().replace("0", "O").replace("1", "I")
    assert await second_factor.take_recovery_code(people.alice, typed)
    assert not await second_factor.take_recovery_code(people.alice, codes[0])
    taken = await asyncio.gather(
        *(second_factor.take_recovery_code(people.alice, codes[1]) for _ in range(5))
    )
    assert taken.count(True) == 1
    assert (await second_factor.factors_of(people.alice.user_id or 0)).recovery_codes == 8


async def test_recovery_codes_are_stored_as_hashes_and_new_ones_replace_them(
    people: People,
) -> None:
    _, codes = await set_up(people.alice)
    stored = str([row.__dict__ for row in await RecoveryCode.all()])
    audited = str([row.__dict__ for row in await AuditEntry.all()])
    for code in codes:
        for text in (code, code.replace("-", "")):
            assert text not in stored
            assert text not in audited
    fresh = await second_factor.new_recovery_codes(people.alice)
    assert not set(fresh) & set(codes)
    assert not await second_factor.take_recovery_code(people.alice, codes[0])
    assert await second_factor.take_recovery_code(people.alice, fresh[0])


async def test_without_a_second_factor_there_are_no_recovery_codes(people: People) -> None:
    with pytest.raises(Conflict):
        await second_factor.new_recovery_codes(people.alice)
    await set_up(people.alice)
    await second_factor.remove_totp(people.alice)
    assert not await RecoveryCode.exists()
    assert not (await second_factor.factors_of(people.alice.user_id or 0)).is_on


async def test_only_an_administrator_switches_off_what_others_have(people: People) -> None:
    await set_up(people.alice)
    alice = people.alice.user_id or 0
    for actor in (people.alice, people.bob):
        with pytest.raises(Forbidden):
            await second_factor.switch_off(actor, alice)
    assert (await second_factor.factors_of(alice)).is_on
    await second_factor.switch_off(people.admin, alice)
    assert not (await second_factor.factors_of(alice)).is_on
    entry = await AuditEntry.filter(action="user.second_factor.off").get()
    assert (entry.actor, entry.subject, entry.details["apps"]) == ("admin", "user alice", 1)
    with pytest.raises(NotFound):
        await second_factor.switch_off(OPERATOR, 4711)
