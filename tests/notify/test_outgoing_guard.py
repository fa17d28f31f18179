"""What people type as an address may point at the server's own network.

The attack: a webhook to http://169.254.169.254/ or http://127.0.0.1:6379/, in one of the many ways
to write that, by a name that resolves to it, now or a moment later, or by a redirect.
"""

from __future__ import annotations

import pytest
from yarl import URL

from hive.errors import InvalidInput, OutgoingFailed
from hive.outgoing.client import Outgoing, parse_url
from hive.outgoing.guard import ForbiddenAddress, Guard
from tests.notify.far_end import FarEnd, Names, far_end

FORBIDDEN = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",  # noqa: S104 - where to connect to, not where to listen
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.127.255.255",
    "192.0.0.8",
    "192.88.99.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.1.2.3",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fdff::1",
    "ff02::1",
    "ff0e::1",
    "fec0::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "2002:c0a8:101::1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "100::1",
    "5f00::1",
]

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "192.167.1.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_an_address_that_is_not_public_is_forbidden(address: str) -> None:
    with pytest.raises(ForbiddenAddress):
        Guard().check(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_asked(address: str) -> None:
    Guard().check(address)


def test_networks_that_are_allowed_are_allowed_in_every_form_and_no_others() -> None:
    guard = Guard(["10.0.0.0/8", "fd00:1::/64"])
    for address in ("10.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "fd00:1::5"):
        guard.check(address)
    for address in ("172.16.0.1", "192.168.1.1", "fd00:2::1", "::1"):
        with pytest.raises(ForbiddenAddress):
            guard.check(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "127.1",
        "0",
        "0.0.0.0",  # noqa: S104 - where to connect to, not where to listen
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "[fe80::1%25lo]",
    ],
)
async def test_this_machine_cannot_be_asked_however_it_is_written(
    host: str, server: FarEnd
) -> None:
    port = URL(server.url).port
    async with Outgoing(timeout_seconds=5) as outgoing:
        with pytest.raises(OutgoingFailed, match=r"private address|in full") as refused:
            await outgoing.request("GET", f"http://{host}:{port}/")
    assert refused.value.permanent
    assert server.received == []


async def test_a_name_that_resolves_to_a_forbidden_address_is_not_asked(server: FarEnd) -> None:
    port = URL(server.url).port
    names = Names(inside=[["127.0.0.2"]], mixed=[["127.0.0.1", "127.0.0.2"]])
    async with Outgoing(
        allowed_networks=["127.0.0.1/32"], resolver=names, timeout_seconds=5
    ) as outgoing:
        for name in ("inside", "mixed"):
            with pytest.raises(OutgoingFailed, match=f"{name}.test.*private address"):
                await outgoing.request("GET", f"http://{name}.test:{port}/")
    assert server.received == []


async def test_a_name_that_changes_its_mind_is_checked_as_it_is_connected_to() -> None:
    """Rebinding: good when it is looked at, bad when it is connected to."""
    async with far_end("127.0.0.1") as good, far_end("127.0.0.2") as bad:
        names = Names(
            good=[["127.0.0.1"], ["127.0.0.2"]],
            turn=[["127.0.0.1"], ["127.0.0.2"]],
        )
        async with Outgoing(
            allowed_networks=["127.0.0.1/32"], resolver=names, timeout_seconds=5
        ) as outgoing:
            answer = await outgoing.request("GET", f"http://good.test:{URL(good.url).port}/")
            assert answer.status == 200
            assert names.asked == ["good.test"]  # once: what was checked is what was used
            with pytest.raises(OutgoingFailed, match="private address"):
                await outgoing.request("GET", f"http://good.test:{URL(bad.url).port}/")
            # and between a redirect and the request that follows it
            good.answers(307, headers={"Location": f"http://turn.test:{URL(bad.url).port}/"})
            with pytest.raises(OutgoingFailed, match="private address"):
                await outgoing.request("GET", f"http://turn.test:{URL(good.url).port}/")
        assert len(good.received) == 2
        assert bad.received == []


@pytest.mark.parametrize(
    "target", ["http://127.0.0.2:{port}/", "//127.0.0.2:{port}/", "http://0x7f.2:{port}/"]
)
async def test_a_redirect_to_a_forbidden_address_is_not_followed(target: str) -> None:
    async with far_end("127.0.0.1") as good, far_end("127.0.0.2") as bad:
        good.answers(302, headers={"Location": target.format(port=URL(bad.url).port)})
        async with Outgoing(allowed_networks=["127.0.0.1/32"], timeout_seconds=5) as outgoing:
            with pytest.raises(OutgoingFailed, match="private address"):
                await outgoing.request("GET", good.url)
        assert bad.received == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_INFO",
        "javascript:alert(1)",
        "http:///path",
        "http:example.org",
        "http://",
        "http://alice@example.org/",
        "http://alice:secret@example.org/",
        "http://@example.org/",
        "http://example.org:99999/",
        "http://example.org:0/",
        "http://example.org:80a/",
        "http://exa mple.org/",
        "http://example.org/a b",
        "http://example.org/\r\nHost: inside",
        "http://example.org/\x00",
        "http://example.org\\@inside/",
        "http://bücher.example/",
        "http://example.org/ü",
        "http://[::1",
        "http://example.org/" + "a" * 5000,
    ],
)
async def test_what_is_no_url_to_ask_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_url(url, field="url")
    assert refused.value.field == "url"
    assert "secret" not in refused.value.message
    async with Outgoing() as outgoing:
        with pytest.raises(OutgoingFailed):
            await outgoing.request("GET", url)
