"""Give up what a program of a session never needs: the user, capabilities, system calls.

Part of the launcher (hive/process/confine.py): it imports nothing that is slow to load.
"""

from __future__ import annotations

import ctypes
import errno
import os

from hive.process.confine_kernel import checked, libc, process_control

DROP_BOUNDING, SET_SECURE_BITS, AMBIENT, AMBIENT_CLEAR_ALL = 24, 28, 47, 4
# Root is nobody special, capabilities are neither kept nor raised, and all that for good.
SECURE_BITS = 0x01 | 0x02 | 0x20 | 0x40 | 0x80
CAPABILITIES_VERSION_3 = 0x20080522
MOST_CAPABILITIES = 64

SECCOMP_LIBRARY = "libseccomp.so.2"
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
MASKED_EQUAL = 7
CLONE_NEW_USER = 0x10000000

# What neither borg nor rsync needs here, and what an exploit would begin with: devices and pipes
# (an rsync that is sent one does without), talking to other programs, namespaces (in one of its own
# a program has capabilities again), looking into other processes, and parts of the kernel with a
# long record of holes.
REFUSED_CALLS = (
    *("mknod", "mknodat", "socket", "unshare", "setns"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd"),
    *("mount", "umount2", "pivot_root", "chroot", "fsopen", "fsconfig", "fsmount", "fspick"),
    *("move_mount", "open_tree", "mount_setattr", "open_by_handle_at", "name_to_handle_at"),
    *("bpf", "perf_event_open", "userfaultfd", "add_key", "request_key", "keyctl"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load"),
    *("reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "syslog"),
    *("settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "sethostname"),
    *("setdomainname", "personality", "vhangup", "iopl", "ioperm", "lookup_dcookie"),
)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operation", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


def drop_user(uid: int, gid: int) -> None:
    """Become `uid` and `gid` with no further groups, for good.

    Raises OSError if the system refuses, ValueError if root could come back.
    """
    if uid == 0 or gid == 0:
        message = "dropping privileges to root drops nothing"
        raise ValueError(message)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    identity = (os.getresuid(), os.getresgid(), os.getgroups())
    regained = True
    try:
        os.setresuid(-1, 0, -1)
    except PermissionError:
        regained = False
    if regained or identity != ((uid,) * 3, (gid,) * 3, []):
        message = f"the user {uid} could become root again"
        raise ValueError(message)


def bound_capabilities() -> None:
    """See to it that no program gets a capability by being root or by its file.

    It takes a capability itself: an ordinary user has none to give up, and what a container
    withheld is not there either. no_new_privs holds for those.
    """
    try:
        process_control(SET_SECURE_BITS, SECURE_BITS)
        for capability in range(MOST_CAPABILITIES):
            process_control(DROP_BOUNDING, capability)
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EINVAL}:  # EINVAL: past the last one
            raise


def drop_capabilities() -> None:
    """Have none from now on: neither root's own nor those that a service manager gave."""
    process_control(AMBIENT, AMBIENT_CLEAR_ALL)
    header = ctypes.byref(_Header(CAPABILITIES_VERSION_3, 0))
    nothing = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 of each
    checked(libc.capset(header, nothing))
    left = (ctypes.c_uint32 * 6)()
    checked(libc.capget(header, left))
    if any(left):
        message = "capabilities are left"
        raise ValueError(message)


def open_seccomp() -> ctypes.CDLL | None:
    """The system's libseccomp, None where it is not installed."""
    try:
        library = ctypes.CDLL(SECCOMP_LIBRARY)
    except OSError:
        return None
    library.seccomp_init.restype = ctypes.c_void_p
    return library


def refuse_system_calls(library: ctypes.CDLL | None) -> None:
    """Have REFUSED_CALLS fail with EPERM, in this process and all that it starts."""
    if library is None:
        message = f"there is no {SECCOMP_LIBRARY}"
        raise ValueError(message)
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(ALLOW)))
    if not context:
        message = "seccomp cannot be used"
        raise ValueError(message)
    refuse = ctypes.c_uint32(REFUSE | errno.EPERM)
    numbers = [library.seccomp_syscall_resolve_name(name.encode()) for name in REFUSED_CALLS]
    for number in numbers:
        if number >= 0:  # not every machine has all of them
            _must(library.seccomp_rule_add_array(context, refuse, number, 0, None))
    # A new user namespace by way of clone; clone3, whose flags no filter sees, is "unknown".
    new_user = _Comparison(_flags_of_clone(), MASKED_EQUAL, CLONE_NEW_USER, CLONE_NEW_USER)
    clone, clone3 = (library.seccomp_syscall_resolve_name(name) for name in (b"clone", b"clone3"))
    _must(library.seccomp_rule_add_array(context, refuse, clone, 1, ctypes.byref(new_user)))
    if clone3 >= 0:
        unknown = ctypes.c_uint32(REFUSE | errno.ENOSYS)
        _must(library.seccomp_rule_add_array(context, unknown, clone3, 0, None))
    _must(library.seccomp_load(context))


def _flags_of_clone() -> int:
    """Which argument has the flags."""
    return 1 if os.uname().machine.startswith("s390") else 0


def _must(result: int) -> None:
    if result != 0:
        raise OSError(-result, os.strerror(-result))
