"""Feeds long text to everything that reads text from outside, in a process that may be killed.

`python -m tests.foreign_text patterns SECONDS LENGTH [PATTERN]` and `... functions SECONDS LENGTH`
try one case after the other, with texts of that length, and print what they are at; a case that
takes more seconds of processor time than that ends the process. The bound is no measure of speed:
for a megabyte, what is linear needs a hundredth of it on a slow machine, what is not needs hours
on a fast one.

Every pattern that is compiled while our modules are imported is found, and the texts are made of
its own parts. So a new pattern is tried without being named here.
"""

from __future__ import annotations

import configparser
import importlib
import itertools
import pkgutil
import re
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from hive.errors import HiveError

codes: Any = importlib.import_module("re._constants")
parser: Any = importlib.import_module("re._parser")

PACKAGES = ("hive", "sshgate", "web")
METHODS = ("match", "fullmatch", "search", "findall", "sub", "split")
ROOT = Path(__file__).parent.parent

Found = dict[int, tuple[str, "re.Pattern[Any]"]]


def import_everything() -> Found:
    """Import all our modules; the patterns that they compile, with the module of each."""
    found: Found = {}
    importlib.import_module("hive.quick_orm")  # compiles the patterns of the ORM in its place
    compile_ = re.compile

    def recording(pattern: Any, flags: Any = 0) -> re.Pattern[Any]:
        made = compile_(pattern, flags)
        module = sys._getframe(1).f_globals.get("__name__", "")
        if module.split(".")[0] in PACKAGES:
            found[id(made)] = (module, made)
        return made

    re.compile = recording
    try:
        for package in PACKAGES:
            place = importlib.import_module(package).__path__
            for module in pkgutil.walk_packages(place, f"{package}."):
                if not module.name.endswith("__main__"):
                    importlib.import_module(module.name)
    finally:
        re.compile = compile_
    return found


def methods_of(module: str, pattern: re.Pattern[Any], sources: str) -> tuple[str, ...]:
    """How a pattern is used, where that can be told from its name; else each way."""
    names = [name for name, value in vars(sys.modules[module]).items() if value is pattern]
    used = {
        method
        for name in names
        for method in re.findall(rf"\b{name}\.(\w+)\(", sources)
        if method in {*METHODS, "finditer", "subn"}
    }
    return tuple(sorted({"finditer": "findall", "subn": "sub"}.get(one, one) for one in used)) or (
        "match",
        "fullmatch",
        "findall",
    )


def all_sources() -> str:
    files = itertools.chain.from_iterable((ROOT / name).rglob("*.py") for name in PACKAGES)
    return "\n".join(file.read_text() for file in files)


# --- texts made of a pattern's own parts -----------------------------------------------------

_SAMPLES = {
    codes.CATEGORY_DIGIT: "0",
    codes.CATEGORY_NOT_DIGIT: "a",
    codes.CATEGORY_SPACE: " ",
    codes.CATEGORY_NOT_SPACE: "a",
    codes.CATEGORY_WORD: "a",
    codes.CATEGORY_NOT_WORD: "-",
}


def parts_of(parsed: Any) -> Iterator[str]:
    """What matches the pattern, piece by piece; a row of letters is one piece."""
    row = ""
    for code, value in parsed:
        if code is codes.LITERAL:
            row += chr(value)
            continue
        if row:
            yield row
            row = ""
        yield from _parts_of_one(code, value)
    if row:
        yield row


def _parts_of_one(code: Any, value: Any) -> Iterator[str]:
    if code is codes.NOT_LITERAL:
        yield chr(value + 1)
    elif code is codes.ANY:
        yield "a"
    elif code is codes.IN:
        yield from _letters_of(value)
    elif code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        yield from parts_of(value[2])
    elif code is codes.SUBPATTERN:
        yield from parts_of(value[3])
    elif code is codes.BRANCH:
        for branch in value[1]:
            yield from parts_of(branch)
    elif code in (codes.ASSERT, codes.ASSERT_NOT):
        yield from parts_of(value[1])


def _letters_of(members: Any) -> Iterator[str]:
    """Some letters of a set: one of each kind that counts for backtracking."""
    if members and members[0][0] is codes.NEGATE:
        class_ = re.compile("".join(["[^", *(_spelled(one) for one in members[1:]), "]"]))
        yield from [one for one in "a /\t0{[" if class_.match(one)][:3]
        return
    for code, value in members[:3]:
        if code is codes.LITERAL:
            yield chr(value)
        elif code is codes.RANGE:
            yield chr(value[0])
        elif code is codes.CATEGORY:
            yield _SAMPLES[value]


def _spelled(member: Any) -> str:
    code, value = member
    if code is codes.LITERAL:
        return re.escape(chr(value))
    if code is codes.RANGE:
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    return {codes.CATEGORY_SPACE: r"\s", codes.CATEGORY_DIGIT: r"\d"}.get(value, r"\w")


def texts_for(pattern: re.Pattern[Any], length: int) -> Iterator[str]:
    """Long texts that come near to what the pattern matches and then do not, in many ways."""
    flags = pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags
    parts = list(parts_of(parser.parse(pattern.pattern, flags)))[:24]
    seen: set[str] = set()
    for begin in range(len(parts) + 1):
        beginning = "".join(parts[:begin])
        repeated = [*parts[max(0, begin - 2) : begin + 4], beginning, "".join(parts[begin:])]
        for piece in repeated:
            if piece and (key := f"{beginning}\0{piece}") not in seen:
                seen.add(key)
                yield beginning + piece * (length // len(piece))


def try_pattern(pattern: re.Pattern[Any], method: str, text: str) -> None:
    given: Any = text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text
    if method == "sub":
        pattern.sub(given[:0], given)
    elif method == "findall":
        for _ in pattern.finditer(given):
            pass
    else:
        getattr(pattern, method)(given)


def texts_for_functions(
    module: str, found: Found, shapes: tuple[str, ...], length: int
) -> Iterator[str]:
    pieces = list(shapes)
    for other, pattern in found.values():
        if module.startswith(other):
            flags = pattern.flags
            if isinstance(pattern.pattern, str):
                pieces += parts_of(parser.parse(pattern.pattern, flags))
    for piece in dict.fromkeys(pieces):
        yield piece * (length // len(piece))


# --- running ---------------------------------------------------------------------------------


def allow(seconds: float) -> None:
    """Have the kernel kill this process if it uses so much more of the processor."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def try_patterns(seconds: float, length: int, alone: str | None) -> None:
    if alone is not None:
        found: Found = {0: (__name__, re.compile(alone))}
        sources = ""
    else:
        found, sources = import_everything(), all_sources()
    for module, pattern in found.values():
        for method in methods_of(module, pattern, sources):
            for text in texts_for(pattern, length):
                say(f"{module}: {pattern.pattern!r}.{method} of {text[:40]!r}...")
                allow(seconds)
                try_pattern(pattern, method, text)
    say(f"all {len(found)} patterns")


def try_functions(seconds: float, length: int) -> None:
    found = import_everything()
    ours = importlib.import_module("tests.foreign_functions")
    cases = ours.functions()
    missing = {module for module, _ in found.values()} - ours.PATTERN_ALONE
    missing -= {name.partition(" ")[0] for name in cases}
    assert not missing, f"nothing tries the functions of {sorted(missing)}"
    for name, function in cases.items():
        for text in texts_for_functions(name, found, ours.SHAPES, length):
            say(f"{name} of {text[:40]!r}...")
            allow(seconds)
            with suppress(HiveError, ValueError, KeyError, configparser.Error):
                function(text)
    say(f"all {len(cases)} functions")


if __name__ == "__main__":
    what, seconds_, length_, *rest_ = sys.argv[1:]
    if what == "patterns":
        try_patterns(float(seconds_), int(length_), rest_[0] if rest_ else None)
    else:
        try_functions(float(seconds_), int(length_))
