"""Two people have the same form open: who saves last reads what the other saved, and may insist."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import pytest

from hive.kinds import Mode
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue, tags
from tests.web.browser import Answer, NewBrowser
from tests.web.scene import make_scene

pytestmark = pytest.mark.usefixtures("settings")

# Of each form: its page, where it is sent to, what the first and the second editor change, and
# what the second one reads of the first.
FORMS = {
    "repository": (
        "/repositories/{id}/edit",
        "{page}",
        {"quota": "50 GB"},
        {"name": "papers"},
        "50",
    ),
    "owner": (
        "/repositories/{id}/edit",
        "/repositories/{id}/owner",
        {"owner": "bob"},
        {"owner": "dora"},
        "bob",
    ),
    "schedule": (
        "/repositories/{id}/schedule",
        "{page}",
        {"kind": "interval", "every": "6h"},
        {"tag": "home office"},
        "Every so often",
    ),
    "key": ("/keys/{id}", "{page}", {"networks": "192.0.2.0/24"}, {"name": "desk"}, "192.0.2.0/24"),
    "user": (
        "/admin/users/{id}",
        "{page}",
        {"email": "a@b.example"},
        {"quota": "5.00 GB"},
        "a@b.exam",
    ),
    "group": ("/admin/groups/{id}", "{page}", {"member-dora": "yes"}, {"name": "rest"}, "ticked"),
    "location": (
        "/admin/locations/{id}",
        "{page}",
        {"host": "h.example"},
        {"port": "23"},
        "h.exam",
    ),
    "channel": (
        "/notifications/channels/{id}",
        "{page}",
        {"share-family": "manage"},
        {"name": "tablet"},
        "may change it too",
    ),
    "rule": ("/notifications/rules/{id}", "{page}", {"tag": "home"}, {"name": "day"}, "home"),
    "trigger": ("/triggers/{id}/edit", "{page}", {"cron": "0 4 * * *"}, {"name": "call"}, "0 4"),
    "preferences": (
        "/notifications/preferences",
        "{page}",
        {"digest": "daily"},
        {"digest_hour": "9"},
        "daily",
    ),
    "account": ("/account", "{page}", {"timezone": "Asia/Tokyo"}, {"theme": "dark"}, "Asia/Tokyo"),
}


class _Fields(HTMLParser):
    """What a browser sends of the form with this action, and nothing else."""

    def __init__(self, action: str, page: str) -> None:
        super().__init__()
        self.wanted, self.page = action, page
        self.fields: dict[str, str] = {}
        self.is_inside = False
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            here = found.get("action", self.page)
            is_form = found.get("method") == "post" and "form" in found.get("class", "").split()
            self.is_inside = is_form and here == self.wanted
        if not self.is_inside:
            return
        if tag == "input" and found.get("type") in ("checkbox", "radio"):
            if "checked" in found:
                self.fields[found["name"]] = found["value"]
        elif tag == "input":
            self.fields[found["name"]] = found.get("value", "")
        elif tag == "select":
            self._select = found["name"]
        elif tag == "option" and self._select:
            if "selected" in found or self._select not in self.fields:
                self.fields[self._select] = found["value"]
        elif tag == "textarea":
            self._area = found["name"]
            self.fields[self._area] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.is_inside = False
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area] += data


def fields_of(answer: Answer, action: str, page: str) -> dict[str, str]:
    found = _Fields(action, page)
    found.feed(answer.text)
    return found.fields


def stored_now(answer: Answer) -> str:
    parts = re.findall(r'<p class="warning stored"[^>]*>(.*?)</p>', answer.text, re.DOTALL)
    return unescape(" ".join(re.sub(r"<[^>]+>", "", part) for part in parts))


@pytest.mark.parametrize("name", FORMS)
async def test_who_saves_last_sees_both_values_and_can_save_theirs(
    new_browser: NewBrowser, name: str
) -> None:
    scene = await make_scene()
    page, action, first, second, told = FORMS[name]
    page = scene.path(page)
    action = page if action == "{page}" else scene.path(action)
    ada, ben = await new_browser(), await new_browser()
    for browser in (ada, ben):
        await browser.log_in("root")
    hers = fields_of(await ada.get(page), action, page)
    his = fields_of(await ben.get(page), action, page)
    assert hers["version"]
    assert hers == his
    assert (await ada.post(action, hers | first)).status == 303
    conflict = await ben.post(action, his | second)
    assert conflict.status == 409
    assert "This was changed after you opened it." in conflict.text
    assert told in stored_now(conflict)
    kept = fields_of(conflict, action, page)
    assert {field: kept[field] for field in second} == second
    assert kept["version"] != his["version"]
    # Nothing was saved, and the page says so; a click more saves what it shows.
    assert (await ben.post(action, kept)).status == 303
    now = fields_of(await ben.get(page), action, page)
    assert {field: now[field] for field in second} == second
    assert now == {**kept, "version": now["version"]}


async def test_the_same_change_twice_and_a_form_without_a_version_are_no_conflict(
    new_browser: NewBrowser,
) -> None:
    scene = await make_scene()
    page = f"/repositories/{scene.repository}/edit"
    browser = await new_browser()
    await browser.log_in("root")
    fields = fields_of(await browser.get(page), page, page)
    assert (await browser.post(page, fields)).status == 303
    assert (await browser.post(page, fields)).status == 303  # nothing is another one than before
    del fields["version"]
    await browser.post(page, {**fields, "name": "papers"})
    assert (await browser.post(page, {**fields, "name": "paper"})).status == 303


async def test_what_the_server_writes_is_no_conflict(new_browser: NewBrowser) -> None:
    scene = await make_scene()
    page = f"/repositories/{scene.repository}/edit"
    browser = await new_browser()
    await browser.log_in("root")
    fields = fields_of(await browser.get(page), page, page)
    await tags.change_tags(OPERATOR, scene.repository, add=["else"])  # another form's
    await catalogue.store_mode(OPERATOR, scene.repository, Mode.IMPORT)
    assert (await browser.post(page, {**fields, "quota": "1 GB"})).status == 303


async def test_the_other_form_of_the_page_stays_as_it_is_stored(new_browser: NewBrowser) -> None:
    scene = await make_scene()
    page = f"/repositories/{scene.repository}/edit"
    browser = await new_browser()
    await browser.log_in("root")
    fields = fields_of(await browser.get(page), page, page)
    await browser.post(page, {**fields, "quota": "1 GB"})
    conflict = await browser.post(page, {**fields, "name": "papers"})
    other = fields_of(conflict, page.replace("edit", "owner"), page)
    assert other["owner"] == "alice"
    assert "alice" not in stored_now(conflict)


async def test_a_conflict_and_a_wrong_value_are_told_one_after_the_other(
    new_browser: NewBrowser,
) -> None:
    scene = await make_scene()
    page = f"/repositories/{scene.repository}/edit"
    browser = await new_browser()
    await browser.log_in("root")
    fields = fields_of(await browser.get(page), page, page)
    await browser.post(page, {**fields, "quota": "1 GB"})
    wrong = await browser.post(page, {**fields, "quota": "much"})
    assert wrong.status == 422
    again = fields_of(wrong, page, page)
    assert again["version"] == fields["version"]  # what it showed at first
    assert (await browser.post(page, {**again, "quota": "2 GB"})).status == 409
