"""What the repositories of the demo are like. Pure.

Days are written as letters, the newest last, each for the time of that day at which a backup was
due:

m  made in time      l  made late       x  none was made, though one was due
f  it failed         n  none was due    d  due, and not there yet
"""

from __future__ import annotations

import random
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum

from hive.kinds import Access

GB = 10**9
LOST_PERCENT = 91  # of what somebody deleted


class Trouble(StrEnum):
    """What waits for a person."""

    DELETED = "deleted"  # most of it, by an append-only key
    DAMAGED = "damaged"
    QUOTA = "quota"
    LOCK = "lock"


@dataclass(frozen=True)
class Shape:
    """One repository; `size` in GB, `growth` in GB a week.

    end          its last days; those before are made up
    due          hours from now to the time of its next backup; less than none: since it was due
    period       days between two times at which a backup is due; None: none is expected
    age          days since it was added
    begun        minutes since a session began that still runs
    at_rest      days since the last backup, where it is neither expected nor regular any more
    """

    name: str
    owner: str
    tags: tuple[str, ...] = ()
    size: float = 0.0
    growth: float = 0.0
    _: KW_ONLY
    end: str = "mmm"
    due: float = 9.0
    period: int | None = 1
    age: int = 200
    quota_percent: int | None = None
    holes: float = 0.03
    late: float = 0.04
    begun: int | None = None
    at_rest: int | None = None
    is_paused: bool = False
    is_muted: bool = False
    is_unencrypted: bool = False
    is_read: bool = False  # somebody restored something lately
    access: Access = Access.APPEND_ONLY
    trouble: Trouble | None = None


def days_of(shape: Shape, count: int, dice: random.Random) -> str:
    """Its days, `count` of them and the newest last; fewer where it is younger."""
    there = min(count, shape.age // (shape.period or 1))
    before = "".join(_day(shape, dice) for _ in range(there - len(shape.end)))
    return f"m{before}{shape.end}"[-there:] if there and shape.end else ""


def _day(shape: Shape, dice: random.Random) -> str:
    thrown = dice.random()
    if shape.at_rest is not None:
        return "n"
    if shape.period is None:
        return "n" if thrown < shape.holes else "m"
    failed = shape.holes * 1.4
    if thrown < shape.holes:
        return "x"
    if thrown < failed:
        return "f"
    return "l" if thrown < failed + shape.late else "m"


SHAPES = (
    Shape(
        "nas-photos",
        "anna",
        ("nas", "home"),
        1410,
        9.2,
        due=10.0,
        quota_percent=70,
        holes=0.01,
        is_read=True,
        trouble=Trouble.DELETED,
    ),
    Shape(
        "documents",
        "alice",
        ("home",),
        812,
        8,
        due=5.0,
        quota_percent=41,
        holes=0.02,
        is_read=True,
        trouble=Trouble.DAMAGED,
    ),
    Shape("server-web", "anna", ("server",), 42, 0.7, end="mmxx", due=-13.0),
    Shape(
        "db-postgres-main",
        "dmitri",
        ("server", "database"),
        88,
        1.5,
        end="mfx",
        due=-9.0,
        quota_percent=50,
        holes=0.05,
    ),
    Shape("carla-macbook", "carla", ("laptop", "office"), 310, 5.2, end="mmd", due=-2.0, begun=2),
    Shape(
        "homeassistant",
        "anna",
        ("home",),
        6,
        0.2,
        end="mmd",
        due=-5.5,
        quota_percent=33,
        trouble=Trouble.LOCK,
    ),
    Shape("prometheus", "emre", ("server",), 54, 2, end="mmd", due=-3.0, is_muted=True),
    Shape("datev-export", "fatima", ("finance", "office"), 7, 0.1, end="lmd", due=-2.0),
    Shape("db-mysql-crm", "dmitri", ("server", "database"), 31, 0.7, end="mmd", due=-2.0),
    Shape(
        "fatima-surface",
        "fatima",
        ("laptop", "office"),
        98,
        2.3,
        end="mmd",
        due=-2.0,
        holes=0.14,
        is_unencrypted=True,
    ),
    Shape(
        "git-mirror", "ben", ("server", "office"), 18, 0.8, end="mmd", due=-2.0, quota_percent=71
    ),
    Shape("grafana", "emre", ("server",), 2, 0.1, end="mmd", due=-2.0, quota_percent=50),
    Shape("k8s-etcd", "emre", ("server",), 3, 0.1, end="mmd", due=-2.0, holes=0.0),
    Shape("kunden-2024", "carla", ("archive", "office"), 430, 9.6, end="mmd", due=-2.0),
    Shape(
        "laptop-anna",
        "anna",
        ("laptop", "home"),
        180,
        4.4,
        end="mmd",
        due=-2.0,
        quota_percent=50,
        holes=0.12,
        is_read=True,
    ),
    Shape("nas-documents", "anna", ("nas", "home"), 95, 3.6, end="mmd", due=-2.0),
    Shape("paperless", "anna", ("nas", "home"), 25, 0.6, end="mmd", due=-2.0),
    Shape("server-mail", "anna", ("server",), 210, 6.6, end="mmd", due=-1.0, is_read=True),
    Shape("ben-thinkpad", "ben", ("laptop", "office"), 240, 8.3, due=1.0, holes=0.1, begun=1),
    Shape(
        "photos",
        "alice",
        ("home",),
        end="",
        due=4.0,
        age=0,
        quota_percent=11,
        begun=37,
        access=Access.FULL,
    ),
    Shape(
        "design-archive",
        "carla",
        ("archive", "office"),
        2300,
        14.1,
        quota_percent=93,
        holes=0.02,
        trouble=Trouble.QUOTA,
    ),
    Shape(
        "buchhaltung", "fatima", ("finance", "office"), 12, 0.1, due=15.0, period=None, holes=0.05
    ),
    Shape("minecraft", "anna", ("home",), 11, 0.3, due=21.0, period=None, holes=0.06),
    Shape("build-cache", "ben", ("server",), 65, end="n", period=None, age=480, at_rest=400),
    Shape("emre-laptop", "emre", ("laptop", "office"), end="", due=20.0, age=0),
    Shape("pi-hole", "ben", ("home",), end="", due=120.0, period=7, age=2),
    Shape("test-vm", "emre", end="", due=72.0, period=7, age=4),
    Shape("vault", "emre", ("server",), end="", due=4.5, age=0, access=Access.FULL),
    Shape(
        "fotos-2019",
        "carla",
        ("archive",),
        640,
        end="nnnnnnnnnnnn",
        quota_percent=76,
        is_paused=True,
    ),
    Shape(
        "db-postgres-replica",
        "dmitri",
        ("server", "database"),
        86,
        1.4,
        quota_percent=43,
        holes=0.0,
        is_read=True,
    ),
    Shape("dmitri-desktop", "dmitri", ("desktop", "office"), 150, 4, due=5.5),
    Shape("jenkins", "ben", ("server", "office"), 77, 2.1, end="lmm", due=11.0),
    Shape(
        "lohn",
        "fatima",
        ("finance", "office"),
        4,
        0.1,
        end="mm",
        due=110.0,
        period=7,
        holes=0.0,
        late=0.0,
    ),
)
