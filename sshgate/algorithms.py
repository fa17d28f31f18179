"""What the gate speaks: the algorithms on offer, strongest first.

The hardened list has no algorithm that ssh-audit calls a failure; OpenSSH 7.4 and newer connect.
ChaCha20 is left out of it because most clients would take it before AES-GCM, which is faster
wherever the processor has AES; it is there, with older exchanges, in the compatible profile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from hive.sentences import say
from sshgate.transport import Offer

_KEY_EXCHANGES: Final = (
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "diffie-hellman-group16-sha512",
)
_CIPHERS: Final = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes256-ctr",
    "aes128-ctr",
)
_MACS: Final = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "umac-128-etm@openssh.com",
)
_COMPATIBLE: Final = {
    "kex_algs": ("ecdh-sha2-nistp256", "diffie-hellman-group14-sha256"),
    "encryption_algs": ("chacha20-poly1305@openssh.com", "aes192-ctr"),
    "mac_algs": ("hmac-sha2-256", "hmac-sha2-512"),
}

# What clients may sign with.
SIGNATURES: Final = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
TAKEN: Final = frozenset(name.encode() for name in SIGNATURES)


Profile = Literal["hardened", "compatible"]

# What the client must share with us, by the names of its offer; GCM and ChaCha20 need no MAC.
_NEEDED: Final = {
    "key exchange": "kex_algs",
    "cipher": "encryption_algs",
    "cipher back": "encryption_algs",
    "MAC": "mac_algs",
    "MAC back": "mac_algs",
}
_LONGEST = 300  # characters of what a client offers
_WITHOUT_MAC: Final = ("-gcm@openssh.com", "-poly1305@openssh.com")


def explain(profile: Profile, offer: Offer | None, error: str) -> str:
    """Why a client and the gate did not agree, and the setting that would help."""
    lacking = missing(profile, offer.names) if offer is not None else []
    if offer is None or not lacking:
        return error[:_LONGEST]
    wanted = "; ".join(f"{name}: {', '.join(offer.names[name])}"[:_LONGEST] for name in lacking)
    if profile == "hardened" and not missing("compatible", offer.names):
        cure = say("`ssh.algorithms = compatible` accepts this client.")
    else:
        cure = say("No setting accepts this client: it needs a newer version.")
    return say(
        "Client and server have no %(lacking)s in common, with `ssh.algorithms = "
        "%(profile)s`. %(cure)s It offers %(wanted)s.",
        lacking=" and no ".join(lacking),
        profile=profile,
        cure=cure,
        wanted=wanted,
    )


def missing(profile: Profile, offer: Mapping[str, Sequence[str]]) -> list[str]:
    """What a client with this offer has not in common with the profile, for example "MAC"."""
    offered = options(profile)
    found = []
    for name, option in _NEEDED.items():
        cipher = next(iter(_common(offer[name.replace("MAC", "cipher")], offered)), "")
        if option == "mac_algs" and cipher.endswith(_WITHOUT_MAC):
            continue
        if not set(offer[name]) & set(offered[option]):
            found.append(name.removesuffix(" back"))
    return list(dict.fromkeys(found))


def _common(ciphers: Sequence[str], offered: Mapping[str, Sequence[str]]) -> list[str]:
    return [cipher for cipher in ciphers if cipher in offered["encryption_algs"]]


def options(profile: Profile) -> dict[str, tuple[str, ...]]:
    """The algorithms as asyncssh takes them."""
    offered = {"kex_algs": _KEY_EXCHANGES, "encryption_algs": _CIPHERS, "mac_algs": _MACS}
    if profile == "compatible":
        offered = {name: offered[name] + _COMPATIBLE[name] for name in offered}
    return {**offered, "signature_algs": SIGNATURES}
