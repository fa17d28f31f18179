"""Watches the server's own mail relay: a certificate that is refused keeps every mail back."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from math import inf

from hive.kinds import EventKind
from hive.services.alarms import server_alarms
from hive.services.alarms.server_alarms import Trouble

LOOK_EVERY = 20.0  # seconds
_ASK_EVERY = 300.0  # the relay, as long as all is well
SUBJECT = "mail relay"

# Why the certificate of the relay is refused; None where it is not.
Examine = Callable[[], Awaitable[str | None]]


class MailWatch:
    """Asks the relay at the start and every few minutes; more often while it is refused."""

    def __init__(self, host: str | None, examine: Examine) -> None:
        self._host = host
        self._examine = examine
        self._asked = -inf  # of time.monotonic

    async def look(self) -> None:
        """Ask the relay where it is time to, and report."""
        if self._host is None or time.monotonic() - self._asked < _ASK_EVERY:
            return
        problem = await self._examine()
        self._asked = time.monotonic() if problem is None else -inf
        await server_alarms.report(SUBJECT, None if problem is None else self._trouble(problem))

    def _trouble(self, problem: str) -> Trouble:
        return Trouble(
            EventKind.CHANNEL_FAILING,
            "The mail relay's certificate is refused",
            "The certificate of the server's mail relay is refused, so no mail is sent.",
            f"{self._host}: {problem}. Renew it, or name the relay in mail.host as it says.",
        )
