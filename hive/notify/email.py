"""E-mail, through the server's own mail relay alone: only the address is the person's."""

from __future__ import annotations

import re
import socket
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Annotated
from urllib.parse import urlsplit

import aiosmtplib
from pydantic import AfterValidator, Field

from hive.config_values import mail_address
from hive.errors import DeliveryFailed
from hive.notify.channel import Channel, ChannelSettings, Means
from hive.notify.message import Message, as_html, cut, one_line, plain

_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9.-]+")


def _recipient(text: str) -> str:
    try:
        return mail_address(text)
    except ValueError as error:
        raise ValueError(f"It {error}.") from None


class EmailSettings(ChannelSettings):
    address: Annotated[str, AfterValidator(_recipient)] = Field(
        title="Address", description="One e-mail address, for example alice@example.org."
    )


class Email(Channel[EmailSettings]):
    kind = "email"
    title = "E-mail"
    settings_model = EmailSettings

    @classmethod
    def describe(cls, settings: EmailSettings) -> str:
        return f"E-mail to {settings.address}"

    @classmethod
    async def deliver(cls, settings: EmailSettings, message: Message, means: Means) -> str:
        mail = means.mail
        if mail.host is None:
            raise DeliveryFailed(
                "This server has no mail relay; an administrator sets mail.host.", permanent=True
            )
        composed = compose(message, settings.address, means)
        password = mail.password.get_secret_value() if mail.password is not None else None
        try:
            _, answer = await aiosmtplib.send(
                composed,
                hostname=mail.host,
                port=mail.port,
                username=mail.username,
                password=password if mail.username is not None else None,
                use_tls=mail.security == "tls",
                start_tls=mail.security == "starttls",
                tls_context=means.mail_tls,
                local_hostname=_own_host(means),
                timeout=mail.timeout_seconds,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise _explain(error, mail.host, password) from None
        return answer


def compose(message: Message, recipient: str, means: Means) -> EmailMessage:
    """The mail: text and HTML, the same each time it is sent, beneath others on its repository."""
    host = _own_host(means)
    sender = means.mail.sender or f"borg-hive@{host}"
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address("Borg Hive", addr_spec=sender)
    mail["To"] = Address(addr_spec=recipient)
    mail["Subject"] = cut(one_line(message.title), 200)
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{_NOT_IN_IDS.sub('-', message.id)}@{host}>"
    # nobody ever sent the mail that is named here; mail programs group what names the same one
    thread = f"<{message.thread}.borg-hive@{host}>"
    mail["In-Reply-To"] = thread
    mail["References"] = thread
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if message.severity == "critical":
        mail["Importance"] = "high"
    mail.set_content(plain(message), cte="quoted-printable")
    mail.add_alternative(
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head><body>\n'
        f"{as_html(message)}\n</body></html>\n",
        subtype="html",
        cte="quoted-printable",
    )
    return mail


def _own_host(means: Means) -> str:
    """The server's own name in ids and greetings."""
    named = urlsplit(means.public_url).hostname if means.public_url else None
    if named is None:
        named = _NOT_IN_IDS.sub("-", socket.gethostname()).strip("-.")
    try:
        named = named.encode("idna").decode()
    except UnicodeError:
        return "localhost"
    # an IP address is no domain of a mail address
    return named if named.strip("0123456789.") and ":" not in named else "localhost"


def _explain(error: Exception, host: str, password: str | None) -> DeliveryFailed:
    """The reply of the mail server and what it means; 4xx may pass, 5xx does not."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        error = error.recipients[0]
    if isinstance(error, aiosmtplib.SMTPResponseException):
        said = error.message
        if password:
            said = said.replace(password, "")
        return DeliveryFailed(
            f"{host} answered {error.code} {cut(one_line(said), 300)}",
            permanent=500 <= error.code < 600,
        )
    if isinstance(error, aiosmtplib.SMTPTimeoutError | TimeoutError):
        return DeliveryFailed(f"The mail server {host} did not answer in time.")
    return DeliveryFailed(f"{host}: {cut(one_line(str(error)), 300)}")
