"""What the status command says of a repository, for people or for programs."""

from __future__ import annotations

import json

from hive import clock
from hive.kinds import Access
from hive.services import access as rules
from hive.services.repositories import RepositoryInfo
from hive.units import format_size


def describe(info: RepositoryInfo, access: Access, *, as_json: bool) -> str:
    """Mode, state and address of a repository, as somebody with this access sees it."""
    values = {
        "repository": info.name,
        "state": rules.state_in_words(info),
        "mode": str(info.mode),
        "access": str(access),
        "last_backup_at": clock.rfc3339(info.last_backup_at) if info.last_backup_at else None,
        "last_access_at": clock.rfc3339(info.last_access_at) if info.last_access_at else None,
        "size_bytes": info.size_bytes,
        "quota_bytes": info.quota_bytes,
        "url": info.url,
    }
    return json.dumps(values) + "\n" if as_json else _as_text(values)


def _as_text(values: dict[str, str | int | None]) -> str:
    size, quota = values["size_bytes"], values["quota_bytes"]
    used = format_size(size) if isinstance(size, int) else "not known"
    if isinstance(quota, int):
        used += f" of {format_size(quota)}"
    return (
        f"Repository {values['repository']}: {values['state']}.\n"
        f"  mode         {values['mode']}\n"
        f"  this key     {values['access']} access\n"
        f"  last backup  {values['last_backup_at'] or 'not known'}\n"
        f"  last access  {values['last_access_at'] or 'never'}\n"
        f"  size         {used}\n"
        f"  URL          {values['url']}\n"
    )
