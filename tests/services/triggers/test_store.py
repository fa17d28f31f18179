"""Who learns what of a trigger, and what is not sent to another server."""

from __future__ import annotations

import pytest

from hive.errors import Forbidden, InvalidInput, NotFound
from hive.kinds import ShareLevel, TriggerKind
from hive.services import triggers
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from hive.services.triggers import ChangeTrigger, TriggerInfo
from tests.factories import People

HOOK = {"url": "https://one.example/x", "header.Token": "t0k3n", "body": "secret"}
AWX = {"url": "https://awx.example", "template": "7", "token": "t0k3n"}


async def add(
    people: People, documents: RepositoryInfo, kind: TriggerKind, values: dict[str, str]
) -> TriggerInfo:
    return await triggers.add_trigger(
        people.alice, documents.id, triggers.AddTrigger(name="nightly", kind=kind, settings=values)
    )


async def test_settings_are_only_for_who_may_change_them(
    people: People, documents: RepositoryInfo
) -> None:
    trigger = await add(people, documents, TriggerKind.WEBHOOK, HOOK)
    assert (await triggers.get_trigger(people.bob, trigger.id)).settings == trigger.settings
    await catalogue.set_repository(
        people.alice, documents.id, share_with=["team"], share_level=ShareLevel.VIEW
    )
    seen = await triggers.get_trigger(people.bob, trigger.id)
    assert (seen.name, seen.settings) == ("nightly", {})
    assert (await triggers.get_trigger(people.alice, trigger.id)).settings == trigger.settings
    with pytest.raises(NotFound, match="no such trigger"):
        await triggers.get_trigger(people.charlie, trigger.id)


async def test_of_a_run_strangers_learn_not_even_that_its_trigger_is_there(
    people: People, documents: RepositoryInfo
) -> None:
    trigger = await add(people, documents, TriggerKind.WEBHOOK, HOOK)
    run = await triggers.start_now(people.alice, trigger.id)
    for number in (run.id, 9999):
        with pytest.raises(NotFound, match="no such run"):
            await triggers.get_run(people.charlie, number)


@pytest.mark.parametrize(
    "address", ["https://two.example/x", "http://one.example/x", "https://one.example:8443/x"]
)
async def test_headers_and_body_go_to_another_server_only_if_given_again(
    people: People, documents: RepositoryInfo, address: str
) -> None:
    trigger = await add(people, documents, TriggerKind.WEBHOOK, HOOK)
    for given, missing in (
        ({}, "header"),
        ({"header.Token": "mine"}, "body"),
        ({"body": ""}, "header"),
    ):
        wanted = ChangeTrigger(settings={"url": address, **given})
        with pytest.raises(InvalidInput, match="another server") as caught:
            await triggers.change_trigger(people.bob, trigger.id, wanted)
        assert caught.value.field == missing
    all_of_it = {"url": address, "header.Token": "mine", "body": ""}
    await triggers.change_trigger(people.bob, trigger.id, ChangeTrigger(settings=all_of_it))


async def test_a_token_of_awx_goes_to_another_server_only_if_given_again(
    people: People, documents: RepositoryInfo
) -> None:
    trigger = await add(people, documents, TriggerKind.AWX, AWX)
    elsewhere = {"url": "https://mallory.example"}
    with pytest.raises(InvalidInput) as caught:
        await triggers.change_trigger(people.bob, trigger.id, ChangeTrigger(settings=elsewhere))
    assert caught.value.field == "token"
    same = {"url": "https://AWX.example/", "template": "8"}
    await triggers.change_trigger(people.bob, trigger.id, ChangeTrigger(settings=same))
    given = {**elsewhere, "token": "mine"}
    await triggers.change_trigger(people.bob, trigger.id, ChangeTrigger(settings=given))


async def test_commands_are_offered_to_administrators(
    people: People, documents: RepositoryInfo
) -> None:
    assert triggers.kinds_for(people.alice) == [TriggerKind.AWX, TriggerKind.WEBHOOK]
    assert triggers.kinds_for(people.admin) == list(TriggerKind)
    assert "env" in triggers.commands(people.admin)
    with pytest.raises(Forbidden):
        triggers.commands(people.alice)


@pytest.mark.parametrize("span", ["soon", "1s", "31d"])
async def test_a_wrong_span_names_its_setting(
    people: People, documents: RepositoryInfo, span: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await add(people, documents, TriggerKind.AWX, {**AWX, "give_up": span})
    assert caught.value.field == "give_up"
