"""E-mail, through the server's own mail relay alone: only the address is the person's."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Annotated
from urllib.parse import urlsplit

import aiosmtplib
from pydantic import AfterValidator, Field

from hive import clock
from hive.config.settings import MailSettings
from hive.config.values import mail_address
from hive.errors import DeliveryFailed
from hive.kinds import Severity
from hive.notify import mail_page
from hive.notify.channel import Channel, ChannelSettings, Means
from hive.notify.message import Message, cut, one_line
from hive.sentences import say

_EXAMINED_SECONDS = 15
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9.-]+")


def _recipient(text: str) -> str:
    try:
        return mail_address(text)
    except ValueError as error:
        raise ValueError(say("It %(problem)s.", problem=error)) from None


@dataclass(frozen=True)
class MailServer:
    """The mail server that takes our mail, and what we are called."""

    settings: MailSettings
    public_url: str | None
    tls: ssl.SSLContext | None = None  # in place of the system's trusted authorities

    @classmethod
    def of(cls, means: Means) -> MailServer:
        return cls(means.mail, means.public_url, means.mail_tls)


class EmailSettings(ChannelSettings):
    address: Annotated[str, AfterValidator(_recipient)] = Field(
        title=say("Address"), description=say("One e-mail address, for example alice@example.org.")
    )


class Email(Channel[EmailSettings]):
    kind = "email"
    title = say("E-mail")
    settings_model = EmailSettings

    @classmethod
    def describe(cls, settings: EmailSettings) -> str:
        return say("E-mail to %(address)s", address=settings.address)

    @classmethod
    async def deliver(cls, settings: EmailSettings, message: Message, means: Means) -> str:
        return await _hand_over(compose(message, settings.address, means), MailServer.of(means))


async def send_text(server: MailServer, recipient: str, subject: str, text: str) -> None:
    """Send one mail that is no notification: plain text, of no thread."""
    mail = _begin(server, recipient, subject, clock.now(), secrets.token_hex(16))
    mail.set_content(text, cte="quoted-printable")
    await _hand_over(mail, server)


async def _hand_over(mail: EmailMessage, server: MailServer) -> str:
    """Give the mail to the relay; returns its answer, or raises DeliveryFailed."""
    settings = server.settings
    if settings.host is None:
        raise DeliveryFailed(
            "This server has no mail relay; an administrator sets mail.host.", permanent=True
        )
    password = settings.password.get_secret_value() if settings.password is not None else None
    try:
        tls = server.tls or await asyncio.to_thread(_trusted, settings)
    except OSError as error:
        raise DeliveryFailed(
            "mail.ca_file cannot be used: %(strerror)s.",
            strerror=error.strerror or say("it holds no certificate"),
        ) from None
    try:
        _, answer = await aiosmtplib.send(
            mail,
            hostname=settings.host,
            port=settings.port,
            username=settings.username,
            password=password if settings.username is not None else None,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            tls_context=tls,
            local_hostname=_own_host(server),
            timeout=settings.timeout_seconds,
        )
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise _explain(error, settings, password) from None
    return answer


async def certificate_problem(server: MailServer) -> str | None:
    """Connect to the relay; why its certificate is refused, None where that is not the trouble."""
    settings = server.settings
    if settings.host is None or settings.security == "none":
        return None
    try:
        tls = server.tls or await asyncio.to_thread(_trusted, settings)
    except OSError as error:
        return say(
            "mail.ca_file cannot be used: %(problem)s",
            problem=error.strerror or say("it holds no certificate"),
        )
    client = aiosmtplib.SMTP(
        hostname=settings.host,
        port=settings.port,
        use_tls=settings.security == "tls",
        start_tls=settings.security == "starttls",
        tls_context=tls,
        local_hostname=_own_host(server),
        timeout=min(settings.timeout_seconds, _EXAMINED_SECONDS),
    )
    try:
        await client.connect()
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        return _refused_certificate(error)
    with suppress(aiosmtplib.SMTPException, OSError):
        await client.quit()
    return None


def _refused_certificate(error: BaseException | None) -> str | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return cut(one_line(error.verify_message or str(error)), 200)
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return cut(one_line(str(error)), 200)
        error = error.__cause__ or error.__context__
    return None


def _trusted(settings: MailSettings) -> ssl.SSLContext | None:
    """Whom to believe, where the system alone does not say it. Blocking."""
    if settings.ca_file is None:
        return None
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=settings.ca_file)
    return context


def compose(message: Message, recipient: str, means: Means) -> EmailMessage:
    """The mail: text and HTML, the same each time it is sent, beneath others on its repository."""
    server = MailServer.of(means)
    mail = _begin(server, recipient, _subject(message), message.at, message.id)
    # nobody ever sent the mail that is named here; mail programs group what names the same one
    thread = f"<{message.thread}.borg-hive@{_own_host(server)}>"
    mail["In-Reply-To"] = thread
    mail["References"] = thread
    if message.severity == Severity.CRITICAL:
        mail["Importance"] = "high"
    if message.unsubscribe_url is not None:
        mail["List-Unsubscribe"] = f"<{message.unsubscribe_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(mail_page.as_text(message), cte="quoted-printable")
    page = mail_page.as_html(message)
    mail.add_alternative(page, subtype="html", cte="quoted-printable")
    return mail


def _subject(message: Message) -> str:
    """The title, and before it how bad it is."""
    if message.severity == Severity.INFO:
        return message.title
    return f"[{message.label}] {message.title}"


def _begin(
    server: MailServer, recipient: str, subject: str, at: datetime, identity: str
) -> EmailMessage:
    """The head that every mail of ours has."""
    host = _own_host(server)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address("Borg Hive", addr_spec=server.settings.sender or f"borg-hive@{host}")
    mail["To"] = Address(addr_spec=recipient)
    mail["Subject"] = cut(one_line(subject), 200)
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{_NOT_IN_IDS.sub('-', identity)}@{host}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    return mail


def _own_host(server: MailServer) -> str:
    """The server's own name in ids and greetings."""
    named = urlsplit(server.public_url).hostname if server.public_url else None
    if named is None:
        named = _NOT_IN_IDS.sub("-", socket.gethostname()).strip("-.")
    try:
        named = named.encode("idna").decode()
    except UnicodeError:
        return "localhost"
    # an IP address is no domain of a mail address
    return named if named.strip("0123456789.") and ":" not in named else "localhost"


def _explain(error: Exception, settings: MailSettings, password: str | None) -> DeliveryFailed:
    """The reply of the mail server and what it means; 4xx may pass, 5xx does not."""
    host = str(settings.host)
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        error = error.recipients[0]
    if isinstance(error, aiosmtplib.SMTPResponseException):
        said = error.message
        if password:
            said = said.replace(password, "")
        return DeliveryFailed(
            "%(host)s answered %(code)s %(said)s",
            permanent=500 <= error.code < 600,
            host=host,
            code=error.code,
            said=cut(one_line(said), 300),
        )
    hint = _hint(error, settings)
    if isinstance(error, aiosmtplib.SMTPTimeoutError | TimeoutError):
        return DeliveryFailed(
            "The mail server %(host)s did not answer in time.%(hint)s", host=host, hint=hint
        )
    return DeliveryFailed(
        "%(host)s: %(error)s.%(hint)s",
        host=host,
        error=cut(one_line(str(error)), 300).rstrip("."),
        hint=hint,
    )


def _hint(error: Exception, settings: MailSettings) -> str:
    """What to change, where the error shows it."""
    cause = _tls_error(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return say(
            " Its certificate is not trusted: name the certificate that signed it in "
            "mail.ca_file, and in mail.host the name that it is for."
        )
    if settings.security == "tls" and (cause is not None or _is_silent(error)):
        return say(
            " Port %(port)s does not seem to speak TLS from the start: set "
            'mail.security to "starttls" (usually port 587), or mail.port to 465.',
            port=settings.port,
        )
    if settings.security != "tls" and _is_silent(error):
        is_known = say(" as port 465 always does") if settings.port == 465 else ""
        return say(
            " It may expect TLS from the start%(is_known)s: set mail.security to "
            '"tls", or mail.port to 587.',
            is_known=is_known,
        )
    if settings.security == "starttls" and "starttls" in str(error).lower():
        return say(
            ' It offers no STARTTLS: set mail.security to "tls" (usually port 465), '
            'or to "none" where the way to it is safe.'
        )
    return ""


def _is_silent(error: Exception) -> bool:
    """Whether it accepted a connection, and then said nothing that is SMTP."""
    return isinstance(
        error, aiosmtplib.SMTPTimeoutError | TimeoutError | aiosmtplib.SMTPServerDisconnected
    )


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None
