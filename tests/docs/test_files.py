"""The files that the documents show are right: the programs that read them accept them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hive.config import settings as config
from hive.errors import ConfigError
from tests.docs.blocks import DOCS, ROOT, Block, all_pages, blocks_of

LARGEST_PICTURE = 150_000
_LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)[^)]*\)")


def blocks_in(language: str) -> list[Block]:
    found = [block for page in all_pages() for block in blocks_of(page)]
    return [block for block in found if block.language == language]


@pytest.mark.parametrize("block", blocks_in("toml"), ids=lambda block: block.place)
def test_a_configuration_is_accepted(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "hive.toml"
    file.write_text(block.text)
    settings = config.load(file, environment={})
    given = tomllib.loads(block.text)
    assert given.keys() <= settings.model_fields_set


def test_a_configuration_that_is_wrong_would_be_noticed(tmp_path: Path) -> None:
    file = tmp_path / "hive.toml"
    file.write_text("[server]\ndata_directory = '/x'\n")
    with pytest.raises(ConfigError):
        config.load(file, environment={})


@pytest.mark.parametrize("block", blocks_in("json"), ids=lambda block: block.place)
def test_json_can_be_read(block: Block) -> None:
    assert json.loads(block.text)


@pytest.mark.parametrize("block", blocks_in("python"), ids=lambda block: block.place)
def test_python_compiles(block: Block) -> None:
    compile(block.text, block.place, "exec")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_accepts_the_service(tmp_path: Path) -> None:
    (block,) = blocks_in("systemd")
    program = shutil.which("systemd-analyze")
    assert program is not None
    hive = Path(sys.executable).with_name("hive")
    file = tmp_path / "borg-hive.service"
    file.write_text(block.text.replace("/opt/borg-hive/bin/hive", str(hive)))
    verified = subprocess.run(
        [program, "verify", "--man=no", file], capture_output=True, text=True, check=False
    )
    complaints = [line for line in verified.stderr.splitlines() if "borg-hive" in line]
    assert complaints == []


def test_pictures_are_there_and_small() -> None:
    pictures = sorted((DOCS / "pictures").glob("*.png"))
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < LARGEST_PICTURE, picture
        used = [page for page in all_pages() if f"pictures/{picture.name}" in page.read_text()]
        assert used, f"{picture.relative_to(ROOT)} is on no page"


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    linked = _LINK.findall(page.read_text())
    assert [one for one in linked if not (page.parent / one).exists()] == []
