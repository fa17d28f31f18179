"""The pages that there are, read from the application's routes."""

from __future__ import annotations

from typing import Any

from tests.web.scene import Scene

NO_PAGES = (
    "/login",
    "/login/second",
    "/reset/{token}",
    "/setup/{token}",
    "/account/second-factor/app/qr.svg",
    "/healthz",
    "/live",
    "/static/{name}",
    "/manifest.webmanifest",
    "/answer/{token}",  # tests/web/test_answer_links.py
    "/resume",  # tests/web/test_kept_forms.py
    "/wall/{token}",
    "/repositories.csv",
    "/help/{name}",
    "/help/pictures/{name}",
)

# What a page is beside what its path alone shows.
WITH_QUERY = (
    "/help/how-to/schedules",
    "/repositories/{id}/connect?client=borgmatic",
    "/repositories/{id}/connect?client=systemd",
    "/repositories/{id}/connect?client=vorta",
    "/notifications/channels/add?kind=webhook",
    "/notifications?user={owner}",
    "/notifications/rules?user={owner}",
    "/repositories/{id}/triggers/add?kind=awx",
    "/repositories/{id}/triggers/add?kind=webhook",
    "/repositories/{id}/triggers/add?kind=command",
)

FOR_PROGRAMS = ("/api/", "/ping")


def pages_of(app: Any, scene: Scene) -> list[str]:
    """A path to each page, leading to things of the scene."""
    patterns = {route.resource.canonical for route in app.router.routes() if route.method == "GET"}
    shown = {one for one in patterns if not one.startswith(FOR_PROGRAMS)} - set(NO_PAGES)
    queries = [path.replace("{owner}", str(scene.owner)) for path in WITH_QUERY]
    return [scene.path(pattern) for pattern in [*sorted(shown), *queries]]
