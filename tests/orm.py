"""What the ORM derives of the tables, derived once in a run: each start of the services asks."""

from __future__ import annotations

from tortoise.apps import Apps
from tortoise.models import Model

_derive = Apps._build_initial_querysets
_derived: set[tuple[type[Model], type[object]]] = set()  # for which kind of connection


def derive_once(apps: Apps) -> None:
    """Stand in for Apps._build_initial_querysets; its results are kept in the tables themselves."""
    kind = type(apps._connections.get("default"))
    wanted = {(model, kind) for app in apps.apps.values() for model in app.values()}
    if not wanted <= _derived:
        _derive(apps)
        _derived.update(wanted)
