"""What borg says of its own progress, taken apart from its messages."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from hive.borg import upkeep
from hive.borg.progress import ProgressReader
from hive.meter import Meter, Reading, Unit
from tests.programs import borg_command


def read(data: bytes, *, piece: int = 7) -> tuple[str, Reading | None]:
    """All of it in small pieces, as a pipe may bring it: the text, and what the meter shows."""
    meter = Meter()
    reader = ProgressReader(meter)
    parts = [data[start : start + piece] for start in range(0, len(data), piece)]
    text = b"".join(reader.feed(part) for part in parts) + reader.end()
    return text.decode(errors="replace"), meter.look()


def figures(current: int, total: int, msgid: str = "repository.check") -> bytes:
    said = {"type": "progress_percent", "msgid": msgid, "current": current, "total": total}
    return json.dumps({**said, "message": "Checking", "finished": False}).encode() + b"\n"


def test_messages_become_lines_and_figures_none() -> None:
    message = json.dumps({"type": "log_message", "levelname": "ERROR", "message": "Damaged é."})
    text, reading = read(figures(3, 9) + message.encode() + b"\nno JSON\n" + figures(5, 9))
    assert text == "Damaged é.\nno JSON\n"
    assert reading == Reading(4, 9, Unit.SEGMENTS)


def test_an_end_without_figures_is_none_of_the_whole() -> None:
    """borg says that it has finished as well where only its time was up."""
    end = {"type": "progress_percent", "msgid": "repository.check", "finished": True}
    _, reading = read(figures(3, 9) + json.dumps(end).encode() + b"\n")
    assert reading == Reading(2, 9, Unit.SEGMENTS)


def test_a_part_that_skips_what_was_done_does_not_go_back() -> None:
    _, reading = read(figures(7, 9) + figures(1, 9) + figures(2, 9))
    assert reading == Reading(6, 9, Unit.SEGMENTS)


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"{}",
        b"[1]",
        b'{"type": "progress_percent"}',
        b'{"type": "progress_percent", "msgid": "repository.check", "current": "x", "total": 1}',
        b'{"type": "progress_percent", "msgid": "repository.check", "current": 1, "total": 0}',
        b'{"type": "progress_percent", "msgid": "of tomorrow", "current": 1, "total": 2}',
        b'{"type": "log_message", "message": 7}',
        b"\xff\xfe",
        b"x" * 300_000,
    ],
)
def test_what_is_no_progress_moves_nothing(line: bytes) -> None:
    assert read(line + b"\n", piece=4096)[1] is None


@pytest.mark.long
@pytest.mark.parametrize("line", ["1.2", "1.4", "2"])
def test_a_real_check_tells_how_far_it_is(line: str, tmp_path: Path) -> None:
    borg, path, is_borg2 = borg_command(line), tmp_path / "repository", line == "2"
    environment = {"BORG_BASE_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    environment["BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"] = "yes"

    def run(*words: str) -> bytes:
        command = [borg, *words]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, timeout=120
        ).stderr

    if is_borg2:
        run("-r", str(path), "repo-create", "-e", "none-sha256")
    else:
        run("init", "-e", "none", str(path))
    for number in range(5):
        (tmp_path / "file").write_text(str(number))
        name = f"archive{number}"
        target = ("-r", str(path), "create", name) if is_borg2 else ("create", f"{path}::{name}")
        run(*target, str(tmp_path / "file"))
    said = run(*upkeep.check_argv(borg, path, is_borg2=is_borg2)[1:])
    text, reading = read(said)
    assert "{" not in text
    assert reading is not None
    assert reading.unit == (Unit.PACKS if is_borg2 else Unit.SEGMENTS)
    assert reading.total is not None
    assert reading.done >= reading.total - 1 >= 3
    assert reading.percent is not None
    assert reading.percent < 100


@pytest.mark.parametrize("line", ["1.2", "1.4"])
def test_a_real_check_still_says_what_is_damaged(line: str, tmp_path: Path) -> None:
    borg, path = borg_command(line), tmp_path / "repository"
    environment = {"BORG_BASE_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    environment["BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"] = "yes"
    subprocess.run([borg, "init", "-e", "none", str(path)], env=environment, check=True)
    (tmp_path / "file").write_text("x" * 1000)
    subprocess.run(
        [borg, "create", f"{path}::one", str(tmp_path / "file")], env=environment, check=True
    )
    segment = max((path / "data/0").iterdir(), key=lambda one: one.stat().st_size)
    broken = bytearray(segment.read_bytes())
    broken[len(broken) // 2] ^= 0xFF
    segment.write_bytes(broken)
    argv = upkeep.check_argv(borg, path, is_borg2=False)
    ended = subprocess.run(argv, env=environment, check=False, capture_output=True, timeout=120)
    assert ended.returncode == upkeep.ERRORS_FOUND
    text, _ = read(ended.stderr)
    assert "checksum mismatch" in " ".join(upkeep.problems_in(text))
