"""Imports with a stock rsync client: whole, interrupted, repeated, over another repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from hive.kinds import EndReason, Mode
from hive.services import events
from hive.services.permissions import OPERATOR
from tests.e2e.gate.files import content, same_tree
from tests.e2e.gate.harness import House
from tests.e2e.gate.transfers import prepare, statistics


async def test_an_imported_repository_is_a_repository_of_the_hive(
    house: House, source: Path, made_repository: Path, tmp_path: Path
) -> None:
    transfer = await prepare(house, source)
    done = (await transfer.push("-a")).must()
    assert "The import is in place: borg repository" in done.error
    assert content(transfer.info.path) == content(source)
    assert not transfer.staging.exists()
    session = await house.last_session()
    assert (session.operation, session.end_reason) == ("import", EndReason.DONE)
    kinds = [event.kind for event in await events.recent(OPERATOR)]
    assert {"import begun", "import ended", "import verified"} <= set(kinds)
    assert (await transfer.now()).state == "ready"
    assert (await transfer.now()).size_bytes is not None

    assert await transfer.switch(Mode.BORG) is None
    url = transfer.info.url
    assert (await transfer.borg("list", "--short", url)).must().text.split() == ["one", "two"]
    (await transfer.borg("check", url)).must()
    target = tmp_path / "target"
    target.mkdir()
    (await transfer.borg("extract", f"{url}::two", cwd=target)).must()
    assert same_tree(made_repository.parent / "files", target)
    (await transfer.borg("create", f"{url}::three", ".", cwd=target)).must()


@pytest.mark.parametrize(
    "options",
    [
        ["-avz", "--stats", "--progress", "--partial"],
        ["-Paz", "--stats"],
        ["-a", "--inplace"],
        ["-a", "--checksum"],
        ["-aHS", "--numeric-ids", "--delete-after"],
        ["-rtW", "--delay-updates"],
        ["-a", "--protocol=31"],
        ["-az", "--protocol=30", "--delete"],
    ],
    ids=" ".join,
)
@pytest.mark.varied(3)
async def test_the_usual_options_bring_every_byte(
    house: House, source: Path, options: list[str]
) -> None:
    transfer = await prepare(house, source)
    done = (await transfer.push(*options)).must()
    assert "The import is in place" in done.error
    assert content(transfer.info.path) == content(source)


async def test_an_import_that_is_repeated_sends_nothing_again(house: House, source: Path) -> None:
    transfer = await prepare(house, source)
    first = statistics((await transfer.push("-a", "--stats")).must())
    assert first["Literal data"] > 2_000_000
    old = {path: path.stat().st_ino for path in transfer.info.path.rglob("*") if path.is_file()}
    (source / "README").write_text("changed\n")
    again = (await transfer.push("-a", "--stats")).must()
    derived = sum(path.stat().st_size for path in source.glob("[hi]*.*"))  # was not kept
    assert statistics(again)["Literal data"] <= len("changed\n") + derived
    assert statistics(again)["Total bytes sent"] < 20_000 + derived
    assert content(transfer.info.path) == content(source)
    new = [path.stat() for path in transfer.info.path.rglob("*") if path.is_file()]
    assert {status.st_nlink for status in new} == {1}
    assert not {status.st_ino for status in new} & set(old.values())
