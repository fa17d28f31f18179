from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hive.borg.repository import snapshot
from hive.borg.verify import NotARepository, verify
from tests import factories


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("borg")
    factories.make_borg_repository(base / "repository", base)
    return base / "repository"


@pytest.fixture
def repository(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "repository"))


def test_a_repository_of_real_borg_is_whole(repository: Path) -> None:
    facts = verify(repository)
    assert facts.version == 1
    assert facts.id in (repository / "config").read_text()
    files = [path for path in repository.rglob("*") if path.is_file()]
    assert facts.files == len(files)
    assert facts.size_bytes == sum(path.stat().st_size for path in files)


def test_a_snapshot_changes_with_every_commit(original: Path, tmp_path: Path) -> None:
    repository = Path(shutil.copytree(original, tmp_path / "repository"))
    before = snapshot(repository)
    assert before.is_created
    assert before.config == (repository / "config").read_bytes()
    assert before.size_bytes
    assert snapshot(repository) == before
    factories.borg("create", f"{repository}::second", repository / "data", base=tmp_path)
    after = snapshot(repository)
    assert after.state != before.state
    assert (after.size_bytes or 0) > before.size_bytes
    assert not snapshot(tmp_path / "nothing").is_created


def rewrite(**changes: str) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        lines = (path / "config").read_text().splitlines()
        for key, value in changes.items():
            lines = [line for line in lines if not line.startswith(f"{key} =")]
            lines.append(f"{key} = {value}")
        (path / "config").write_text("\n".join(lines) + "\n")

    return change


def segment(path: Path) -> Path:
    return next(found for found in sorted((path / "data").rglob("*")) if found.is_file())


def data_as_a_link(path: Path) -> None:
    (path / "data").rename(path.parent / "moved")
    (path / "data").symlink_to("../moved")


def one_level_too_deep(path: Path) -> None:
    """As rsync leaves it where the slash at the end of its source was forgotten."""
    path.rename(path.parent / "inner")
    path.mkdir()
    (path.parent / "inner").rename(path / "inner")


def without_a_manifest(path: Path) -> None:
    """As `borg init` leaves it when it is cut off before its first commit."""
    for found in [*(path / "data").glob("*/*"), *path.glob("index.*"), *path.glob("hints.*")]:
        found.unlink()
    (path / "data" / "0" / "0").write_bytes(b"BORG_SEG")


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "link to a file": (lambda p: (p / "nonce").symlink_to("/etc/passwd"), "symbolic link"),
    "link to a directory": (lambda p: (p / "data" / "7").symlink_to("/etc"), "symbolic link"),
    "link that leads nowhere": (lambda p: (p / "data" / "0" / "9").symlink_to("x"), "symbolic"),
    "data as a link": (data_as_a_link, "symbolic link"),
    "fifo": (lambda p: os.mkfifo(p / "data" / "0" / "9"), "neither a file nor a directory"),
    "hard link": (lambda p: os.link(segment(p), p / "data" / "0" / "9"), "hard-linked"),
    "set-user-ID": (lambda p: segment(p).chmod(0o4755), "set-user-ID"),
    "unknown file": (lambda p: (p / "evil.py").touch(), "does not belong"),
    "unknown directory": (lambda p: (p / "more").mkdir(), "does not belong"),
    "hidden file": (lambda p: (p / ".profile").touch(), "does not belong"),
    "name with a newline": (lambda p: (p / "a\nb").touch(), "does not belong"),
    "name that is no text": (lambda p: Path(os.fsdecode(bytes(p) + b"/\xff")).touch(), "belong"),
    "segment that is no number": (lambda p: (p / "data" / "0" / "x").touch(), "does not belong"),
    "segment of other digits": (lambda p: (p / "data" / "0" / "\u0663").touch(), "not belong"),
    "deep tree": (lambda p: (p / "data" / "0" / "1d" / "x" / "y" / "z").mkdir(parents=True), ""),
    "lock left": (lambda p: (p / "lock.exclusive").mkdir(), "is a lock"),
    "roster left": (lambda p: (p / "lock.roster").write_text("{}"), "is a lock"),
    "no config": (lambda p: (p / "config").unlink(), "no config file"),
    "no manifest": (without_a_manifest, "no manifest"),
    "no data": (lambda p: shutil.rmtree(p / "data"), "data is missing"),
    "config too large": (lambda p: (p / "config").write_text("x" * 70_000), "too large"),
    "config of zeros": (lambda p: (p / "config").write_bytes(b"\0" * 100), "not borg's"),
    "config that is no text": (lambda p: (p / "config").write_bytes(b"\xff\xfe"), "not borg's"),
    "config without a section": (lambda p: (p / "config").write_text("a = b"), "not borg's"),
    "config with a section twice": (
        lambda p: (p / "config").write_text((p / "config").read_text() * 2),
        "not borg's",
    ),
    "other version": (rewrite(version="3"), "version 3"),
    "id that is none": (rewrite(id="../../etc"), "not known"),
    "no segment size": (rewrite(max_segment_size="0"), "not borg's"),
    "huge segment size": (rewrite(max_segment_size=str(2**40)), "not borg's"),
    "crooked quota": (rewrite(storage_quota="lots"), "not borg's"),
}


@pytest.mark.parametrize(("harm", "words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_whole_and_harmless_repository_is_refused(
    repository: Path, harm: Callable[[Path], object], words: str
) -> None:
    harm(repository)
    with pytest.raises(NotARepository) as caught:
        verify(repository)
    assert words in caught.value.message
    assert caught.value.message.isprintable()


def test_a_repository_that_is_one_level_too_deep_is_found_there(repository: Path) -> None:
    one_level_too_deep(repository)
    assert verify(repository).folder == "inner"


def test_many_problems_are_told_in_few_words(repository: Path) -> None:
    for number in range(1000):
        (repository / f"bad{number}").touch()
    with pytest.raises(NotARepository) as caught:
        verify(repository)
    assert caught.value.message.count(";") == 4


def test_a_directory_that_cannot_be_read_is_not_passed_over(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("/data"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)  # root may read everything
    with pytest.raises(NotARepository, match="cannot be read"):
        verify(repository)
