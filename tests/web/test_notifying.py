"""What the pages say of who would be notified, of failing channels, and of maintenance."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hive.kinds import Access, EventKind
from hive.models import Channel, User
from hive.services.keys import grants
from hive.services.outbox import condition, downtimes
from hive.services.permissions import OPERATOR, Actor
from tests import factories
from tests.factories import make_webhook
from tests.notify.far_end import FarEnd, far_end
from tests.services.notifications.support import happen
from tests.web.browser import Browser, NewBrowser

HERE = "/notifications"


@pytest.fixture
async def server() -> AsyncIterator[FarEnd]:
    async with far_end() as end:
        yield end


async def test_overview_and_page_say_that_nobody_would_be_notified(
    browser: Browser, alice: Actor
) -> None:
    made = await factories.make_repository(alice)
    await browser.log_in("alice")
    overview = (await browser.get("/")).text
    assert "One repository would notify nobody:" in overview
    page = (await browser.get(f"/repositories/{made.id}")).text
    assert "alice has no mail address and no channel" in page
    await make_webhook(alice, "https://example.org/x")
    assert "would notify nobody" not in (await browser.get("/")).text
    settings = (await browser.get(f"/repositories/{made.id}/settings")).text
    assert "<bdi>alice</bdi> by webhook" in settings


async def test_a_private_address_is_asked_for_allowed_with_a_click_and_revoked(
    new_browser: NewBrowser, alice: Actor, root: Actor, server: FarEnd
) -> None:
    hers, his = await new_browser(), await new_browser()
    await hers.log_in("alice")
    typed = {"kind": "webhook", "name": "phone", "url": server.url, "method": "POST"}
    added = await hers.post(f"{HERE}/channels/add", typed)
    assert added.status == 303
    page = (await hers.get(added.location)).text
    assert "private address" in page
    assert "hive channel allow 127.0.0.1" in page
    assert "Ask an administrator" in page
    assert (await hers.post(f"{added.location}/allow")).status == 403
    assert "failing since" in (await hers.get(f"{HERE}/channels")).text
    assert "failing since" in (await hers.get(HERE)).text
    overview = (await hers.get("/")).text
    assert "Nobody can be notified: the only channel fails." in overview
    assert "favicon-bad" in overview
    made = await factories.make_repository(alice)
    for kind in (EventKind.DOWN, EventKind.MASS_DELETION):
        await happen(made.id, kind)
    assert "One waiting behind one that failed" in (await hers.get(f"{HERE}/deliveries")).text
    await his.log_in("root")
    assert "Allow 127.0.0.1" in (await his.get(added.location)).text
    assert (await his.post(f"{added.location}/allow")).status == 303
    page = (await his.get(added.location)).text
    assert "Notifications can reach 127.0.0.1/32 from now on." in page
    assert "Sent. The answer was: " in page
    assert server.only.json()["kind"] == "test"
    assert "works" in (await hers.get(f"{HERE}/channels")).text
    assert "127.0.0.1/32" in (await his.get(f"{HERE}/channels")).text
    assert "127.0.0.1/32" not in (await hers.get(f"{HERE}/channels")).text
    path, given = f"{HERE}/allowed/revoke", {"network": "127.0.0.1/32"}
    assert (await hers.post(path, given)).status == 403
    assert (await his.post(path, given)).status == 303
    assert "no longer reach" in (await his.get(f"{HERE}/channels")).text


async def test_mail_that_fails_is_shown_to_its_person(
    browser: Browser, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await User.filter(name="alice").update(email="alice@example.org")
    lane = None, alice.user_id or 0
    await condition.note_fails(lane, "mail.example.org: no", is_permanent=True)
    await browser.log_in("alice")
    page = (await browser.get(HERE)).text
    assert "Mail has not been delivered since" in page
    assert "mail.example.org: no" in page


async def test_disabling_a_user_is_asked_for_where_something_depends_on_them(
    browser: Browser, alice: Actor, root: Actor
) -> None:
    made = await factories.make_repository(alice)
    await factories.make_key(alice, "laptop")
    await browser.log_in("root")
    path = f"/admin/users/{alice.user_id}"
    asked = await browser.post(path, {"email": ""})
    assert asked.status == 200
    assert "One key will be refused:" in asked.text
    assert "The alarms of one repository go to the administrators:" in asked.text
    assert (await User.get(name="alice")).enabled
    assert (await browser.post(path, {"email": "", "confirmed": "yes"})).status == 303
    assert not (await User.get(name="alice")).enabled
    page = (await browser.get(f"/repositories/{made.id}")).text
    assert "its owner alice is disabled" in page


async def test_keys_of_a_disabled_owner_are_shown_as_refused(
    browser: Browser, alice: Actor, root: Actor
) -> None:
    made = await factories.make_repository(alice)
    key = await factories.make_key(alice, "laptop")
    await grants.change_access(
        OPERATOR, made.id, grants.ChangeAccess(accesses={"laptop": Access.FULL})
    )
    await User.filter(name="alice").update(keys_enabled=False)
    await browser.log_in("root")
    keys_only = "refused: the keys of its owner are disabled"
    assert keys_only in (await browser.get(f"/repositories/{made.id}/keys")).text
    assert keys_only in (await browser.get("/keys")).text
    await User.filter(name="alice").update(enabled=False)
    refused = "refused: its owner is disabled"
    assert refused in (await browser.get(f"/repositories/{made.id}/keys")).text
    assert refused in (await browser.get(f"/keys/{key.id}")).text
    assert refused in (await browser.get("/keys")).text


async def test_maintenance_is_announced_with_a_button_and_shown_to_everybody(
    new_browser: NewBrowser, alice: Actor, root: Actor
) -> None:
    hers, his = await new_browser(), await new_browser()
    await hers.log_in("alice")
    await his.log_in("root")
    assert (await hers.post("/admin/maintenance", {"for": "4h"})).status == 403
    assert (await his.post("/admin/maintenance", {"for": "4h"})).status == 303
    for browser in (hers, his):
        assert "no missing backup is reported" in (await browser.get("/keys")).text
    assert (await hers.post("/admin/maintenance/end")).status == 403
    assert (await his.post("/admin/maintenance/end")).status == 303
    assert "no missing backup is reported" not in (await hers.get("/keys")).text
    assert (await his.post("/admin/maintenance", {"for": "forever"})).status == 303
    assert await downtimes.announced() is None


async def test_the_page_of_health_says_what_doctor_says(
    browser: Browser, alice: Actor, root: Actor
) -> None:
    await factories.make_repository(alice)
    await make_webhook(alice, "https://192.0.2.1/x")
    await condition.note_fails(((await Channel.get()).id, 0), "It is gone.", is_permanent=True)
    await browser.log_in("root")
    page = (await browser.get("/admin")).text
    assert "documents would notify nobody: hook of alice fails" in page
