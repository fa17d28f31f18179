"""What the gate itself says to a borg 2 client, which speaks HTTP over its pipes."""

from __future__ import annotations

# The client shows the text of this status, and does not connect again as it does without an answer.
_STATUS = "412 Precondition Failed"


def refusal(message: str) -> bytes:
    """Return the answer to any first request that makes its client stop and show `message`."""
    body = message.encode("utf-8", "replace")
    head = (
        f"HTTP/1.1 {_STATUS}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        "\r\n"
    )
    return head.encode("ascii") + body
