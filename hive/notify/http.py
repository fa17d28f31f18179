"""What channels that speak HTTP share: posting, and telling what an answer means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from hive import clock
from hive.errors import DeliveryFailed, InvalidInput, OutgoingFailed
from hive.notify.channel import Means
from hive.notify.message import cut, one_line
from hive.outgoing.client import Answer, check_headers, parse_url

LONGEST_WAIT = 24 * 3600.0
# of 400 to 499, what may be different when tried again
_PASSING = {408, 421, 423, 425, 429}


async def post_json(
    means: Means,
    url: str,
    json: object,
    *,
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
) -> Answer:
    """The answer; a redirect is one, since URL and body of these services hold secrets."""
    return await ask(means, method, url, headers=headers, json=json, allow_redirects=False)


async def ask(
    means: Means,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    json: object = None,
    allow_redirects: bool,
) -> Answer:
    try:
        return await means.outgoing.request(
            method, url, headers=headers, body=body, json=json, allow_redirects=allow_redirects
        )
    except OutgoingFailed as error:
        raise DeliveryFailed(
            error.message, permanent=error.permanent, address=error.address
        ) from None


def judge(
    answer: Answer, service: str, *, said: str | None = None, retry_after: float | None = None
) -> str:
    """The answer in one line if it says yes; else DeliveryFailed.

    `said` and `retry_after` are what this service has in the body in place of the headers.
    """
    text = cut(one_line(answer.text if said is None else said), 300)
    line = f"{answer.status} {text}".strip()
    if answer.ok:
        return line
    if 300 <= answer.status < 400:
        raise DeliveryFailed(
            "%(service)s answered %(status)s, a redirect; give the address that it redirects to.",
            permanent=True,
            service=service,
            status=answer.status,
        )
    permanent = 400 <= answer.status < 500 and answer.status not in _PASSING
    wait = (
        parse_retry_after(answer.headers.get("retry-after")) if retry_after is None else retry_after
    )
    raise DeliveryFailed(
        "%(service)s answered %(line)s",
        permanent=permanent,
        retry_after=None if permanent else bounded_wait(wait),
        service=service,
        line=line,
    )


def parse_retry_after(text: str | None) -> float | None:
    """Seconds, from the number or the date of a Retry-After header."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (_aware(at) - clock.now()).total_seconds()


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def bounded_wait(seconds: object) -> float | None:
    """A wait that is worth heeding; servers say what they like."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    if not math.isfinite(seconds):
        return None
    return min(max(float(seconds), 0.0), LONGEST_WAIT)


def entry(answer: Answer, *names: str) -> object:
    """What the answer's JSON has at this path, or None."""
    found = answer.json()
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def words(found: object) -> str | None:
    """`found` if it is something to read."""
    if isinstance(found, list):
        return "; ".join(str(each) for each in found) or None
    return found if isinstance(found, str) and found else None


def _address(text: str) -> str:
    try:
        parse_url(text)
    except InvalidInput as error:
        raise ValueError(error.message) from None
    return text


def _server(text: str) -> str:
    address = _address(text).rstrip("/")
    if "?" in address or "#" in address:
        raise ValueError("The address of a server has nothing behind its path.")
    return address


def _secret_address(secret: SecretStr) -> SecretStr:
    _address(secret.get_secret_value())
    return secret


def _header_value(secret: SecretStr) -> SecretStr:
    try:
        check_headers({"X-Token": secret.get_secret_value()})
    except InvalidInput:
        raise ValueError("A token is one line of ASCII characters.") from None
    return secret


ServerAddress = Annotated[str, AfterValidator(_server)]
SecretAddress = Annotated[SecretStr, AfterValidator(_secret_address)]
Token = Annotated[SecretStr, AfterValidator(_header_value)]


def host_of(address: str | SecretStr) -> str:
    """The host of a URL, which may be shown where the rest may not."""
    text = address.get_secret_value() if isinstance(address, SecretStr) else address
    return str(parse_url(text).host)
