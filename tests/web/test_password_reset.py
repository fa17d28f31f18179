from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from typing import Any

import pyotp
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from hive import background, clock
from hive.app import mail_sender
from hive.config.settings import Settings
from hive.errors import Conflict, DeliveryFailed, Forbidden, Unavailable
from hive.models import AuditEntry, PasswordReset, User
from hive.services.accounts import mail, second_factor, users
from hive.services.permissions import Actor
from tests.another_process import started
from tests.e2e.gate.harness import until
from tests.web.browser import PASSWORD, Browser, NewBrowser
from tests.web.conftest import Time
from tests.web.test_hostile_text import check

NEW = "another horse battery"
URL = "http://hive.example.org"


class Mailbox:
    """A real mail server that keeps what it gets."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - the name is the server's
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=default_policy))
        return "250 OK"

    async def links(self, count: int) -> list[str]:
        """The paths in the mails, once there are so many."""

        async def are_there() -> bool:
            return len(self.mails) >= count

        await until(are_there)
        found = [re.findall(rf"{URL}(/reset/\S+)", one.get_content()) for one in self.mails]
        return [paths[0] for paths in found]


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, loop=loop), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    relay = {"host": "127.0.0.1", "port": port, "security": "none"}
    mail.use(mail_sender(Settings.model_validate({"mail": relay})))
    yield box
    server.close()
    await server.wait_closed()


@pytest.fixture
async def mailing(settings: Settings, mailbox: Mailbox, alice: Actor) -> Mailbox:
    """Mail and its public URL are configured, and alice has an address."""
    web = settings.web.model_copy(update={"public_url": URL})
    started().settings = settings.model_copy(update={"web": web})
    await User.filter(id=alice.user_id).update(email="alice@example.org")
    return mailbox


def fields(password: str = NEW, repeated: str | None = None) -> dict[str, str]:
    return {"password": password, "repeated": password if repeated is None else repeated}


async def administrators_link(root: Actor, name: str = "alice") -> str:
    found = await users.find_user(root, name)
    link = await users.reset_link(root, found.id)
    return "/reset/" + link.url.rpartition("/reset/")[2]


async def test_who_forgot_the_password_gets_a_link_by_mail(
    browser: Browser, new_browser: NewBrowser, mailing: Mailbox
) -> None:
    await browser.log_in("alice")
    other = await new_browser()
    answer = await other.post("/forgot", {"who": "alice"})
    assert answer.status == 200
    (path,) = await mailing.links(1)
    assert mailing.mails[0]["To"] == "alice@example.org"
    page = await other.get(path)
    check(page.text)
    assert "<bdi>alice</bdi>" in page.text
    answer = await other.post(path, fields())
    assert (answer.status, answer.location) == (303, "/login?changed")
    assert other.token is None
    assert (await browser.get("/")).location == "/login"
    assert (await other.log_in("alice", PASSWORD)).status == 401
    assert (await other.log_in("alice", NEW)).status == 303
    actions = {row.action for row in await AuditEntry.all()}
    assert {"user.reset.mail", "user.reset.used", "user.password"} <= actions


async def test_the_answer_is_the_same_whether_or_not_there_is_such_an_account(
    browser: Browser, root: Actor, bob: Actor, mailing: Mailbox
) -> None:
    # dave never had a password
    await users.add_user(root, users.AddUser(name="dave", email="dave@example.org"))
    await users.set_user(
        root, bob.user_id or 0, users.ChangeUser(email="bob@example.org", enabled=False)
    )
    asked = ["alice", "ALICE@example.org", "nobody", "root", "dave", "bob", "a\0b", "x" * 5000]
    answers = [await browser.post("/forgot", {"who": who}) for who in asked]
    assert len({(answer.status, answer.text) for answer in answers}) == 1
    assert "on its way" in answers[0].text

    async def all_is_sent() -> bool:
        return not background.tasks

    await until(all_is_sent)
    addresses = sorted(str(one["To"]) for one in mailing.mails)
    assert addresses == ["alice@example.org", "alice@example.org", "dave@example.org"]


async def test_nobody_fills_a_mailbox_or_asks_for_ever(browser: Browser, mailing: Mailbox) -> None:
    answers = [await browser.post("/forgot", {"who": "alice"}) for _ in range(12)]
    assert [answer.status for answer in answers] == [200] * 10 + [403] * 2
    await mailing.links(3)
    assert await PasswordReset.all().count() == 3


async def test_a_question_without_a_name_is_said_at_the_field(
    browser: Browser, mailing: Mailbox
) -> None:
    answer = await browser.post("/forgot", {"who": " "})
    assert answer.status == 422
    assert 'id="problem-who"' in answer.text
    check(answer.text)


async def test_the_link_in_the_mail_never_depends_on_what_the_visitor_sent(
    browser: Browser, mailing: Mailbox
) -> None:
    """Mallory asks in alice's name with a Host header of his own and waits for her click."""
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    await browser.ask("POST", "/forgot", data={"who": "alice"}, headers=headers)
    await mailing.links(1)
    assert "evil" not in mailing.mails[0].as_string()


async def test_a_mail_server_that_refuses_changes_nothing_for_the_visitor(
    browser: Browser, mailing: Mailbox
) -> None:
    tried = asyncio.Event()

    async def fail(_message: mail.Mail) -> None:
        tried.set()
        raise DeliveryFailed("The mail server is gone.")

    mail.use(fail)
    assert "on its way" in (await browser.post("/forgot", {"who": "alice"})).text
    await asyncio.wait_for(tried.wait(), 10)


async def test_without_mail_the_page_says_what_to_do(browser: Browser, alice: Actor) -> None:
    for answer in (await browser.get("/forgot"), await browser.post("/forgot", {"who": "alice"})):
        assert answer.status == 200
        assert "hive user reset-link" in answer.text
        check(answer.text)
    assert not await PasswordReset.exists()
    with pytest.raises(Unavailable):
        await mail.send(mail.Mail("a@example.org", "x", "x"))


async def test_a_link_works_once(browser: Browser, root: Actor, alice: Actor) -> None:
    path = await administrators_link(root)
    answers = await asyncio.gather(
        browser.post(path, fields()), browser.post(path, fields("mallory's password"))
    )
    assert sorted(answer.status for answer in answers) == [303, 403]
    for answer in (await browser.get(path), await browser.post(path, fields())):
        assert answer.status == 403
        assert "used already" in answer.text


async def test_a_link_works_for_an_hour(
    browser: Browser, root: Actor, alice: Actor, time: Time
) -> None:
    path = await administrators_link(root)
    time.pass_by(minutes=59)
    assert (await browser.get(path)).status == 200
    time.pass_by(minutes=1)
    assert (await browser.get(path)).status == 403
    assert (await browser.post(path, fields())).status == 403


async def test_a_link_is_worthless_after_any_other_change_of_the_password(
    browser: Browser, root: Actor, alice: Actor
) -> None:
    first, second = await administrators_link(root), await administrators_link(root)
    await browser.post(first, fields())
    assert (await browser.post(second, fields("mallory's password"))).status == 403
    third = await administrators_link(root)
    await users.set_password(root, alice.user_id or 0, PASSWORD)
    assert (await browser.post(third, fields())).status == 403
    assert await users.authenticate("alice", PASSWORD)


async def test_a_link_of_a_disabled_user_is_worthless_for_good(
    browser: Browser, root: Actor, alice: Actor
) -> None:
    path = await administrators_link(root)
    await users.set_user(root, alice.user_id or 0, users.ChangeUser(enabled=False))
    assert (await browser.post(path, fields())).status == 403
    with pytest.raises(Conflict):
        await users.reset_link(root, alice.user_id or 0)
    await users.set_user(root, alice.user_id or 0, users.ChangeUser(enabled=True))
    assert (await browser.post(path, fields())).status == 403


async def test_a_link_to_a_former_address_is_worthless(
    browser: Browser, root: Actor, alice: Actor
) -> None:
    path = await administrators_link(root)
    await browser.log_in("alice")
    await browser.post("/account/email", {"email": "new@example.org", "password": PASSWORD})
    assert (await browser.get(path)).status == 403


async def test_a_new_password_is_not_the_second_factor(
    browser: Browser, root: Actor, alice: Actor
) -> None:
    await second_factor.begin_totp(alice)
    enrolment = await second_factor.enrolment(alice)
    assert enrolment is not None
    await second_factor.confirm_totp(alice, pyotp.TOTP(enrolment.secret).at(clock.now()))
    await browser.post(await administrators_link(root), fields())
    assert (await browser.log_in("alice", NEW)).location == "/login/second"


async def test_what_is_wrong_is_said_at_the_field_and_the_link_goes_on_working(
    browser: Browser, root: Actor, alice: Actor
) -> None:
    path = await administrators_link(root)
    for wrong, field in ((fields("short"), "password"), (fields(NEW, "other"), "repeated")):
        answer = await browser.post(path, wrong)
        assert answer.status == 422
        assert f'id="problem-{field}"' in answer.text
        assert NEW not in answer.text
        check(answer.text)
    assert (await browser.post(path, fields())).status == 303


@pytest.mark.parametrize("token", ["guess", "a" * 500, "%F0%9F%90%9D", "%00"])
async def test_an_invented_link_is_refused(browser: Browser, token: str) -> None:
    assert (await browser.get(f"/reset/{token}")).status == 403
    assert (await browser.post(f"/reset/{token}", fields())).status == 403


async def test_only_administrators_make_links(root: Actor, alice: Actor) -> None:
    with pytest.raises(Forbidden):
        await users.reset_link(alice, alice.user_id or 0)


async def test_only_the_hash_of_a_link_is_stored(root: Actor, alice: Actor) -> None:
    token = (await administrators_link(root)).removeprefix("/reset/")
    rows: list[Any] = [*await PasswordReset.all(), *await AuditEntry.all()]
    assert token not in str([row.__dict__ for row in rows])


async def test_an_invitation_is_mailed_and_used_up_within_a_week(
    browser: Browser, new_browser: NewBrowser, root: Actor, mailing: Mailbox, time: Time
) -> None:
    await browser.log_in("root")
    typed = {"name": "dave", "email": "dave@example.org", "invite": "yes"}
    answer = await browser.post("/admin/users/add", typed)
    assert answer.status == 303
    (path,) = await mailing.links(1)
    assert mailing.mails[0]["To"] == "dave@example.org"
    listed = (await browser.get("/admin/users")).text
    check(listed)
    assert "Open invitations" in listed
    other = await new_browser()
    time.pass_by(days=6, hours=23)
    assert (await other.get(path)).status == 200
    assert (await other.post(path, fields())).status == 303
    assert (await other.get(path)).status == 403
    assert (await other.log_in("dave", NEW)).status == 303
    assert "Open invitations" not in (await browser.get("/admin/users")).text


async def test_without_mail_the_link_of_an_invitation_is_shown_once(
    browser: Browser, new_browser: NewBrowser, root: Actor, time: Time
) -> None:
    await browser.log_in("root")
    made = await browser.post("/admin/users/add", {"name": "dave", "invite": "yes"})
    assert made.status == 200
    check(made.text)
    first = path_in(made.text)
    dave = await users.find_user(root, "dave")
    again = await browser.post(f"/admin/users/{dave.id}/invite")
    second = path_in(again.text)
    assert second not in (await browser.get(f"/admin/users/{dave.id}")).text
    other = await new_browser()
    assert (await other.get(first)).status == 403
    assert (await other.get(second)).status == 200
    time.pass_by(days=7, seconds=1)
    assert (await other.get(second)).status == 403
    await browser.log_in("root")  # for a week nobody did anything
    third = path_in((await browser.post(f"/admin/users/{dave.id}/invite")).text)
    assert (await other.get(third)).status == 200
    assert (await browser.post(f"/admin/users/{dave.id}/invite/revoke")).status == 303
    assert (await other.get(third)).status == 403
    assert (await other.get(second)).status == 403


def path_in(page: str) -> str:
    found = re.search(r"/reset/[\w-]+", page)
    assert found is not None
    return found.group()
