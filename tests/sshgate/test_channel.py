"""What the gate's channel changes in asyncssh's is still there to be changed.

It overrides and reads private names: without this, an update of asyncssh would be noticed in the
middle of somebody's backup.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable

import pytest
from asyncssh.channel import SSHChannel, SSHServerChannel
from asyncssh.connection import SSHConnection
from asyncssh.constants import MSG_CHANNEL_CLOSE

from sshgate.channel import GateChannel

TREE = ast.parse(textwrap.dedent(inspect.getsource(GateChannel)))
CHANNEL = inspect.getsource(SSHChannel) + inspect.getsource(SSHServerChannel)
CONNECTION = inspect.getsource(SSHConnection)


def private_names(owner: str) -> set[str]:
    """What is read of `self`, or of `self._conn`."""
    return {
        node.attr
        for node in ast.walk(TREE)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value) == owner
        and node.attr.startswith("_")
    }


def overridden() -> set[str]:
    return {name for name in vars(GateChannel) if name.startswith("_process_")} | {
        "_accept_data",
        "_flush_send_buf",
        "write",
    }


@pytest.mark.parametrize("name", sorted(overridden()))
def test_what_is_overridden_is_still_called_by_asyncssh(name: str) -> None:
    former = getattr(SSHServerChannel, name, None)
    assert former is not None, f"asyncssh has no {name} any more: sshgate/channel.py overrides it"
    ours = vars(GateChannel)[name]
    if ours is not None:
        assert shape(ours) == shape(former), (
            f"{name} of asyncssh takes other arguments now: see sshgate/channel.py"
        )


def shape(function: Callable[..., object]) -> list[tuple[object, object]]:
    """How it may be called; the names are those of who wrote it."""
    return [(one.kind, one.default) for one in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", sorted(private_names("self") - set(vars(GateChannel))))
def test_what_is_read_of_a_channel_is_still_there(name: str) -> None:
    assert re.search(rf"self\.{name}\b|def {name}\b", CHANNEL), (
        f"asyncssh's channel has no {name} any more: sshgate/channel.py reads it"
    )


@pytest.mark.parametrize("name", sorted(private_names("self._conn") | {"_transport"}))
def test_what_is_read_of_a_connection_is_still_there(name: str) -> None:
    assert re.search(rf"self\.{name}\b", CONNECTION), (
        f"asyncssh's connection has no {name} any more: sshgate/channel.py reads it"
    )


def test_the_names_are_found_at_all() -> None:
    """Else the tests above would hold whatever asyncssh does."""
    assert {"_recv_buf", "_conn", "_session", "_start_session"} <= private_names("self")
    assert {"_transport", "_kex_complete"} <= private_names("self._conn")
    assert {"_process_env_request", "_process_exec_request", "_process_close"} <= overridden()


def test_a_close_is_handled_by_the_table() -> None:
    handlers = SSHServerChannel._packet_handlers
    assert handlers[MSG_CHANNEL_CLOSE] is SSHChannel._process_close, (
        "asyncssh closes channels another way now: see sshgate/channel.py"
    )
    assert GateChannel._packet_handlers[MSG_CHANNEL_CLOSE] is GateChannel._process_close


def test_requests_are_still_found_by_their_name() -> None:
    """None in place of a method stands for a request that is not known."""
    source = inspect.getsource(SSHChannel._service_next_request)
    assert "'_process_'" in source, "asyncssh finds requests another way: see sshgate/channel.py"
    assert "getattr(self" in source
