from __future__ import annotations

import asyncio

from hive.config.settings import Settings
from hive.kinds import Role
from hive.models import AuditEntry, User
from hive.services import runtime
from hive.services.accounts import first_setup, users
from hive.services.permissions import SYSTEM, Actor
from tests.web.browser import PASSWORD, Browser, NewBrowser


def fields(
    name: str = "alice", password: str = PASSWORD, repeated: str = PASSWORD
) -> dict[str, str]:
    return {"name": name, "password": password, "repeated": repeated}


async def link() -> str:
    token = await first_setup.new_setup_token()
    assert token
    return f"/setup/{token}"


async def test_the_link_makes_the_first_administrator_and_logs_them_in(browser: Browser) -> None:
    path = await link()
    assert "first administrator" in (await browser.get(path)).text
    answer = await browser.post(path, fields())
    assert (answer.status, answer.location) == (303, "/")
    page = await browser.get("/")
    assert page.status == 200
    assert "administrator" in page.text
    assert (await User.get()).is_admin
    assert [row.action for row in await AuditEntry.all()] == ["user.add", "user.login"]


async def test_the_link_works_once(browser: Browser, new_browser: NewBrowser) -> None:
    path = await link()
    await browser.post(path, fields())
    other = await new_browser()
    for answer in (await other.get(path), await other.post(path, fields("mallory"))):
        assert answer.status == 403
        assert "set-up link is not valid" in answer.text
    assert await User.all().count() == 1


async def test_of_two_who_send_the_form_at_once_one_becomes_administrator(
    browser: Browser, new_browser: NewBrowser
) -> None:
    """Both passed the check before either was stored: there were two administrators then."""
    path = await link()
    other = await new_browser()
    answers = await asyncio.gather(
        browser.post(path, fields("alice")), other.post(path, fields("mallory"))
    )
    assert sorted(answer.status for answer in answers) == [303, 403]
    assert await User.all().count() == 1


async def test_a_wrong_link_says_so(browser: Browser) -> None:
    await link()
    for path in ("/setup/guess", "/setup/" + "a" * 500, "/setup/%F0%9F%90%9D", "/setup/%00"):
        assert (await browser.get(path)).status == 403
        assert (await browser.post(path, fields())).status == 403
    assert not await User.exists()


async def test_the_link_of_a_former_start_is_not_valid(browser: Browser) -> None:
    former, present = await link(), await link()
    assert (await browser.get(former)).status == 403
    assert (await browser.get(present)).status == 200


async def test_there_is_no_link_where_an_administrator_is(browser: Browser, root: Actor) -> None:
    assert await first_setup.new_setup_token() is None


async def test_an_administrator_made_elsewhere_closes_the_set_up(browser: Browser) -> None:
    path = await link()
    await users.add_user(SYSTEM, users.AddUser(name="root", role=Role.ADMINISTRATOR))
    assert (await browser.get(path)).status == 403
    assert (await browser.post(path, fields())).status == 403


async def test_what_is_wrong_is_said_beside_the_field_and_the_link_goes_on_working(
    browser: Browser,
) -> None:
    path = await link()
    for wrong, said in (
        (fields(password="Sh0rt", repeated="Sh0rt"), "must have at least 10 characters"),
        (fields(repeated="something else"), "do not match"),
        (fields(name="two words"), "no blanks"),
        (fields(name=""), "begins with a letter"),
    ):
        answer = await browser.post(path, wrong)
        assert answer.status == 422
        assert said in answer.text
        assert 'aria-invalid="true"' in answer.text
        assert f'value="{wrong["name"]}"' in answer.text
        assert wrong["password"] not in answer.text
    assert not await User.exists()
    assert (await browser.post(path, fields())).status == 303


async def test_a_name_that_is_taken_is_a_conflict(browser: Browser) -> None:
    path = await link()
    await users.add_user(SYSTEM, users.AddUser(name="alice"))
    answer = await browser.post(path, fields())
    assert answer.status == 409
    assert "There is a user alice already." in answer.text


async def test_the_login_page_says_where_the_link_is_while_it_is_needed(
    browser: Browser,
) -> None:
    path = await link()
    answer = await browser.get("/login")
    assert "printed a link when it started" in answer.text
    assert path not in answer.text
    await browser.post(path, fields())
    await browser.post("/logout")
    assert "printed a link when it started" not in (await browser.get("/login")).text


async def test_the_address_that_people_type_is_asked_for_and_used_in_links(
    browser: Browser, hive: Settings
) -> None:
    path = await link()
    shown = (await browser.get(path, headers={"Host": "nas.example:8080"})).text
    assert 'value="http://nas.example:8080"' in shown
    wrong = await browser.post(path, {**fields(), "public_url": "nas.example/hive"})
    assert wrong.status == 422
    assert "Write an address like https://hive.example.org" in wrong.text
    assert 'value="nas.example/hive"' in wrong.text
    answer = await browser.post(path, {**fields(), "public_url": "https://Nas.example/"})
    assert answer.status == 303
    assert runtime.base_url() == runtime.public_url() == "https://nas.example"
    await runtime.stop()
    await runtime.start(hive)  # as after a restart
    assert runtime.public_url() == "https://nas.example"


async def test_an_address_that_leads_to_this_machine_alone_is_not_proposed(
    browser: Browser,
) -> None:
    path = await link()
    shown = (await browser.get(path)).text
    assert 'name="public_url" type="url" value=""' in shown
    await browser.post(path, fields())
    assert runtime.public_url() is None
