"""The people of the demo: users, groups, keys and channels, through the services that add them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hive.database import transactional
from hive.kinds import Role
from hive.models import Channel, Key, User
from hive.sentences import say
from hive.services.accounts import groups, users
from hive.services.accounts.groups import AddGroup
from hive.services.accounts.users import AddUser
from hive.services.keys import keys
from hive.services.keys.infos import KeyInfo
from hive.services.keys.keys import AddKey
from hive.services.notifications import channels, rules
from hive.services.notifications.rules import AddRule
from hive.services.permissions import OPERATOR

ADMINISTRATOR = "anna"
OWNERS = ("alice", "anna", "ben", "carla", "dmitri", "emre", "fatima")
_OTHERS = ("gerd", "hanna", "ines", "jonas", "katya")
_GROUPS = {
    "family": ("alice", "anna", "hanna"),
    "office": ("ben", "carla", "fatima", "gerd", "ines", "jonas"),
    "servers": ("anna", "dmitri", "emre", "katya"),
}
_SINCE = timedelta(days=420)


@dataclass(frozen=True)
class Cast:
    """Everybody: the ids and the keys of those who own repositories, and how to log in."""

    ids: Mapping[str, int]
    keys: Mapping[str, KeyInfo]
    password: str


async def add_people(now: datetime, password: str | None = None) -> Cast:
    """Twelve users, of whom seven own repositories; one is the administrator."""
    chosen = password or secrets.token_urlsafe(9)
    await users.add_user(
        OPERATOR,
        AddUser(
            name=ADMINISTRATOR,
            email=f"{ADMINISTRATOR}@demo.example",
            password=chosen,
            role=Role.ADMINISTRATOR,
        ),
    )
    for name in (*OWNERS, *_OTHERS):
        if name != ADMINISTRATOR:
            await users.add_user(OPERATOR, AddUser(name=name, email=f"{name}@demo.example"))
    for name, members in _GROUPS.items():
        await groups.add_group(OPERATOR, AddGroup(name=name, members=members))
    made = {}
    for owner in OWNERS:
        text = f"{_public_key()} {owner}@demo.example"
        wanted = AddKey(name=f"{owner}-machines", owner=owner, text=text)
        made[owner] = await keys.add_key(OPERATOR, wanted)
    await _add_channels()
    await _look_old(now)
    ids = {row.name: row.id for row in await User.all()}
    return Cast(ids=ids, keys=made, password=chosen)


def _public_key() -> str:
    """Of a key that nobody has: its private half is dropped here."""
    made = Ed25519PrivateKey.generate().public_key()
    return made.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


async def _add_channels() -> None:
    for name, kind, settings in (
        ("phone", "ntfy", {"server": "https://ntfy.demo.example", "topic": "demo"}),
        ("home server", "gotify", {"server": "http://192.168.1.5:8080", "token": "demo"}),
        ("team", "slack", {"url": "https://hooks.slack.com/services/T0/B0/demo"}),
    ):
        await channels.add(OPERATOR, name, owner=ADMINISTRATOR, kind=kind, settings=settings)
    wanted = AddRule(name="everything", channels=["phone", "home server"])
    await rules.add(OPERATOR, ADMINISTRATOR, wanted)


@transactional
async def _look_old(now: datetime) -> None:
    """What people added has been there for a while, and was used."""
    since = now - _SINCE
    await User.all().update(created_at=since)
    await User.filter(name=ADMINISTRATOR).update(last_login_at=now - timedelta(hours=2))
    await Key.all().update(created_at=since, last_used_at=now - timedelta(hours=2))
    await Channel.all().update(created_at=since)
    await Channel.filter(name="phone").update(worked_at=now - timedelta(hours=3))
    await Channel.filter(name="team").update(enabled=False)
    await Channel.filter(name="home server").update(
        failing_since=now - timedelta(hours=8),
        failures=10,
        next_try=now + timedelta(minutes=20),
        refused_address="192.168.1.5",
        last_error=say(
            "%(host)s was not contacted: %(reason)s.",
            host="192.168.1.5:8080",
            reason=say("its address is private"),
        ),
    )
