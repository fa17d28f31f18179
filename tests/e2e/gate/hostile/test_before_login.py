"""Noise on the port, and clients that the gate cannot agree with."""

from __future__ import annotations

import os
from typing import Any

import asyncssh
import pytest
from asyncssh.packet import String, UInt32

from tests.e2e.gate.hostile.handmade import handmade, payload_of_kexinit
from tests.e2e.gate.hostile.raw import dial, pay_in
from tests.e2e.gate.hostile.scene import Scene, resident_bytes, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELLO_OF_TLS = bytes.fromhex("160301020001 0001fc0303") + bytes(500)
NOISE = {
    "http": b"GET / HTTP/1.1\r\nHost: hive\r\n\r\n",
    "tls": HELLO_OF_TLS,
    "an end at once": b"",
    "the old protocol": b"SSH-1.5-old\r\n",
    "a version that is too long": b"SSH-2.0-" + b"a" * 300 + b"\r\n",
    "a version that is not ASCII": b"SSH-2.0-\xff\xfe\xfd\r\n",
    "an endless line": b"a" * 10_000_000,
    "noise": os.urandom(3_000_000),
    "a packet of 4 GiB": b"SSH-2.0-x\r\n" + b"\xff" * 4 + b"x" * 60,
    "a packet of no length": b"SSH-2.0-x\r\n" + bytes(64),
    "a packet of padding only": b"SSH-2.0-x\r\n" + b"\0\0\0\x0c\xff" + bytes(64),
    "an empty list of algorithms": b"SSH-2.0-x\r\n\0\0\0\x14\x06\x14" + bytes(40),
}


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE.keys())
async def test_noise_ends_the_connection_and_nothing_else(scene: Scene, noise: bytes) -> None:
    before = resident_bytes()
    streams = await dial(scene)
    await pay_in(streams, noise)
    assert resident_bytes() - before < 60_000_000
    await until(lambda: scene.gate.doorman.unauthenticated == 0, "that nobody waits")
    assert len(scene.log.having("127.0.0.1", "left before the login")) == 1


async def test_an_ignore_before_the_new_keys_ends_a_strict_key_exchange(scene: Scene) -> None:
    reader, writer = await dial(scene)
    await reader.readline()
    kexinit = payload_of_kexinit(
        kex=[b"curve25519-sha256", b"kex-strict-c-v00@openssh.com"],
        host_key=[b"ssh-ed25519"],
        enc=[b"aes128-ctr"],
        enc_back=[b"aes128-ctr"],
        mac=[b"hmac-sha2-256-etm@openssh.com"],
        mac_back=[b"hmac-sha2-256-etm@openssh.com"],
    )
    hostile = b"SSH-2.0-x\r\n" + plain_packet(kexinit) + plain_packet(b"\x02" + String(b"x"))
    received = await pay_in((reader, writer), hostile, end=False)
    assert b"Strict key exchange violation" in received
    assert scene.log.having("left before the login", "Strict key exchange violation")


POST_QUANTUM, OTHER = b"mlkem768x25519-sha256", b"curve25519-sha256"
ED25519, RSA = b"ssh-ed25519", b"rsa-sha2-512"


@pytest.mark.parametrize(
    ("exchanges", "host_keys", "is_right"),
    [
        ([POST_QUANTUM, OTHER], [ED25519, RSA], True),
        ([OTHER, POST_QUANTUM], [ED25519, RSA], False),
        ([POST_QUANTUM, OTHER], [RSA, ED25519], False),
        ([OTHER], [RSA, ED25519], False),
    ],
    ids=["right", "other exchange", "other host key", "both"],
)
async def test_a_packet_that_was_sent_on_a_wrong_guess_is_ignored(
    scene: Scene, exchanges: list[bytes], host_keys: list[bytes], is_right: bool
) -> None:
    """The packet is nonsense: where the guess is right it ends the connection, else it is skipped.

    RFC 4253, 7: right only where client and server prefer the same exchange and host key.
    """
    reader, writer = await dial(scene)
    await reader.readline()
    kexinit = payload_of_kexinit(
        is_guess_sent=True,
        kex=exchanges,
        host_key=host_keys,
        enc=[b"aes128-ctr"],
        enc_back=[b"aes128-ctr"],
        mac=[b"hmac-sha2-256-etm@openssh.com"],
        mac_back=[b"hmac-sha2-256-etm@openssh.com"],
    )
    guess = plain_packet(b"\x1e" + String(b"nonsense"))
    farewell = plain_packet(b"\x01" + UInt32(2) + String(b"a farewell") + String(b""))
    sent = b"SSH-2.0-x\r\n" + plain_packet(kexinit) + guess + farewell
    await pay_in((reader, writer), sent, end=False)
    line = await scene.log.wait_for("left before the login")
    assert ("a farewell" in line) == (not is_right)


def plain_packet(payload: bytes) -> bytes:
    padding = -(5 + len(payload)) % 8
    padding += 8 if padding < 4 else 0
    length = 1 + len(payload) + padding
    return length.to_bytes(4, "big") + bytes([padding]) + payload + bytes(padding)


@pytest.mark.parametrize(
    "weak",
    [
        {"kex_algs": ["diffie-hellman-group14-sha1"]},
        {"encryption_algs": ["aes128-cbc", "3des-cbc"]},
        {"mac_algs": ["hmac-md5"], "encryption_algs": ["aes128-ctr"]},
        {"server_host_key_algs": ["ssh-rsa"]},
    ],
    ids=["exchange", "cipher", "mac", "host key"],
)
async def test_a_client_with_weak_algorithms_only_is_told_and_logged(
    scene: Scene, weak: dict[str, Any]
) -> None:
    with pytest.raises(asyncssh.KeyExchangeFailed):
        await scene.connect(**weak)
    line = await scene.log.wait_for("no common algorithm")
    if "server_host_key_algs" not in weak:
        assert next(iter(weak.values()))[0] in line
        assert "No setting accepts this client" in line


async def test_compression_is_never_agreed_on(scene: Scene) -> None:
    with pytest.raises(asyncssh.KeyExchangeFailed):
        await scene.connect(compression_algs=["zlib@openssh.com", "zlib"])
    async with await scene.connect(compression_algs=["zlib@openssh.com", "none"]) as connection:
        assert connection.get_extra_info("send_compression") == "none"


async def test_requests_before_the_login_are_not_heard(scene: Scene) -> None:
    for early in ("open", "global"):
        async with handmade(scene.port) as connection:
            connection._auth_complete = True  # what this end only pretends
            if early == "open":
                connection.open_channel()
            else:
                connection.send_packet(80, String("tcpip-forward") + b"\0")
            await connection.until_lost()
    assert not scene.connections
