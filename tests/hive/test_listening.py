"""Several addresses and one port, with the sockets of this machine."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from hive import listening
from hive.config.values import Address, parse_address
from hive.errors import Unavailable

BOTH = [parse_address("[::1]:0"), parse_address("127.0.0.1:0")]
_ALONE = """
import asyncio, sys
from hive import listening, log
from hive.config.values import parse_address
log.configure("info")
async def main():
    wanted = [parse_address(one) for one in sys.argv[1:]]
    for one in await listening.open_sockets(wanted, what="The test", backlog=1):
        print(listening.shown_address([one]))
        one.close()
asyncio.run(main())
"""


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


async def opened(stack: ExitStack, *addresses: Address) -> list[socket.socket]:
    made = await listening.open_sockets(addresses, what="The test", backlog=5)
    for one in made:
        stack.enter_context(one)
    return made


@needs_ipv6
async def test_both_families_get_one_port_and_ipv4_comes_first() -> None:
    with ExitStack() as stack:
        made = await opened(stack, *BOTH)
        assert [one.family for one in made] == [socket.AF_INET, socket.AF_INET6]
        (first, second) = (one.getsockname()[1] for one in made)
        assert first == second != 0
        assert str(listening.shown_address(made)) == f"127.0.0.1:{first}"
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, first), timeout=10).close()


@needs_ipv6
async def test_all_addresses_of_both_families_share_a_port() -> None:
    with ExitStack() as stack:
        made = await opened(stack, Address("0.0.0.0", 0), Address("::", 0))  # noqa: S104
        assert len({one.getsockname()[1] for one in made}) == 1
        assert len(made) == 2


@needs_ipv6
async def test_a_chosen_port_that_the_other_family_lacks_is_chosen_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bound, tries = listening._bound, []

    def busy(
        family: socket.AddressFamily, where: tuple[str | int, ...], backlog: int
    ) -> socket.socket:
        tries.append(where)
        if family == socket.AF_INET6 and len(tries) == 2:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return bound(family, where, backlog)

    monkeypatch.setattr(listening, "_bound", busy)
    with ExitStack() as stack:
        made = await opened(stack, *BOTH)
        assert len({one.getsockname()[1] for one in made}) == 1
    assert len(tries) == 4


async def test_a_port_that_is_taken_is_refused_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(Unavailable, match="The test cannot listen on 127"):
            await listening.open_sockets([where], what="The test", backlog=5)


async def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(Unavailable, match=r"192\.0\.2\.1:0"):
        await listening.open_sockets([Address("192.0.2.1", 0)], what="The test", backlog=5)


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None,
    reason="a network of its own needs root, unshare and ip",
)
def test_a_machine_without_ipv6_says_so_in_its_log_and_listens(tmp_path: Path) -> None:
    program = tmp_path / "alone.py"
    program.write_text(_ALONE)
    without = (
        'ip link set lo up && echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6 && exec "$0" "$@"'
    )
    done = subprocess.run(
        [
            *("unshare", "--net", "sh", "-c", without, sys.executable, str(program)),
            *("127.0.0.1:0", "[::1]:0"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if "Operation not permitted" in done.stderr or "Read-only" in done.stderr:
        pytest.skip("no network of its own can be had here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("127.0.0.1:")
    assert len(done.stdout.splitlines()) == 1
    assert "this machine lacks an address" in done.stderr
    assert "[::1]:0" in done.stderr
