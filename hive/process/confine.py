"""Confine this process as a JSON specification says, then become the named program.

    python *LAUNCHER SPECIFICATION -- /PROGRAM ARGUMENT...

It is started with an empty environment, once for every session, so it imports nothing but its own
parts (confine_*.py) and the few of the standard library that load quickly. Whatever it
is asked for and cannot apply ends it with status 125 and one line on stderr that starts with
`borg-hive-confine:`; the program never runs less confined than asked.

Landlock does not know chmod, chown, utime and stat, nor (before Linux 7.1) connecting to a
socket file: a separate user is the second half of the confinement, not a luxury. Capabilities
are given up in every case, as any user.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import stat
import sys

if not __package__:  # started as a file
    sys.path.append(os.path.abspath(f"{__file__}/../../.."))  # noqa: PTH100 - loads less

from hive.process.confine_kernel import process_control, system_call
from hive.process.confine_mounts import enter
from hive.process.confine_privileges import (
    bound_capabilities,
    drop_capabilities,
    drop_user,
    open_seccomp,
    refuse_system_calls,
)

TYPE_CHECKING = False  # the real one would load `typing`, which costs as much as all the rest
if TYPE_CHECKING:
    from typing import NoReturn, NotRequired, TypedDict

    from hive.process.confine_mounts import Mounts

    class Specification(TypedDict):
        """What to apply; `rules` maps a key of KINDS to paths, None leaves a thing as it is."""

        parent: int
        environment: dict[str, str]
        umask: int
        limits: dict[str, int | None]
        nice: int
        io_priority: tuple[str, int] | None
        user: tuple[int, int] | None
        landlock: bool
        rules: dict[str, list[str]]
        mounts: NotRequired[Mounts | None]
        system_calls: NotRequired[bool]  # refuse those that neither borg nor rsync needs


# where the package `hive` lies; pathlib would take longer to load
_ABOVE = os.path.abspath(f"{__file__}/../../..")  # noqa: PTH100
FAILED = 125
PREFIX = "borg-hive-confine:"
# What Python starts with. The module need not be compiled each time. Standard error is the
# client's terminal: before anything else that could fail or warn, Python loses its own.
_PROGRAM = f"""
import os, sys
def fail(kind, error, _):
    line = " ".join(f"{PREFIX} {{kind.__name__}}: {{error}}".split()) + "\\n"
    os.write(2, line.encode(errors="backslashreplace"))
    os._exit({FAILED})
sys.stderr, sys.excepthook = None, fail
sys.path.append({_ABOVE!r})
from hive.process.confine import main
main(sys.argv[1:])
"""
LAUNCHER = ("-I", "-S", "-W", "ignore", "-c", _PROGRAM)

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << n for n in range(6))
MAKE_DIR, MAKE_REG, MAKE_SYM, REFER, TRUNCATE, IOCTL_DEV = (1 << n for n in (7, 8, *range(12, 16)))
RESOLVE_UNIX = 1 << 16

# What each Landlock version can hold back; what is handled and not granted is forbidden.
HANDLED_SINCE = {1: (1 << 13) - 1, 2: REFER, 3: TRUNCATE, 5: IOCTL_DEV, 9: RESOLVE_UNIX}
MEANT_FOR_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV | RESOLVE_UNIX
BIND_AND_CONNECT_TCP = 3
ABSTRACT_SOCKETS_AND_SIGNALS = 3

READ = READ_FILE | READ_DIR
WRITE = READ | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER
KINDS = {
    "read": READ,
    "execute": READ | EXECUTE,
    "write": WRITE,
    "write_and_link": WRITE | MAKE_SYM,
    "remove_directory": REMOVE_DIR,
}
# A link in the place of one of these was put there by somebody else.
NEVER_THROUGH_A_LINK = {"write", "write_and_link", "remove_directory"}

LIMITS = {
    "core_bytes": resource.RLIMIT_CORE,
    "file_bytes": resource.RLIMIT_FSIZE,
    "open_files": resource.RLIMIT_NOFILE,
    "processes": resource.RLIMIT_NPROC,
    "memory_bytes": resource.RLIMIT_AS,
}
# What was started here stays distinguishable from anything else: nobody without privileges
# raises a hard limit: no program of ours has message queues. See `was_started_here`.
MARK = resource.RLIMIT_MSGQUEUE
MARK_IN_PROC = "Max msgqueue size"

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH = 1
SET_PARENT_DEATH_SIGNAL, SET_NO_NEW_PRIVILEGES = 1, 38
IO_CLASSES = {"best-effort": 2, "idle": 3}
IO_CLASS_SHIFT = 13
IOPRIO_SET = {"x86_64": 251, "i686": 289, "armv7l": 314, "ppc64le": 273, "s390x": 282}
IOPRIO_SET_OF_NEWER_MACHINES = 30  # aarch64, riscv64, loongarch64


class _RulesetAttributes(ctypes.Structure):
    _fields_ = (
        ("handled_files", ctypes.c_uint64),
        ("handled_network", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _layout_ = "ms"  # what `_pack_` has always meant; Python 3.14 wants to see it
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def landlock_abi() -> int:
    """The version of Landlock that this kernel offers, 0 if it has none or keeps it off."""
    flags = ctypes.c_uint32(CREATE_RULESET_VERSION)
    try:
        return system_call(CREATE_RULESET, None, ctypes.c_size_t(0), flags)
    except OSError:
        return 0


def _handled(abi: int) -> int:
    return sum(rights for since, rights in HANDLED_SINCE.items() if abi >= since)


def _create_ruleset(abi: int) -> int:
    network = BIND_AND_CONNECT_TCP if abi >= 4 else 0
    scoped = ABSTRACT_SOCKETS_AND_SIGNALS if abi >= 6 else 0
    attributes = _RulesetAttributes(_handled(abi), network, scoped)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    pointer = ctypes.byref(attributes)
    return system_call(CREATE_RULESET, pointer, ctypes.c_size_t(size), ctypes.c_uint32(0))


def _add_rule(ruleset: int, kind: str, path: str, handled: int) -> None:
    flags = os.O_PATH | os.O_CLOEXEC
    if kind in NEVER_THROUGH_A_LINK:
        flags |= os.O_NOFOLLOW
    descriptor = os.open(path, flags)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISLNK(mode):
            message = f"{path} is a symbolic link"
            raise ValueError(message)
        rights = KINDS[kind] & handled
        if not stat.S_ISDIR(mode):
            rights &= MEANT_FOR_FILES
        if not rights:
            message = f"{path} is not a directory"
            raise ValueError(message)
        rule = ctypes.byref(_PathBeneath(rights, descriptor))
        system_call(ADD_RULE, ruleset, RULE_PATH_BENEATH, rule, ctypes.c_uint32(0))
    finally:
        os.close(descriptor)


def prepare_landlock(rules: dict[str, list[str]]) -> int:
    """A ruleset that allows `rules` and nothing else, as a descriptor; not in force yet.

    Raises OSError without Landlock, or for a path that cannot be opened.
    """
    abi = landlock_abi()
    if abi == 0:
        message = "this kernel offers no Landlock"
        raise ValueError(message)
    ruleset = _create_ruleset(abi)
    for kind, paths in rules.items():
        for path in paths:
            _add_rule(ruleset, kind, path, _handled(abi))
    return ruleset


def set_limits(limits: dict[str, int | None]) -> None:
    """Lower each of LIMITS, soft and hard; one that is lower already stays."""
    for name, wanted in limits.items():
        if wanted is None:
            continue
        which = LIMITS[name]
        _, hard = resource.getrlimit(which)
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (value, value))


def set_priority(nice: int, io_priority: tuple[str, int] | None) -> None:
    """Be `nice` by 0 to 19 more than now; take a class and a level (0 to 7) of I/O."""
    if nice:
        os.nice(nice)
    if io_priority is None:
        return
    name, level = io_priority
    if level not in range(8):  # the kernel would take the other bits for a hint
        message = f"there is no I/O priority {level}"
        raise ValueError(message)
    number = IOPRIO_SET.get(os.uname().machine, IOPRIO_SET_OF_NEWER_MACHINES)
    this_process = (1, 0)
    system_call(number, *this_process, IO_CLASSES[name] << IO_CLASS_SHIFT | level)


def _die_with(parent: int) -> None:
    """Get SIGTERM when the parent ends; it may have ended before this took effect."""
    process_control(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
    if os.getppid() != parent:
        message = "the process that started this is gone"
        raise ValueError(message)


def _forget_signals() -> None:
    """What Python and the server ignore or block must not pass on to the program."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def was_started_here(pid: int) -> bool:
    """Whether a process is, or comes from, a program that the launcher started."""
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:  # noqa: PTH123 - loads less
        lines = [line for line in file if line.startswith(MARK_IN_PROC)]
    return lines[0].removeprefix(MARK_IN_PROC).split()[1] == "0"


def confine(specification: Specification) -> None:
    """Apply all of `specification` to this process.

    Mounts come first, as only root or nobody yet confined may make them; paths are opened before
    the user changes, who may not reach them; the change of user clears the death signal, so that
    follows; memory is limited last, for this very program needs some.
    """
    mounts = specification.get("mounts")
    seccomp = open_seccomp() if specification.get("system_calls") else None
    if mounts is not None:
        enter(mounts)
    ruleset = prepare_landlock(specification["rules"]) if specification["landlock"] else None
    os.umask(specification["umask"])
    set_priority(specification["nice"], specification["io_priority"])
    bound_capabilities()
    if specification["user"] is not None:
        drop_user(*specification["user"])
    process_control(SET_NO_NEW_PRIVILEGES, 1)
    _die_with(specification["parent"])
    drop_capabilities()
    _forget_signals()
    if ruleset is not None:
        system_call(RESTRICT_SELF, ruleset, ctypes.c_uint32(0))
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    resource.setrlimit(MARK, (0, 0))
    set_limits(specification["limits"])
    if specification.get("system_calls"):
        refuse_system_calls(seccomp)


def _fail(message: str) -> NoReturn:
    line = f"{PREFIX} {' '.join(message.split())}\n"
    os.write(2, line.encode(errors="backslashreplace"))
    os._exit(FAILED)


def main(arguments: list[str]) -> NoReturn:
    """Confine and execute; `arguments` are the specification, `--`, and the program's argv."""
    try:
        text, dashes, program, *rest = arguments
        if dashes != "--":
            _fail("usage: SPECIFICATION -- PROGRAM ARGUMENT...")
        specification: Specification = json.loads(text)
        confine(specification)
    except Exception as error:  # noqa: BLE001 - whatever it was, something asked for is not applied
        _fail(f"{type(error).__name__}: {error}")
    try:
        os.execve(program, [program, *rest], specification["environment"])  # noqa: S606 - no shell
    except (OSError, ValueError, TypeError) as error:
        _fail(f"cannot run {program}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
