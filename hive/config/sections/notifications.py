"""Requests and e-mail that the server sends."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from hive.config.fields import (
    KIB,
    MIB,
    MailAddress,
    Name,
    NetworkList,
    PathSetting,
    Section,
    Size,
    Whole,
)
from hive.sentences import N_


class NotificationSettings(Section):
    """Requests to servers that users name: notifications, webhooks and triggers."""

    allowed_networks: NetworkList = Field(
        (),
        description=N_(
            "Private networks that such requests may reach, for example that of your "
            "own ntfy server; public addresses are always allowed."
        ),
    )
    timeout_seconds: Whole = Field(
        10, ge=1, le=300, description=N_("Seconds that a request may take from beginning to end.")
    )
    max_answer_bytes: Size = Field(
        64 * KIB, ge=KIB, le=16 * MIB, description=N_("How much of an answer is read.")
    )
    messages_per_hour: Whole = Field(
        20,
        ge=2,
        le=1000,
        description=N_(
            "Messages that one person is sent in an hour by each channel, critical ones aside. "
            "The rest follow as one message."
        ),
    )


class MailSettings(Section):
    """The mail server that e-mail is sent through."""

    host: Name | None = Field(
        None,
        description=N_("Name of the mail server. If not set, no e-mail is sent."),
        examples=["mail.example.org"],
    )
    port: Whole = Field(
        587, ge=1, le=65535, description=N_("Port of the mail server, usually 587, 465 or 25.")
    )
    security: Literal["none", "starttls", "tls"] = Field(
        "starttls",
        description=N_("Encryption: starttls (usually port 587), tls (465), or none (25)."),
    )
    ca_file: PathSetting | None = Field(
        None,
        description=N_(
            "File with certificates (PEM) of authorities that may sign the mail "
            "server's certificate, in addition to those of the system."
        ),
        examples=["/etc/borg-hive/mail-ca.pem"],
    )
    username: Name | None = Field(
        None,
        description=N_("Name to log in with. If not set, the server does not log in."),
        examples=["hive@example.org"],
    )
    password: SecretStr | None = Field(
        None, description=N_("Password to log in with."), examples=["secret"]
    )
    sender: MailAddress | None = Field(
        None,
        description=N_(
            "Sender address of e-mail. Default: borg-hive at the host of `web.public_url`."
        ),
        examples=["hive@example.org"],
    )
    timeout_seconds: Whole = Field(
        30, ge=1, le=300, description=N_("Seconds that the mail server may take for each step.")
    )


class HeartbeatSettings(Section):
    """Regular calls to a service that alerts you when they stop."""

    url: SecretStr | None = Field(
        None,
        description=N_(
            "Address that is called as long as SSH gate, database and scheduler work. "
            "Anyone who knows it can call it."
        ),
        examples=["https://hc-ping.example.org/3f0c..."],
    )
    interval_seconds: Whole = Field(300, ge=10, description=N_("Seconds between two calls."))
    method: Literal["GET", "HEAD", "POST"] = Field("GET", description=N_("Method of the call."))
