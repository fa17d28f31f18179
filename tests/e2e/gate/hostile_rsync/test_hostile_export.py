"""Downloads that try to read what is not theirs, in the ways that the protocol has."""

from __future__ import annotations

from pathlib import Path

import pytest

from hive.kinds import Mode
from tests.e2e.gate.files import fingerprint
from tests.e2e.gate.hostile_rsync.outside import Hostile


async def test_links_in_a_repository_are_sent_as_links(hostile: Hostile, tmp_path: Path) -> None:
    """No way is known to bring a link there; should one be found, it tells nothing."""
    transfer = hostile.transfer
    await transfer.switch(Mode.EXPORT)
    (transfer.info.path / "link").symlink_to(hostile.outside)
    (transfer.info.path / "config").unlink()
    (transfer.info.path / "config").symlink_to(hostile.outside / "secret")
    done = [
        await transfer.pull(tmp_path / "kept", "-a"),
        await transfer.pull(tmp_path / "left out", "-rtc"),
        await transfer.pull(tmp_path / "followed", "-aL"),
        await transfer.pull(tmp_path / "through", "-a", path="link/"),
    ]
    hostile.must_be_untouched(*done)
    assert (tmp_path / "kept" / "link").is_symlink()
    for name in ("kept", "left out", "followed", "through"):
        for path in (tmp_path / name).rglob("*"):
            assert path.is_symlink() or path.is_dir() or b"a-secret" not in path.read_bytes()


RULES = [":s .rsync-filter", ":- .rsync-filter"]
CONTENTS = ["merge", "merge,-", "link"]


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.varied(4)
async def test_filter_rules_that_lie_in_the_repository_read_nothing_else(
    hostile: Hostile, tmp_path: Path, content: str
) -> None:
    """The first line of what is no rule, or the files that are missing, would tell."""
    transfer = hostile.transfer
    await transfer.switch(Mode.EXPORT)
    rules = transfer.info.path / ".rsync-filter"
    for number, rule in enumerate(RULES):
        told = []
        for secret in ("secret", "names"):
            rules.unlink(missing_ok=True)
            if content == "link":
                rules.symlink_to(hostile.outside / secret)
            else:
                rules.write_text(f"{content} {hostile.outside / secret}\n")
            target = tmp_path / f"target{number}{secret}"
            done = await transfer.pull(target, "-rt", "-f", rule)
            hostile.must_be_untouched(done)
            told.append(
                (done.status == 0, {name for name in fingerprint(target) if name[0] != "."})
            )
        assert told[0] == told[1], rule


@pytest.mark.parametrize("way", ["absolute", "ancestor"])
@pytest.mark.varied(3)
async def test_filter_rules_in_the_protocol_read_nothing_else(
    hostile: Hostile, tmp_path: Path, way: str
) -> None:
    transfer = hostile.transfer
    await transfer.switch(Mode.EXPORT)
    for modifier in ("", "-", "n"):
        told = []
        for secret in ("secret", "names"):
            path = str(hostile.outside / secret)
            if way == "ancestor":
                path = f"../../../../outside/{secret}"
            target = tmp_path / f"target{modifier}{secret}"
            # The client would look for the file on its own side too: there it has what is there.
            done = await transfer.pull(target, "-rt", "-f", f":s{modifier} {path}")
            hostile.must_be_untouched(done)
            told.append((done.status == 0, set(fingerprint(target))))
        assert told[0] == told[1], modifier
