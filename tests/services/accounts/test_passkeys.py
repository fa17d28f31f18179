from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import RegistrationResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hive import clock
from hive.errors import Conflict, InvalidInput, NotFound
from hive.models import AuditEntry, Passkey
from hive.services.accounts import passkeys, second_factor
from hive.services.accounts.passkeys import RelyingParty
from hive.services.permissions import Actor
from tests.authenticator import Authenticator
from tests.factories import People

pytestmark = pytest.mark.usefixtures("hive")

MANGLED: tuple[Any, ...] = ("", "AA", "gICAgICA", "oQ" * 50, "_" * 2000, None, 7, [], {})
HERE = RelyingParty("localhost", "http://localhost:8080")
FROM = "192.0.2.1"


async def add(actor: Actor, key: Authenticator, name: str = "yellow key") -> tuple[str, ...]:
    options = await passkeys.creation_options(actor, HERE)
    return await passkeys.add_passkey(actor, HERE, name, key.make(options))


async def options_for(actor: Actor, login: str = "a login") -> dict[str, Any]:
    options = await passkeys.second_options(actor.user_id or 0, login, HERE)
    assert options is not None
    json.dumps(options)
    return options


async def is_second(actor: Actor, response: str, login: str = "a login") -> bool:
    return await passkeys.take_second(actor.user_id or 0, login, HERE, response, address=FROM)


async def test_a_passkey_is_added_used_named_and_deleted(people: People) -> None:
    key = Authenticator()
    assert len(await add(people.alice, key)) == 10
    assert await add(people.alice, Authenticator(), "blue key") == ()
    first, second = await passkeys.list_passkeys(people.alice)
    assert (first.name, second.name, first.last_used_at) == ("yellow key", "blue key", None)
    assert await is_second(people.alice, key.use(await options_for(people.alice)))
    assert (await passkeys.get_passkey(people.alice, first.id)).last_used_at is not None
    await passkeys.rename_passkey(people.alice, first.id, "old key")
    assert (await passkeys.get_passkey(people.alice, first.id)).name == "old key"
    for one in (first, second):
        await passkeys.delete_passkey(people.alice, one.id)
    factors = await second_factor.factors_of(people.alice.user_id or 0)
    assert (factors.is_on, factors.recovery_codes) == (False, 0)
    actions = [row.action for row in await AuditEntry.filter(action__startswith="user.passkey")]
    assert actions == [
        f"user.passkey.{what}" for what in ("add", "add", "rename", "delete", "delete")
    ]


async def test_an_assertion_is_taken_once(people: People) -> None:
    """What was sent once is sent again by who saw it."""
    key = Authenticator()
    await add(people.alice, key)
    response = key.use(await options_for(people.alice))
    results = await asyncio.gather(*(is_second(people.alice, response) for _ in range(5)))
    assert results.count(True) == 1
    assert not await is_second(people.alice, response)


async def test_a_new_passkey_is_taken_once(people: People) -> None:
    key = Authenticator()
    response = key.make(await passkeys.creation_options(people.alice, HERE))
    await passkeys.add_passkey(people.alice, HERE, "one", response)
    await Passkey.all().delete()
    with pytest.raises(InvalidInput):
        await passkeys.add_passkey(people.alice, HERE, "two", response)


async def test_a_challenge_is_good_for_one_user_one_login_and_one_purpose(people: People) -> None:
    alice, bob = Authenticator(), Authenticator()
    await add(people.alice, alice)
    await add(people.bob, bob)
    # bob signs the challenge of alice's login, with his key and as his login
    signed = bob.use(await options_for(people.alice))
    assert not await is_second(people.alice, signed)
    assert not await is_second(people.bob, signed, "another login")
    assert not await is_second(people.alice, alice.use(await options_for(people.alice)), "other")
    assert not await is_second(people.alice, alice.use(passkeys.login_options(HERE)))
    signed = alice.use(await options_for(people.alice))
    assert await passkeys.take_login(HERE, signed, address=FROM) is None
    # a challenge for a new passkey of bob's is none for one of alice's
    options = await passkeys.creation_options(people.bob, HERE)
    with pytest.raises(InvalidInput):
        await passkeys.add_passkey(people.alice, HERE, "x", Authenticator().make(options))


async def test_an_invented_or_old_challenge_is_refused(people: People) -> None:
    key = Authenticator()
    await add(people.alice, key)
    for challenge in ("", "AAAA", "A" * 75, "A" * 100):
        assert not await is_second(people.alice, key.use({"challenge": challenge}))
    options = await options_for(people.alice)
    later = clock.now() + timedelta(minutes=5, seconds=1)
    clock.use(lambda: later)
    assert not await is_second(people.alice, key.use(options))


@pytest.mark.parametrize(
    "changed",
    [
        Authenticator(origin="http://localhost:8081"),
        Authenticator(origin="https://localhost:8080"),
        Authenticator(origin="http://evil.localhost:8080"),
        Authenticator(origin="https://evil.example"),
        Authenticator(rp_id="evil.example"),
    ],
)
async def test_what_was_signed_for_another_origin_is_refused(
    people: People, changed: Authenticator
) -> None:
    """Alice is on a page that looks like ours and hands on what her key signs there."""
    key = Authenticator()
    await add(people.alice, key)
    key.origin, key.rp_id = changed.origin, changed.rp_id
    assert not await is_second(people.alice, key.use(await options_for(people.alice)))
    options = await passkeys.creation_options(people.alice, HERE)
    with pytest.raises(InvalidInput):
        await passkeys.add_passkey(people.alice, HERE, "x", changed.make(options))


async def test_a_page_in_a_foreign_frame_is_refused(people: People) -> None:
    key = Authenticator()
    await add(people.alice, key)
    signed = key.use(await options_for(people.alice), crossOrigin=True)
    assert not await is_second(people.alice, signed)


async def test_a_wrong_signature_is_refused(people: People) -> None:
    key, other = Authenticator(), Authenticator()
    await add(people.alice, key)
    other.credential_id = key.credential_id
    assert not await is_second(people.alice, other.use(await options_for(people.alice)))


async def test_a_counter_that_does_not_move_on_tells_of_a_copy(people: People) -> None:
    key = Authenticator(counter=7)
    await add(people.alice, key)
    key.counter = 8
    assert await is_second(people.alice, key.use(await options_for(people.alice)))
    for counter in (8, 3, 0):
        key.counter = counter
        assert not await is_second(people.alice, key.use(await options_for(people.alice)))
    assert await AuditEntry.filter(action="user.passkey.copied").count() == 3
    key.counter = 9
    assert await is_second(people.alice, key.use(await options_for(people.alice)))


async def test_a_passkey_alone_logs_in_only_if_it_knows_its_person(people: People) -> None:
    key = Authenticator()
    await add(people.alice, key)
    signed = key.use(passkeys.login_options(HERE))
    assert await passkeys.take_login(HERE, signed, address=FROM) == people.alice.user_id
    key.verifies = False
    signed = key.use(passkeys.login_options(HERE))
    assert await passkeys.take_login(HERE, signed, address=FROM) is None
    # as a second factor beside the password it is enough that somebody touched it
    assert await is_second(people.alice, key.use(await options_for(people.alice)))


async def test_a_passkey_that_names_another_user_is_refused(people: People) -> None:
    key, other = Authenticator(), Authenticator()
    await add(people.alice, key)
    await add(people.bob, other)
    key.user_handle = other.user_handle
    signed = key.use(passkeys.login_options(HERE))
    assert await passkeys.take_login(HERE, signed, address=FROM) is None


async def test_a_passkey_works_at_the_host_it_was_made_for(people: People) -> None:
    await add(people.alice, Authenticator())
    there = RelyingParty("hive.example.org", "https://hive.example.org")
    assert await passkeys.second_options(people.alice.user_id or 0, "a login", there) is None


async def test_nobody_touches_the_passkeys_of_others(people: People) -> None:
    await add(people.alice, Authenticator())
    (found,) = await passkeys.list_passkeys(people.alice)
    assert await passkeys.list_passkeys(people.admin) == []
    for actor in (people.bob, people.admin):
        with pytest.raises(NotFound):
            await passkeys.rename_passkey(actor, found.id, "mine")
        with pytest.raises(NotFound):
            await passkeys.delete_passkey(actor, found.id)


async def test_one_credential_belongs_to_one_user(people: People) -> None:
    key = Authenticator()
    await add(people.alice, key)
    with pytest.raises(Conflict):
        await add(people.bob, key)


async def test_there_is_a_most_of_them(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passkeys, "MOST", 1)
    await add(people.alice, Authenticator())
    with pytest.raises(Conflict):
        await passkeys.creation_options(people.alice, HERE)


@pytest.mark.parametrize(
    "response",
    ["", "null", "[]", "{}", '{"id":"x"}', "\ud800", "[" * 9_000, "x" * 30_000, '{"rawId":"A"}'],
)
async def test_what_is_no_answer_of_a_browser_is_refused(people: People, response: str) -> None:
    await add(people.alice, Authenticator())
    assert not await is_second(people.alice, response)
    assert await passkeys.take_login(HERE, response, address=FROM) is None
    with pytest.raises(InvalidInput):
        await passkeys.add_passkey(people.alice, HERE, "x", response)


async def test_no_answer_however_mangled_is_taken_or_breaks_anything(people: People) -> None:
    key = Authenticator()
    await add(people.alice, key)
    made = Authenticator().make(await passkeys.creation_options(people.alice, HERE))
    used = key.use(await options_for(people.alice))
    for text in (made, used):
        document = json.loads(text)
        for name in document["response"]:
            for value in MANGLED:
                mangled = json.dumps(
                    {**document, "response": {**document["response"], name: value}}
                )
                if name != "userHandle" or value not in (None, "", {}, []):
                    assert not await is_second(people.alice, mangled), (name, value)
                with pytest.raises(InvalidInput):
                    await passkeys.add_passkey(people.alice, HERE, "x", mangled)


@given(position=st.integers(0, 1000), byte=st.integers(0, 255))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reading_a_mangled_attestation_raises_only_what_is_expected(
    position: int, byte: int
) -> None:
    """What the library raises for nonsense is listed by us; the list must be complete."""
    key = Authenticator(credential_id=b"x" * 32)
    document = json.loads(key.make({"challenge": "AAAA", "user": {"id": "AAAA"}}))
    data = bytearray(websafe_decode(document["response"]["attestationObject"]))
    data[position % len(data)] = byte
    document["response"]["attestationObject"] = websafe_encode(bytes(data))
    with contextlib.suppress(*passkeys._UNREADABLE):
        RegistrationResponse.from_dict(document)
