"""Which confinement can be had on this machine, and what is missing for the rest, in words."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from hive.config.settings import Settings
from hive.errors import Unavailable
from hive.process import confine
from hive.process.child import run_blocking
from hive.process.confine_privileges import open_seccomp
from hive.process.spec import ChildSpec, Confinement, RunAs
from hive.sentences import join, say
from hive.services.checks import Check
from hive.services.programs import child_account
from hive.services.programs.discovery import program_roots

SECONDS_FOR_A_TRIAL = 10
# The first Landlock that keeps others' files from being cut to nothing, and that keeps programs
# from the network.
CUTS_NOTHING, OFFLINE = 3, 4

FILES, CALLS, USER = SUBJECTS = (say("Confinement"), say("System calls"), say("User"))


@dataclass(frozen=True)
class Assessment:
    """What confinement can be applied, and why not more.

    `refusal` says, where it is not None, why no program may be started here at all.
    """

    confinement: Confinement
    findings: tuple[Check, ...]
    refusal: str | None = None

    @property
    def landlock(self) -> bool:
        return self.confinement.landlock

    @property
    def run_as(self) -> RunAs | None:
        return self.confinement.user


@dataclass(frozen=True)
class Wishes:
    """What the settings want of the confinement."""

    user: str
    allow_root: bool = False
    landlock: bool = True
    mounts: bool = True

    @classmethod
    def of(cls, settings: Settings) -> Self:
        child = settings.child
        return cls(child.user, child.allow_root, child.landlock, child.mount_namespace)


def assess(wishes: Wishes, *, roots: Sequence[Path], programs: Sequence[str] = ()) -> Assessment:
    """Find out what can be applied here; it tries, in short-lived processes, so it blocks.

    As root, programs run as the user of the settings, if there is one who reaches `roots` and
    `programs`.
    """
    is_root = os.geteuid() == 0
    run_as, wrong = _account(wishes.user) if is_root else (None, None)
    abi = confine.landlock_abi() if wishes.landlock else 0
    system_calls = open_seccomp() is not None
    confined = Confinement(landlock=abi > 0, user=run_as, system_calls=system_calls)
    if wishes.mounts and (is_root or abi < CUTS_NOTHING):
        confined = replace(confined, mounts=_mounts_work(confined))
    findings = [*_about_files(confined, abi), *_about_calls(confined, abi)]
    if not is_root:
        return Assessment(confined, (*findings, _ordinary_user()))
    if wrong is None:
        present = [root for root in roots if root.exists()]
        wrong = next(_out_of_reach(wishes.user, confined, present, programs), None)
    findings += _missing_roots(roots)
    if wrong is None:
        findings.append(
            Check("ok", USER, say("Programs run as the user %(user)s", user=wishes.user))
        )
        return Assessment(confined, tuple(findings))
    if wishes.allow_root:
        message = say(
            "%(problem)s: programs run as root, as child.allow_root says", problem=wrong.message
        )
        findings.append(Check("warning", USER, message, wrong.remedy))
        return Assessment(replace(confined, user=None, allow_root=True), tuple(findings))
    refusal = say(
        "%(problem)s, and programs of sessions never run as root. %(remedy)s",
        problem=wrong.message,
        remedy=wrong.remedy,
    )
    return Assessment(replace(confined, user=None), (*findings, wrong), refusal)


def _about_files(confined: Confinement, abi: int) -> Iterator[Check]:
    subject = FILES
    ways = [say("Landlock (version %(version)s)", version=abi)] if confined.landlock else []
    if confined.mounts:
        ways.append(say("a separate file system"))
    if not ways:
        message = say(
            "Programs are not confined to their files: a hostile repository can reach others"
        )
        remedy = say(
            "Use Linux 5.13 or newer with `landlock` in the boot option lsm=, or let "
            "this server create mount namespaces."
        )
        yield Check("warning", subject, message, remedy)
    elif 0 < abi < CUTS_NOTHING and not confined.mounts:
        message = say(
            "This kernel's Landlock (version %(version)s) is old: a hostile "
            "repository can empty files outside",
            version=abi,
        )
        remedy = say("Use Linux 6.2 or newer, or let this server create mount namespaces.")
        yield Check("warning", subject, message, remedy)
    else:
        yield Check(
            "ok",
            subject,
            say("Each program is confined to its files by %(ways)s", ways=join(*ways, by=" + ")),
        )


def _about_calls(confined: Confinement, abi: int) -> Iterator[Check]:
    subject = CALLS
    if confined.system_calls:
        message = say("Programs have no capabilities, and seccomp refuses what they never need")
        yield Check("ok", subject, message)
        return
    network = "" if abi >= OFFLINE else say(", the network among them")
    message = say(
        "There is no libseccomp: programs may use all of the kernel's calls%(network)s",
        network=network,
    )
    yield Check("warning", subject, message, say("Install libseccomp (Debian: libseccomp2)."))


def _ordinary_user() -> Check:
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = say("number %(uid)s", uid=uid)
    return Check(
        "ok", USER, say("The server and its programs run as the ordinary user %(name)s", name=name)
    )


def _account(user: str) -> tuple[RunAs | None, Check | None]:
    """The account to run as, or what is wrong with it."""
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        remedy = say("As root run: %(command)s", command=child_account.command(user))
        return None, _error(say("There is no user %(user)s", user=user), remedy)
    if account.pw_uid == 0 or account.pw_gid == 0:
        message = say("The user %(user)s is root, or in the group of root", user=user)
        return None, _error(message, say("Name an ordinary user in child.user."))
    return RunAs(account.pw_uid, account.pw_gid), None


def _error(message: str, remedy: str) -> Check:
    return Check("error", USER, message, remedy)


def _missing_roots(roots: Sequence[Path]) -> Iterator[Check]:
    for root in roots:
        if not root.exists():
            message = say("The storage root %(root)s does not exist", root=root)
            yield Check("error", say("Storage"), message, say("mkdir -p %(root)s", root=root))


def _out_of_reach(
    user: str, confined: Confinement, roots: Sequence[Path], programs: Sequence[str]
) -> Iterator[Check]:
    """What keeps this user from the roots and the programs, found by becoming that user.

    In a separate file system a program gets its repository wherever that lies.
    """
    trial = _Trial(confined)
    try:
        for root in () if confined.mounts else roots:
            if blocking := trial.first_blocked(root.resolve()):
                message = say(
                    "The user %(user)s cannot pass %(blocking)s to reach %(root)s",
                    user=user,
                    blocking=blocking,
                    root=root,
                )
                yield _error(
                    message,
                    say(
                        "%(advice)s, or run: chmod o+x %(path)s",
                        advice=_ELSEWHERE,
                        path=blocking,
                    ),
                )
        for program in programs:
            for needed in (Path(program), *program_roots(program)):
                if blocking := trial.first_blocked(needed):
                    message = say(
                        "The user %(user)s cannot pass %(blocking)s to run %(program)s",
                        user=user,
                        blocking=blocking,
                        program=program,
                    )
                    yield _error(
                        message,
                        say("Install %(program)s where every user may read it.", program=program),
                    )
                    break
    except Unavailable as error:
        message = say(
            "Nothing can be run as the user %(user)s (%(problem)s)",
            user=user,
            problem=error.message,
        )
        yield _error(message, "Give the server CAP_SETUID and CAP_SETGID.")


_ELSEWHERE = say(
    "Name a directory that it can reach with --data-dir, such as "
    "/var/lib/borg-hive (and move there what is there already)"
)


def _mounts_work(confined: Confinement) -> bool:
    try:
        return _Trial(replace(confined, mounts=True)).passes(Path("/usr"))
    except Unavailable:
        return False


class _Trial:
    """Tries what the programs of sessions can use, by starting one that only looks."""

    def __init__(self, confined: Confinement) -> None:
        self._confined = confined
        self._program = shutil.which("test") or "/usr/bin/test"

    def first_blocked(self, path: Path) -> Path | None:
        """The outermost part of `path` that the user cannot use, None if all can be passed."""
        if self.passes(path):
            return None
        outside_in = [*reversed(path.parents), path]
        return next((part for part in outside_in if not self.passes(part)), path)

    def passes(self, path: Path) -> bool:
        """Whether the user may enter a directory or execute (else read) a file."""
        flag = "-x" if path.is_dir() or os.access(path, os.X_OK) else "-r"
        argv = (self._program, flag, str(path))
        needed = () if path == Path("/") else (path,)
        spec = ChildSpec(argv=argv, environment={}, cwd=Path("/"), executable=needed)
        confined = replace(self._confined, landlock=False, allow_root=True)
        try:
            done = run_blocking(spec, confined, seconds=SECONDS_FOR_A_TRIAL)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(str(error)) from error
        if done.returncode not in {0, 1}:
            raise Unavailable(done.stderr.decode(errors="replace").strip())
        return done.returncode == 0
