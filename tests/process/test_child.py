from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
from pathlib import Path
from time import monotonic

import pytest

from hive.errors import Unavailable
from hive.process import places
from hive.process.child import Child, process_start_time
from hive.process.confine import FAILED, PREFIX
from hive.process.spec import ChildSpec, Confinement, Limits
from tests.sshgate.support import (
    CONFINED,
    ENVIRONMENT,
    output_of,
    python,
    read_all,
    read_some,
    soon,
    write_all,
)

STUBBORN = "import signal, sys; signal.signal(15, signal.SIG_IGN); print('up', flush=True); "


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208 - numbers, not paths


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def gone(pid: int) -> bool:
    for _ in range(200):
        if not is_alive(pid):
            return True
        await asyncio.sleep(0.01)
    return False


async def test_what_goes_in_comes_out_and_the_status_is_told(tmp_path: Path) -> None:
    child = Child.start(
        ChildSpec(argv=("/bin/cat",), environment=ENVIRONMENT, cwd=tmp_path), CONFINED
    )
    await write_all(child.stdin_fd, b"a backup")
    child.close_stdin()
    assert await soon(read_all(child.stdout_fd)) == b"a backup"
    assert await soon(child.wait()) == 0
    child.close()


@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(7)", 7), ("os.kill(0, 9)", -9)])
async def test_status_is_the_code_or_minus_the_signal(
    tmp_path: Path, code: str, status: int
) -> None:
    assert (await output_of(python(f"import os; {code}", tmp_path)))[0] == status


async def test_the_program_sees_its_own_environment_and_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIVE_SECRET", "of the server")
    spec = ChildSpec(
        argv=("/usr/bin/env",), environment={"A": "b c", "UMLAUT": "\udcff"}, cwd=tmp_path
    )
    status, printed = await output_of(spec)
    assert (status, sorted(printed.split("\n"))) == (0, ["", "A=b c", "UMLAUT=�"])


async def test_the_program_starts_with_default_signals_no_foreign_files_and_its_own_session(
    tmp_path: Path,
) -> None:
    code = (
        "import os, pathlib; own = os.getpid();"
        "print(os.listdir('/proc/self/fd'), os.getsid(0) == os.getpgid(0) == own, os.umask(0));"
        "print(pathlib.Path('/proc/self/status').read_text())"
    )
    leaking = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(leaking, True)
    try:
        _, printed = await output_of(python(code, tmp_path, readable=(Path("/proc"),)))
    finally:
        os.close(leaking)
    assert printed.startswith("['0', '1', '2', '3'] True 63")
    assert "NoNewPrivs:\t1" in printed
    # Python ignores SIGPIPE and SIGXFSZ for itself: nothing but these two is ignored.
    assert f"SigIgn:\t{1 << 12 | 1 << 24:016x}" in printed
    assert "SigBlk:\t0000000000000000" in printed


async def test_limits_and_priorities_are_applied(tmp_path: Path) -> None:
    code = (
        "import os, resource as r;"
        "print([r.getrlimit(w)[1] for w in"
        " (r.RLIMIT_CORE, r.RLIMIT_FSIZE, r.RLIMIT_NOFILE, r.RLIMIT_AS, r.RLIMIT_NPROC)],"
        " os.getpriority(os.PRIO_PROCESS, 0))"
    )
    limits = Limits(
        file_bytes=1 << 20,
        open_files=64,
        memory_bytes=1 << 32,
        processes=500,
        nice=5,
        io_class="idle",
        io_level=7,
    )
    _, printed = await output_of(python(code, tmp_path, limits=limits))
    nice = os.getpriority(os.PRIO_PROCESS, 0) + 5
    assert printed == f"[0, {1 << 20}, 64, {1 << 32}, 500] {nice}\n"


async def test_a_file_that_grows_too_large_ends_in_an_error(tmp_path: Path) -> None:
    code = "f = open('big', 'wb', 0); f.write(bytes(4096)); f.write(b'1')"
    spec = python(code, tmp_path, writable=(tmp_path,), limits=Limits(file_bytes=4096))
    status, printed = await output_of(spec)
    assert (status, "File too large" in printed) == (1, True)


def test_a_program_that_is_missing_or_not_named_in_full_is_refused(tmp_path: Path) -> None:
    before = descriptors()
    for program in ("/nowhere/borg", "borg", "/etc/passwd", "/usr"):
        with pytest.raises(Unavailable, match=program):
            Child.start(ChildSpec(argv=(program, "serve"), environment={}, cwd=tmp_path), CONFINED)
    with pytest.raises(Unavailable, match="No such file"):
        Child.start(ChildSpec(argv=("/bin/true",), environment={}, cwd=tmp_path / "gone"), CONFINED)
    with pytest.raises(ValueError, match="null"):
        Child.start(ChildSpec(argv=("/bin/true", "\0"), environment={}, cwd=tmp_path), CONFINED)
    assert descriptors() == before


def test_too_many_open_files_refuse_the_start_and_leak_nothing(tmp_path: Path) -> None:
    import resource  # noqa: PLC0415 - only here

    before = descriptors()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(number) for number in before)
    for spare in range(1, 14):
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + spare, limits[1]))
        try:
            child = Child.start(
                ChildSpec(argv=("/bin/true",), environment={}, cwd=tmp_path), CONFINED
            )
        except Unavailable:
            assert descriptors() == before
        else:
            asyncio.run(child.end(5))
            child.close()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert descriptors() == before


async def test_what_the_launcher_cannot_do_is_told_apart_from_the_programs_own_failures(
    tmp_path: Path,
) -> None:
    spec = ChildSpec(
        argv=("/bin/true",), environment={}, cwd=tmp_path, writable=(tmp_path / "missing",)
    )
    status, printed = await output_of(spec, Confinement(landlock=True, user=None, allow_root=True))
    assert status == FAILED
    assert printed.startswith(PREFIX)
    assert len(printed.splitlines()) == 1


async def test_several_may_wait_and_one_may_give_up(tmp_path: Path) -> None:
    child = Child.start(ChildSpec(argv=("/bin/cat",), environment={}, cwd=tmp_path), CONFINED)
    with pytest.raises(TimeoutError):
        await soon(child.wait(), 0.05)
    impatient = asyncio.ensure_future(child.wait())
    patient = [asyncio.ensure_future(child.wait()) for _ in range(5)]
    await asyncio.sleep(0.01)
    impatient.cancel()
    child.close_stdin()
    assert await soon(asyncio.gather(*patient)) == [0] * 5
    assert (await child.wait(), child.status) == (0, 0)
    child.close()


async def test_a_program_that_obeys_eof_gets_no_signal(tmp_path: Path) -> None:
    code = "import sys; sys.stdin.read(); raise SystemExit(3)"
    child = Child.start(python(code, tmp_path), CONFINED)
    await soon(child.end(30))
    assert child.status == 3
    child.close()


@pytest.mark.long
async def test_a_program_that_ignores_eof_gets_sigterm_again_and_again(tmp_path: Path) -> None:
    code = textwrap.dedent("""
        import signal, time
        heard = []
        def hear(*_):
            heard.append(1)
            if len(heard) == 2: raise SystemExit(9)
        signal.signal(signal.SIGTERM, hear)
        print("up", flush=True)
        while True: time.sleep(60)
    """)
    child = Child.start(python(code, tmp_path), CONFINED)
    await soon(read_some(child.stdout_fd))
    await soon(child.end(10))
    assert child.status == 9
    child.close()


async def test_a_program_that_ignores_all_is_killed_with_its_children_after_the_grace(
    tmp_path: Path,
) -> None:
    code = STUBBORN + textwrap.dedent("""
        import os, time
        print(os.fork() or '', flush=True)
        while True: time.sleep(60)
    """)
    child = Child.start(python(code.replace("; \n", "\n"), tmp_path), CONFINED)
    printed = b""
    while len(printed.split()) < 2:
        printed += await soon(read_some(child.stdout_fd))
    grandchild = int(printed.split()[1])
    began = monotonic()
    await soon(asyncio.gather(child.end(1.0), child.end(1.5), child.end(30)))
    assert 0.9 < monotonic() - began < 2
    assert child.status == -signal.SIGKILL
    assert await gone(grandchild)
    child.close()


async def test_what_a_program_leaves_behind_is_killed_when_it_ends(tmp_path: Path) -> None:
    code = "import os, time; p = os.fork(); p and print(p, flush=True); p or time.sleep(600)"
    child = Child.start(python(code, tmp_path), CONFINED)
    left = int(await soon(read_some(child.stdout_fd)))
    assert await soon(child.wait()) == 0
    assert await gone(left)
    assert await soon(read_all(child.stdout_fd)) == b""
    child.close()


async def test_an_end_that_was_cancelled_goes_on_with_the_next_one(tmp_path: Path) -> None:
    child = Child.start(python(STUBBORN + "import time; time.sleep(600)", tmp_path), CONFINED)
    await soon(read_some(child.stdout_fd))
    with pytest.raises(TimeoutError):
        await soon(child.end(30), 0.2)
    assert is_alive(child.pid)
    await soon(child.end(0))
    assert child.status == -signal.SIGKILL
    await child.end(0)
    child.close()
    child.close()
    assert (child.stdin_fd, child.stdout_fd, child.stderr_fd) == (-1, -1, -1)


async def test_closing_takes_the_pipe_from_the_loop_too(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    child = Child.start(ChildSpec(argv=("/bin/cat",), environment={}, cwd=tmp_path), CONFINED)
    loop.add_writer(child.stdin_fd, lambda: None)
    loop.add_reader(child.stdout_fd, lambda: None)
    number = child.stdin_fd
    await child.end(5)
    assert not loop.remove_writer(number)
    child.close()


async def test_fifty_programs_leave_no_descriptor_and_no_zombie(tmp_path: Path) -> None:
    before = descriptors()
    for ending in range(50):
        child = Child.start(ChildSpec(argv=("/bin/cat",), environment={}, cwd=tmp_path), CONFINED)
        if ending % 3 == 0:
            child.close_stdin()
            await soon(child.wait())
        else:
            await soon(child.end(0.5 if ending % 3 == 1 else 0))
        child.close()
    assert descriptors() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


async def test_a_program_is_known_again_by_pid_and_start_time(tmp_path: Path) -> None:
    child = Child.start(ChildSpec(argv=("/bin/cat",), environment={}, cwd=tmp_path), CONFINED)
    assert process_start_time(child.pid) == child.start_time > 0
    await child.end(5)
    assert process_start_time(child.pid) is None
    child.close()


async def test_the_program_gets_sigterm_when_the_server_is_killed(tmp_path: Path) -> None:
    checkout = Path(__file__).resolve().parents[2]
    program = (
        "import signal, time, os\n"
        "def told(*_):\n    open('told', 'w').close(); os._exit(0)\n"
        "signal.signal(15, told); open('ready', 'w').close()\n"
        "while True: time.sleep(60)"
    )
    server = (
        f"import sys, time; sys.path.insert(0, {str(checkout)!r})\n"
        "from pathlib import Path; from hive.process.child import *\n"
        "from hive.process.spec import *\n"
        "from tests.sshgate.support import *\n"
        f"place = Path({str(tmp_path)!r})\n"
        f"child = Child.start(python({program!r}, place, writable=(place,)), CONFINED)\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", server, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    pid = int(await soon(process.stdout.readline()))
    while not (tmp_path / "ready").exists():
        await asyncio.sleep(0.01)
    process.kill()
    await process.wait()
    assert await gone(pid)
    assert (tmp_path / "told").exists()


@pytest.mark.parametrize("symlinks", [False, True])
def test_what_one_program_may_write_is_nothing_to_the_next(tmp_path: Path, symlinks: bool) -> None:
    """What is the same for all of them is looked up once, and must not gather their places."""
    for number in range(2):
        spec = ChildSpec(
            argv=("/bin/true",),
            environment={},
            cwd=tmp_path,
            writable=(Path(f"/x{number}"),),
            symlinks=symlinks,
        )
        rules = places.rules(spec)
        assert [path for path in rules["write"] + rules["write_and_link"] if "/x" in path] == [
            f"/x{number}"
        ]
        assert places.mounts(rules, spec)["writable"] == ["/dev/null", f"/x{number}"]
