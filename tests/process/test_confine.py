from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hive.process import confine, confine_privileges
from hive.process.confine import FAILED, PREFIX, landlock_abi
from hive.process.confine_privileges import open_seccomp
from tests import ordinary

needs_landlock = pytest.mark.skipif(landlock_abi() == 0, reason="the kernel has no Landlock")
SETPRIV = shutil.which("setpriv")
SYSTEM_PYTHON = "/usr/bin/python3"
needs_seccomp = pytest.mark.skipif(open_seccomp() is None, reason="no libseccomp here")
needs_mounts = pytest.mark.skipif(not ordinary.has_mounts(), reason="no mount namespaces here")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")


def launch(
    *argv: str,
    text: str | None = None,
    before: Sequence[str] = (),
    launcher: Sequence[str] = confine.LAUNCHER,
    **changes: Any,
) -> subprocess.CompletedProcess[str]:
    """Start the launcher, by way of the program `before` where one is named."""
    specification = {
        "parent": os.getpid(),
        "environment": {},
        "umask": 0o077,
        "limits": {},
        "nice": 0,
        "io_priority": None,
        "user": None,
        "landlock": False,
        "rules": {},
        **changes,
    }
    # another user may not reach the interpreter of the tests
    interpreter = SYSTEM_PYTHON if before else sys.executable
    command = [*before, interpreter, *launcher]
    command.append(text or json.dumps(specification))
    return subprocess.run(
        [*command, *argv], check=False, capture_output=True, text=True, env={}, timeout=20
    )


def test_without_anything_asked_the_program_just_runs() -> None:
    done = launch("--", "/bin/echo", "--", "two  words", "")
    assert (done.returncode, done.stdout, done.stderr) == (0, "-- two  words \n", "")


@pytest.mark.parametrize(
    "changes",
    [
        {"parent": 1 << 22},
        {"limits": {"unheard_of": 1}},
        {"io_priority": ["best-effort", 9]},
        {"io_priority": ["realtime", 0]},
        {"user": [0, 0]},
        {"user": ["nobody", 65534]},
        {"umask": "022"},
        {"environment": None},
        {"environment": {"A": 1}},
        {"landlock": True, "rules": {"everything": ["/"]}},
        {"landlock": True, "rules": {"write": ["/nowhere"]}},
        {"landlock": True, "rules": {"remove_directory": ["/dev/null"]}},
        {"text": "not JSON"},
        {"text": "[]"},
        {"text": "{}"},
    ],
    ids=str,
)
def test_what_cannot_be_applied_ends_in_one_line_and_never_in_the_program(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    done = launch("--", "/usr/bin/touch", str(tmp_path / "ran"), **changes)
    assert done.returncode == FAILED
    assert done.stderr.startswith(PREFIX)
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "ran").exists()


NOISE = {
    "a warning about the syntax": '"" is ""',
    "a warning": "import warnings; warnings.simplefilter('always'); warnings.warn('noise')",
    "a warning about a structure": "class S(ctypes.Structure): _pack_ = 1; _fields_ = ()",
    "an exception that cannot be raised": (
        "class A:\n    def __del__(self): raise RuntimeError('noise')\nA()"
    ),
    "words on standard error": "import sys; print('noise', file=sys.stderr)",
}


def noisy_launcher(directory: Path, code: str) -> list[str]:
    """The launcher from a copy of its modules that runs `code` once its imports are done."""
    original = Path(confine.__file__).parent
    copy = directory / "hive" / "process"
    copy.mkdir(parents=True)
    (copy.parent / "__init__.py").touch()
    for path in [original / "__init__.py", *original.glob("confine*.py")]:
        text = path.read_text()
        if path.name == "confine.py":
            before, import_, after = text.partition("import stat\n")
            text = f"{before}{import_}\n{code}\n{after}"
        (copy / path.name).write_text(text)
    *options, program = confine.LAUNCHER
    return [*options, program.replace(repr(str(original.parent.parent)), repr(str(directory)))]


@pytest.mark.parametrize("code", NOISE.values(), ids=NOISE.keys())
def test_nothing_that_python_says_reaches_the_client(code: str, tmp_path: Path) -> None:
    done = launch("--", "/bin/echo", "fine", launcher=noisy_launcher(tmp_path, code))
    assert (done.returncode, done.stdout, done.stderr) == (0, "fine\n", "")


def test_the_noise_would_be_heard_without_the_options_of_the_launcher(tmp_path: Path) -> None:
    noisy_launcher(tmp_path, NOISE["a warning about the syntax"])
    command = [sys.executable, "-I", "-S", str(tmp_path / "hive" / "process" / "confine.py")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert "SyntaxWarning" in done.stderr


@pytest.mark.parametrize(
    "code", ["raise RuntimeError('boom')", "import not_there", "raise KeyboardInterrupt", "1/0"]
)
def test_an_error_of_the_launcher_itself_is_one_line_and_no_traceback(
    code: str, tmp_path: Path
) -> None:
    done = launch("--", "/bin/echo", "fine", launcher=noisy_launcher(tmp_path, code))
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert done.stderr.startswith(PREFIX)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "argv", [(), ("--",), ("/bin/true",), ("-", "/bin/true"), ("--", "/nowhere"), ("--", "")]
)
def test_a_command_that_cannot_run_is_told_the_same_way(argv: tuple[str, ...]) -> None:
    done = launch(*argv)
    assert (done.returncode, done.stderr.startswith(PREFIX)) == (FAILED, True)


def test_a_kernel_without_landlock_never_runs_what_should_be_confined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(confine, "landlock_abi", lambda: 0)
    with pytest.raises(ValueError, match="no Landlock"):
        confine.prepare_landlock({})


@pytest.mark.parametrize(("abi", "rights"), [(1, 13), (2, 14), (3, 15), (4, 15), (5, 16), (9, 17)])
def test_each_version_holds_back_all_that_it_knows(abi: int, rights: int) -> None:
    assert confine._handled(abi) == (1 << rights) - 1


@needs_landlock
def test_a_link_is_not_followed_to_a_place_to_write(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    done = launch("--", "/bin/true", landlock=True, rules={"write": [str(tmp_path / "link")]})
    assert (done.returncode, "symbolic link" in done.stderr) == (FAILED, True)


@needs_landlock
def test_only_empty_directories_can_be_removed_where_only_that_is_allowed(tmp_path: Path) -> None:
    for name in ("empty", "full"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "file").touch()
    rules = {"execute": ["/usr", "/bin", "/lib", "/lib64"], "remove_directory": [str(tmp_path)]}
    rules["execute"] = [path for path in rules["execute"] if Path(path).exists()]
    targets = [str(tmp_path / name) for name in ("empty", "full")]
    launch("--", "/bin/rm", "-rf", *targets, landlock=True, rules=rules)
    done = launch("--", "/bin/mv", targets[1], targets[0], landlock=True, rules=rules)
    assert done.returncode == 1
    launch("--", "/bin/rmdir", targets[0], landlock=True, rules=rules)
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "file"]


@needs_root
def test_the_user_changes_for_good() -> None:
    done = launch("--", "/usr/bin/id", user=[65534, 65534])
    assert done.stdout.startswith("uid=65534")
    assert "groups=65534" in done.stdout
    assert "root" not in done.stdout


def test_it_needs_nothing_but_the_quick_parts_of_the_standard_library() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(confine.__file__).parent)!r}); import confine;"
        "print([m for m in ('typing', 'dataclasses', 'inspect', 'subprocess', 'hive.errors')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"


def status_of(**changes: Any) -> dict[str, str]:
    done = launch("--", "/bin/cat", "/proc/self/status", **changes)
    return dict(line.split(":\t", 1) for line in done.stdout.splitlines() if ":\t" in line)


@needs_root
@pytest.mark.parametrize("user", [None, [65534, 65534]], ids=["root", "nobody"])
def test_no_capability_is_left_whoever_the_program_runs_as(user: list[int] | None) -> None:
    status = status_of(user=user)
    kinds = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    assert {kind: int(status[kind], 16) for kind in kinds} == dict.fromkeys(kinds, 0)
    assert status["NoNewPrivs"] == "1"


@needs_root
@pytest.mark.skipif(SETPRIV is None, reason="no setpriv here")
def test_what_a_service_manager_gave_the_server_is_not_passed_on() -> None:
    """As systemd does with AmbientCapabilities=, for a port below 1024."""
    assert SETPRIV is not None
    kept = ["--inh-caps", "+net_bind_service", "--ambient-caps", "+net_bind_service"]
    service = [SETPRIV, "--reuid", "65534", "--regid", "65534", "--clear-groups", *kept, "--"]
    with_shell = [*service, "/bin/sh", "-c", 'grep CapAmb /proc/self/status; exec "$@"', "sh"]
    done = launch("--", "/bin/grep", "CapAmb", "/proc/self/status", before=with_shell)
    granted, left = (int(line.split()[1], 16) for line in done.stdout.splitlines())
    assert (granted != 0, left) == (True, 0)


@needs_root
def test_root_without_capabilities_reads_no_file_of_others(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of nobody")
    secret.chmod(0o600)
    os.chown(secret, 65534, 65534)
    assert launch("--", "/bin/cat", str(secret)).returncode == 1


A_USER_NAMESPACE = "must(call.unshare(0x10000000))"
CLONED_USER_NAMESPACE = "must(call.syscall(56, 0x10000011, 0, 0, 0, 0))"
FORBIDDEN = {
    "UDP": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "a socket file": "socket.socket(socket.AF_UNIX)",
    "a user namespace": A_USER_NAMESPACE,
    "a pipe with a name": "os.mkfifo(name := f'/tmp/hive-test-{os.getpid()}'); os.unlink(name)",
    "a look into others": "must(call.ptrace(0, 0, 0, 0))",
}
if os.uname().machine == "x86_64":
    FORBIDDEN["a clone in a user namespace"] = CLONED_USER_NAMESPACE


@needs_seccomp
@pytest.mark.parametrize("act", FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_calls_that_no_program_needs_are_refused(act: str) -> None:
    code = (
        "import ctypes, os, socket, sys\n"
        "call = ctypes.CDLL(None, use_errno=True)\n"
        "def must(result):\n"
        "    if result < 0: raise OSError(ctypes.get_errno(), '')\n"
        f"try: {act}\n"
        "except OSError as error: sys.exit(error.errno)"
    )
    otherwise = launch("--", "/usr/bin/python3", "-I", "-c", code).returncode
    if otherwise != 0 and act in (A_USER_NAMESPACE, CLONED_USER_NAMESPACE):
        pytest.skip("no user namespaces here, as in every chroot")
    assert otherwise == 0
    done = launch("--", "/usr/bin/python3", "-I", "-c", code, system_calls=True)
    assert (done.returncode, done.stderr) == (1, "")


@needs_seccomp
def test_threads_and_pipes_still_work() -> None:
    code = (
        "import socket, subprocess, threading\n"
        "a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'\n"
        "t = threading.Thread(target=print, args=['thread']); t.start(); t.join()\n"
        "subprocess.run(['/bin/echo', 'child'], check=True)"
    )
    done = launch("--", "/usr/bin/python3", "-I", "-u", "-c", code, system_calls=True)
    assert (done.returncode, done.stdout) == (0, "thread\nchild\n"), done.stderr


def test_a_missing_library_never_means_that_all_calls_are_allowed() -> None:
    with pytest.raises(ValueError, match=r"libseccomp\.so"):
        confine_privileges.refuse_system_calls(None)


def mounts(*writable: Path, read_only: Sequence[str] = (), directory: str = "/") -> dict[str, Any]:
    parts = [path for path in map(Path, ("/bin", "/lib", "/lib64")) if path.exists()]
    links = {str(path): str(path.readlink()) for path in parts if path.is_symlink()}
    present = [str(path) for path in parts if not path.is_symlink()]
    return {
        "read_only": ["/usr", *present, *read_only],
        "writable": ["/dev/null", *map(str, writable)],
        "links": links,
        "directory": directory,
    }


SEES = 'cd "$1" && echo mine > written; ls -A / "$2"; cat "$2"/other/secret; echo x > /usr/x'


@needs_mounts
@pytest.mark.parametrize("as_root", [pytest.param(True, marks=needs_root), False])
def test_only_named_places_exist_where_a_program_has_its_own_file_system(
    open_place: Path, as_root: bool
) -> None:
    own, other = open_place / "own", open_place / "other"
    own.mkdir()
    other.mkdir()
    (other / "secret").write_text("of somebody else")
    before: list[str] = []
    if os.geteuid() == 0 and not as_root:
        os.chown(own, 65534, 65534)
        before = [SETPRIV or "", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]
    argv = ["/bin/sh", "-c", SEES, "sh", str(own), str(open_place)]
    place = mounts(own, directory=str(own))
    done = launch("--", *argv, mounts=place, before=before)
    assert "of somebody else" not in done.stdout + done.stderr
    assert "Read-only file system" in done.stderr
    listed = set(done.stdout.split())
    assert {"usr", "dev", "tmp", "own"} <= listed
    assert listed.isdisjoint({"home", "root", "proc", "sys", "run", "other", "etc"})
    assert (own / "written").read_text() == "mine\n"


@needs_mounts
@needs_root
def test_a_private_directory_above_keeps_nobody_from_its_place(tmp_path: Path) -> None:
    private = tmp_path / "private"
    own = private / "own"
    own.mkdir(parents=True)
    os.chown(own, 65534, 65534)
    private.chmod(0o700)
    argv = ["/bin/sh", "-c", "pwd; echo > written"]
    done = launch("--", *argv, user=[65534, 65534], mounts=mounts(own, directory=str(own)))
    assert (done.returncode, done.stdout) == (0, f"{own}\n"), done.stderr
    assert launch("--", *argv, user=[65534, 65534]).returncode != 0


@needs_mounts
def test_a_place_to_write_that_is_a_link_is_not_mounted(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    done = launch("--", "/bin/true", mounts=mounts(tmp_path / "link"))
    assert (done.returncode, "symbolic link" in done.stderr) == (FAILED, True)
