"""The server's own SSH keys: made once, kept forever, never silently replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from hive import files, publickey
from hive.database import transactional
from hive.errors import StorageError
from hive.models import Installation
from hive.publickey import PublicKey
from hive.services import audit, runtime
from hive.services.permissions import Actor, require_admin


@dataclass(frozen=True)
class HostKey:
    """A private host key on disk and its public half."""

    path: Path
    private: bytes  # as in the file
    public: PublicKey

    def __repr__(self) -> str:
        return f"HostKey({self.path}, {self.public.fingerprint})"


async def load() -> list[HostKey]:
    """The host keys to offer, Ed25519 first; makes that one at the very first start.

    Raises StorageError for a key that was there once and is missing, unreadable, changed or open
    to others: clients would no longer recognise the server.
    """
    known = await _known()
    main = runtime.paths().host_key("ed25519")
    if not main.exists() and _remembered_as(main) not in known:
        _make(main)
    keys = [_read(path) for path in _files(main)]
    for key in keys:
        expected = known.get(_remembered_as(key.path))
        if expected not in (None, key.public.fingerprint):
            raise StorageError(
                "The host key %(path)s is not the one this server has had (%(expected)s): put the"
                " right one back, or run `hive host-keys --accept` if it was replaced on purpose.",
                path=key.path,
                expected=expected,
            )
    await _remember({_remembered_as(key.path): key.public.fingerprint for key in keys})
    return keys


def _remembered_as(path: Path) -> str:
    """Keys of the data directory by name, so that it can move; others may have the same name."""
    return path.name if path.parent == runtime.paths().data_dir else str(path)


def _files(main: Path) -> list[Path]:
    beside = [runtime.paths().host_key(name) for name in ("ecdsa", "rsa")]
    named = [path for path in runtime.settings().ssh.host_keys if path != main]
    return [main, *(path for path in beside if path.exists() and path not in named), *named]


async def public_keys() -> list[PublicKey]:
    """The public halves, for people to compare; empty before the first start."""
    main = runtime.paths().host_key("ed25519")
    return [_read(path).public for path in _files(main) if path.exists()]


def known_hosts_lines(host: str, port: int, keys: Sequence[PublicKey]) -> list[str]:
    """Lines for a client's ~/.ssh/known_hosts."""
    name = host if port == 22 else f"[{host}]:{port}"
    return [f"{name} {key.line}" for key in keys]


async def _known() -> dict[str, str]:
    installation = await Installation.first()
    return dict(installation.host_keys) if installation else {}


@transactional
async def _remember(fingerprints: dict[str, str]) -> None:
    installation = await Installation.first()
    if installation is not None and installation.host_keys != fingerprints:
        missing = set(installation.host_keys) - set(fingerprints)
        if missing:
            raise StorageError(
                "The host key %(missing)s was here and is missing: clients that know it would warn"
                " of an attack. Put it back, or run `hive host-keys --accept` if it was taken away"
                " on purpose.",
                missing=", ".join(sorted(missing)),
            )
        installation.host_keys = fingerprints
        await installation.save()


@transactional
async def accept_current(actor: Actor) -> None:
    """Forget the host keys of before: those that are on disk now are the right ones."""
    require_admin(actor)
    installation = await Installation.first()
    if installation is not None:
        former, installation.host_keys = installation.host_keys, {}
        await installation.save()
        await audit.record(actor, "host-keys.accept", "host keys", former=former)


def _make(path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    files.create(path, private)
    path.with_name(path.name + ".pub").write_bytes(public + b" borg-hive\n")


def _read(path: Path) -> HostKey:
    try:
        if not runtime.is_private(path):
            raise StorageError(
                "The host key %(path)s can be read by others or belongs to another user: "
                "correct that with chown and chmod 600 %(path)s, and consider who may "
                "have copied it.",
                path=path,
            )
        private = path.read_bytes()
    except OSError as error:
        raise StorageError(
            "The host key %(path)s cannot be read: %(strerror)s. Put it back from a backup: a"
            " new one would make every client warn of an attack.",
            path=path,
            strerror=error.strerror,
        ) from error
    return HostKey(path, private, _public_half(path, private))


def _public_half(path: Path, private: bytes) -> PublicKey:
    try:
        if b"BEGIN OPENSSH PRIVATE KEY" in private:
            key = load_ssh_private_key(private, password=None)
        else:
            key = load_pem_private_key(private, password=None)  # type: ignore[assignment]
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise StorageError(
            "The host key %(path)s is damaged or has a passphrase: %(error)s.",
            path=path,
            error=error,
        ) from error
    if not isinstance(
        key, (ed25519.Ed25519PrivateKey, rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)
    ):
        raise StorageError("The host key %(path)s is of a type that is no longer used.", path=path)
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return publickey.parse(line)
