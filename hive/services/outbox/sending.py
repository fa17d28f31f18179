"""What can be sent with: channels by their kind, the server's own mail relay, and the means.

Commands that send nothing start without all that channels need: it is imported when it is used,
and nowhere else among the services.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from hive.errors import DeliveryFailed, HiveError, InvalidInput, Sealed
from hive.sentences import say
from hive.services import runtime
from hive.services.outbox import allowed
from hive.services.outbox.routing import OWN_MAIL

if TYPE_CHECKING:
    from hive.notify.channel import Channel, Means
    from hive.notify.message import Message
    from hive.outgoing.client import Outgoing

# What a channel can raise if the service differs from the one that it was written for.
CHANNEL_ERRORS = (HiveError, OSError, TimeoutError, ValueError, TypeError, LookupError)


_DEMO = say("This server shows demo data: nothing is sent.")


def explained(error: Exception) -> DeliveryFailed:
    """One of CHANNEL_ERRORS in words that may be shown."""
    if isinstance(error, DeliveryFailed):
        return error
    if isinstance(error, Sealed):  # it can be sent when the key is back
        return DeliveryFailed("The settings of the channel cannot be opened.")
    if isinstance(error, HiveError):  # the settings are wrong
        return DeliveryFailed(error.message, permanent=True)
    if isinstance(error, TimeoutError):
        return DeliveryFailed("The service did not answer in time.")
    if isinstance(error, OSError):
        return DeliveryFailed(error.strerror or say("The mail server cannot be reached."))
    # what such an error says may hold what it stumbled over, secrets too
    return DeliveryFailed(
        "The channel failed: %(name)s.", permanent=True, name=type(error).__name__
    )


def sends_mail() -> bool:
    return runtime.settings().mail.host is not None


def channels() -> dict[str, type[Channel[Any]]]:
    """Every channel there is, by its kind."""
    from hive.notify import registry  # noqa: PLC0415 - see above

    return registry.CHANNELS


def channel(kind: str) -> type[Channel[Any]]:
    """The channel of this kind; InvalidInput names those there are."""
    from hive.notify import registry  # noqa: PLC0415 - see above

    return registry.channel(kind)


def mask() -> str:
    """What stands for a secret that is there."""
    from hive.notify.channel import MASK  # noqa: PLC0415 - see above

    return MASK


def is_for_administrators(kind: str) -> bool:
    """Whether only an administrator may have such a channel; an unknown kind is for nobody."""
    known = channels().get(kind)
    return known is None or known.administrators_only


@asynccontextmanager
async def opened_means() -> AsyncIterator[Means]:
    """What channels send with, by the settings in effect."""
    from hive.notify.channel import Means  # noqa: PLC0415 - see above

    settings = runtime.settings()
    async with outgoing() as opened:
        yield Means(outgoing=opened, mail=settings.mail, public_url=runtime.public_url())


def outgoing() -> Outgoing:
    """The client for requests to other servers; nothing leaves a demo by it."""
    from hive.outgoing.client import Outgoing  # noqa: PLC0415 - see above

    closed = _DEMO if runtime.is_demo() else ""
    return Outgoing.of(runtime.settings().notifications, closed=closed)


async def send(kind: str, settings: Mapping[str, Any], message: Message, means: Means) -> str:
    """Send once and return the answer; DeliveryFailed says whether to try again."""
    if runtime.is_demo():  # mail and Apprise have ways of their own
        raise DeliveryFailed(_DEMO, permanent=True)
    means.outgoing.allow_also(await allowed.networks())
    used = channel("email" if kind == OWN_MAIL else kind)
    return (await used.send(used.read(settings), message, means)).answer


def own_mail(address: str) -> dict[str, Any]:
    """The settings that send to somebody's own address; InvalidInput where it is none."""
    if not address:
        raise InvalidInput("There is no e-mail address to send to.")
    return {"address": address}


def message(**fields: Any) -> Message:  # noqa: ANN401 - its fields
    from hive.notify.message import Message  # noqa: PLC0415 - see above

    return Message(**fields)
