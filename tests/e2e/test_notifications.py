"""A server, a borg client and a webhook: told at once, and after a sudden end."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.big_backups import wait_for
from tests.e2e.installation import Installation
from tests.e2e.receiver import Receiver


@pytest.mark.long
def test_a_key_used_for_the_first_time_is_told_and_told_again_by_the_same_name_after_a_kill(
    installation: Installation, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.answers.clear()
    installation.environment = {
        **installation.environment,
        "HIVE_NOTIFICATIONS__ALLOWED_NETWORKS": "127.0.0.0/8",
        "HIVE_HEARTBEAT__URL": f"{receiver.url}/ping",
    }
    installation.start(expect_setup=True)
    installation.client_environment()
    installation.hive("location", "set", "default", "--host", "127.0.0.1")
    installation.hive("user", "add", "alice")
    installation.hive("key", "add", "laptop", "--owner", "alice", str(tmp_path / "id.pub"))
    url = installation.json("repo", "add", "laptop", "--owner", "alice", "--key", "laptop")["url"]
    hook = ("channel", "add", "hook", "--owner", "alice", "--kind", "webhook")
    installation.hive(*hook, "--set", f"url={receiver.url}/hook")
    assert receiver.tests == 1
    installation.borg("init", "-e", "repokey-blake2", url)

    wait_for(lambda: len(receiver.messages) == 1)
    assert receiver.messages[0]["kind"] == "key used for the first time"
    installation.signal(signal.SIGKILL)  # while it waits for the answer
    installation.wait()
    receiver.answers.set()
    installation.start(expect_setup=True)

    wait_for(lambda: len(receiver.messages) == 2)

    def is_sent() -> bool:
        rows = installation.json("delivery", "list")
        return [row["state"] for row in rows] == ["sent"]

    wait_for(is_sent)
    assert len({message["id"] for message in receiver.messages}) == 1
    assert receiver.beats >= 1
    findings = json.loads(installation.hive("--json", "doctor", status=0))
    assert ("Heartbeat", "ok") in {(one["subject"], one["level"]) for one in findings}


def query(installation: Installation, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(installation.data / "hive.sqlite3")) as database, database:
        return list(database.execute(sql))


@pytest.mark.long
def test_a_downtime_of_the_server_is_one_message_and_no_alarm_for_each_repository(
    installation: Installation, receiver: Receiver
) -> None:
    installation.environment = {
        **installation.environment,
        "HIVE_NOTIFICATIONS__ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    installation.start(expect_setup=True)
    installation.hive("user", "add", "alice")
    for name in ("laptop", "desktop"):
        installation.hive("repo", "add", name, "--owner", "alice")
        installation.hive("repo", "set", name, "--every", "1h", "--grace", "1h")
    hook = ("channel", "add", "hook", "--owner", "alice", "--kind", "webhook")
    installation.hive(*hook, "--set", f"url={receiver.url}/hook")

    def has_pulse() -> bool:
        return query(installation, "SELECT count(*) FROM pulse") == [(1,)]

    wait_for(has_pulse)
    assert installation.stop() == 0
    # as if all of it had been four hours earlier, and the server off ever since
    earlier = "strftime('%Y-%m-%d %H:%M:%S+00:00', 'now', '-4 hours')"
    query(installation, f"UPDATE pulse SET at = {earlier}")  # noqa: S608 - a constant
    columns = f"created_at = {earlier}, look_at = {earlier}"
    query(installation, f"UPDATE repository SET {columns}")  # noqa: S608
    installation.start(expect_setup=True)
    wait_for(lambda: len(receiver.messages) >= 1)

    def is_late() -> bool:
        return {one["health"] for one in installation.json("repo", "list")} == {"late"}

    wait_for(is_late)
    assert [message["kind"] for message in receiver.messages] == ["downtime"]
    assert "desktop, laptop" in receiver.messages[0]["text"]
    begun = installation.json("maintenance", "--for", "2h")
    assert begun["by"] == "operator"
