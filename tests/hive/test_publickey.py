from __future__ import annotations

import base64
import os
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from hive import pasted_key, publickey
from hive.errors import InvalidInput
from tests.factories import key_line

GOOD = key_line()


def strings(*fields: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(field)) + field for field in fields)


def line_of(key_type: str, *fields: bytes) -> str:
    blob = base64.b64encode(strings(key_type.encode(), *fields)).decode()
    return f"{key_type} {blob}"


def p256_point() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


SK_ED25519 = line_of("sk-ssh-ed25519@openssh.com", os.urandom(32), b"ssh:")
SK_ECDSA = line_of("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", p256_point(), b"ssh:")
CERTIFICATE_TYPE = "ssh-ed25519-cert-v01@openssh.com"


@pytest.mark.parametrize(
    ("line", "key_type", "bits"),
    [
        (key_line("ed25519"), "ssh-ed25519", 256),
        (key_line("rsa2048"), "ssh-rsa", 2048),
        (key_line("rsa3072"), "ssh-rsa", 3072),
        (key_line("ecdsa256"), "ecdsa-sha2-nistp256", 256),
        (key_line("ecdsa384"), "ecdsa-sha2-nistp384", 384),
        (key_line("ecdsa521"), "ecdsa-sha2-nistp521", 521),
        (SK_ED25519, "sk-ssh-ed25519@openssh.com", 256),
        (SK_ECDSA, "sk-ecdsa-sha2-nistp256@openssh.com", 256),
    ],
    ids=lambda value: str(value)[:24],
)
def test_keys_of_today_are_accepted_and_measured(line: str, key_type: str, bits: int) -> None:
    parsed = publickey.parse(f"  {line}\tmy   laptop \r\n")
    assert (parsed.type, parsed.bits) == (key_type, bits)
    assert parsed.line == line
    assert parsed.comment == "my   laptop"
    assert publickey.parse(parsed.line).fingerprint == parsed.fingerprint


def test_fingerprint_is_what_ssh_keygen_prints(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(GOOD + "\n")
    printed = subprocess.run(
        ["/usr/bin/ssh-keygen", "-l", "-f", str(tmp_path / "key.pub")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert publickey.parse(GOOD).fingerprint in printed.stdout


def private_key() -> str:
    return (
        ed25519.Ed25519PrivateKey.generate()
        .private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        .decode()
    )


PUTTY = """PuTTY-User-Key-File-3: ssh-ed25519
Encryption: none
Comment: me@laptop
Public-Lines: 2
AAAAC3NzaC1lZDI1NTE5AAAAIF
"""
GOOD_BLOB = GOOD.split()[1]
REFUSED = {
    "nothing": ("  \n", "No public key"),
    "RSA of 1024 bits": (key_line("rsa1024"), "1024 bits"),
    "RSA of 1024 bits with a comment": (key_line("rsa1024", comment="old"), "1024 bits"),
    "DSA": (line_of("ssh-dss", b"1", b"2", b"3", b"4"), "DSA"),
    "certificate": (line_of(CERTIFICATE_TYPE, b"n", os.urandom(32)), "Certificates"),
    "options": (f'from="10.0.0.0/8" {GOOD}', "Options"),
    "command option": (f'command="/bin/sh" {GOOD}', "Options"),
    "two lines": (f"{GOOD}\n{GOOD}", "more than one line"),
    "carriage return inside": (f"{GOOD}\r{GOOD}", "more than one line"),
    "null character": (f"{GOOD} a\0b", "control character"),
    "escape character": (f"{GOOD} \x1b[2J", "control character"),
    "right-to-left override": (f"{GOOD} \u202e", "control character"),
    "line separator": (f"{GOOD} \u2028{GOOD}", "control character"),
    "private key": (private_key(), "private key"),
    "PGP key": ("-----BEGIN PGP PUBLIC KEY BLOCK-----", "not an SSH key"),
    "key of PuTTY": (PUTTY, "puttygen FILE.ppk -L"),
    "known_hosts": (f"backup.example.org {GOOD}", "known_hosts"),
    "known_hosts with an address": (f"backup.example.org,192.0.2.7 {GOOD}", "known_hosts"),
    "known_hosts with a port": (f"[backup.example.org]:2222 {GOOD}", "known_hosts"),
    "known_hosts, hashed": (f"|1|c2FsdA==|aGFzaA== {GOOD}", "known_hosts"),
    "known_hosts with a mark": (f"@cert-authority *.example.org {GOOD}", "known_hosts"),
    "double quotes": (f'"{GOOD} me@laptop"', "quotation marks"),
    "typographic quotes": (f"\u201c{GOOD}\u201d", "quotation marks"),
    "a comment before the key": (f"# my laptop\n{GOOD}", "only the line that begins"),
    "a command before the key": (f"$ cat id.pub\r\n{GOOD}", "only the line that begins"),
    "broken by a terminal": (f"{GOOD[:40]}\n{GOOD[40:]} me", "into 2 lines"),
    "option without a value": (f"restrict {GOOD}", "Options"),
    "several options": (f"no-pty,no-X11-forwarding {GOOD}", "Options"),
    "type alone": ("ssh-ed25519", "cut off"),
    "not base64": ("ssh-ed25519 AAAA*", "damaged"),
    "not base64 at all": ("ssh-ed25519 \u00e4\u00f6", "damaged"),
    "type mismatch": (f"ssh-rsa {GOOD_BLOB}", "damaged"),
    "truncated": (f"ssh-ed25519 {GOOD_BLOB[:40]}", "damaged"),
    "empty blob": ("ssh-ed25519 ====", "damaged"),
    "length far beyond the blob": (
        "ssh-ed25519 " + base64.b64encode(b"\xff\xff\xff\xffssh-ed25519").decode(),
        "damaged",
    ),
    "type and nothing": (line_of("ssh-ed25519"), "damaged"),
    "point too short": (line_of("ssh-ed25519", b"short"), "damaged"),
    "more than the key": (line_of("ssh-ed25519", os.urandom(32), b"more"), "damaged"),
    "RSA of zeros": (line_of("ssh-rsa", b"\x01\x00\x01", b"\x00"), ""),
    "point not on the curve": (
        line_of("ecdsa-sha2-nistp256", b"nistp256", b"\x04" + b"\x01" * 64),
        "damaged",
    ),
    "other curve inside": (line_of("ecdsa-sha2-nistp256", b"nistp384", p256_point()), "damaged"),
    "FIDO key cut off": (SK_ED25519[:-8], "damaged"),
    "FIDO key without application": (
        line_of("sk-ssh-ed25519@openssh.com", os.urandom(32), b""),
        "damaged",
    ),
    "FIDO point not on the curve": (
        line_of("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", b"\x04" + b"\x01" * 64, b"ssh:"),
        "damaged",
    ),
    "unknown type": ("ssh-quantum AAAA", "key type"),
    "text": ("hello world", "key type"),
    "far too long": (f"{GOOD} {'x' * 20_000}", "too long"),
}


@pytest.mark.parametrize(("line", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_safe_public_key_is_refused_in_words(line: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        publickey.parse(line)
    assert words in caught.value.message
    assert caught.value.field == "public_key"


@pytest.mark.parametrize(
    ("key_type", "form"), [("ed25519", "RFC4716"), ("rsa", "PEM"), ("rsa", "PKCS8")]
)
def test_another_format_is_refused_with_the_command_that_converts_it(
    key_type: str, form: str, tmp_path: Path
) -> None:
    def run(command: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)

    run(["/usr/bin/ssh-keygen", "-q", "-t", key_type, "-N", "", "-f", "key"])
    exported = run(["/usr/bin/ssh-keygen", "-e", "-m", form, "-f", "key.pub"]).stdout
    (tmp_path / "FILE").write_bytes(exported)
    with pytest.raises(InvalidInput) as caught:
        publickey.parse(exported.decode())
    command = caught.value.message.partition("prints: ")[2]
    converted = publickey.parse(run(command.split()).stdout.decode())
    assert converted.blob == (tmp_path / "key.pub").read_text().split()[1]


@given(st.text())
def test_arbitrary_text_only_raises_invalid_input(text: str) -> None:
    with pytest.raises(InvalidInput):
        publickey.parse(text)


@given(st.sampled_from(pasted_key.TYPES), st.binary(max_size=200), st.booleans())
def test_arbitrary_blobs_only_raise_invalid_input(
    key_type: str, rest: bytes, announced: bool
) -> None:
    blob = (strings(key_type.encode()) if announced else b"") + rest
    try:
        publickey.parse(f"{key_type} {base64.b64encode(blob).decode()}")
    except InvalidInput:
        return
    assert announced


@given(st.integers(0, len(GOOD) - 1), st.characters(codec="utf-8"))
def test_one_wrong_character_never_makes_the_same_key(at: int, character: str) -> None:
    changed = GOOD[:at] + character + GOOD[at + 1 :]
    try:
        parsed = publickey.parse(changed)
    except InvalidInput:
        return
    assert changed.split() == GOOD.split() or parsed.line != GOOD
