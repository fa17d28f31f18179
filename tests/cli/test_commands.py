from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hive import control_server, signals
from hive.config.settings import Settings
from hive.kinds import Need
from hive.services import runtime
from hive.services.gate import authentication
from hive.signals import EndSession, RightsChanged
from tests import factories
from tests.cli.conftest import Run

REPOSITORY_FIELDS = [
    "id",
    "name",
    "login",
    "owner",
    "groups",
    "location",
    "mode",
    "path",
    "url",
    "keys",
    "quota_bytes",
    "size_bytes",
    "state",
    "last_backup_at",
    "last_access_at",
    "created_at",
]
SESSION_FIELDS = [
    "id",
    "repository",
    "login",
    "key",
    "peer",
    "client",
    "command",
    "mode",
    "access",
    "operation",
    "archive_created",
    "started_at",
    "ended_at",
    "bytes_in",
    "bytes_out",
    "bytes_added",
    "bytes_removed",
    "exit_status",
    "end_reason",
    "error",
]


def test_json_of_a_repository_is_as_promised(documents: dict[str, Any], run: Run) -> None:
    assert list(documents)[: len(REPOSITORY_FIELDS)] == REPOSITORY_FIELDS  # more may follow
    assert documents["keys"][0].keys() == {"fingerprint", "name", "access"}
    assert documents["keys"][0]["access"] == "full"
    assert (documents["mode"], documents["state"]) == ("BORG", "new")
    assert documents["last_backup_at"] is None
    assert documents["created_at"].endswith("Z")
    for arguments in (("repo", "list", "--json"), ("--json", "repo", "list")):
        assert run(*arguments).json == [documents]
    shown = run("repo", "show", documents["login"], "--json").json
    assert {key: shown[key] for key in list(shown)[: len(documents)]} == documents


def test_people_get_the_url_and_the_next_command(documents: dict[str, Any], run: Run) -> None:
    added = run("repo", "add", "more", "--owner", "alice")
    assert "borg init --encryption=repokey-blake2 ssh://" in added.output
    imported = run("repo", "add", "old", "--owner", "alice", "--mode", "import")
    assert "rsync -a" in imported.output
    table = run("repo", "list").output.splitlines()
    assert table[0].split()[:4] == ["ID", "OWNER", "NAME", "LOGIN"]
    assert len(table) == 4
    assert "full" in run("repo", "show", documents["login"]).output


def test_users_are_shown_changed_and_deleted(run: Run) -> None:
    assert run("user", "add", "alice", "--admin", "--email", "a@example.org").status == 0
    added = run("user", "add", "bob", "--password-stdin", "--json", given="0123456789\n").json
    assert added["has_password"] is True
    assert run("user", "set", "bob", "--disable", "--json").json["enabled"] is False
    assert run("user", "set", "bob", "--admin", "--enable", "--json").json["admin"] is True
    assert run("user", "set", "alice", "--email", "", "--json").json["email"] is None
    changed = run("user", "password", "alice", "--password-stdin", given="0123456789\n")
    assert changed.status == 0
    assert "0123456789" not in changed.output + changed.messages
    assert run("user", "show", "alice", "--json").json["has_password"] is True
    assert [user["name"] for user in run("user", "list", "--json").json] == ["alice", "bob"]
    assert run("user", "delete", "alice").status == 0
    last = run("user", "set", "bob", "--no-admin")
    assert (last.status, last.output) == (1, "")
    assert last.messages == "This is the last enabled administrator: appoint another one first.\n"


def test_groups_and_locations(documents: dict[str, Any], run: Run, tmp_path: Path) -> None:
    changed = run("group", "set", "team", "--name", "crew", "--remove-member", "bob", "--json")
    assert (changed.json["name"], changed.json["members"]) == ("crew", ["alice"])
    assert [group["name"] for group in run("group", "list", "--json").json] == ["crew"]
    assert run("group", "delete", "crew").status == 0
    root = tmp_path / "root"
    added = run("location", "add", "two", "--host", "h.example", "--port", 22, "--root", root)
    assert added.status == 0
    assert run("location", "set", "two", "--host", "i.example", "--default").status == 0
    listed = {place["name"]: place for place in run("location", "list", "--json").json}
    assert (listed["two"]["host"], listed["two"]["root"]) == ("i.example", str(root))
    assert listed["two"]["default"]
    assert not listed["default"]["default"]
    refused = run("location", "delete", "default")
    assert (refused.status, "default still holds 1 repository (" in refused.messages) == (1, True)


def test_keys_are_read_changed_and_deleted(documents: dict[str, Any], run: Run) -> None:
    added = run("key", "add", "server", "-", "--owner", "bob", given=factories.key_line())
    assert added.status == 0
    changed = run(
        *("key", "set", "laptop", "--disable", "--expires", "2027-01-31", "--from", "10.0.0.0/8"),
        *("--from", "192.0.2.1", "--group", "team", "--name", "notebook", "--json"),
    ).json
    assert (changed["enabled"], changed["expires_at"]) == (False, "2027-01-31T00:00:00Z")
    assert changed["networks"] == ["10.0.0.0/8", "192.0.2.1/32"]
    assert (changed["groups"], changed["name"]) == (["team"], "notebook")
    same = run("key", "set", "notebook", "--enable", "--json").json
    assert same["expires_at"] == "2027-01-31T00:00:00Z"
    back = run("key", "set", "notebook", "--expires", "never", "--from-anywhere", "--json").json
    assert (back["expires_at"], back["networks"]) == (None, [])
    assert run("key", "set", "notebook", "--remove-group", "team", "--json").json["groups"] == []
    assert "documents" in run("key", "show", back["fingerprint"]).output
    deleted = run("key", "delete", "notebook")
    assert f"documents ({documents['login']}), full" in deleted.output
    assert [key["name"] for key in run("key", "list", "--json").json] == ["server"]


@pytest.mark.parametrize("content", [b"x" * 70_000, b"\xff\xfe", b"", b"ssh-ed25519 AAAA"])
def test_a_file_that_is_no_key_is_refused(run: Run, tmp_path: Path, content: bytes) -> None:
    run("user", "add", "alice")
    (tmp_path / "file").write_bytes(content)
    refused = run("key", "add", "x", tmp_path / "file", "--owner", "alice")
    assert refused.status == 1
    assert len(refused.messages.splitlines()) == 1
    assert run("key", "add", "x", tmp_path / "none", "--owner", "alice").status == 1


def test_a_repository_is_changed_in_all_ways(documents: dict[str, Any], run: Run) -> None:
    run("key", "add", "server", "-", "--owner", "alice", given=factories.key_line())
    changed = run(
        *("repo", "set", documents["login"], "--name", "papers", "--quota", "5GB", "--json"),
        *("--append-only-key", "server", "--read-only-key", "laptop", "--group", "team"),
        *("--share-level", "view", "--mode", "EXPORT"),
    ).json
    assert (changed["name"], changed["quota_bytes"]) == ("papers", 5_000_000_000)
    access = {key["name"]: key["access"] for key in changed["keys"]}
    assert access == {"server": "append-only", "laptop": "read-only"}
    assert (changed["groups"], changed["mode"]) == (["team"], "EXPORT")
    assert "team (view)" in run("repo", "show", "papers").output
    again = run(
        *("repo", "set", "papers", "--quota", "none", "--remove-key", "server", "--json"),
        *("--remove-group", "team", "--owner", "bob"),
    ).json
    assert (again["quota_bytes"], again["groups"], again["owner"]) == (None, [], "bob")
    assert [key["name"] for key in again["keys"]] == ["laptop"]


def test_repo_set_does_all_or_nothing(documents: dict[str, Any], run: Run) -> None:
    refused = run("repo", "set", documents["login"], "--name", "papers", "--key", "nothing")
    assert refused.status == 1
    assert run("repo", "list", "--json").json == [documents]


def test_deleting_asks_for_the_name_or_yes(documents: dict[str, Any], run: Run) -> None:
    assert run("repo", "delete", "documents").status == 2
    assert len(run("repo", "list", "--json").json) == 1
    deleted = run("repo", "delete", "documents", "--yes", "--json").json
    assert deleted["login"] == documents["login"]
    assert run("repo", "list", "--json").json == []
    trashed = run("repo", "list", "--trash", "--json").json
    assert (trashed[0]["state"], trashed[0]["deleted_at"] is None) == ("deleted", False)
    restored = run("repo", "restore", documents["login"], "--json").json
    assert restored["down_at"] >= documents["down_at"]  # the next backup has its time from now on
    assert restored == {**documents, "down_at": restored["down_at"]}


def test_a_settled_import_is_told(documents: dict[str, Any], run: Run, tmp_path: Path) -> None:
    run("repo", "set", "documents", "--mode", "import")
    staging = Path(documents["path"]).parent / ".import"
    factories.make_borg_repository(tmp_path / "repository", tmp_path)
    shutil.copytree(tmp_path / "repository", staging)
    (staging / "strange").touch()
    failed = run("repo", "set", "documents", "--mode", "borg")
    assert failed.status == 1
    assert "does not belong to a borg repository" in failed.messages
    (staging / "strange").unlink()
    settled = run("repo", "set", "documents", "--mode", "borg", "--json")
    assert settled.status == 0
    assert "The import is in place" in settled.messages
    assert settled.json["state"] == "ready"
    versions = run("repo", "configs", "documents", "--json").json
    (Path(documents["path"]) / "config").write_text("overwritten")
    restored = run("repo", "restore-config", "documents", versions[0]["version"])
    assert restored.status == 0
    kept = (Path(documents["path"]) / "config").read_bytes()
    assert kept == (tmp_path / "repository" / "config").read_bytes()
    assert len(run("repo", "configs", "documents", "--json").json) == 3
    messages = [event["message"] for event in run("event", "list", "--json").json]
    assert any("put back" in message for message in messages)


@pytest.fixture
def session(documents: dict[str, Any], settings: Settings) -> int:
    """A running session, whose client sent what would move a terminal's cursor."""

    async def open_() -> int:
        await runtime.start(settings)
        try:
            from hive.services import permissions  # noqa: PLC0415
            from hive.services.gate import admission as access  # noqa: PLC0415
            from hive.services.keys import keys  # noqa: PLC0415

            key = await keys.find_key(permissions.OPERATOR, "laptop")
            login = documents["login"]
            identity = await authentication.authenticate(login, key.fingerprint, "192.0.2.7")
            assert identity is not None
            hostile = "borg serve \x1b[2J\nID  forged"
            request = access.SessionRequest(Need.BORG, hostile, "192.0.2.7", "\x1b]0;x\x07")
            return (await access.admit(identity, request)).session_id
        finally:
            await runtime.stop()

    return asyncio.run(open_())


def test_sessions_are_listed_and_shown(session: int, run: Run) -> None:
    live = run("session", "list", "--live", "--json").json
    assert [found["id"] for found in live] == [session]
    assert list(live[0]) == SESSION_FIELDS
    assert (live[0]["key"], live[0]["repository"]) == ("laptop", "documents")
    assert live[0]["ended_at"] is None
    assert live[0]["command"] == "borg serve \x1b[2J\nID  forged"
    one = run("session", "show", session, "--json").json
    assert [*SESSION_FIELDS, "objects_added", "objects_removed"] == list(one)
    shown = run("session", "show", session).output
    assert "\x1b" not in shown
    assert "\\x1b[2J\\nID" in shown
    assert len(run("session", "list", "--repo", "documents").output.splitlines()) == 2
    assert run("session", "show", 77).status == 1
    assert run("session", "show", "x").status == 2
    listed = run("event", "list", "--repo", "documents", "--json").json
    assert list(listed[0]) == ["id", "at", "repository", "kind", "message", "session"]
    assert (listed[0]["kind"], listed[0]["session"]) == ("opened", session)


@pytest.fixture
def server(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[signals.Happening]]:
    """The control socket of a running server, in a thread; what it is told."""
    told: list[signals.Happening] = []
    # the commands here have no memory of a server
    monkeypatch.setattr(control_server, "tell", told.append)
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        settings.paths.run.mkdir(exist_ok=True)
        opened = await control_server.serve(settings.paths.control_socket)
        ready.set()
        await stop.wait()
        await opened.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait(10)
    yield told
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


def test_a_running_server_hears_of_changes_at_once(
    documents: dict[str, Any],
    session: int,
    run: Run,
    server: list[signals.Happening],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hive.cli.session._KILL_SECONDS", -60.0)  # this server ends nothing
    run("repo", "list")
    assert server == []
    assert run("key", "set", "laptop", "--disable").messages == ""
    assert server == [RightsChanged("key laptop was changed")]
    asked = run("session", "kill", session)
    assert (asked.status, "has not closed it within" in asked.messages) == (1, True)
    assert server[-1] == EndSession(session, "ended by operator")


def test_ending_a_session_without_a_server_closes_it(session: int, run: Run) -> None:
    closed = run("session", "kill", session)
    assert closed.status == 0
    assert "was not running any more and is now closed" in closed.output
    assert run("session", "kill", session).status == 1


def test_host_keys_are_shown_for_every_location(run: Run, settings: Settings) -> None:
    assert "no host keys yet" in run("host-keys").messages
    from hive.services.gate import host_keys  # noqa: PLC0415 - one test needs it

    host_keys._make(settings.paths.host_key("ed25519"))
    run("location", "add", "two", "--host", "h.example", "--port", 22)
    shown = run("host-keys", "--json").json
    assert len(shown["keys"]) == 1
    assert len(shown["known_hosts"]) == 2
    assert any(line.startswith("h.example ssh-ed25519 ") for line in shown["known_hosts"])
    assert run("host-keys", "--accept").status == 0


def test_the_configuration_is_checked_and_shown(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("HIVE_TEST_")]:
        monkeypatch.delenv(name)
    assert run("config", "check").status == 0
    assert "[ssh]" in run("config", "example").output
    assert run("config", "check", "--json").json == {"valid": True, "warnings": []}
    assert run("--config", tmp_path / "none.toml", "config", "check").status == 1
    (tmp_path / "bad.toml").write_text("[ssh]\nlissen = 1\n")
    wrong = run("--config", tmp_path / "bad.toml", "config", "check")
    assert (wrong.status, wrong.output) == (1, "")
    assert "bad.toml:2: " in wrong.messages


def test_a_variable_of_another_program_is_a_warning_and_stops_nothing(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIVE_PORT_2222_TCP_ADDR", "10.0.0.7")
    checked = run("config", "check", "--json")
    assert checked.status == 0
    assert "HIVE_PORT_2222_TCP_ADDR" in checked.json["warnings"][0]
    assert "HIVE_PORT_2222_TCP_ADDR" in run("doctor").output
    monkeypatch.setenv("HIVE_SSH__PORT", "22")
    refused = run("config", "check")
    assert refused.status == 1
    assert "HIVE_SSH__PORT" in refused.messages


def test_the_doctor_says_what_is_wrong(
    run: Run, settings: Settings, documents: dict[str, Any]
) -> None:
    healthy = run("doctor", "--json")
    assert healthy.status == 0
    findings = {finding["subject"]: finding for finding in healthy.json}
    assert findings["Database"]["level"] == findings["borg"]["level"] == "ok"
    assert set(healthy.json[0]) == {"level", "subject", "message", "remedy"}
    settings.paths.data_dir.chmod(0o755)
    open_ = run("doctor")
    assert open_.status == 1
    assert f"-> chmod go-rw {settings.paths.data_dir}" in open_.output
    settings.paths.data_dir.chmod(0o700)
    for path in settings.paths.data_dir.glob("hive.sqlite3*"):
        path.unlink()
    settings.paths.database.write_text("no database " * 1000)
    settings.paths.database.chmod(0o600)
    broken = run("doctor")
    assert broken.status == 1
    assert "cannot be opened" in broken.output


def test_the_doctor_makes_nothing(run: Run, tmp_path: Path) -> None:
    assert run("--data-dir", tmp_path / "new", "doctor").status == 0
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("repo",),
        ("repo", "add"),
        ("repo", "add", "x"),
        ("repo", "add", "x", "--owner", "alice", "--quota", "much"),
        ("repo", "add", "x", "--owner", "alice", "--mode", "other"),
        ("repo", "fly"),
        ("key", "set", "x", "--expires", "soon"),
        ("key", "set", "x", "--from", "10.0.0.0/8", "--from-anywhere"),
        ("location", "add", "x", "--host", "h", "--port", "0"),
        ("nothing",),
    ],
)
def test_wrong_usage_has_status_2(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).status == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("repo", "show", "x"),
        ("repo", "add", "..", "--owner", "alice"),
        ("repo", "add", "x", "--owner", "nobody"),
        ("user", "show", "x\x1b[2J\nforged"),
        ("key", "show", "x"),
        ("group", "delete", "x"),
        ("user", "add", "a b"),
    ],
)
def test_what_is_refused_has_status_1_and_one_line(run: Run, arguments: tuple[str, ...]) -> None:
    refused = run(*arguments)
    assert (refused.status, refused.output) == (1, "")
    assert len(refused.messages.splitlines()) == 1
    assert "\x1b" not in refused.messages


@pytest.mark.usefixtures("documents")
def test_setting_nothing_says_so(run: Run) -> None:
    done = run("repo", "set", "documents")
    assert (done.status, done.output) == (0, "Nothing to change: give an option.\n")
    done = run("repo", "set", "documents", "--quota", "1GB")
    assert (done.status, done.output) == (0, "Repository documents was changed.\n")
