"""What people read when the server starts."""

from __future__ import annotations

import pytest

from hive import first_contact
from hive.config.values import Address, parse_address


def addresses(*texts: str) -> list[Address]:
    return [parse_address(text) for text in texts]


@pytest.fixture(autouse=True)
def _name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_contact, "user_name", lambda: "root")


@pytest.mark.parametrize(
    ("listen", "public_url", "shown"),
    [
        ("127.0.0.1:8080", None, "http://127.0.0.1:8080"),
        ("[::1]:8080", None, "http://[::1]:8080"),
        ("0.0.0.0:80", None, "http://nas:80"),
        ("[::]:8080", None, "http://nas:8080"),
        ("10.0.0.2:8080", None, "http://10.0.0.2:8080"),
        ("0.0.0.0:80", "https://hive.example.org", "https://hive.example.org"),
    ],
)
def test_the_address_of_the_pages_can_be_opened(
    listen: str, public_url: str | None, shown: str
) -> None:
    assert first_contact.page_url(addresses(listen), "nas", public_url) == shown


def test_without_an_administrator_the_link_and_the_way_from_elsewhere_are_shown() -> None:
    both = addresses("127.0.0.1:8080", "[::1]:8080")
    assert first_contact.block("http://127.0.0.1:8080", both, "nas", "/setup/x") == [
        "",
        "Open this link once to create the first administrator account:",
        "  http://127.0.0.1:8080/setup/x",
        "From another machine, run this first and leave it open:",
        "  ssh -L 8080:127.0.0.1:8080 root@nas",
        "`hive setup-link` prints a new link.",
    ]


def test_pages_that_other_machines_reach_need_no_tunnel() -> None:
    found = first_contact.block("http://nas:8080", addresses("0.0.0.0:8080"), "nas", "")
    assert found == ["", "Open the pages at http://nas:8080/"]


def test_nor_do_pages_behind_a_proxy() -> None:
    local = addresses("127.0.0.1:8080")
    found = first_contact.block("https://hive.example.org", local, "nas", "/setup/x")
    assert not [line for line in found if "ssh -L" in line]
