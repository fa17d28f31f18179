"""The web server: listening, log-ins and limits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hive.config.fields import Listen, NetworkList, PublicUrl, Section, Whole
from hive.config.values import Address, parse_address
from hive.sentences import N_


class WebSettings(Section):
    """The web pages and the API."""

    listen: Listen = Field(
        ("127.0.0.1:8080", "[::1]:8080"),
        description=N_(
            "Addresses and ports of the web server: one, or a list. Port 0 takes a free one, the"
            " same on all addresses; an address family that the machine lacks is left out."
        ),
    )
    public_url: PublicUrl | None = Field(
        None,
        description=N_("URL of the pages as people type it, used for links in messages."),
        examples=["https://hive.example.org"],
    )
    trusted_proxies: NetworkList = Field(
        (),
        description=N_("Networks of reverse proxies whose X-Forwarded-For header is trusted."),
    )
    session_idle_hours: Whole = Field(
        24 * 7, ge=1, description=N_("Hours without a visit after which users must log in again.")
    )
    session_days: Whole = Field(
        30, ge=1, description=N_("Days after which users must log in again in any case.")
    )
    require_second_factor: Literal["nobody", "administrators", "everybody"] = Field(
        "nobody",
        description=N_(
            "Who needs a second factor to use the pages. Groups can require it of their members"
            " as well."
        ),
    )
    max_connections: Whole = Field(
        512,
        ge=8,
        description=N_(
            "Number of connections that may be open; at most a quarter of the open "
            "files that the system allows."
        ),
    )
    max_connections_per_address: Whole = Field(
        100,
        ge=4,
        description=N_(
            "Number of connections from one address; behind trusted proxies, of requests that are"
            " being answered."
        ),
    )
    first_byte_seconds: Whole = Field(
        10, ge=1, description=N_("Seconds in which a new connection must send its first byte.")
    )
    header_seconds: Whole = Field(
        20, ge=1, description=N_("Seconds in which a client must send the header of a request.")
    )
    body_seconds: Whole = Field(
        120, ge=1, description=N_("Seconds in which a client must send the body of a request.")
    )
    stall_seconds: Whole = Field(
        60, ge=1, description=N_("Seconds after which a client that reads nothing is disconnected.")
    )
    keepalive_seconds: Whole = Field(
        150, ge=1, description=N_("Seconds that a connection may stay open without a request.")
    )
    max_streams_per_login: Whole = Field(
        20, ge=1, description=N_("Number of open pages of one browser that are updated live.")
    )
    max_streams_per_user: Whole = Field(
        40, ge=1, description=N_("Number of open pages of one user that are updated live.")
    )
    login_tries_per_account_per_day: Whole = Field(
        20,
        ge=1,
        description=N_("Number of wrong passwords a day for one account from one network."),
    )
    login_tries_per_address_per_hour: Whole = Field(
        20, ge=1, description=N_("Number of wrong passwords an hour from one address.")
    )

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where to listen, IPv4 first."""
        found = (parse_address(one) for one in self.listen)
        return tuple(sorted(found, key=lambda one: ":" in one.host))

    @property
    def is_https(self) -> bool:
        """Whether people reach the pages by HTTPS, as the public URL says."""
        return self.public_url is not None and self.public_url.startswith("https://")
