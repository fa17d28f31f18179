"""What a person at a terminal sees of long work, and what a log gets."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import click
import pytest

from hive.cli import progress
from hive.cli.options import Options
from hive.cli.progress import ProgressLine
from hive.long_work import WorkInfo, WorkKind
from hive.meter import Reading, Unit


@dataclass
class Terminal:
    """Where messages go, and the time."""

    is_terminal: bool = True
    now: float = 0.0
    stream: io.StringIO = field(default_factory=io.StringIO)

    def isatty(self) -> bool:
        return self.is_terminal

    @property
    def text(self) -> str:
        return self.stream.getvalue()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    made = Terminal()

    def echo(text: str, *, nl: bool = True, err: bool = False) -> None:
        assert err  # standard output stays for what was asked for
        made.stream.write(text + ("\n" if nl else ""))

    monkeypatch.setattr("sys.stderr.isatty", made.isatty, raising=False)
    monkeypatch.setattr(click, "echo", echo)
    monkeypatch.setattr("time.monotonic", lambda: made.now)
    monkeypatch.setenv("COLUMNS", "80")
    with click.Context(click.Command("x"), obj=Options(config_file=None, data_dir=None)):
        yield made


def work(done: int, left: timedelta | None = None) -> WorkInfo:
    return WorkInfo(
        repository_id=7,
        kind=WorkKind.CHECK,
        is_running=True,
        begun_at=datetime(2026, 1, 2, tzinfo=UTC),
        reading=Reading(done, 100, Unit.SEGMENTS),
        left=left,
    )


def test_on_a_terminal_one_line_is_drawn_again(terminal: Terminal) -> None:
    line = ProgressLine()
    line.show("The check is running.", None)
    line.show("The check is running.", work(25))
    line.show("The check is running.", work(50, timedelta(minutes=42)))
    line.end()
    said, *drawn = terminal.text.split("\r\x1b[K")
    assert said == "The check is running.\n"
    assert drawn[0] == "[######------------------] 25 %, 25 of 100 segments"
    assert drawn[1] == (
        "[############------------] 50 %, 50 of 100 segments, about 42 minutes left"
    )
    assert drawn[2] == ""
    assert all(len(one) < 80 for one in drawn)


def test_what_is_waited_for_is_said_once_and_below_the_line(terminal: Terminal) -> None:
    line = ProgressLine()
    line.show("The check is running.", work(25))
    line.show("The check waits: a backup is running.", None)
    line.show("The check waits: a backup is running.", None)
    assert terminal.text.count("a backup is running.\n") == 1
    assert "segments\r\x1b[KThe check waits" in terminal.text


def test_elsewhere_a_line_is_said_now_and_then(terminal: Terminal) -> None:
    terminal.is_terminal = False
    line = ProgressLine()
    for second in range(95):
        terminal.now = float(second)
        line.show("The check is running.", work(second))
    line.end()
    assert terminal.text.splitlines() == [
        "The check is running.",
        "30 %, 30 of 100 segments",
        "60 %, 60 of 100 segments",
        "90 %, 90 of 100 segments",
    ]
    assert "\x1b" not in terminal.text


def test_what_nobody_can_count_has_no_bar(terminal: Terminal) -> None:
    line = ProgressLine()
    info = work(0)
    counted = WorkInfo(**{**info.__dict__, "reading": Reading(12, None, Unit.FILES)})
    line.show("", counted)
    assert terminal.text == "\r\x1b[K12 files so far"
    assert progress.bar(0) == "[" + "-" * 24 + "]"
