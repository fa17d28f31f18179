from __future__ import annotations

import asyncio
import email
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from email.policy import default
from html import escape
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from hive.config.settings import MailSettings
from hive.errors import DeliveryFailed, InvalidInput
from hive.kinds import Severity
from hive.layout import Facts, Listing, Paragraph, Row, Sheet, as_lines
from hive.notify.channel import Means
from hive.notify.email import Email, EmailSettings, compose
from hive.notify.message import Button, Message
from hive.outgoing.client import Outgoing
from tests.notify.far_end import Certificate
from tests.notify.samples import HOSTILE, MESSAGE

# what the relay says of a login without encryption, which is one of the cases
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

USER, PASSWORD = "hive", "pässword with spaces"
ALICE = EmailSettings(address="alice@example.org")


@dataclass
class Relay:
    """A mail server that keeps what it got; `answer` is what it says to each part."""

    implicit_tls: bool = False
    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    rcpt: str = "250 fine"
    data: str = "250 queued as 4711"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: object
    ) -> str:
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.data.startswith("250"):
            assert isinstance(envelope.content, bytes)
            parsed = email.message_from_bytes(envelope.content, policy=default)
            assert isinstance(parsed, EmailMessage)
            self.mails.append(parsed)
            self.recipients += envelope.rcpt_tos
            self.encrypted.append(self.implicit_tls or session.ssl is not None)
        return self.data

    def authenticate(self, _s: Any, _session: Any, _e: Any, _m: Any, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        known = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=known, handled=False)


@asynccontextmanager
async def relay(
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    login: bool = False,
) -> AsyncIterator[Relay]:
    handler = Relay(implicit_tls=tls is not None)

    def protocol() -> SMTP:
        return SMTP(
            handler,
            hostname="mail.example.org",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=handler.authenticate if login else None,
            auth_required=login,
            auth_require_tls=False,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls)
    handler.port = server.sockets[0].getsockname()[1]
    async with server:
        yield handler


@pytest.fixture
def means(outgoing: Outgoing, certificate: Certificate) -> Means:
    return Means(
        outgoing=outgoing,
        public_url="https://hive.example.org",
        mail_tls=certificate.client_side(),
    )


def _through(means: Means, port: int, security: str, **more: object) -> Means:
    values: dict[str, object] = {"host": "127.0.0.1", "port": port, "security": security}
    values |= {"timeout_seconds": 5}
    return replace(means, mail=MailSettings.model_validate(values | more))


@pytest.mark.parametrize("login", [False, True])
@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
async def test_a_mail_arrives_in_each_security_with_and_without_login(
    security: str, login: bool, means: Means, certificate: Certificate
) -> None:
    context = certificate.server_side()
    given: dict[str, Any] = {} if security == "none" else {security: context}
    account = {"username": USER, "password": PASSWORD} if login else {}
    async with relay(login=login, **given) as server:
        sent = await Email.send(ALICE, MESSAGE, _through(means, server.port, security, **account))
    assert sent.answer == "queued as 4711"
    assert server.recipients == ["alice@example.org"]
    assert server.encrypted == [security != "none"]
    assert server.logins == ([USER] if login else [])
    [mail] = server.mails
    assert mail["Subject"] == f"[Critical] {MESSAGE.title}"
    assert mail["From"] == "Borg Hive <borg-hive@hive.example.org>"
    assert mail["Date"] == "Mon, 23 Nov 2026 17:05:00 +0000"
    text = mail.get_body(("plain",))
    html = mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n").strip() == f"{MESSAGE.text}\n\n{MESSAGE.url}"
    assert 'href="https://hive.example.org/repositories/7?a=1&amp;b=2"' in html.get_content()


async def test_a_certificate_that_nobody_trusts_is_refused(
    means: Means, certificate: Certificate
) -> None:
    untrusting = replace(means, mail_tls=None)
    for security in ("starttls", "tls"):
        given: dict[str, Any] = {security: certificate.server_side()}
        async with relay(**given) as server:
            with pytest.raises(DeliveryFailed, match="certificate") as failed:
                await Email.send(ALICE, MESSAGE, _through(untrusting, server.port, security))
        assert server.mails == []
        assert not failed.value.permanent


async def test_a_certificate_of_ones_own_authority_is_trusted_where_it_is_named(
    means: Means, certificate: Certificate
) -> None:
    """The system does not know it; the settings name the file that it is in."""
    for security in ("starttls", "tls"):
        given: dict[str, Any] = {security: certificate.server_side()}
        async with relay(**given) as server:
            named = _through(
                replace(means, mail_tls=None),
                server.port,
                security,
                ca_file=str(certificate.certificate),
            )
            await Email.send(ALICE, MESSAGE, named)
        assert server.encrypted == [True]
    for wrong in (certificate.key, certificate.key.with_name("missing")):
        named = _through(replace(means, mail_tls=None), 9, "tls", ca_file=str(wrong))
        with pytest.raises(DeliveryFailed, match=r"^mail\.ca_file cannot be used: "):
            await Email.send(ALICE, MESSAGE, named)


@pytest.mark.parametrize(
    ("security", "offered", "hint"),
    [
        ("tls", "none", 'set mail.security to "starttls"'),
        ("starttls", "tls", 'set mail.security to "tls"'),
        ("none", "tls", 'set mail.security to "tls"'),
        ("starttls", "none", "It offers no STARTTLS"),
    ],
)
async def test_security_and_port_that_were_mixed_up_are_told_with_what_is_right(
    security: str, offered: str, hint: str, means: Means, certificate: Certificate
) -> None:
    given: dict[str, Any] = {} if offered == "none" else {offered: certificate.server_side()}
    async with relay(**given) as server:
        with pytest.raises(DeliveryFailed) as failed:
            await Email.send(
                ALICE, MESSAGE, _through(means, server.port, security, timeout_seconds=1)
            )
    assert hint in failed.value.message
    assert not failed.value.permanent


async def test_a_certificate_that_is_refused_is_told_with_what_to_set(
    means: Means, certificate: Certificate
) -> None:
    async with relay(tls=certificate.server_side()) as server:
        with pytest.raises(DeliveryFailed, match=r"mail\.ca_file") as failed:
            await Email.send(
                ALICE, MESSAGE, _through(replace(means, mail_tls=None), server.port, "tls")
            )
    assert "certificate" in failed.value.message


async def test_a_relay_without_starttls_is_sent_nothing_in_clear(means: Means) -> None:
    async with relay(login=True) as server:
        account = {"username": USER, "password": PASSWORD}
        with pytest.raises(DeliveryFailed):
            await Email.send(ALICE, MESSAGE, _through(means, server.port, "starttls", **account))
    assert (server.mails, server.logins) == ([], [])


async def test_a_wrong_password_is_permanent_and_not_repeated(means: Means) -> None:
    async with relay(login=True) as server:
        account = {"username": USER, "password": "s3cr3t"}
        with pytest.raises(DeliveryFailed, match=r"^127\.0\.0\.1 answered 535") as failed:
            await Email.send(ALICE, MESSAGE, _through(means, server.port, "none", **account))
    assert failed.value.permanent
    assert "s3cr3t" not in failed.value.message


@pytest.mark.parametrize("where", ["rcpt", "data"])
@pytest.mark.parametrize(
    ("said", "permanent"), [("550 no such user", True), ("451 greylisted", False)]
)
async def test_what_the_relay_refuses_is_told_in_its_words(
    where: str, said: str, permanent: bool, means: Means
) -> None:
    async with relay() as server:
        setattr(server, where, said)
        with pytest.raises(DeliveryFailed) as failed:
            await Email.send(ALICE, MESSAGE, _through(means, server.port, "none"))
    assert failed.value.message == f"127.0.0.1 answered {said}"
    assert failed.value.permanent is permanent


async def test_a_relay_that_is_gone_may_come_back_and_none_is_said_to_be_none(
    means: Means,
) -> None:
    with pytest.raises(DeliveryFailed, match=r"127\.0\.0\.1") as failed:
        await Email.send(ALICE, MESSAGE, _through(means, 9, "none"))
    assert not failed.value.permanent
    with pytest.raises(DeliveryFailed, match=r"mail\.host") as failed:
        await Email.send(ALICE, MESSAGE, means)
    assert failed.value.permanent


async def test_a_repository_cannot_write_headers(means: Means) -> None:
    """The attack: a name with a line break in it, and behind it `Bcc:` or a body of its own."""
    async with relay() as server:
        await Email.send(ALICE, HOSTILE, _through(means, server.port, "none"))
    [mail] = server.mails
    assert "Bcc" not in mail
    assert "X-Injected" not in mail
    assert mail["Subject"].strip().startswith('[Critical] a"b\\ Bcc: eve@example.org <b>')
    assert server.recipients == ["alice@example.org"]
    html = mail.get_body(("html",))
    assert html is not None
    assert "<script" not in html.get_content()
    assert "&lt;script&gt;" in html.get_content()


def test_a_mail_is_the_same_each_time_and_joins_others_on_its_repository(means: Means) -> None:
    first = compose(MESSAGE, "alice@example.org", means)
    again = compose(MESSAGE, "alice@example.org", means)
    later = compose(
        replace(MESSAGE, id="delivery-18", severity=Severity.RECOVERY), "alice@example.org", means
    )
    other = compose(replace(MESSAGE, repository_id=8), "alice@example.org", means)
    assert first["Message-ID"] == again["Message-ID"] == "<delivery-17@hive.example.org>"
    assert later["Message-ID"] != first["Message-ID"]
    assert first["References"] == later["References"] == later["In-Reply-To"]
    assert other["References"] != first["References"]
    assert first["Auto-Submitted"] == "auto-generated"
    assert (first["Importance"], later["Importance"]) == ("high", None)


def test_a_sender_is_made_up_where_none_is_set(means: Means) -> None:
    named = replace(means, mail=MailSettings(sender="alarm@example.org"))
    assert compose(MESSAGE, "a@b", named)["From"] == "Borg Hive <alarm@example.org>"
    for url, host in (
        ("http://192.168.1.5:8080", "localhost"),
        ("http://[fd00::1]", "localhost"),
        ("http://bienenstöcke.example", "xn--bienenstcke-yfb.example"),
        ("http://-a..b", "localhost"),
    ):
        mail = compose(MESSAGE, "a@b", replace(means, public_url=url))
        assert mail["From"] == f"Borg Hive <borg-hive@{host}>"
    assert "@" in compose(MESSAGE, "a@b", replace(means, public_url=None))["From"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "alice",
        "alice@",
        "@example.org",
        "Alice <alice@example.org>",
        "alice@example.org, eve@example.org",
        "alice@example.org\nBcc: eve@example.org",
        "alice@example.org\r\nRCPT TO:<eve@example.org>",
        "alice@exa mple.org",
        "älice@example.org",
    ],
)
def test_an_address_is_one_address(address: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Email.read({"address": address})
    assert refused.value.field == "address"


def _parts(message: Message, means: Means) -> tuple[EmailMessage, str, str]:
    """A mail, its text and its page."""
    mail = compose(message, "alice@example.org", means)
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert page is not None
    return mail, text.get_content(), page.get_content()


def test_a_mail_says_all_in_text_and_as_a_page_and_each_link_once(means: Means) -> None:
    stop = "https://hive.example.org/answer/u.1.2.x"
    answer = Button("Bestätigen", "https://hive.example.org/answer/a.1.2.x")
    layout = (
        Paragraph(("Keine Sicherung seit gestern.",)),
        Facts((("Größe", "8 GB"),)),
        Listing(("eins", "zwei")),
        Sheet("Datenträger", ("Name", "voll"), (Row(("disk", "90 %"), "disk: 90 %", "bad"),)),
    )
    message = replace(
        MESSAGE,
        language="de",
        layout=layout,
        text="\n".join(as_lines(layout)),
        buttons=(answer,),
        unsubscribe_url=stop,
    )
    mail, text, page = _parts(message, means)
    assert mail["List-Unsubscribe"] == f"<{stop}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for part in ("Keine Sicherung seit gestern.", "Größe", "8 GB", "eins", "zwei", "90 %"):
        assert part in text
        assert part in page
    assert MESSAGE.url is not None
    for link in (MESSAGE.url, answer.url, stop):
        assert text.count(link) == 1
        assert page.count(f'href="{escape(link)}"') == 1
    assert "prefers-color-scheme:dark" in page
    assert "max-width:600px" in page
    assert not re.search(r"<(script|img|link)\b|url\(", page)


def test_what_comes_from_elsewhere_cannot_change_the_page(means: Means) -> None:
    layout = (Paragraph((HOSTILE.text,)), Facts((("<b>", '"><script>'),)))
    _, _, page = _parts(replace(HOSTILE, layout=layout), means)
    assert "<script>" not in page
    assert "<b>" not in page


def test_information_has_no_word_before_its_subject(means: Means) -> None:
    mail, _, _ = _parts(replace(MESSAGE, severity=Severity.INFO), means)
    assert mail["Subject"] == MESSAGE.title
