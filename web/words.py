"""The stored words of the domain as people read them. borg's own words stay as they are."""

from __future__ import annotations

from enum import StrEnum

from hive.kinds import (
    Access,
    ArchiveCreated,
    AttemptOutcome,
    DeliveryState,
    Digest,
    EndReason,
    EventGroup,
    EventKind,
    Health,
    Need,
    Operation,
    Severity,
    ShareLevel,
    Source,
    TrashReason,
    UpkeepState,
)
from hive.services.session_filters import SessionState
from web.i18n import N_, catalogue, reader

TRANSLATED = (
    # accesses and shares
    N_("full"),
    N_("append-only"),
    N_("read-only"),
    N_("view"),
    N_("manage"),
    # what a session wants, and what it was
    N_("delete repository"),
    N_("read"),
    N_("write"),
    N_("nothing"),
    N_("dry run"),
    N_("key change"),
    N_("unknown"),
    N_("yes"),
    N_("no"),
    N_("partial"),
    # how a session ended
    N_("done"),
    N_("client gone"),
    N_("killed"),
    N_("revoked"),
    N_("refused"),
    N_("failed"),
    N_("server stopped"),
    N_("interrupted"),
    N_("quota exceeded"),
    N_("disk full"),
    N_("borg error"),
    # events
    N_("opened"),
    N_("closed"),
    N_("created"),
    N_("updated"),
    N_("deleted"),
    N_("restored"),
    N_("mode changed"),
    N_("import begun"),
    N_("import ended"),
    N_("import verified"),
    N_("import rejected"),
    N_("export begun"),
    N_("export ended"),
    N_("key changed"),
    N_("grant changed"),
    N_("config changed"),
    N_("lock removed"),
    N_("opened locally"),
    N_("updated locally"),
    N_("closed locally"),
    N_("measuring failed"),
    N_("mass deletion"),
    N_("deletion by an append-only key"),
    N_("repository shrunk"),
    N_("key used for the first time"),
    N_("key from a new network"),
    N_("integrity error"),
    N_("stale lock"),
    N_("quota filling up"),
    N_("disk filling up"),
    N_("alarm ended"),
    # the trash
    N_("replaced by an import"),
    # doors
    N_("command line"),
    N_("web page"),
    N_("SSH gate"),
    N_("by itself"),
    # groups of events
    N_("sessions"),
    N_("changes"),
    N_("rights"),
    N_("imports and exports"),
    N_("alarms"),
    # states of sessions
    N_("running"),
    N_("ended"),
    N_("ended well"),
    N_("did not end well"),
    # schedules and upkeep
    N_("many refusals"),
    N_("late"),
    N_("down"),
    N_("still down"),
    N_("recovered"),
    N_("paused"),
    N_("resumed"),
    N_("acknowledged"),
    N_("muted"),
    N_("schedule broken"),
    N_("session failed"),
    N_("client reported a failure"),
    N_("client reported success, nothing written"),
    N_("client reported failure, archive written"),
    N_("checked"),
    N_("compacted"),
    N_("upkeep failed"),
    N_("upkeep refused"),
    N_("trigger started"),
    N_("trigger ended"),
    N_("trigger failed"),
    N_("trigger missed"),
    N_("trigger overlapped"),
    N_("new"),
    N_("up"),
    N_("waiting"),
    N_("schedules"),
    N_("upkeep"),
    # findings
    N_("ok"),
    N_("warning"),
    N_("error"),
    # notifications and their deliveries
    N_("info"),
    N_("critical"),
    N_("recovery"),
    N_("digest"),
    N_("dead letter"),
    N_("being sent"),
    N_("sent"),
    N_("given up"),
    N_("dropped"),
    N_("passing failure"),
    N_("permanent failure"),
    N_("daily"),
    N_("weekly"),
    N_("none"),
)
# What services say of one's own account; pages translate it as they show it.
SAID = (
    N_("This is not your password."),
    N_("Too many wrong passwords. Try again later."),
    N_("Too many wrong codes. Try again later."),
    N_("Too many of these requests. Try again in an hour."),
    N_("This is not the code that the app shows now. Are the clocks right?"),
    N_("Begin again: there is no secret to confirm."),
    N_("An authenticator app is set up already. Remove it first."),
    N_("This passkey was not accepted. Try again."),
    N_("This passkey is stored already."),
    N_("There is no such session: it has ended already."),
    N_("This link is not valid: it was used already, or is older than an hour. Ask for a new one."),
)
# The same in every language: what borg calls it, and what people type.
SAME = frozenset(
    (
        *("init", "create", "delete", "rename", "recreate", "compact", "check", "repair"),
        *("break-lock", "import", "export", "status", "borg"),
    )
)
_LONGER: dict[StrEnum, str] = {
    Source.CLI: "command line",
    Source.WEB: "web page",
    Source.SSH: "SSH gate",
    Source.SYSTEM: "by itself",
    EventGroup.TRANSFERS: "imports and exports",
    DeliveryState.SENDING: "being sent",
    DeliveryState.DEAD: "given up",
    SessionState.LIVE: "running",
    SessionState.WELL: "ended well",
    SessionState.BADLY: "did not end well",
}
KINDS = (
    Access,
    ShareLevel,
    Need,
    Operation,
    ArchiveCreated,
    EndReason,
    EventKind,
    Health,
    UpkeepState,
    TrashReason,
    Source,
    EventGroup,
    SessionState,
    Severity,
    DeliveryState,
    AttemptOutcome,
    Digest,
)


def word(value: str) -> str:
    """A stored word in the reader's language; an unknown one as it is."""
    text = _LONGER.get(value, str(value)) if isinstance(value, StrEnum) else value
    return catalogue(reader().language).gettext(text) if text in TRANSLATED else text
