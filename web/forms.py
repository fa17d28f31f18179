"""What people send: forms and numbers, read strictly; addresses to return to, read with care."""

from __future__ import annotations

from urllib.parse import parse_qsl

from aiohttp import web

from hive.errors import InvalidInput

MAX_BODY = 64 * 1024  # bytes; the largest form is a public key with its name
_MAX_FIELDS = 50


async def read_form(request: web.Request) -> dict[str, str]:
    """The fields of a form; of a field that is sent twice, the first."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPUnsupportedMediaType
    body = await request.read()
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        raise InvalidInput("This form cannot be read: it must be UTF-8.") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


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
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidInput("This is no place in the list.", field=name)
    return int(text)
