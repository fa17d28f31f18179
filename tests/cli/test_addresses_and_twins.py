"""hive address, and hive key disable."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from hive.config.settings import Settings
from hive.kinds import AddressTrouble
from hive.services import runtime
from hive.services.gate import client_addresses
from hive.services.gate.client_addresses import Observation
from tests.cli.conftest import Run


def test_an_address_is_banned_allowed_and_released(run: Run) -> None:
    assert run("address", "list", "--json").json == []
    done = run("address", "ban", "198.51.100.0/24", "--until", "+1d", "--reason", "scans us")
    assert (done.status, done.output + done.messages) == (0, "198.51.100.0/24 is banned.\n")
    assert run("address", "allow", "198.51.100.7").status == 0
    rows = {row["network"]: row for row in run("address", "list", "--json").json}
    assert rows["198.51.100.0/24"]["ruling"] == "ban"
    assert rows["198.51.100.0/24"]["reason"] == "scans us"
    assert rows["198.51.100.0/24"]["expires_at"] is not None
    assert rows["198.51.100.7"]["ruling"] == "allow"
    table = run("address", "list").output
    assert "198.51.100.0/24" in table
    assert "scans us" in table
    refused = run("address", "release", "198.51.100.8")
    assert refused.status == 1
    assert "is inside 198.51.100.0/24, which is banned" in refused.messages
    assert run("address", "release", "198.51.100.0/24").status == 0
    assert [row["network"] for row in run("address", "list", "--json").json] == ["198.51.100.7"]


def test_what_a_client_calls_itself_does_no_harm_to_the_terminal(
    run: Run, settings: Settings
) -> None:
    hostile = "no \x1b[2J\u202e algorithm"
    seen = Observation(
        address="198.51.100.7",
        trouble=AddressTrouble.NO_COMMON_ALGORITHM,
        reason=hostile,
        client=hostile,
    )

    async def note() -> None:
        await runtime.start(settings)
        await client_addresses.note([seen])
        await runtime.stop()

    asyncio.run(note())
    output = run("address", "list").output
    assert "198.51.100.7" in output
    assert "\x1b" not in output
    assert "\u202e" not in output


def test_what_is_no_network_is_said(run: Run) -> None:
    refused = run("address", "ban", "everywhere")
    assert refused.status == 1
    assert "'everywhere' is not a network: write 192.0.2.7, 192.0.2.0/24" in refused.messages


def test_a_key_is_disabled_and_its_twin_is_named(
    run: Run, documents: dict[str, Any], key_file: Path
) -> None:
    run("user", "add", "bob")
    run("key", "add", "copy", key_file, "--owner", "bob")
    shown = run("key", "show", "alice/laptop", "--json").json
    assert [(one["owner"], one["name"]) for one in shown["same_key"]] == [("bob", "copy")]
    assert "bob/copy" in run("key", "list").output
    done = run("key", "disable", "alice/laptop")
    fingerprint = shown["fingerprint"]
    assert f"still enabled as bob/copy: disable it with --everywhere {fingerprint}" in (
        done.output + done.messages
    )
    done = run("key", "disable", "--everywhere", fingerprint)
    assert done.status == 0
    assert "Disabled: bob/copy." in done.output + done.messages
    assert [row["enabled"] for row in run("key", "list", "--json").json] == [False, False]
    again = run("key", "disable", "--everywhere", fingerprint)
    assert "already disabled everywhere" in again.output + again.messages
    assert run("key", "disable", "--everywhere", "laptop").status == 1
    assert documents
