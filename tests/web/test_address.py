from __future__ import annotations

from ipaddress import ip_network

import pytest

from hive.models import WebSession
from hive.services.permissions import Actor
from tests.web.browser import PASSWORD, NewBrowser
from web.middleware.address import visitor

PROXIES = [ip_network(text) for text in ("10.0.0.0/8", "fd00::/8", "127.0.0.1/32")]


@pytest.mark.parametrize(
    ("remote", "forwarded", "seen"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        # Nobody but a trusted proxy is believed.
        ("203.0.113.9", "192.0.2.1", "203.0.113.9"),
        ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
        # What stands left of the first stranger is the stranger's own invention.
        ("10.0.0.1", "1.1.1.1, 127.0.0.1, 192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "1.1.1.1, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "192.0.2.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1, , 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1:4711", "192.0.2.1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
        ("fd00::1", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "x" * 100_000, "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1," * 1000 + "192.0.2.1", "192.0.2.1"),
        (None, "192.0.2.1", "unknown"),
        ("", "", "unknown"),
    ],
)
def test_the_nearest_address_that_is_no_trusted_proxy(
    remote: str | None, forwarded: str, seen: str
) -> None:
    assert visitor(remote, forwarded, PROXIES) == seen


async def test_without_trusted_proxies_the_header_is_not_read(
    new_browser: NewBrowser, alice: Actor
) -> None:
    """A new invented address for each try would go round the limit on wrong passwords."""
    browser = await new_browser()
    for number in range(20):
        headers = {"X-Forwarded-For": f"198.51.100.{number}"}
        fields = {"name": f"guess{number}", "password": "wrong"}
        assert (await browser.ask("POST", "/login", data=fields, headers=headers)).status == 401
    fields = {"name": "alice", "password": PASSWORD}
    answer = await browser.ask(
        "POST", "/login", data=fields, headers={"X-Forwarded-For": "192.0.2.99"}
    )
    assert answer.status == 403


async def test_behind_a_trusted_proxy_each_visitor_counts_alone(
    new_browser: NewBrowser, alice: Actor
) -> None:
    browser = await new_browser(trusted_proxies=("127.0.0.1/32",))
    for number in range(21):
        # The visitor wrote the first one, the proxy the second.
        headers = {"X-Forwarded-For": f"198.51.100.{number}, 192.0.2.1"}
        fields = {"name": f"guess{number}", "password": "wrong"}
        answer = await browser.ask("POST", "/login", data=fields, headers=headers)
    assert answer.status == 403
    fields = {"name": "alice", "password": PASSWORD}
    answer = await browser.ask(
        "POST", "/login", data=fields, headers={"X-Forwarded-For": "192.0.2.2"}
    )
    assert answer.status == 303
    assert (await WebSession.get()).address == "192.0.2.2"


async def test_neighbours_in_one_ipv6_network_count_together(
    new_browser: NewBrowser, alice: Actor
) -> None:
    browser = await new_browser(trusted_proxies=("127.0.0.1/32",))
    for number in range(21):
        headers = {"X-Forwarded-For": f"2001:db8:0:1::{number:x}"}
        fields = {"name": f"guess{number}", "password": "wrong"}
        answer = await browser.ask("POST", "/login", data=fields, headers=headers)
    assert answer.status == 403
