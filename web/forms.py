"""What people send: forms and numbers, read strictly; addresses to return to, read with care."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Protocol, TypeVar
from urllib.parse import parse_qsl, urlencode

from aiohttp import web
from aiohttp.web_request import FileField

from hive import formats, units
from hive.errors import Conflict, InvalidInput
from hive.kinds import ShareLevel
from hive.sentences import N_
from hive.services.versions import Changed
from web.text.i18n import sentence

MAX_BODY = 64 * 1024  # bytes; the largest form is a public key with its name
_MAX_FIELDS = 50
_MAX_CHOICES = 2000  # a repository's form has a field for each key
_MULTIPART = "multipart/form-data"


async def read_form(
    request: web.Request, *, max_fields: int = _MAX_FIELDS, with_files: bool = False
) -> dict[str, str]:
    """The fields of a form; of a field that is sent twice, the first. Files are their text."""
    if with_files and request.content_type == _MULTIPART:
        return await _read_parts(request)
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPUnsupportedMediaType
    body = await request.read()
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=max_fields,
        )
    except ValueError:
        raise InvalidInput("This form cannot be read: it must be UTF-8.") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


async def _read_parts(request: web.Request) -> dict[str, str]:
    fields: dict[str, str] = {}
    try:
        for name, value in (await request.post()).items():
            if isinstance(value, FileField):
                with value.file as file:
                    fields.setdefault(name, file.read(MAX_BODY).decode())
            else:
                fields.setdefault(name, value if isinstance(value, str) else bytes(value).decode())
    except ValueError:
        raise InvalidInput("This form cannot be read: it must be UTF-8.") from None
    return fields


T = TypeVar("T")


@dataclass
class Form:
    """What was sent, or what a form begins with, and what is wrong with it: nothing gets lost."""

    values: Mapping[str, str]
    problems: dict[str, str] = field(default_factory=dict)  # by field; "" is the whole form
    status: int = 200
    is_outdated: bool = False  # somebody else saved in between: see web/versioned.py
    stored: Mapping[str, str] | None = None  # what is stored now, then

    def text(self, name: str) -> str:
        return self.values.get(name, "").strip()

    def has(self, name: str) -> bool:
        """Whether a box is ticked."""
        return self.values.get(name, "") != ""

    def differs(self, name: str) -> bool:
        """Whether something else than what was typed is stored by now."""
        if self.stored is None:
            return False
        typed, stored = (values.get(name, "").strip() for values in (self.values, self.stored))
        return typed.split() != stored.split()

    def read(self, name: str, parse: Callable[[str], T]) -> T | None:
        """The field's value; None where it is empty or, with a problem noted, wrong."""
        text = self.text(name)
        if not text:
            return None
        try:
            return parse(text)
        except InvalidInput as error:
            self.complain(InvalidInput(error.message, field=name))
        except ValueError:
            self.complain(InvalidInput("This is none of the choices.", field=name))
        return None

    def number(self, name: str) -> int | None:
        return self.read(name, _whole_number)

    def when(self, name: str) -> datetime | None:
        return self.read(name, units.parse_when)

    def size(self, name: str) -> int | None:
        return self.read(name, units.parse_limit)

    def complain(self, error: InvalidInput | Conflict) -> None:
        self.problems.setdefault(error.field or "", sentence(error.message))
        self.status = 409 if isinstance(error, Conflict) else 422
        self.is_outdated = self.is_outdated or isinstance(error, Changed)

    def asking(self) -> Asking:
        """Ask a service inside; what it finds wrong is a problem of the form."""
        return Asking(self)

    @property
    def is_fine(self) -> bool:
        return not self.problems


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidInput("This is not a whole number.")
    return int(text)


class Asking:
    """What `Form.asking` returns."""

    def __init__(self, form: Form) -> None:
        self._form = form

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: object, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if isinstance(error, InvalidInput | Conflict):
            self._form.complain(error)
            return True
        return False


def boxes(form: Form, names: Mapping[str, T]) -> list[T]:
    """What the ticked ones among these boxes stand for."""
    return [value for name, value in names.items() if form.has(name)]


async def sent(request: web.Request, *, with_files: bool = False) -> Form:
    fields = await read_form(request, max_fields=_MAX_CHOICES, with_files=with_files)
    return Form(fields)


def new_password(form: Form, name: str) -> str:
    """A password as it was typed, in this field and in `repeated`."""
    password = form.values.get(name, "")
    if password != form.values.get("repeated", ""):
        form.complain(InvalidInput("The two passwords do not match.", field="repeated"))
    return password


def size_field(size: int | None) -> str:
    """A size that is read as just this one: saving a form unchanged changes nothing."""
    if size is None:
        return ""
    shown = formats.format_size(size)
    return shown if units.parse_size(shown) == size else str(size)


def share_levels(form: Form, groups: Sequence[str]) -> dict[str, ShareLevel | None]:
    """What the fields `share-GROUP` say of groups that were on the form; None: not shared."""
    levels: dict[str, ShareLevel | None] = {}
    for group in groups:
        if f"share-{group}" in form.values:
            levels[group] = form.read(f"share-{group}", ShareLevel)
    return levels


def internal_path(text: str | None) -> str:
    r"""The page to go to after logging in: one of ours, or the first.

    Browsers read "//host" and "/\host" as another site, and skip tabs and line ends.
    """
    if text is None or len(text) > 2000 or not text.startswith("/"):
        return "/"
    if text.startswith("//") or "\\" in text or not text.isascii() or not text.isprintable():
        return "/"
    return text


def before(request: web.Request, name: str) -> int | None:
    """The cursor of a paginated list: only what is older than this id."""
    return number(request, name, N_("This is not a valid place in the list."))


def number(request: web.Request, name: str, problem: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidInput(problem, field=name)
    return int(text)


def one_of(request: web.Request, name: str, kind: Callable[[str], T]) -> T | None:
    """A filter in the query that is one of a kind's values; empty is none."""
    text = request.query.get(name)
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise InvalidInput("There is no such filter.", field=name) from None


ID = "{id:[0-9]{1,9}}"  # in the path of a route


def id_of(request: web.Request) -> int:
    """The id in the path."""
    return int(request.match_info["id"])


class HasId(Protocol):
    @property
    def id(self) -> int: ...


Row = TypeVar("Row", bound=HasId)


def cut_page(rows: Sequence[Row], count: int) -> tuple[Sequence[Row], int | None]:
    """The first `count` rows, and the cursor to what is older, if anything is."""
    shown = rows[:count]
    return shown, shown[-1].id if len(rows) > count else None


def query(path: str, **values: object) -> str:
    """A path with those values in its query that are there."""
    given = {name: str(value) for name, value in values.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path
