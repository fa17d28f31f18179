"""What did the client ask for? Pure: text in, a request or a refusal in words out.

Nothing of the client's text is ever run. A request says what is wanted, the argv that runs is
built from our own data; only for rsync do options of the client come through, each one checked
against a list.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hive.errors import AccessRefused, RefusalCause
from hive.sentences import say

MAX_LENGTH: Final = 4096


class CommandRefused(AccessRefused):
    """The message is one printable line that says what is wrong and what would be right."""

    def __init__(self, message: str) -> None:
        super().__init__(message, RefusalCause.COMMAND)


@dataclass(frozen=True)
class BorgServe:
    """`borg serve` of borg 1.x; of the client's options only the log level counts."""

    log_level: str | None


@dataclass(frozen=True)
class Borg2Serve:
    """`borg serve --rest --backend FILE:PATH` of borg 2, `path` as the client typed it."""

    path: str


@dataclass(frozen=True)
class Rsync:
    """`options` are checked and in the client's order, the cluster of short options first."""

    sending: bool
    options: tuple[str, ...]

    @property
    def is_dry_run(self) -> bool:
        return "n" in self.options[0].partition("e")[0]


@dataclass(frozen=True)
class ShowStatus:
    as_json: bool


Request = BorgServe | Borg2Serve | Rsync | ShowStatus


def parse(command: str | None, longest: int = MAX_LENGTH) -> Request:
    """Return the request that `command` stands for; None is a shell request.

    What was not UTF-8 is in it as surrogates; `longest` is in bytes.

    Raises CommandRefused for everything that is not on offer.
    """
    text = command or ""
    if not text.strip(" "):
        return ShowStatus(as_json=False)
    if len(text.encode("utf-8", "surrogateescape")) > longest:
        raise CommandRefused(say("The command is longer than %(longest)s bytes.", longest=longest))
    if not text.isprintable():
        raise CommandRefused("The command contains control or invisible characters.")
    head, flag, backend = text.partition(" --backend")
    # A borg 2 client does not quote the path: all that follows is the backend, blanks included.
    if flag and backend[:1] in {" ", "="} and " serve " in f"{head} ":
        return _borg2(head=_words(head), backend=backend[1:])
    words = _words(text)
    program = _base_name(words[0])
    if program == "rsync":
        return _rsync(words[1:])
    if words[0] == "status":
        return _status(words[1:])
    return _borg(words)


def rebuild_rsync(request: Rsync, *, rsync: str, forced: Sequence[str]) -> list[str]:
    """Return the argv for the server's side of `request`: checked options, then ours, which win."""
    direction = ["--sender"] if request.sending else []
    return [rsync, "--server", *direction, *request.options, *forced, ".", "."]


# --- words ---


def _words(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError:
        raise CommandRefused("The quotes in the command do not match.") from None
    if not words or not words[0]:
        raise CommandRefused(say("%(on_offer)s, not an empty command.", on_offer=_ON_OFFER))
    return words


def _base_name(word: str) -> str:
    return word.rsplit("/", 1)[-1]


def _quote(text: str) -> str:
    """Return client text for a message: short, on one line, in quotes; it is printable by now."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


_ON_OFFER: Final = say("This server runs borg serve, rsync and status only")


# --- status ---


def _status(arguments: list[str]) -> ShowStatus:
    if arguments not in ([], ["--json"]):
        raise CommandRefused(
            say("status knows --json only, not %(arguments)s.", arguments=_quote(arguments[0]))
        )
    return ShowStatus(as_json=bool(arguments))


# --- borg ---

_SHELL: Final = re.compile(r"[;&|<>`]|\$\(")
_LOG_LEVELS: Final = {
    "--debug": "debug",
    "--info": "info",
    "--verbose": "info",
    "-v": "info",
    "--warning": "warning",
    "--error": "error",
    "--critical": "critical",
}


def _borg(words: list[str]) -> BorgServe:
    options = _serve_options(words)
    if "--rest" in options:
        raise CommandRefused("borg serve --rest names no backend: --backend FILE:PATH is missing.")
    if any(option.startswith("--backend") for option in options):
        raise CommandRefused(
            "borg serve --backend cannot be read: write --rest --backend FILE:PATH."
        )
    levels = [_LOG_LEVELS[option] for option in options if option in _LOG_LEVELS]
    return BorgServe(log_level=levels[-1] if levels else None)


def _borg2(*, head: list[str], backend: str) -> Borg2Serve:
    if "--rest" not in _serve_options(head):
        raise CommandRefused("borg serve --backend goes with --rest only.")
    if backend.lstrip().startswith(("'", '"')):
        backend = _words(backend)[0]
    kind, colon, path = backend.partition(":")
    if kind != "FILE" or not colon or not path:
        raise CommandRefused(
            say("The backend must be FILE:PATH, not %(backend)s.", backend=_quote(backend))
        )
    return Borg2Serve(path=path)


def _serve_options(words: list[str]) -> list[str]:
    """Return the words after `serve`, when the words before it are ones that borg clients send."""
    for word in words:
        if _SHELL.search(word):
            raise CommandRefused(
                say(
                    "No shell runs here: %(word)s is not allowed; %(right)s.",
                    word=_quote(word),
                    right=_RIGHT,
                )
            )
    if "serve" not in words or not _starts_borg(words[: words.index("serve")]):
        raise CommandRefused(
            say("%(on_offer)s, not %(what)s.", on_offer=_ON_OFFER, what=_quote(_what(words)))
        )
    return words[words.index("serve") + 1 :]


_RIGHT: Final = say("borg serve, rsync and status are")


def _starts_borg(before: list[str]) -> bool:
    """Tell whether the words before `serve` are a program, by any name, and not a borg command.

    Clients may put anything into --remote-path: `sudo borg`, `VAR=1 borg`, `borg --option`,
    `backup-wrapper`.
    """
    commands = [word for word in before if not word.startswith("-")]
    if not commands:
        return False
    if before == commands and len(commands) == 1:
        return True
    return "borg" in _base_name(commands[-1]).lower()


def _what(words: list[str]) -> str:
    """Return what was asked for instead, as short as it is clear: `bash`, `borg create`."""
    if "borg" in _base_name(words[0]).lower() and len(words) > 1:
        return f"{_base_name(words[0])} {words[1]}"
    return words[0]


# --- rsync ---

# The options in these tables cannot name a file or start a program on this side.
_LETTERS: Final = frozenset("vqnlogDtprzcHSuIWhOJxEm")
_LETTERS_SENDING: Final = _LETTERS | {"d"}
_CLUSTER: Final = re.compile(r"-(?P<letters>[A-Za-df-z0-9]{0,64})(?:e[0-9]{0,3}\.[A-Za-z]{0,32})")
_SECLUDING: Final = re.compile(r"-[A-Za-df-z]*s")
_BLOCK_SIZE: Final = re.compile(r"-B[0-9]{1,9}")
_PLAIN_OPTION: Final = re.compile(r"--?[\w-]{1,40}", re.ASCII)

_NUMBER: Final = re.compile(r"[0-9]{1,12}")
_SIGNED: Final = re.compile(r"-?[0-9]{1,6}")
_SIZE: Final = re.compile(r"[0-9]{1,19}[kKmMgGtT]?(?:i?[bB])?")

_Options = dict[str, re.Pattern[str] | None]

_BOTH: Final[_Options] = {
    "stats": None,
    "partial": None,
    "inplace": None,
    "append": None,
    "numeric-ids": None,
    "size-only": None,
    "ignore-times": None,
    "ignore-errors": None,
    "fsync": None,
    "no-W": None,
    "no-r": None,
    "msgs2stderr": None,
    "no-msgs2stderr": None,
    "new-compress": None,
    "old-compress": None,
    "compress-level": re.compile(r"-?[0-9]{1,6}"),
    "compress-choice": re.compile(r"[a-z0-9]{1,16}"),
    "checksum-choice": re.compile(r"[a-z0-9,]{1,40}"),
    "checksum-seed": _NUMBER,
    "timeout": _NUMBER,
    "bwlimit": _NUMBER,
    "block-size": _NUMBER,
    "max-size": _SIZE,
    "min-size": _SIZE,
    "modify-window": _SIGNED,
    "info": re.compile(r"[A-Z0-9,]{1,200}"),
    "log-format": re.compile(r"[%A-Za-z]{1,10}"),
}
# Deleting is part of a mirror, and what is received lands in a separate directory.
_RECEIVING: Final[_Options] = _BOTH | {
    "delay-updates": None,
    "ignore-existing": None,
    "existing": None,
    "sparse": None,
    "delete": None,
    "delete-before": None,
    "delete-during": None,
    "delete-delay": None,
    "delete-after": None,
    "delete-excluded": None,
    "max-delete": _SIGNED,
    "force": None,
}
_SENDING: Final[_Options] = _BOTH | {"list-only": None}

_LONG_NAMES: Final = {
    "A": "--acls",
    "C": "--cvs-exclude",
    "K": "--keep-dirlinks",
    "L": "--copy-links",
    "N": "--crtimes",
    "R": "--relative",
    "U": "--atimes",
    "X": "--xattrs",
    "b": "--backup",
    "d": "--dirs",
    "k": "--copy-dirlinks",
    "s": "--secluded-args",
    "y": "--fuzzy",
}
_SECLUDED: Final = say(
    "rsync option -s (--secluded-args) hides the options from this server: add --no-secluded-args,"
    " with rsync before 3.2.6 --no-protect-args (--no-s works with both)."
)
_ROOT: Final = frozenset({"", ".", "./", "/", "~", "~/"})
# A client that asked for the directory `~` refuses what a server sends of its content.
_ROOT_SENDING: Final = _ROOT - {"~"}


def _rsync(arguments: list[str]) -> Rsync:
    if arguments[:1] != ["--server"]:
        raise CommandRefused(
            "rsync runs here only as the other end of a client: rsync -a SOURCE/ LOGIN@HOST:"
        )
    sending = arguments[1:2] == ["--sender"]
    words = arguments[2 if sending else 1 :]
    # No option is a lone dot, so the first one ends them.
    end = words.index(".") if "." in words else len(words)
    options = _rsync_options(words[:end], sending=sending)
    paths = words[end + 1 :]
    if len(paths) != 1 or paths[0] not in (_ROOT_SENDING if sending else _ROOT):
        wrong = say(", not %(paths)s", paths=_quote(paths[0])) if len(paths) == 1 else ""
        raise CommandRefused(
            say(
                "rsync takes one path here, LOGIN@HOST: for the repository itself%(wrong)s.",
                wrong=wrong,
            )
        )
    return Rsync(sending=sending, options=options)


def _rsync_options(words: list[str], *, sending: bool) -> tuple[str, ...]:
    if words and words[0].startswith("--"):
        _check_long(words[0], sending=sending)
    cluster = words[0] if words else ""
    _check_cluster(cluster, sending=sending)
    for word in words[1:]:
        if _BLOCK_SIZE.fullmatch(word):
            continue
        if not word.startswith("--"):
            raise CommandRefused(
                say("rsync argument %(word)s is not allowed here.", word=_quote(word))
            )
        _check_long(word, sending=sending)
    return tuple(words)


def _check_cluster(word: str, *, sending: bool) -> None:
    if _SECLUDING.match(word):
        raise CommandRefused(_SECLUDED)
    match = _CLUSTER.fullmatch(word)
    if not match:
        raise CommandRefused(
            "The rsync options cannot be read: a client of rsync 3.1 or newer is needed."
        )
    for letter in match["letters"]:
        if letter not in (_LETTERS_SENDING if sending else _LETTERS):
            raise CommandRefused(_not_allowed(f"-{letter}", _LONG_NAMES.get(letter)))


def _check_long(word: str, *, sending: bool) -> None:
    name, equals, value = word.removeprefix("--").partition("=")
    known = _SENDING if sending else _RECEIVING
    if name not in known:
        raise CommandRefused(_not_allowed(f"--{name}"))
    pattern = known[name]
    if pattern is None and equals:
        raise CommandRefused(say("rsync option --%(name)s takes no value.", name=name))
    if pattern is not None and not pattern.fullmatch(value):
        raise CommandRefused(
            say("rsync option --%(name)s cannot be %(value)s.", name=name, value=_quote(value))
        )


def _not_allowed(option: str, long_name: str | None = None) -> str:
    shown = option if _PLAIN_OPTION.fullmatch(option) else _quote(option)
    also = f" ({long_name})" if long_name else ""
    return say(
        "rsync option %(shown)s%(also)s is not allowed here: leave it out.", shown=shown, also=also
    )
