"""What a client reads when it is turned away before the login; `{}` is its address or a time."""

from __future__ import annotations

from typing import Final

BANNED: Final = "An administrator of this server has banned your address {}."
ADDRESS_WAITS: Final = (
    "Too many connections from your address {} are waiting to log in. Try again in a minute."
)
ADDRESS_FAILED: Final = (
    "Too many connections from your address {} did not log in. Try again in a few minutes."
)
SERVER_FULL: Final = "Too many clients are connecting to this server. Try again in a minute."
GAVE_UP_PLACE: Final = (
    "You did not log in within {} seconds while other clients were waiting. Connect again."
)
NO_KEY_EXCHANGE: Final = "You did not exchange keys within {} seconds. Connect again."
NO_LOGIN: Final = "You did not log in within {} seconds. Connect again."
STOPPING: Final = "The server is stopping: try again in a minute."
NO_DATABASE: Final = "The server's database does not answer: try again in a minute."
