"""Keys, names and methods that must not open the door, and how often one may try."""

from __future__ import annotations

import asyncssh
import pytest
from asyncssh.packet import Boolean, String

from hive.kinds import Access
from hive.services.keys import grants
from hive.services.permissions import OPERATOR
from tests.e2e.gate.hostile.handmade import FAILURE, KEY_IS_GOOD, LOST, SUCCESS, handmade
from tests.e2e.gate.hostile.scene import Scene, new_key, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_only_so_many_keys_are_looked_at_on_one_connection(scene: Scene) -> None:
    strangers = [new_key() for _ in range(3000)]
    async with handmade(scene.port) as connection:
        answers = []
        for key in strangers:
            answers.append(await connection.ask(scene.login, key, signed=False))
            if answers[-1] == LOST:
                break
        assert answers == [FAILURE] * scene.gate.settings.max_tries + [LOST]
    await scene.log.wait_for("login refused", strangers[0].get_fingerprint())


async def test_a_flood_of_tries_in_one_piece_is_cut_as_well(scene: Scene) -> None:
    async with handmade(scene.port) as connection:
        with connection.in_one_piece():
            for _ in range(2000):
                connection.send_key(scene.login, scene.stranger, signed=False)
            connection.send_key(scene.login, scene.full)
        await connection.until_lost()
        answers = [connection.answers.get_nowait() for _ in range(connection.answers.qsize())]
        assert SUCCESS not in answers


@pytest.mark.parametrize("what", ["none", "password", "names", "rubbish"])
async def test_tries_without_a_key_count_too(scene: Scene, what: str) -> None:
    async with handmade(scene.port) as connection:
        sent = 0
        while not connection.lost.is_set() and sent < 1000:
            sent += 1
            if what == "names":
                connection.send_method(f"name{sent}", "none")
            elif what == "rubbish":
                rubbish = Boolean(False) + String("ssh-ed25519") + String(b"no key")
                connection.send_method(scene.login, "publickey", rubbish)
            else:
                connection.send_method(scene.login, what, Boolean(False), String("secret"))
            await connection.answer()
        assert 5 <= sent <= 100


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("none", b""),
        ("password", Boolean(False) + String("secret")),
        ("keyboard-interactive", String("") + String("")),
        (
            "hostbased",
            String("ssh-ed25519") + String(b"x") + String("h") + String("u") + String(b""),
        ),
        ("gssapi-with-mic", b"\0\0\0\0"),
        ("", b""),
        ("publickey-hostbound-v00@openssh.com", b""),
    ],
)
async def test_nothing_but_public_keys_is_offered_or_taken(
    scene: Scene, method: str, rest: bytes
) -> None:
    async with handmade(scene.port) as connection:
        connection.send_method(scene.login, method, rest)
        assert await connection.answer() == FAILURE
        assert connection.methods == [b"publickey"]
        assert await connection.ask(scene.login, scene.full) == SUCCESS


HOSTILE_NAMES: dict[str, bytes] = {
    "empty": b"",
    "long": b"a" * 1023,
    "too long": b"a" * 1024,
    "huge": b"a" * 200_000,
    "nul": b"root\0",
    "newline": b"root\nERROR forged line",
    "escape": b"\x1b[2Jroot",
    "path": b"../../etc/passwd",
    "format": b"%s%n%x{0}",
    "sql": b"'; DROP TABLE repository; --",
    "quotes": b"\"'`$(id)",
    "bidi": "r\u202eoot".encode(),
    "zero width": "ro\u200bot".encode(),
    "not text": b"\xff\xfe\x80",
    "blank": b" ",
}


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES.keys())
async def test_hostile_names_are_refused_and_stay_on_their_line(scene: Scene, name: bytes) -> None:
    async with handmade(scene.port) as connection:
        answers = [
            await connection.ask(name, scene.full, signed=signed) for signed in (False, True)
        ]
        assert set(answers) <= {FAILURE, LOST}
    await until(lambda: not scene.gate.doorman.unauthenticated, "the end of it")
    await scene.log.wait_for("127.0.0.1")
    assert not [line for line in scene.log.lines if line.startswith("ERROR")]
    scene.log.assert_calm()


async def test_the_name_of_a_login_in_wide_letters_is_that_login_and_needs_its_key(
    scene: Scene,
) -> None:
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in scene.login)
    async with handmade(scene.port) as connection:
        assert await connection.ask(wide, scene.stranger) == FAILURE
        assert await connection.ask(wide, scene.full) == SUCCESS
    await scene.log.wait_for("logged in", f"login={scene.login}")


async def test_a_key_opens_the_logins_it_is_granted_and_no_other(scene: Scene) -> None:
    other_key = new_key()
    await scene.add_key("other", other_key)
    other = await scene.house.repository("server", {"other": Access.FULL, "read": Access.FULL})
    assert await scene.is_refused(other_key, scene.login)
    assert await scene.is_refused(scene.full, other.login)
    answers = [await scene.status(scene.read, login) for login in (scene.login, other.login)]
    assert [answer["repository"] for answer in answers] == ["laptop", "server"]
    assert [answer["access"] for answer in answers] == ["read-only", "full"]
    await until(lambda: len(scene.log.having("key not granted")) == 2, "two refusals in the log")


async def test_weak_keys_and_certificates_are_refused_at_the_login(scene: Scene) -> None:
    authority = new_key()
    certificate = authority.generate_user_certificate(
        scene.full, "laptop", principals=[scene.login]
    )
    own = authority.generate_user_certificate(authority, "own", principals=[scene.login])
    weak = [new_key("ssh-rsa", key_size=1024), new_key("ssh-dss")]
    for key in weak:
        assert await scene.is_refused(key)
    with pytest.raises(asyncssh.PermissionDenied):
        await scene.connect(authority, client_certs=[own])
    async with handmade(scene.port) as connection:
        rest = Boolean(False) + String(certificate.algorithm) + String(certificate.public_data)
        connection.send_method(scene.login, "publickey", rest)
        assert await connection.answer() == FAILURE


async def test_a_signature_with_sha1_is_not_taken(scene: Scene) -> None:
    key = new_key("ssh-rsa", key_size=3072)
    await scene.add_key("rsa", key)
    await grants.change_access(
        OPERATOR, scene.repository.id, grants.ChangeAccess(accesses={"rsa": Access.FULL})
    )
    async with handmade(scene.port) as connection:
        assert await connection.ask(scene.login, key, algorithm=b"ssh-rsa") == FAILURE
        assert await connection.ask(scene.login, key, algorithm=b"rsa-sha2-256") == SUCCESS


async def test_a_wrong_signature_is_refused_and_so_is_one_of_another_connection(
    scene: Scene,
) -> None:
    async with handmade(scene.port) as first, handmade(scene.port) as second:
        assert await first.ask(scene.login, scene.full, signed=False) == KEY_IS_GOOD
        first.send_key(scene.login, scene.full, signature_by=scene.stranger)
        assert await first.answer() == FAILURE
        session, first._session_id = first._session_id, second._session_id
        assert await first.ask(scene.login, scene.full) == FAILURE
        first._session_id = session
        assert await first.ask(scene.login, scene.full) == SUCCESS
