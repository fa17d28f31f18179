"""Every command of README, the tutorials and the how-to guides, typed as it is written there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import COMMANDS, ROOT, Block, all_pages, blocks_of, pages_with_commands
from tests.docs.reader import Reader
from tests.e2e.installation import Installation

PAGES = [page for page in pages_with_commands() if blocks_of(page)]
LANGUAGES = {COMMANDS, "text", "toml", "ini", "yaml", "json", "python", "nginx", "systemd"}
DIRECTIVES = {"{toctree}", "{include}"}
EMPTY = {"README.md", "docs/tutorials/first-backup.md"}  # they begin with nothing


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def commands_of(page: Path) -> list[Block]:
    return [block for block in blocks_of(page) if block.language == COMMANDS]


def marks(page: Path) -> list[pytest.MarkDecorator]:
    """What a newcomer reads first is tried in every run."""
    return [] if name(page) == "README.md" else [pytest.mark.long]


@pytest.mark.timeout(600)  # some pages have 30 commands
@pytest.mark.parametrize(
    "page", [pytest.param(page, id=name(page), marks=marks(page)) for page in PAGES]
)
def test_every_command_of_the_page_works(
    page: Path, installation: Installation, tmp_path: Path
) -> None:
    to_run = [block for block in commands_of(page) if block.reason is None]
    if not to_run:
        pytest.skip("nothing on this page can run here")
    installation.start()
    reader = Reader(installation, tmp_path)
    if name(page) in EMPTY:
        reader.become_the_checkout()
    else:
        reader.begin()
    for block in to_run:
        reader.follow(block)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_block_that_is_not_run_says_why(page: Path) -> None:
    for block in blocks_of(page):
        if block.reason is not None:
            assert block.language == COMMANDS, f"{block.place}: only commands are run at all"
            assert len(block.reason) > 10, block.place


@pytest.mark.parametrize("page", all_pages(), ids=name)
def test_commands_stand_in_blocks_that_the_test_sees(page: Path) -> None:
    for block in blocks_of(page):
        assert block.language in LANGUAGES | DIRECTIVES, (
            f"{block.place}: {block.language or 'no language'}"
        )
    in_block = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_block = not in_block
        is_command = line.startswith("    ") and line.split()[:1] in (["hive"], ["borg"], ["ssh"])
        assert in_block or not is_command, f"{page}:{number}: a command outside of a fenced block"
