"""What the gate speaks: the algorithms on offer, strongest first.

The hardened list has no algorithm that ssh-audit calls a failure; OpenSSH 7.4 and newer connect.
ChaCha20 is left out of it because most clients would take it before AES-GCM, which is faster
wherever the processor has AES; it is there, with older exchanges, in the compatible profile.
"""

from __future__ import annotations

from typing import Final, Literal

_KEY_EXCHANGES: Final = (
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "diffie-hellman-group18-sha512",
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


def options(profile: Literal["hardened", "compatible"]) -> dict[str, tuple[str, ...]]:
    """The algorithms as asyncssh takes them."""
    offered = {"kex_algs": _KEY_EXCHANGES, "encryption_algs": _CIPHERS, "mac_algs": _MACS}
    if profile == "compatible":
        offered = {name: offered[name] + _COMPATIBLE[name] for name in offered}
    return {**offered, "signature_algs": SIGNATURES}
