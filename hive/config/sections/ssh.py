"""The SSH server: listening, logins, sessions and their limits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hive.config.fields import GIB, MIB, Listen, PathList, Section, Size, Whole
from hive.config.values import Address, parse_address
from hive.sentences import N_


class SshSettings(Section):
    """The SSH server: where it listens, which algorithms it offers, and its limits."""

    listen: Listen = Field(
        ("0.0.0.0:2222", "[::]:2222"),
        description=N_(
            "Addresses and ports of the SSH server: one, or a list. Port 0 takes a free one, the"
            " same on all addresses; an address family that the machine lacks is left out."
        ),
    )
    algorithms: Literal["hardened", "compatible"] = Field(
        "hardened",
        description=N_(
            "SSH algorithms: only strong ones (hardened), or also those that older "
            "clients need (compatible)."
        ),
    )
    host_keys: PathList = Field(
        (),
        description=N_(
            "Files with additional private host keys, for example those of a former server."
        ),
    )
    login_seconds: Whole = Field(
        120, ge=1, description=N_("Seconds in which a client must log in.")
    )
    key_exchange_seconds: Whole = Field(
        30, ge=1, description=N_("Seconds in which a client must exchange keys.")
    )
    max_unauthenticated: Whole = Field(
        60,
        ge=1,
        description=N_(
            "Number of connections that may log in at the same time; half of them are "
            "reserved for addresses that logged in recently."
        ),
    )
    max_unauthenticated_per_address: Whole = Field(
        10,
        ge=1,
        description=N_(
            "Number of connections from one address that may log in at the same time; "
            "the others wait."
        ),
    )
    max_waiting: Whole = Field(
        1000, ge=1, description=N_("Number of connections that may wait until they can log in.")
    )
    max_waiting_per_address: Whole = Field(
        400, ge=1, description=N_("Number of connections from one address that may wait.")
    )
    waiting_seconds: Whole = Field(
        60, ge=1, description=N_("Seconds that a connection may wait before it is turned away.")
    )
    new_connections_per_minute_per_address: Whole = Field(
        120,
        ge=1,
        description=N_(
            "Number of connections a minute from one address that do not log in; those "
            "that log in do not count."
        ),
    )
    new_connections_burst_per_address: Whole = Field(
        20,
        ge=1,
        description=N_("Number of connections without a login that one address may make at once."),
    )
    max_tries: Whole = Field(
        10, ge=1, description=N_("Number of keys that a client may offer on one connection.")
    )
    max_sessions: Whole = Field(
        200, ge=1, description=N_("Number of sessions that may run at the same time.")
    )
    max_sessions_per_repository: Whole = Field(
        8, ge=1, description=N_("Number of sessions that may run on one repository.")
    )
    max_sessions_per_key: Whole = Field(
        16, ge=1, description=N_("Number of sessions that may run with one key.")
    )
    max_channels_per_connection: Whole = Field(
        4, ge=1, description=N_("Number of channels that a client may open on one connection.")
    )
    max_environment_requests: Whole = Field(
        64,
        ge=0,
        description=N_("Number of environment variables that a client may send; all are ignored."),
    )
    idle_connection_seconds: Whole = Field(
        60,
        ge=1,
        description=N_("Seconds that a connection without a session may stay open after login."),
    )
    keepalive_seconds: Whole = Field(
        10, ge=0, description=N_("Seconds between keepalive messages to a client; 0 sends none.")
    )
    keepalive_count: Whole = Field(
        30,
        ge=1,
        description=N_(
            "Number of unanswered keepalive messages after which a client is disconnected."
        ),
    )
    max_command_length: Whole = Field(
        4096, ge=64, description=N_("Maximum length of a client's command, in bytes.")
    )
    max_login_length: Whole = Field(
        64,
        ge=8,
        description=N_("Maximum length of the user name that a client sends, in characters."),
    )
    rekey_bytes: Size = Field(
        GIB, ge=MIB, description=N_("Traffic after which the SSH session keys are renewed.")
    )
    end_grace_seconds: Whole = Field(
        15, ge=0, description=N_("Seconds between asking a program to end and killing it.")
    )

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where to listen, IPv4 first."""
        found = (parse_address(one) for one in self.listen)
        return tuple(sorted(found, key=lambda one: ":" in one.host))
