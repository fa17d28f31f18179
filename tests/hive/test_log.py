from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, strategies

from hive import log, log_lines

HOSTILE = "borg serve\nERROR forged line\r\x1b[2J\x00\u2028\u202e\x85 'quoted' session=1"


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("\n")
    line = captured.err.removesuffix("\n")
    assert line.isprintable()
    return line


def one_record(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(one_line(capsys))
    return record


def test_a_line_names_what_happened_and_to_whom(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()
    with log.context(session=7, login="abcd1234", peer="[::1]:5"):
        log.get("sshgate").info("session started", access="append-only")
    line = one_line(capsys)
    assert "INFO    session started session=7 login=abcd1234 peer=[::1]:5 " in line
    assert line.endswith("access=append-only [sshgate]")


def test_context_ends_with_its_block(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()
    with log.context(session=7):
        pass
    log.get("x").info("after")
    assert "session" not in one_line(capsys)


async def test_context_stays_in_its_own_task(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(format="json")

    async def work(number: int) -> None:
        with log.context(session=number):
            await asyncio.sleep(0)
            log.get("x").info("worked", number=number)

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(work(number))
    records = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert len(records) == 3
    assert all(record["session"] == record["number"] for record in records)


@pytest.mark.parametrize("format_", ["text", "json"])
def test_hostile_text_stays_on_its_line(
    capsys: pytest.CaptureFixture[str], format_: log.Format
) -> None:
    log.configure(format=format_)
    log.get("x").info(HOSTILE, command=HOSTILE, raw=HOSTILE.encode(), **{HOSTILE: 1})
    one_line(capsys)
    logging.getLogger("foreign").warning("said %s", HOSTILE)
    one_line(capsys)


@given(strategies.text(alphabet=strategies.characters()))
def test_any_text_is_shown_on_one_line(text: str) -> None:
    event = {"event": text, "value": text, text: text, "level": "info"}
    assert log_lines.render_text(None, "info", event).isprintable()


def test_a_value_cannot_pretend_to_be_another_field(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()
    log.get("x").info("asked", command="a session=1")
    assert "command='a session=1'" in one_line(capsys)


def test_a_traceback_cannot_pretend_to_be_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        log.get("x").exception("failed")
    first, *others = capsys.readouterr().err.removesuffix("\n").split("\n")
    assert "ERROR   failed" in first
    assert others
    assert all(line.startswith("    | ") and line.isprintable() for line in others)


def test_json_holds_the_values_as_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(format="json")
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        log.get("x").exception("failed", command=HOSTILE)
    record = one_record(capsys)
    assert record["event"] == "failed"
    assert record["level"] == "error"
    assert record["command"] == HOSTILE
    assert "ValueError" in record["exception"]


@pytest.mark.parametrize("name", ["asyncssh", "aiohttp.access", "tortoise", "aiosqlite"])
def test_talkative_libraries_are_quiet_even_in_debug(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    log.configure("debug")
    logging.getLogger(name).info("Command: %s", HOSTILE)
    assert capsys.readouterr().err == ""
    logging.getLogger(name).warning("something is wrong")
    assert "something is wrong" in one_line(capsys)


def test_configured_twice_still_logs_once(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()
    log.configure("warning")
    log.get("x").info("not told")
    log.get("x").warning("told")
    assert "told" in one_line(capsys)
