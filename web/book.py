"""The documents as pages of the product itself: read from docs/, without a network.

Only the files that the table of contents in docs/index.md names are shown, and only pictures that
lie in docs/pictures: a name from outside is looked up, never opened.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from hive.sentences import N_

# Beside the code in a checkout; the wheel has a copy below this package.
_DIRECTORIES = (Path(__file__).parent / "docs", Path(__file__).parent.parent / "docs")
_FOLDERS = ("tutorials", "how-to", "reference", "explanation")
_TOCTREE = re.compile(r"^```\{toctree\}\n((?:(?!```).*\n)*)```$", re.MULTILINE)
_COMMENT = re.compile(r"<!--(?:(?!-->|<!--).)*-->\n?", re.DOTALL)
_NO_LETTER = re.compile(r"[^\w\- ]")
_CAPTIONS = {
    "Tutorials": N_("Tutorials"),
    "How-to guides": N_("How-to guides"),
    "Reference": N_("Reference"),
    "Explanation": N_("Explanation"),
}


@dataclass(frozen=True)
class BookPage:
    """One document; `name` is its path without the end, such as how-to/schedules."""

    name: str
    title: str
    content: Markup
    headings: Sequence[tuple[str, str]]  # id and text, of the second level

    @property
    def address(self) -> str:
        return f"/help/{self.name}"


@dataclass(frozen=True)
class Chapter:
    """Some documents that belong together; `title` is to be translated."""

    title: str
    pages: Sequence[BookPage]


@dataclass(frozen=True)
class Book:
    """All documents, in the order of their table of contents; empty where they are missing."""

    chapters: Sequence[Chapter] = ()
    pages: Mapping[str, BookPage] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)


def read_book() -> Book:
    """Read and render every document; blocking, call in a thread."""
    directory = next((one for one in _DIRECTORIES if (one / "index.md").is_file()), None)
    if directory is None:
        return Book()
    contents = list(_contents(directory))
    names = [name for _, below in contents for name in below]
    pictures = {path.name: path.read_bytes() for path in (directory / "pictures").glob("*.png")}
    pages = {name: _render(directory, name, names, pictures) for name in names}
    chapters = [Chapter(title, [pages[name] for name in below]) for title, below in contents]
    return Book(chapters, pages, pictures)


def _contents(directory: Path) -> Iterator[tuple[str, list[str]]]:
    """What docs/index.md lists, as far as it is for users and there."""
    for block in _TOCTREE.findall((directory / "index.md").read_text(encoding="utf-8")):
        lines = [line.strip() for line in block.splitlines() if line.strip()]
        captions = [line.removeprefix(":caption: ") for line in lines if ":caption:" in line]
        names = [line for line in lines if not line.startswith(":")]
        for_users = [name for name in names if name.partition("/")[0] in _FOLDERS]
        there = [name for name in for_users if (directory / f"{name}.md").is_file()]
        if captions and captions[0] in _CAPTIONS and there:
            yield _CAPTIONS[captions[0]], there


def _render(
    directory: Path, name: str, names: Sequence[str], pictures: Mapping[str, bytes]
) -> BookPage:
    text = _COMMENT.sub("", (directory / f"{name}.md").read_text(encoding="utf-8"))
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    headings = _name_headings(tokens)
    for token in tokens:
        for child in token.children or ():
            _correct(child, name, names, pictures)
    _mark_blocks(tokens)
    made = str(markdown.renderer.render(tokens, markdown.options, {}))
    content = Markup(made.replace("<pre>", '<pre tabindex="0">'))  # noqa: S704 - our own documents
    title = next((words for level, _, words in headings if level == "h1"), name)
    below = [(anchor, words) for level, anchor, words in headings if level == "h2"]
    return BookPage(name, title, content, below)


def _name_headings(tokens: Sequence[Token]) -> list[tuple[str, str, str]]:
    """Give each heading an id as links between the documents name it: level, id, text."""
    found: list[tuple[str, str, str]] = []
    for token, inside in pairwise(tokens):
        if token.type == "heading_open":
            words = "".join(child.content for child in inside.children or ())
            anchor = _NO_LETTER.sub("", words.lower()).replace(" ", "-")
            token.attrSet("id", anchor)
            found.append((token.tag, anchor, words))
    return found


def _correct(token: Token, name: str, names: Sequence[str], pictures: Mapping[str, bytes]) -> None:
    """Have links lead to pages of ours, or to their site; pictures come from here."""
    if token.type == "image":
        picture = posixpath.basename(str(token.attrs.get("src", "")))
        token.attrSet("src", f"/help/pictures/{picture}" if picture in pictures else "")
        token.attrSet("loading", "lazy")
    elif token.type == "link_open":
        _correct_link(token, name, names)


def _correct_link(token: Token, name: str, names: Sequence[str]) -> None:
    target = urlsplit(str(token.attrs.get("href", "")))
    if target.scheme or target.netloc:
        token.attrSet("rel", "noreferrer")
        return
    if not target.path:
        return
    joined = posixpath.join(posixpath.dirname(name), target.path)
    page = posixpath.normpath(joined).removesuffix(".md")
    fragment = f"#{target.fragment}" if target.fragment else ""
    # what is no document for users stays a word
    token.attrSet("href", f"/help/{page}{fragment}" if page in names else "/help")


def _mark_blocks(tokens: Sequence[Token]) -> None:
    """Blocks that are wider than the page can be scrolled with the keyboard; so can tables."""
    for token in tokens:
        if token.type == "table_open":
            token.attrSet("tabindex", "0")
