"""What the gate tells a key about its repository: for people, or as JSON."""

from __future__ import annotations

import json
from datetime import datetime

from hive import clock
from hive.formats import format_size
from hive.kinds import Access
from hive.services.gate.admission import Admission, state_in_words
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo


async def answer(admission: Admission, *, as_json: bool) -> bytes:
    """What a client reads that asked for the status of its repository."""
    info = await catalogue.info_by_id(admission.repository_id)
    text = _as_json(info, admission.access) if as_json else _as_text(info, admission.access)
    return text.encode()


def _as_json(info: RepositoryInfo, access: Access) -> str:
    """One JSON document on one line."""
    values = {
        "repository": info.name,
        "state": state_in_words(info),
        "mode": info.mode,
        "access": access,
        "last_backup_at": _time(info.last_backup_at),
        "last_access_at": _time(info.last_access_at),
        "size_bytes": info.size_bytes,
        "quota_bytes": info.quota_bytes,
        "url": info.url,
    }
    return json.dumps(values) + "\n"


def _as_text(info: RepositoryInfo, access: Access) -> str:
    size = "not known" if info.size_bytes is None else format_size(info.size_bytes)
    if info.quota_bytes is not None:
        size += f" of {format_size(info.quota_bytes)}"
    return (
        f"Repository {info.name}: {state_in_words(info)}.\n"
        f"  mode         {info.mode}\n"
        f"  this key     {access} access\n"
        f"  last backup  {_time(info.last_backup_at) or 'not known'}\n"
        f"  last access  {_time(info.last_access_at) or 'never'}\n"
        f"  size         {size}\n"
        f"  URL          {info.url}\n"
    )


def _time(at: datetime | None) -> str | None:
    return clock.rfc3339(at) if at is not None else None
