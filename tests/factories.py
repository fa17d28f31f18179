"""Makes what tests are about: people, keys, repositories, sessions, through the services."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hive.config import settings
from hive.config.settings import Settings
from hive.kinds import Access, Mode, Need, Role, Source
from hive.services.accounts import groups, users
from hive.services.gate import admission, authentication
from hive.services.gate.admission import Admission, SessionRequest
from hive.services.keys import keys
from hive.services.keys.infos import KeyInfo
from hive.services.notifications import channels, rules
from hive.services.notifications.channels import ChannelInfo
from hive.services.notifications.rules import AddRule
from hive.services.permissions import OPERATOR, Actor
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from tests.programs import CHECKOUT

PASSWORD = "a long enough password"
BORG = "/usr/bin/borg"
_KEPT = CHECKOUT / "build" / "made-by-borg"
_PUBLIC = (Encoding.OpenSSH, PublicFormat.OpenSSH)


@dataclass(frozen=True)
class People:
    alice: Actor
    bob: Actor
    charlie: Actor
    admin: Actor


def make_settings(data_dir: Path, **overrides: Any) -> Settings:
    """Settings for a server on free ports."""
    ports = {"ssh.listen": "127.0.0.1:0", "web.listen": "127.0.0.1:0"}
    return settings.load(None, data_dir=data_dir, overrides={**ports, **overrides}, environment={})


async def make_people() -> People:
    made = People(
        alice=await make_user("alice"),
        bob=await make_user("bob"),
        charlie=await make_user("charlie"),
        admin=await make_user("admin", role=Role.ADMINISTRATOR),
    )
    await groups.add_group(OPERATOR, groups.AddGroup(name="team", members=["alice", "bob"]))
    return made


async def make_user(name: str, *, role: Role = Role.MEMBER) -> Actor:
    info = await users.add_user(OPERATOR, users.AddUser(name=name, role=role))
    return info.actor(Source.WEB, "192.0.2.1")


def key_line(kind: str = "ed25519", *, comment: str = "") -> str:
    """A public key line of a fresh key: ed25519, rsa1024, rsa2048, ecdsa256, ..."""
    private: Any
    if kind == "ed25519":
        private = ed25519.Ed25519PrivateKey.generate()
    elif kind.startswith("rsa"):
        private = rsa.generate_private_key(65537, int(kind[3:]))
    else:
        curves = {"256": ec.SECP256R1(), "384": ec.SECP384R1(), "521": ec.SECP521R1()}
        private = ec.generate_private_key(curves[kind[5:]])
    line: str = private.public_key().public_bytes(*_PUBLIC).decode()
    return f"{line} {comment}".strip()


async def make_key(
    owner: Actor, name: str = "laptop", *, line: str | None = None, share_with: str | None = None
) -> KeyInfo:
    return await keys.add_key(
        owner,
        keys.AddKey(
            name=name,
            owner=owner.name,
            text=line or key_line(),
            groups=[share_with] if share_with else [],
        ),
    )


async def make_repository(
    owner: Actor,
    name: str = "documents",
    *,
    accesses: Mapping[str, Access] | None = None,
    mode: Mode = Mode.BORG,
    share_with: str | None = None,
) -> RepositoryInfo:
    return await catalogue.add_repository(
        owner,
        name,
        owner=owner.name,
        mode=mode,
        accesses=accesses,
        groups=[share_with] if share_with else [],
    )


async def make_webhook(
    owner: Actor, url: str = "http://192.0.2.1/", name: str = "hook"
) -> ChannelInfo:
    """A channel to where nobody answers, or to a test's own far end."""
    settings = {"url": url, "method": "POST"}
    return await channels.add(owner, name, owner=owner.name, kind="webhook", settings=settings)


async def hear_everything(owner: Actor) -> None:
    """A channel and a rule by which everything reaches it."""
    await make_webhook(owner)
    await rules.add(owner, owner.name, AddRule(name="all", channels=["hook"]))


async def open_session(
    repository: RepositoryInfo, key: KeyInfo, need: Need = Need.BORG
) -> Admission:
    """A session as the gate begins one."""
    identity = await authentication.authenticate(repository.login, key.fingerprint, "192.0.2.7")
    assert identity is not None
    return await admission.admit(
        identity, SessionRequest(need, "borg serve", "192.0.2.7", "OpenSSH_9.2")
    )


def borg(*arguments: str | Path, base: Path, **environment: str) -> str:
    """Run the real borg, its caches and keys below `base`."""
    done = subprocess.run(
        [BORG, *map(str, arguments)],
        env={
            "PATH": os.defpath,
            "BORG_BASE_DIR": str(base),
            "BORG_SELFTEST": "disabled",
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
            "LC_ALL": "C.UTF-8",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def make_borg_repository(
    path: Path, base: Path, *, content: str = "hello", is_new: bool = False
) -> None:
    """A borg repository at `path` with one archive in it; its client's files are below `base`.

    This is a copy of one that borg made once: those with the same content have the same id.
    `is_new` makes another one.
    """
    if is_new:
        path.parent.mkdir(parents=True, exist_ok=True)
        _make_with_borg(path, base, content)
        return
    made = _made_by_borg(content)
    shutil.copytree(made / "repository", path, dirs_exist_ok=True)
    shutil.copytree(made / "client", base, dirs_exist_ok=True)


@functools.cache
def _made_by_borg(content: str) -> Path:
    """Made for all runs and workers, until there is another borg."""
    _KEPT.mkdir(parents=True, exist_ok=True)
    known = f"{Path(BORG).resolve()} {Path(BORG).stat().st_mtime_ns} {content}"
    made = _KEPT / hashlib.sha256(known.encode()).hexdigest()[:20]
    with (_KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            with tempfile.TemporaryDirectory(dir=_KEPT) as directory:
                new = Path(directory) / "made"
                _make_with_borg(new / "repository", new / "client", content)
                new.rename(made)
    return made


def _make_with_borg(path: Path, base: Path, content: str) -> None:
    source = base / "source"
    source.mkdir(parents=True, exist_ok=True)
    (source / "file").write_text(content)
    borg("init", "--encryption=none", path, base=base)
    borg("create", f"{path}::first", source, base=base)


def tree(path: Path) -> dict[str, bytes | None]:
    """Everything below `path`, with content: two trees are equal byte for byte or not."""
    return {
        str(found.relative_to(path)): found.read_bytes() if found.is_file() else None
        for found in sorted(path.rglob("*"))
    }
