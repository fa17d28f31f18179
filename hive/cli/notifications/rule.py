"""hive rule ...: what is sent to which channel."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from hive.cli import output
from hive.cli.running import with_hive
from hive.formats import format_duration
from hive.kinds import Severity
from hive.services.notifications import rules, saving
from hive.services.notifications.rule_infos import RuleInfo
from hive.services.notifications.rules import AddRule, ChangeRule
from hive.services.notifications.saving import SavedRule
from hive.services.permissions import Actor


@click.group()
def rule() -> None:
    """Rules that choose what is sent to which channel."""


def _document(info: RuleInfo) -> dict[str, Any]:
    after = info.escalate_after
    return {
        **asdict(info),
        "kinds": list(info.kinds),
        "channels": list(info.channels),
        "escalate_after": None if after is None else int(after.total_seconds()),
    }


def _quiet(info: RuleInfo) -> str | None:
    return None if info.quiet is None else f"{info.quiet} {info.timezone}"


def _escalation(info: RuleInfo) -> str | None:
    if info.escalate_after is None:
        return None
    target = info.escalate_channel or info.escalate_user
    return f"after {format_duration(info.escalate_after)} to {target}"


@rule.command("add")
@click.argument("name")
@click.option("--user", required=True, metavar="U", help="User to notify.")
@click.option("--channel", "channels", metavar="C", multiple=True, required=True)
@click.option("--repo", "repository", metavar="R", help="Match only this repository.")
@click.option("--tag", help="Match only repositories with this tag.")
@click.option("--owner", metavar="U", help="Match only repositories of this user.")
@click.option(
    "--kind", "kinds", multiple=True, help="Match only events of this kind: down, late, ..."
)
@click.option(
    "--severity",
    type=click.Choice([one.value for one in Severity]),
    default=Severity.WARNING.value,
    show_default=True,
    help="Minimum severity.",
)
@click.option("--quiet", metavar="22:00-07:00", help="Hold notifications back during these hours.")
@click.option(
    "--quiet-for-critical", is_flag=True, help="Hold critical notifications back as well."
)
@click.option("--escalate-after", metavar="4h", help="Escalate what nobody answers for so long.")
@click.option("--escalate-to", "escalate_channel", metavar="C", help="Channel to escalate to.")
@click.option("--escalate-to-user", "escalate_user", metavar="U", help="User to escalate to.")
@output.json_option
@with_hive
async def add(
    actor: Actor,
    /,
    *,
    name: str,
    user: str,
    channels: tuple[str, ...],
    severity: str,
    quiet_for_critical: bool,
    **given: Any,  # noqa: ANN401 - click's own values
) -> None:
    """Add a rule. Without filters, it matches all default events."""
    wanted = AddRule(
        name=name,
        channels=channels,
        severity=Severity(severity),
        is_quiet_for_critical=quiet_for_critical,
        **given,
    )
    saved = await saving.add_rule(actor, user, wanted)
    _show_saved(saved, f"Rule {saved.rule.name} of {saved.rule.user} was added.")


def _show_saved(saved: SavedRule, message: str) -> None:
    """What was saved, and what it would have sent lately."""
    found = saved.preview
    preview = {
        "days": 30,
        "events": found.events,
        "sent": found.sent,
        "no_longer_sent": dict(found.lost),
        "tag_without_repository": found.tag_without_repository,
    }
    output.show_done(_document(saved.rule) | {"preview": preview}, message)
    for line in found.sentences:
        output.say(line)


@rule.command("list")
@click.option("--user", metavar="U")
@output.list_options
@with_hive
async def list_(actor: Actor, user: str | None) -> None:
    """List rules."""
    infos = await rules.list_rules(actor, user)
    output.show_list(
        [_document(info) for info in infos],
        {
            "ID": lambda info: info.id,
            "USER": lambda info: info.user,
            "NAME": lambda info: info.name,
            "ENABLED": lambda info: info.enabled,
            "ABOUT": lambda info: info.repository or info.tag or info.owner,
            "KINDS": lambda info: list(info.kinds),
            "FROM": lambda info: info.severity,
            "QUIET": _quiet,
            "CHANNELS": lambda info: list(info.channels),
            "ESCALATES": _escalation,
        },
        infos,
        details=("ABOUT", "KINDS", "FROM", "QUIET", "ESCALATES", "ID"),
    )


@rule.command("set")
@click.argument("reference", metavar="RULE")
@click.option("--name", help="A new name.")
@click.option("--enable/--disable", "enabled", default=None)
@click.option("--channel", "more", metavar="C", multiple=True, help="Add a channel.")
@click.option("--remove-channel", "fewer", metavar="C", multiple=True)
@click.option("--repo", "repository", metavar="R", help="Match only this repository.")
@click.option("--tag", help="Match only repositories with this tag.")
@click.option("--owner", metavar="U", help="Match only repositories of this user.")
@click.option("--kind", "kinds", multiple=True, help="Match only events of these kinds instead.")
@click.option(
    "--severity", type=click.Choice([one.value for one in Severity]), help="Minimum severity."
)
@click.option("--quiet", metavar="22:00-07:00", help="Hold notifications back during these hours.")
@click.option("--quiet-for-critical/--loud-for-critical", "is_quiet_for_critical", default=None)
@click.option(
    "--escalate-after", metavar="4h", help="Escalate what nobody answers for so long; empty: never."
)
@click.option("--escalate-to", "escalate_channel", metavar="C", help="Channel to escalate to.")
@click.option("--escalate-to-user", "escalate_user", metavar="U", help="User to escalate to.")
@output.json_option
@with_hive
async def set_(
    actor: Actor,
    /,
    *,
    reference: str,
    more: tuple[str, ...],
    fewer: tuple[str, ...],
    kinds: tuple[str, ...],
    severity: str | None,
    **given: Any,  # noqa: ANN401 - click's own values
) -> None:
    """Change a rule. Options that are left out change nothing; an empty value clears a filter."""
    changes = ChangeRule(
        kinds=[kind for kind in kinds if kind] if kinds else None,
        severity=Severity(severity) if severity else None,
        add_channels=more,
        remove_channels=fewer,
        **given,
    )
    found = await rules.find_rule(actor, reference)
    if not output.is_anything_asked():
        output.show_unchanged(_document(found))
        return
    saved = await saving.change_rule(actor, found.id, changes)
    _show_saved(saved, f"Rule {saved.rule.name} was changed.")


@rule.command("delete")
@click.argument("reference", metavar="RULE")
@output.json_option
@with_hive
async def delete(actor: Actor, reference: str) -> None:
    """Delete a rule."""
    found = await rules.find_rule(actor, reference)
    await rules.delete(actor, found.id)
    output.show_done(
        {"id": found.id, "name": found.name}, f"Rule {found.name} of {found.user} was deleted."
    )
