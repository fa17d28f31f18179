"""Links in messages: opened by machines too, pressed once, and only for what they say."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from hive import clock
from hive.config.settings import MailSettings, Settings
from hive.kinds import DeliveryState
from hive.models import AuditEntry, Delivery, Notification, Preference, Repository, User
from hive.notify.channel import Means
from hive.outgoing.client import Outgoing
from hive.services.delivery.courier import Courier
from hive.services.health import review, schedules
from hive.services.notifications import answers, channels
from hive.services.permissions import Actor
from tests import factories
from tests.another_process import started
from tests.notify.test_email import Relay, relay
from tests.services.notifications.support import deliver
from tests.web.browser import Browser, NewBrowser
from tests.web.conftest import Time
from tests.web.test_hostile_text import HOSTILE, check

URL = "http://hive.example.org"


@dataclass
class Post:
    """What alice gets by mail about her repository, whose backup is missing."""

    box: Relay
    means: Means
    repository_id: int

    @property
    def text(self) -> str:
        part = self.box.mails[-1].get_body(("plain",))
        assert part is not None
        return str(part.get_content())

    def path(self, letter: str) -> str:
        found = re.search(rf"{URL}(/answer/{letter}\.\S+)", self.text)
        assert found is not None, self.text
        return found[1]

    async def row(self) -> Repository:
        return await Repository.get(id=self.repository_id)

    async def send_all(self) -> None:
        await deliver(Courier(self.means))


@pytest.fixture
async def post(settings: Settings, alice: Actor, time: Time) -> AsyncIterator[Post]:
    web = settings.web.model_copy(update={"public_url": URL})
    async with relay() as box, Outgoing() as outgoing:
        mail = MailSettings.model_validate(
            {"host": "127.0.0.1", "port": box.port, "security": "none"}
        )
        started().settings = settings.model_copy(update={"web": web, "mail": mail})
        await User.filter(id=alice.user_id).update(email="alice@example.org")
        made = await factories.make_repository(alice)
        await schedules.watch(alice, made.id)
        found = Post(box, Means(outgoing=outgoing, mail=mail, public_url=URL), made.id)
        time.pass_by(days=3)
        await review.review_due()
        await found.send_all()
        yield found


async def test_the_mail_offers_what_can_be_done_and_opening_it_changes_nothing(
    post: Post, new_browser: NewBrowser
) -> None:
    stranger = await new_browser()
    assert str(post.box.mails[-1]["Subject"]).startswith("[Critical] documents: a backup")
    for letter in "amu":
        for _ in range(3):  # scanners look again and again
            page = await stranger.get(post.path(letter))
            assert page.status == 200
            assert page.text.count("<button") == 1
            assert "<script" not in page.text
            assert page.headers["Cache-Control"] == "no-store"
    row = await post.row()
    assert (row.acknowledged_at, row.muted_until) == (None, None)


async def test_a_missing_backup_is_acknowledged_once_in_the_name_of_the_recipient(
    post: Post, new_browser: NewBrowser
) -> None:
    stranger = await new_browser()
    path = post.path("a")
    page = await stranger.post(path)
    assert (page.status, "Acknowledged." in page.text) == (200, True)
    assert (await post.row()).acknowledged_by == "alice"
    entry = await AuditEntry.get(action="link.acknowledge")
    assert (entry.actor, entry.details["recipient"]) == ("alice", "alice")
    assert entry.details["sent_by"] == "mail to alice@example.org"
    assert (await stranger.post(path)).status == 409
    assert (await stranger.get(path)).status == 409


async def test_a_missing_backup_is_muted_for_a_day(post: Post, browser: Browser) -> None:
    assert (await browser.post(post.path("m"))).status == 200
    muted_until = (await post.row()).muted_until
    assert muted_until is not None
    assert timedelta(hours=23) < muted_until - clock.now() <= timedelta(days=1)


async def test_a_link_ends_after_three_days(post: Post, browser: Browser, time: Time) -> None:
    path = post.path("a")
    time.pass_by(days=3, minutes=1)
    assert (await browser.post(path)).status == 404
    assert (await post.row()).acknowledged_at is None


async def test_a_link_that_somebody_changes_is_none_and_guesses_are_counted(
    post: Post, browser: Browser
) -> None:
    """The attack: from the link to acknowledge make one that mutes, or one of another delivery."""
    path = post.path("a")
    signature = path.rpartition(".")[2]
    number = path.split(".")[1]
    for forged in (
        path.replace("/a.", "/m."),
        path.replace(f".{number}.", f".{int(number) + 1}."),
        path.replace(signature, "A" * 43),
    ):
        assert (await browser.post(forged)).status == 404
    for _ in range(answers.GUESSES_PER_MINUTE):
        await browser.get("/answer/a.1.99999999999." + "A" * 43)
    assert (await browser.get(path)).status == 403
    assert (await post.row()).acknowledged_at is None


async def test_who_lost_the_right_can_do_nothing_by_an_old_link(
    post: Post, browser: Browser, root: Actor
) -> None:
    await Repository.filter(id=post.repository_id).update(owner_id=root.user_id)
    page = await browser.post(post.path("a"))
    assert page.status == 409
    assert (await post.row()).acknowledged_at is None
    await User.filter(name="alice").update(enabled=False)
    assert (await browser.get(post.path("m"))).status == 404


async def test_mail_programs_unsubscribe_by_themselves_and_mail_stops(
    post: Post, browser: Browser, alice: Actor
) -> None:
    mail = post.box.mails[-1]
    found = re.fullmatch(rf"<{URL}(/answer/u\.\S+)>", str(mail["List-Unsubscribe"]))
    assert found is not None
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    answer = await browser.ask("POST", found[1], data={"List-Unsubscribe": "One-Click"})
    assert answer.status == 200
    assert not (await Preference.get(user_id=alice.user_id)).is_mailed
    entry = await AuditEntry.get(action="link.unsubscribe")
    assert entry.actor == "alice"


async def test_a_channel_of_somebody_else_offers_nothing_in_their_name(
    post: Post, alice: Actor, bob: Actor
) -> None:
    """A link acts as its recipient: where others read the channel, there is none."""
    settings = {"address": "team@example.org"}
    team = await channels.add(bob, "team", owner="bob", kind="email", settings=settings)
    await Delivery.filter(state=DeliveryState.SENT).update(
        channel_id=team.id, channel_kind="email", state=DeliveryState.WAITING, next_at=clock.now()
    )
    await post.send_all()
    assert "/answer/" not in post.text


async def test_another_site_cannot_press_the_button(post: Post, browser: Browser) -> None:
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    answer = await browser.ask("POST", post.path("a"), headers=headers)
    assert answer.status == 403
    assert (await post.row()).acknowledged_at is None


@pytest.mark.parametrize("text", HOSTILE)
async def test_nothing_stored_does_anything_on_the_page(
    post: Post, browser: Browser, text: str
) -> None:
    path = post.path("a")
    await Notification.all().update(title=text[:300])
    await User.filter(name="alice").update(name=f"alice{text}"[:150])
    check((await browser.get(path)).text)
    check((await browser.post(path)).text)


async def test_the_page_speaks_the_language_of_who_got_the_message(
    post: Post, browser: Browser, alice: Actor
) -> None:
    await User.filter(id=alice.user_id).update(language="de")
    page = (await browser.get(post.path("m"))).text
    assert '<html lang="de"' in page
    assert "Einen Tag stummschalten" in page
    assert "Dieser Link gilt einmal" in page
