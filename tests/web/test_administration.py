from __future__ import annotations

from pydantic import SecretStr

from hive.config.settings import Settings
from hive.services import runtime
from hive.services.accounts import groups, users
from hive.services.gate import host_keys
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from hive.services.server import about
from hive.services.storage import locations
from tests.another_process import started
from tests.web.browser import PASSWORD, Browser, NewBrowser
from tests.web.scene import make_scene


async def test_a_user_is_added_disabled_and_deleted(
    browser: Browser, new_browser: NewBrowser, root: Actor
) -> None:
    await browser.log_in("root")
    typed = {"name": "eve", "password": PASSWORD, "repeated": PASSWORD}
    answer = await browser.post("/admin/users/add", typed)
    assert answer.status == 303
    user = await users.find_user(root, "eve")
    other = await new_browser()
    assert (await other.log_in("eve")).status == 303
    assert (await browser.post(answer.location, {"email": "eve@example.org"})).status == 303
    assert not (await users.find_user(root, "eve")).enabled
    assert (await other.get("/")).location == "/login"
    assert (await browser.post(f"/admin/users/{user.id}/delete")).location == "/admin/users"
    assert [one.name for one in await users.list_users(root)] == ["root"]


async def test_a_new_password_is_set_by_an_administrator(
    browser: Browser, new_browser: NewBrowser, root: Actor, alice: Actor
) -> None:
    await browser.log_in("root")
    path = f"/admin/users/{alice.user_id}/password"
    for typed, said in (
        ({"password": "short", "repeated": "short"}, "must have at least 10 characters"),
        ({"password": "long enough now", "repeated": "another one"}, "do not match"),
        ({"password": "", "repeated": ""}, "Type the new password."),
    ):
        answer = await browser.post(path, typed)
        assert answer.status == 422
        assert said in answer.text
        assert "long enough now" not in answer.text
    new = {"password": "long enough now", "repeated": "long enough now"}
    assert (await browser.post(path, new)).status == 303
    other = await new_browser()
    assert (await other.log_in("alice")).status == 401
    assert (await other.log_in("alice", "long enough now")).status == 303


async def test_nobody_locks_everybody_out(browser: Browser, root: Actor) -> None:
    await browser.log_in("root")
    answer = await browser.post(
        f"/admin/users/{root.user_id}", {"enabled": "yes", "keys": "yes", "role": "member"}
    )
    assert answer.status == 409
    assert "the last enabled administrator" in answer.text
    assert (await users.find_user(root, "root")).is_admin


async def test_a_user_who_owns_something_is_not_deleted(browser: Browser) -> None:
    await make_scene()
    await browser.log_in("root")
    answer = await browser.post("/admin/users/2/delete")
    assert "still owns" in (await browser.get(answer.location)).text


async def test_members_come_and_go(browser: Browser, root: Actor, alice: Actor, bob: Actor) -> None:
    await browser.log_in("root")
    added = {"name": "family", "member-alice": "yes"}
    assert (await browser.post("/admin/groups/add", added)).status == 303
    group = await groups.find_group(root, "family")
    assert group.members == ("alice",)
    changed = {"name": "friends", "member-bob": "yes"}
    assert (await browser.post(f"/admin/groups/{group.id}", changed)).status == 303
    assert (await groups.find_group(root, "friends")).members == ("bob",)


async def test_a_location_follows_the_server_unless_it_is_told_otherwise(
    browser: Browser, root: Actor
) -> None:
    """Saving the form as it is must not write down the host name of today."""
    await browser.log_in("root")
    typed = {"host": runtime.host_name(), "port": str(runtime.ssh_port()), "default": "yes"}
    assert (await browser.post("/admin/locations/1", typed)).status == 303
    row = await locations.get_location("default")
    assert (row.host, row.port) == (None, None)
    wrong = await browser.post("/admin/locations/1", {"host": "two words", "port": "99999"})
    assert wrong.status == 422
    for port in ("x", "0", "65536", "\u0661"):
        typed = {"host": "hive.example.org", "port": port}
        assert (await browser.post("/admin/locations/1", typed)).status == 422


async def test_secrets_are_masked_wherever_they_stand(root: Actor, settings: Settings) -> None:
    database = settings.database.model_copy(
        update={"url": SecretStr("postgres://hive:very-secret@db.example.org/hive")}
    )
    started().settings = settings.model_copy(update={"database": database})
    shown = about.settings_in_effect(root)
    started().settings = settings
    one = shown["database"][0]
    assert (one.name, one.value, one.is_default) == ("database.url", about.MASK, False)
    assert "very-secret" not in str(shown)
    assert set(shown) == set(Settings.model_fields)
    assert about._shown({"a": (SecretStr("x"), 1)}) == f"a={about.MASK}, 1"


async def test_health_tells_version_and_findings(browser: Browser, root: Actor) -> None:
    key = (await host_keys.load())[0]
    await browser.log_in("root")
    text = (await browser.get("/admin")).text
    assert "Borg Hive 0." in text
    assert "It opens and is whole" in text
    assert (await browser.get("/")).status == 200, "the services go on"
    key.path.chmod(0o644)
    assert "can be read by others" in (await browser.get("/admin")).text
    assert "can be read by others" in (await browser.get("/admin/host-keys")).text


async def test_what_a_user_owns_is_handed_over_after_a_look_at_it(
    browser: Browser, root: Actor, alice: Actor, bob: Actor
) -> None:
    made = await catalogue.add_repository(alice, "documents", owner="alice")
    await browser.log_in("root")
    path = f"/admin/users/{alice.user_id}/hand-over"
    shown = await browser.post(path, {"receiver": "bob"})
    assert shown.status == 200
    assert "documents" in shown.text
    assert (await catalogue.find_repository_by_id(root, made.id)).owner == "alice"
    done = await browser.post(path, {"receiver": "bob", "confirmed": "yes"})
    assert (done.status, done.location) == (303, f"/admin/users/{alice.user_id}")
    assert (await catalogue.find_repository_by_id(root, made.id)).owner == "bob"
    wrong = await browser.post(path, {"receiver": "alice"})
    assert wrong.status == 422


async def test_a_lead_changes_the_members_of_the_group(
    browser: Browser, root: Actor, alice: Actor, bob: Actor
) -> None:
    await browser.log_in("root")
    both = {"member-alice": "yes", "name": "crew"}
    await browser.post("/admin/groups/add", both)
    assert (await browser.post("/admin/groups/1", {**both, "lead-alice": "yes"})).status == 303
    await browser.log_in("alice")
    assert "Add a member" in (await browser.get("/account/groups")).text
    assert (await browser.post("/account/groups/1", {"add": "bob"})).status == 303
    assert (await groups.find_group(root, "crew")).members == ("alice", "bob")
    await browser.log_in("bob")
    assert "Add a member" not in (await browser.get("/account/groups")).text
    assert (await browser.post("/account/groups/1", {"remove": "alice"})).status == 403
