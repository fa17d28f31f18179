"""What a link in a message leads to: a page with one button, for who got the message.

It works without a login and without scripts. Opening it changes nothing; only its button does.
"""

from __future__ import annotations

from aiohttp import web

from hive.errors import HiveError
from hive.services.notifications import answers
from hive.services.notifications.answers import LinkOffer
from web.access import public
from web.app_keys import ADDRESS
from web.rendering import page
from web.text.i18n import Reader, change_reader, reader


@public
async def show(request: web.Request) -> web.Response:
    offer = await answers.look(request.match_info["token"], request[ADDRESS])
    _speak_to(offer)
    return page(request, "answer.html", offer=offer, done=None, problem=None)


@public
async def press(request: web.Request) -> web.Response:
    """Also for mail programs that unsubscribe by themselves when their user asks for it."""
    token, address = request.match_info["token"], request[ADDRESS]
    offer = await answers.look(token, address)
    _speak_to(offer)
    try:
        done = await answers.press(token, address)
    except HiveError as error:
        return page(
            request, "answer.html", status=409, offer=offer, done=None, problem=error.message
        )
    return page(request, "answer.html", offer=offer, done=done, problem=None)


def _speak_to(offer: LinkOffer) -> None:
    """In the language of whom the message was written for."""
    change_reader(Reader(offer.reader.language, offer.reader.zone or reader().zone))
