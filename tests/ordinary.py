"""Who programs of sessions run as where the tests run as root: an account that is there anyway."""

from __future__ import annotations

import functools
import os

from hive.services.programs import confinement

USER = "nobody"


@functools.cache
def has_mounts() -> bool:
    """Whether programs can be given a file system of their own here."""
    wishes = confinement.Wishes(USER, landlock=False)
    return confinement.assess(wishes, roots=()).confinement.mounts


@functools.cache
def child_settings() -> dict[str, object]:
    """What to override for it.

    Without mounts nobody but root reaches pytest's directories, which are private.
    """
    if os.geteuid() != 0:
        return {}
    return {"child.user": USER, "child.allow_root": not has_mounts()}


def environment() -> dict[str, str]:
    """The same as variables, for a server that is a process."""
    return {
        f"HIVE_{name.upper().replace('.', '__')}": str(value).lower()
        for name, value in child_settings().items()
    }
