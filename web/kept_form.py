"""A form that was sent after the session had ended: it comes back once its person has logged in.

Nothing of it is stored before that: the login page holds it in a hidden field. After the password
it waits here for the browser, as messages do, and a page shows it with a button that sends it.
Secrets are left out and typed again. Only our own pages can put a form in: like every form of ours,
the login's is taken from no other site (web/middleware/same_origin.py).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from aiohttp import web

from hive.errors import InvalidInput
from hive.services.notifications import channels
from web.forms import MAX_BODY, internal_path, read_form

FIELD = "kept"
_MAX_BROWSERS = 100
_MAX_FIELDS = 2000
_MAX_TEXT = MAX_BODY // 4  # so that the login with it is no larger than a form may be
# Beside what channels call secret: passwords, codes, and what a trigger sends.
_SECRET = re.compile(r"password|repeated|secret|token|code|passkey|header|^(new|body|url)$")
_NEVER = ("/login", "/logout", "/forgot")


@dataclass(frozen=True)
class KeptForm:
    """Where it was to go, what was typed, and the names of the secrets that are left out."""

    path: str
    fields: Mapping[str, str]
    secrets: tuple[str, ...]

    def as_text(self) -> str:
        return json.dumps(asdict(self))


async def read(request: web.Request) -> KeptForm | None:
    """The form that the request is; None for what cannot be shown again."""
    path = internal_path(request.path_qs)
    if request.content_type != "application/x-www-form-urlencoded" or not _is_kept_for(path):
        return None
    try:
        given = await read_form(request, max_fields=_MAX_FIELDS)
    except InvalidInput:
        return None
    known = {field.name for kind in channels.kinds() for field in kind.fields if field.secret}
    secret = {name for name in given if name in known or _SECRET.search(name)}
    fields = {name: value for name, value in given.items() if name not in secret}
    kept = KeptForm(path, fields, tuple(sorted(name for name in secret if given[name])))
    return kept if len(kept.as_text()) <= _MAX_TEXT else None


def _is_kept_for(path: str) -> bool:
    return path != "/" and not any(path.startswith(one) for one in _NEVER)


def parse(text: str) -> KeptForm | None:
    """What the login page held; None for what `KeptForm.as_text` did not write."""
    if not text or len(text) > _MAX_TEXT:
        return None
    try:
        found = json.loads(text)
        path, fields, secrets = found["path"], found["fields"], found["secrets"]
    except (ValueError, KeyError, TypeError):
        return None
    is_text = isinstance(path, str) and isinstance(fields, dict) and isinstance(secrets, list)
    if not is_text or internal_path(path) == "/" or not _is_kept_for(path):
        return None
    texts = [*fields.values(), *secrets]
    if len(fields) > _MAX_FIELDS or not all(isinstance(one, str) for one in texts):
        return None
    return KeptForm(path, fields, tuple(secrets))


class KeptForms:
    """Forms that wait for the next page of a browser; a restart forgets them."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[bytes, KeptForm] = OrderedDict()

    def add(self, token: str, kept: KeptForm) -> None:
        self._waiting[_digest(token)] = kept
        while len(self._waiting) > _MAX_BROWSERS:
            self._waiting.popitem(last=False)

    def take(self, token: str) -> KeptForm | None:
        return self._waiting.pop(_digest(token), None)

    def get(self, token: str) -> KeptForm | None:
        return self._waiting.get(_digest(token))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
