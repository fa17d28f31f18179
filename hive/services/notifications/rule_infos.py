"""Rules as they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from hive.kinds import Severity
from hive.models import Repository, Rule, RuleChannel
from hive.services.notifications import rule_values
from hive.services.outbox import recipients

_SHOWN_WITH = (
    *("user", "owner", "repository", "repository__owner"),
    *("escalate_channel", "escalate_user"),
)


@dataclass(frozen=True, kw_only=True)
class RuleInfo:
    """What matches; None and empty match everything. Quiet hours as '22:00-07:00'.

    `channel_ids` are those of `channels`, in their order.
    """

    id: int
    user: str
    name: str
    enabled: bool
    repository: str | None
    tag: str | None
    owner: str | None
    kinds: tuple[str, ...]
    severity: Severity
    quiet: str | None
    is_quiet_for_critical: bool
    channels: tuple[str, ...]
    user_id: int
    repository_id: int | None
    repository_owner: str | None
    channel_ids: tuple[int, ...]
    timezone: str  # that of the quiet hours
    escalate_after: timedelta | None
    escalate_channel: str | None
    escalate_channel_id: int | None
    escalate_user: str | None


async def infos(rows: Sequence[Rule]) -> list[RuleInfo]:
    if not rows:
        return []
    await Rule.fetch_for_list(list(rows), *_SHOWN_WITH)
    used: dict[int, list[tuple[str, int]]] = {row.id: [] for row in rows}
    for link in await RuleChannel.filter(rule_id__in=list(used)).select_related("channel"):
        used[link.rule_id].append((link.channel.name, link.channel.id))
    return [_as_info(row, sorted(used[row.id])) for row in rows]


def _as_info(row: Rule, used: Sequence[tuple[str, int]]) -> RuleInfo:
    repository: Repository | None = row.repository
    return RuleInfo(
        id=row.id,
        user=row.user.name,
        name=row.name,
        enabled=row.enabled,
        repository=None if repository is None else repository.name,
        tag=row.tag,
        owner=None if row.owner is None else row.owner.name,
        kinds=tuple(str(kind) for kind in row.kinds),
        severity=row.severity,
        quiet=rule_values.quiet_in_words(row),
        is_quiet_for_critical=row.is_quiet_for_critical,
        channels=tuple(name for name, _ in used),
        user_id=row.user_id,
        repository_id=row.repository_id,
        repository_owner=None if repository is None else repository.owner.name,
        channel_ids=tuple(channel_id for _, channel_id in used),
        timezone=recipients.timezone_of(row.user).key,
        escalate_after=_minutes(row.escalate_after_minutes),
        escalate_channel=row.escalate_channel.name if row.escalate_channel else None,
        escalate_channel_id=row.escalate_channel_id,
        escalate_user=row.escalate_user.name if row.escalate_user else None,
    )


def _minutes(count: int | None) -> timedelta | None:
    return None if count is None else timedelta(minutes=count)
