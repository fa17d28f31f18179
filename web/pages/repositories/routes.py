"""The routes of repositories."""

from __future__ import annotations

from aiohttp import web

from web import repository_filter
from web.forms import ID
from web.pages.repositories import (
    add,
    delete,
    edit,
    keys,
    locks,
    mode,
    overview,
    rollback,
    schedule,
    show,
    staged_import,
    trash,
    upkeep,
)

ROUTES = [
    web.get("/", overview.show),
    web.get("/repositories/names", repository_filter.names),
    web.get("/repositories/add", add.show),
    web.post("/repositories/add", add.submit),
    web.get(f"/repositories/{ID}", show.show),
    web.get(f"/repositories/{ID}/edit", edit.show),
    web.post(f"/repositories/{ID}/edit", edit.submit),
    web.post(f"/repositories/{ID}/owner", edit.give),
    web.get(f"/repositories/{ID}/keys", keys.show),
    web.post(f"/repositories/{ID}/keys", keys.submit),
    web.post(f"/repositories/{ID}/strict-paths", edit.set_strict_paths),
    web.post(f"/repositories/{ID}/confirm-empty", edit.confirm_empty),
    web.get(f"/repositories/{ID}/mode", mode.show),
    web.post(f"/repositories/{ID}/mode", mode.submit),
    web.get(f"/repositories/{ID}/locks", locks.show),
    web.post(f"/repositories/{ID}/locks", locks.submit),
    web.get(f"/repositories/{ID}/schedule", schedule.show),
    web.post(f"/repositories/{ID}/schedule", schedule.submit),
    web.post(f"/repositories/{ID}/watch", schedule.watch),
    web.post(f"/repositories/{ID}/pause", schedule.pause),
    web.post(f"/repositories/{ID}/resume", schedule.resume),
    web.post(f"/repositories/{ID}/mute", schedule.mute),
    web.post(f"/repositories/{ID}/unmute", schedule.unmute),
    web.post(f"/repositories/{ID}/acknowledge", schedule.acknowledge),
    web.post("/acknowledge", schedule.acknowledge_all),
    web.post(f"/repositories/{ID}/dismiss-small-backup", schedule.dismiss_small_backup),
    web.post(f"/repositories/{ID}/check", upkeep.check),
    web.post(f"/repositories/{ID}/compact", upkeep.compact),
    web.post(f"/repositories/{ID}/measure", upkeep.measure),
    web.get(f"/repositories/{ID}/rollback", rollback.show),
    web.post(f"/repositories/{ID}/rollback", rollback.submit),
    web.post(f"/repositories/{ID}/rollback/cancel", rollback.cancel),
    web.post(f"/repositories/{ID}/discard-import", staged_import.discard),
    web.post(f"/repositories/{ID}/clear-config-limits", staged_import.clear_limits),
    web.get(f"/repositories/{ID}/delete", delete.show),
    web.post(f"/repositories/{ID}/delete", delete.submit),
    web.get("/trash", trash.show),
    web.post(f"/trash/{ID}/restore", trash.restore),
    web.post(f"/trash/rollbacks/{ID}/take-back", rollback.take_back),
]
