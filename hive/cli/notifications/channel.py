"""hive channel ...: the channels that notifications are sent to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from hive.cli import output, values
from hive.cli.running import with_hive
from hive.errors import InvalidInput
from hive.kinds import ShareLevel
from hive.services.notifications import channels, saving, trials
from hive.services.notifications.channels import ChannelInfo
from hive.services.notifications.saving import AddChannel, ChangeChannel
from hive.services.notifications.trials import Trial
from hive.services.outbox import allowed
from hive.services.permissions import Actor


@click.group()
def channel() -> None:
    """Channels that notifications are sent to."""


def document(info: ChannelInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "name": info.name,
        "owner": info.owner,
        "kind": info.kind,
        "description": info.description,
        "settings": dict(info.settings),
        "enabled": info.enabled,
        "groups": list(info.groups),
        "rules": list(info.rules),
        "created_at": output.time(info.created_at),
        "state": info.state,
        "failing_since": output.time(info.condition.failing_since),
        "last_error": info.condition.last_error or None,
        "waiting": info.waiting,
        "given_up": info.given_up,
    }


def settings_of(pairs: Sequence[str], secret: str | None) -> dict[str, Any]:
    """KEY=VALUE pairs, and one secret from standard input, which no list of processes shows."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InvalidInput(f"{pair!r} is not KEY=VALUE.")
        found[name] = value
    if secret is not None:
        found[secret] = sys.stdin.readline().rstrip("\n")
    return found


set_option = click.option("--set", "pairs", metavar="KEY=VALUE", multiple=True, help="A setting.")
secret_option = click.option(
    "--secret-stdin", "secret", metavar="KEY", help="Read this setting from standard input."
)


@channel.command("kinds")
@output.list_options
def kinds() -> None:
    """List the kinds of channels and their settings."""
    infos = channels.kinds()
    documents = [
        {
            "kind": info.kind,
            "title": info.title,
            "administrators_only": info.administrators_only,
            "settings": [asdict(field) for field in info.fields],
        }
        for info in infos
    ]
    output.show_list(
        documents,
        {
            "KIND": lambda info: info.kind,
            "TITLE": lambda info: info.title,
            "SETTINGS": lambda info: " ".join(
                field.name if field.required else f"[{field.name}]" for field in info.fields
            ),
        },
        infos,
    )


@channel.command("add")
@click.argument("name")
@click.option("--owner", required=True, metavar="USER")
@click.option("--kind", required=True, help="email, ntfy, ...: `hive channel kinds` lists them.")
@set_option
@secret_option
@click.option("--group", "groups", metavar="G", multiple=True, help="Share it with this group.")
@output.json_option
@with_hive
async def add(
    actor: Actor,
    *,
    name: str,
    owner: str,
    kind: str,
    pairs: tuple[str, ...],
    secret: str | None,
    groups: tuple[str, ...],
) -> None:
    """Add a channel."""
    settings = settings_of(pairs, secret)
    wanted = AddChannel(name=name, owner=owner, kind=kind, settings=settings, groups=groups)
    saved = await saving.add_channel(actor, wanted)
    info = saved.channel
    output.show_done(
        document(info) | tested(saved.trial), f"Channel {info.name} was added: {info.description}"
    )
    say_tested(saved.trial)


def tested(trial: Trial | None) -> dict[str, Any]:
    """What came of the test message, for programs."""
    if trial is None:
        return {"test": None}
    return {"test": {"arrived": trial.arrived, "answer": trial.answer, "address": trial.address}}


def say_tested(trial: Trial | None) -> None:
    if trial is not None:
        output.say(("" if trial.arrived else "Warning: ") + trial.words)


@channel.command("list")
@output.list_options
@with_hive
async def list_(actor: Actor) -> None:
    """List all channels."""
    infos = await channels.list_channels(actor)
    output.show_list(
        [document(info) for info in infos],
        {
            "ID": lambda info: info.id,
            "OWNER": lambda info: info.owner,
            "NAME": lambda info: info.name,
            "KIND": lambda info: info.kind,
            "STATE": lambda info: info.state,
            "WAITING": lambda info: info.backlog or info.waiting or None,
            "WHERE": lambda info: info.description,
            "RULES": lambda info: list(info.rules),
        },
        infos,
        details=("RULES", "WAITING", "ID"),
    )
    for info in infos:
        if info.enabled and info.condition.fails:
            output.say(f"{info.owner}/{info.name} is {info.state}: {info.condition.last_error}")


@channel.command("show")
@click.argument("reference", metavar="C")
@output.json_option
@with_hive
async def show(actor: Actor, reference: str) -> None:
    """Show one channel; secrets are masked."""
    info = await channels.info_of(await channels.find(actor, reference))
    settings = [f"{name}={value}" for name, value in info.settings.items() if value is not None]
    output.show_one(document(info), document(info) | {"settings": settings})


@channel.command("set")
@click.argument("reference", metavar="C")
@click.option("--name", help="A new name.")
@click.option("--enable/--disable", "enabled", default=None)
@set_option
@secret_option
@output.json_option
@with_hive
async def set_(
    actor: Actor,
    *,
    reference: str,
    name: str | None,
    enabled: bool | None,
    pairs: tuple[str, ...],
    secret: str | None,
) -> None:
    """Change a channel. Options that are left out change nothing, not even secrets."""
    found = await channels.find(actor, reference)
    if not output.is_anything_asked():
        output.show_unchanged(document(await channels.info_of(found)) | tested(None))
        return
    settings = settings_of(pairs, secret)
    wanted = ChangeChannel(name=name, enabled=enabled, settings=settings)
    saved = await saving.change_channel(actor, found.id, wanted)
    info = saved.channel
    output.show_done(
        document(info) | tested(saved.trial), f"Channel {info.name} was changed: {info.description}"
    )
    say_tested(saved.trial)


@channel.command("share")
@click.argument("reference", metavar="C")
@click.argument("group")
@click.option("--level", type=values.LEVEL, default=ShareLevel.VIEW.value)
@click.option("--end", is_flag=True, help="Stop sharing it.")
@with_hive
async def share(actor: Actor, reference: str, group: str, level: str, end: bool) -> None:
    """Share a channel with the members of a group, for their rules."""
    found = await channels.find(actor, reference)
    if end:
        await channels.unshare(actor, found.id, group)
    else:
        await channels.share(actor, found.id, group, ShareLevel(level))
    output.say(f"Channel {found.name} is {'no longer ' if end else ''}shared with {group}.")


@channel.command("delete")
@click.argument("reference", metavar="C")
@click.option("--with-rules", is_flag=True, help="Delete it even if rules use it.")
@output.json_option
@with_hive
async def delete(actor: Actor, reference: str, with_rules: bool) -> None:
    """Delete a channel."""
    found = await channels.find(actor, reference)
    await channels.delete(actor, found.id, with_rules=with_rules)
    output.show_done({"id": found.id, "name": found.name}, f"Channel {found.name} was deleted.")


@channel.command("test")
@click.argument("reference", metavar="C")
@output.json_option
@with_hive
async def test(actor: Actor, reference: str) -> None:
    """Send a test message and show the answer."""
    found = await channels.find(actor, reference)
    answer = await trials.test_now(actor, found.id)
    output.show_done({"id": found.id, "answer": answer}, f"Sent. Answer: {answer}")


@channel.command("allow")
@click.argument("network", metavar="ADDRESS")
@click.option("--end", is_flag=True, help="Stop allowing it.")
@output.json_option
@with_hive
async def allow(actor: Actor, network: str, end: bool) -> None:
    """Allow notifications to a private address or network."""
    stored = await (allowed.revoke if end else allowed.allow)(actor, network)
    verb = "no longer reach" if end else "reach"
    output.show_done({"network": stored}, f"Notifications can {verb} {stored} from now on.")


@channel.command("allowed")
@output.list_options
@with_hive
async def allowed_(actor: Actor) -> None:
    """List private networks allowed with `hive channel allow`."""
    infos = await allowed.list_allowed(actor)
    output.show_list(
        [
            {
                "network": info.network,
                "allowed_by": info.created_by,
                "allowed_at": output.time(info.created_at),
            }
            for info in infos
        ],
        {
            "NETWORK": lambda info: info.network,
            "ALLOWED BY": lambda info: info.created_by,
            "SINCE": lambda info: info.created_at,
        },
        infos,
    )
