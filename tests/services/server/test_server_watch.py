"""The server's looks at its own programs, mail relay and sessions that could not begin."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hive import clock
from hive.config.settings import Settings
from hive.config.settings import load as load_settings
from hive.database_file import DatabaseFile, missing, note_made
from hive.errors import DatabaseError
from hive.kinds import Access, EndReason, EventKind
from hive.models import Event, Session
from hive.notify import email
from hive.notify.email import MailServer
from hive.services import runtime
from hive.services.alarms import server_alarms
from hive.services.permissions import OPERATOR
from hive.services.programs import discovery
from hive.services.server import doctor, mail_watch
from hive.services.sessions import record
from hive.services.sessions.record import Outcome
from tests import factories
from tests.factories import People


def counting(path: Path, answer: str) -> Path:
    """A program that notes each start."""
    path.write_text(f"#!/bin/sh\necho x >> {path}.starts\n{answer}\n")
    path.chmod(0o755)
    return path


def starts(path: Path) -> int:
    kept = Path(f"{path}.starts")
    return len(kept.read_text().split()) if kept.exists() else 0


@pytest.mark.usefixtures("remembering")
def test_a_program_is_asked_once_until_it_changes(tmp_path: Path) -> None:
    program = counting(tmp_path / "borg", "echo borg 1.4.1")
    for _ in range(5):
        assert discovery.examine(str(program)).program is not None
    assert starts(program) == 1
    counting(program, "echo borg 1.4.2")
    found = discovery.examine(str(program)).program
    assert found is not None
    assert found.version == (1, 4, 2)
    assert starts(program) == 2


@pytest.mark.usefixtures("remembering")
def test_a_program_that_fails_or_is_suspected_is_asked_again(tmp_path: Path) -> None:
    program = counting(tmp_path / "borg", "exit 1")
    for _ in range(3):
        assert discovery.examine(str(program)).program is None
    assert starts(program) == 3
    counting(program, "echo borg 1.4.1")
    discovery.examine(str(program))
    discovery.suspect(str(program))
    discovery.examine(str(program))
    assert starts(program) == 5


async def test_the_page_on_the_servers_health_starts_no_process_twice(
    hive: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []
    real = subprocess.Popen.__init__

    def note(self: subprocess.Popen[bytes], args: object, *more: object, **given: object) -> None:
        begun.append(args)
        real(self, args, *more, **given)  # type: ignore[call-overload]

    await doctor.examine_running(OPERATOR)
    monkeypatch.setattr(subprocess.Popen, "__init__", note)
    await doctor.examine_running(OPERATOR)
    assert begun == []


async def test_a_session_has_ended_when_it_did_however_late_it_is_closed(people: People) -> None:
    key = await factories.make_key(people.alice)
    made = await factories.make_repository(people.alice, accesses={"laptop": Access.FULL})
    admission = await factories.open_session(made, key)
    ended = clock.now()
    outcome = Outcome(
        end_reason=EndReason.DONE, exit_status=0, bytes_in=1, bytes_out=1, ended_at=ended
    )
    clock.use(lambda: datetime.now(UTC) + timedelta(seconds=75))
    await record.finish(admission.session_id, outcome)
    assert (await Session.get(id=admission.session_id)).ended_at == ended


async def test_a_session_whose_program_did_not_start_is_a_failure_that_is_notified(
    people: People,
) -> None:
    key = await factories.make_key(people.alice)
    made = await factories.make_repository(people.alice, accesses={"laptop": Access.FULL})
    admission = await factories.open_session(made, key)
    outcome = Outcome(
        end_reason=EndReason.FAILED,
        exit_status=3,
        bytes_in=0,
        bytes_out=0,
        could_not_start=True,
        said="It did not start.",
    )
    await record.finish(admission.session_id, outcome)
    event = await Event.get(kind=EventKind.SESSION_FAILED)
    assert event.message.endswith("failed: It did not start.")


@pytest.fixture
async def self_signed_relay(tmp_path: Path) -> AsyncIterator[int]:
    """The port of a mail server with TLS whose certificate nobody trusts."""
    openssl = shutil.which("openssl") or "openssl"
    names = (
        "-keyout",
        tmp_path / "key",
        "-out",
        tmp_path / "certificate",
        "-subj",
        "/CN=localhost",
    )
    words = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    subprocess.run([*words, *map(str, names)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_a_relay_whose_certificate_is_refused_is_an_alarm_until_it_is_right(
    hive: Settings, self_signed_relay: int
) -> None:
    given = {
        "mail.host": "localhost",
        "mail.port": str(self_signed_relay),
        "mail.security": "tls",
    }
    settings = load_settings(None, data_dir=hive.paths.data_dir, overrides=given, environment={})
    found = await email.certificate_problem(MailServer(settings.mail, None))
    assert found is not None
    assert "self-signed" in found
    answers = [found, found, None]

    async def examine() -> str | None:
        return answers.pop(0)

    watch = mail_watch.MailWatch("localhost", examine)
    for _ in range(2):
        await watch.look()
        assert server_alarms.outages() == [
            "The certificate of the server's mail relay is refused, so no mail is sent."
        ]
    await watch.look()
    assert server_alarms.outages() == []
    await watch.look()  # it is not asked again soon
    assert answers == []


async def test_a_relay_that_is_not_there_is_no_refused_certificate(hive: Settings) -> None:
    given = {"mail.host": "127.0.0.1", "mail.port": "9", "mail.security": "tls"}
    settings = load_settings(None, data_dir=hive.paths.data_dir, overrides=given, environment={})
    assert await email.certificate_problem(MailServer(settings.mail, None)) is None


async def test_no_second_database_is_made_where_one_was(settings: Settings) -> None:
    path = settings.paths.database
    await runtime.start(settings)
    await runtime.stop()
    for content in (None, b""):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DatabaseError, match="was there before and is gone"):
            await runtime.start(settings)
        assert not path.exists() or not path.stat().st_size
        path.write_bytes(b"")
    (path.parent / f".{path.name}.made").unlink()
    path.unlink()
    await runtime.start(settings)
    await runtime.stop()


@pytest.mark.parametrize("trace", ["-wal", ".before-0002", ".rescued-20261130T111153"])
def test_what_a_database_leaves_beside_itself_tells_that_it_was_there(
    tmp_path: Path, trace: str
) -> None:
    path = tmp_path / "hive.sqlite3"
    assert missing(path) is None
    (tmp_path / f"{path.name}{trace}").touch()
    assert "is gone" in (missing(path) or "")
    path.write_bytes(b"content")
    note_made(path)
    assert missing(path) is None


def test_a_file_that_was_moved_deleted_or_replaced_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "hive.sqlite3"
    path.touch()
    opened = DatabaseFile.of(path)
    assert opened.lost() is None
    path.rename(tmp_path / "away")
    assert opened.lost() == "was deleted"
    path.touch()
    assert opened.lost() == "was replaced"
    (tmp_path / "away").rename(path)
    assert opened.lost() is None
