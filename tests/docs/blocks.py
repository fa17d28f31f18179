"""The code blocks of the documents: where each begins, its language, and why it may not be run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
COMMANDS = "sh"  # the language of blocks that people type
_FENCE = re.compile(r"^( *)```([\w{}-]*)(?: \S+)?$")
_REASON = re.compile(r"^ *<!-- not run: (.*?) -->$")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str
    reason: str | None

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages_with_commands() -> list[Path]:
    """README, the tutorials and the how-to guides: what people follow command by command."""
    found = [*sorted((DOCS / "tutorials").glob("*.md")), *sorted((DOCS / "how-to").glob("*.md"))]
    return [ROOT / "README.md", *found]


def all_pages() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page in order; a reason is the comment right above its block."""
    found: list[Block] = []
    lines = page.read_text().splitlines()
    opened: tuple[int, str, str] | None = None
    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        if fence is None:
            continue
        if opened is None:
            opened = (number, fence[1], fence[2])
            continue
        begin, indent, language = opened
        opened = None
        above = _REASON.match(lines[begin - 2]) if begin > 1 else None
        text = "\n".join(one.removeprefix(indent) for one in lines[begin : number - 1])
        found.append(
            Block(
                page=page,
                line=begin,
                language=language,
                text=text,
                reason=above[1] if above else None,
            )
        )
    assert opened is None, f"{page}: the block in line {opened and opened[0]} has no end"
    return found
