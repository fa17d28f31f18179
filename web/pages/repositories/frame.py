"""A tab of a repository: what stands on top of each, and which one is shown."""

from __future__ import annotations

from aiohttp import web

from hive.errors import NotFound
from hive.services.overview.repository_head import Head
from hive.services.sessions.filters import SessionState
from web import navigation
from web.rendering import page, tab_icon

OVERVIEW, SESSIONS, HISTORY = "", "/sessions", "/history"
KEYS, CONNECT, SETTINGS = "/keys", "/connect", "/settings"
_OF_ALL = (OVERVIEW, SESSIONS, HISTORY)  # also of one in the trash


def require_there(head: Head) -> None:
    """NotFound of a tab that a repository in the trash does not have."""
    if head.details.repository.deleted_at is not None:
        raise NotFound("There is no such repository.")


def tab_page(
    request: web.Request,
    template: str,
    tab: str,
    head: Head,
    *,
    status: int = 200,
    **context: object,
) -> web.Response:
    """The page of this tab."""
    details = head.details
    last = details.last_session
    is_deleted = details.repository.deleted_at is not None
    tabs = [one for one in navigation.REPOSITORY if not is_deleted or one[0] in _OF_ALL]
    return page(
        request,
        template,
        status=status,
        icon=tab_icon(
            is_bad=head.is_bad, is_live=last is not None and last.state == SessionState.LIVE
        ),
        head=head,
        tab=tab,
        tabs=tabs,
        alarming={alarm.session_id for alarm, _ in head.open_alarms},
        **context,
    )
