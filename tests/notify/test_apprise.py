from __future__ import annotations

import importlib
from typing import Any
from urllib.parse import urlsplit

import pytest

from hive.errors import DeliveryFailed, InvalidInput
from hive.notify import apprise as channel_file
from hive.notify.apprise import Apprise, AppriseSettings
from hive.notify.channel import Means
from hive.outgoing.client import Outgoing
from tests.notify.far_end import FarEnd
from tests.notify.samples import MESSAGE, SECRET

# of its plugins, some of which look for modules that Python is about to drop
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def _settings(server: FarEnd) -> AppriseSettings:
    read = Apprise.read({"url": f"nctalk://alice:{SECRET}@{urlsplit(server.url).netloc}/room"})
    assert isinstance(read, AppriseSettings)
    return read


async def test_apprise_delivers_to_a_service_that_only_it_knows(
    server: FarEnd, outgoing: Outgoing
) -> None:
    server.answers(201, {})
    sent = await Apprise.send(_settings(server), MESSAGE, Means(outgoing=outgoing))
    assert sent.answer == "delivered"
    assert server.only.path.endswith("/chat/room")
    assert MESSAGE.title in server.only.json()["message"]
    assert str(MESSAGE.url) in server.only.json()["message"]


async def test_what_apprise_cannot_deliver_may_be_tried_again(
    server: FarEnd, outgoing: Outgoing
) -> None:
    server.answers(500, "no")
    with pytest.raises(DeliveryFailed, match="could not deliver") as failed:
        await Apprise.send(_settings(server), MESSAGE, Means(outgoing=outgoing))
    assert not failed.value.permanent
    assert SECRET not in failed.value.message


async def test_apprise_that_is_not_installed_is_said_to_be_so(
    server: FarEnd, outgoing: Outgoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_name: str) -> Any:
        raise ImportError

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(DeliveryFailed, match=r"borg-hive\[apprise\]") as failed:
        await Apprise.send(_settings(server), MESSAGE, Means(outgoing=outgoing))
    assert failed.value.permanent


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1/",
        "xmls://example.org/",
        "form://example.org/",
        "syslog://",
        "mailto://alice:secret@example.org",
        "apprise://example.org/token",
        "file:///etc/passwd",
        "http://127.0.0.1/",
        "zulip",
        "rocket://a:b@example.org/#c, json://127.0.0.1/",
        "rocket://a:b@example.org/#c json://127.0.0.1/",
        "rocket://a:b@example.org/#c\njson://127.0.0.1/",
    ],
)
def test_services_that_would_reach_this_machine_are_not_on_the_list(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Apprise.read({"url": url})
    assert refused.value.field == "url"
    assert "secret" not in refused.value.message


def test_every_service_on_the_list_is_one_that_apprise_has() -> None:
    plugins: Any = importlib.import_module("apprise")
    known = {
        scheme
        for service in plugins.Apprise().details()["schemas"]
        for scheme in (*(service["protocols"] or ()), *(service["secure_protocols"] or ()))
    }
    assert set(channel_file.SCHEMES) <= known


def test_only_administrators_may_have_one() -> None:
    assert Apprise.administrators_only
    read = Apprise.read({"url": f"zulip://bot@{SECRET}/org/channel"})
    assert SECRET not in f"{Apprise.masked(read)} {read!r}"
    assert isinstance(read, AppriseSettings)
    assert Apprise.describe(read) == "Apprise to zulip"
