"""The functions that read text from outside, and shapes of text to try them with.

Import this after tests.foreign_text has begun to record patterns.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

from hive import log_text, pasted_key, publickey, schedule, units
from hive.borg import locks, observer, observer_rest, repository
from hive.config import sources, values
from hive.notify import channel, email, http, markdown, message, webhook
from hive.outgoing import client, guard
from hive.services import names
from hive.services.accounts import second_factor, users
from hive.services.reports import log_files, logs, redaction, verdicts
from hive.services.repositories import machine_lists, tags
from sshgate import command
from web import forms, kept_form, rendering
from web.middleware import address
from web.text import format as formats
from web.text import i18n


def functions() -> dict[str, Callable[[str], object]]:
    """By name; each name begins with the module whose patterns it tries."""

    def rest(text: str) -> None:
        watch = observer_rest.RestWatch()
        watch.client(f"GET /x HTTP/1.1\r\nUser-Agent: {text[:60_000]}\r\n\r\n".encode())
        watch = observer_rest.RestWatch()
        watch.server(f"HTTP/1.1 200 OK\r\nContent-Length: {text[:60_000]}\r\n\r\n".encode())

    def rpc(text: str) -> None:
        watch = observer.Observer(observer.RpcWatch())
        data = text.encode("latin-1", "replace")
        for start in range(0, len(data), 32 * 1024):
            watch.client(data[start : start + 32 * 1024])
            watch.server(data[start : start + 32 * 1024])

    def placeholders(text: str) -> None:
        webhook._check_placeholders(text)
        webhook._substitute(text, dict.fromkeys(webhook.PLACEHOLDERS, ""), str)

    return {
        "hive.services.reports.redaction": lambda text: redaction.redact(text, "x" * 43),
        "hive.services.reports.verdicts": lambda text: verdicts.claim(
            text, login="a", directory="b"
        ),
        "hive.services.reports.logs": logs.last_lines,
        "hive.services.reports.log_files": lambda text: log_files.end_of(text, 8000),
        "hive.services.accounts.users": users._check_email,
        "hive.services.names account": lambda text: names.check_account(text, "user"),
        "hive.services.names repository": names.check_repository,
        "hive.services.names title": lambda text: names.check_title(text, "key"),
        "hive.services.accounts.second_factor code": lambda text: second_factor._step_of(
            "A" * 32, text
        ),
        "hive.services.accounts.second_factor recovery": second_factor._digest,
        "hive.services.repositories.tags": tags.check_tag,
        "hive.borg.heads": rpc,
        "hive.borg.locks": locks._holder_named,
        "hive.borg.observer": lambda text: observer._plain(text.encode(), ("/srv/x",)),
        "hive.borg.observer_rest": rest,
        "hive.borg.repository": lambda text: repository.parse_config(
            f"[repository]\nid = {text[:65_000]}"
        ),
        "hive.borg.repository raw": lambda text: repository.parse_config(
            f"[repository]\na{text[:65_000]}"
        ),
        "hive.config.sources": lambda text: sources.find_line(text, ("a", "b")),
        "hive.config.sources syntax": lambda text: sources._explain_syntax(Path("x"), "", text),
        "hive.config.values address": values.parse_address,
        "hive.config.values mail": values.mail_address,
        "hive.config.values url": values.public_url,
        "hive.log_text escape": log_text.escape,
        "hive.log_text show": log_text.show,
        "hive.outgoing.client": lambda text: client.check_headers({text: text}),
        "hive.outgoing.guard": lambda text: guard.parse_url(f"http://{text}"),
        "hive.pasted_key": pasted_key.one_line,
        "hive.publickey": publickey.parse,
        "hive.publickey blob": lambda text: publickey.parse(f"ssh-ed25519 {text}"),
        "hive.schedule": schedule._check_cron,
        "hive.schedule zone": schedule.check_timezone,
        "hive.units size": units.parse_size,
        "hive.units duration": units.parse_duration,
        "hive.units time": units.parse_when,
        "hive.units time of day": units.time_of_day,
        "hive.notify.channel": lambda text: list(channel._parts(text)),
        "hive.notify.email": lambda text: email._NOT_IN_IDS.sub("-", text),
        "hive.notify.http": http.parse_retry_after,
        "hive.notify.markdown": lambda text: markdown.escape(text, 4000),
        "hive.notify.message": lambda text: message.cut(message.one_line(text), 300),
        "hive.notify.webhook": placeholders,
        "hive.notify.webhook headers": webhook.parse_headers,
        "sshgate.command": command.parse,
        "sshgate.command rsync": lambda text: command.parse(f"rsync --server {text}"[:4096]),
        "sshgate.command borg": lambda text: command.parse(f"borg serve {text}"[:4096]),
        "sshgate.command borg 2": lambda text: command.parse(
            f"borg serve --rest --backend {text}"[:4096]
        ),
        "web.forms": forms.internal_path,
        "web.text.format": formats.browser,
        "web.text.i18n accept": i18n.preferred,
        "web.rendering": rendering.lines,
        "hive.services.repositories.machine_lists": lambda text: machine_lists.read(
            f"name,owner,key,schedule\n{text[:65_000]},{text[:65_000]}"
        ),
        "web.kept_form": kept_form.parse,
        "web.middleware.address": lambda text: address.visitor(
            "10.0.0.1", text, [ip_network("10.0.0.0/8")]
        ),
    }


# What sees no text from outside, or nothing that is not short by its nature (names of files,
# fields of forms of 64 KiB): the pattern alone is tried.
PATTERN_ALONE = {
    "hive.cli.running",
    "hive.services.delivery.answer_links",
    "hive.services.outbox.incidents",
    "web.book",  # reads what comes with the program
    "hive.services.accounts.wall_links",
    "hive.borg.facts",
    "hive.borg.uncommitted",
    "hive.borg.verify",
    "hive.notify.pagerduty",
    "hive.notify.pushover",
    "hive.notify.telegram",
    "hive.services.lifecycle.config_limits",
    "hive.services.accounts.known_browsers",
    "hive.services.storage.locations",
    "hive.services.notifications.rules",
    "hive.services.reports.tokens",
    "hive.services.programs.discovery",
    "hive.services.rollback.preview",
    "hive.services.reports.reports",
    "web.pages.notifications.rules",
}

SHAPES = (
    *"/ .:=@-_0aA%\\'\"`<>&[](){}#!|~,;\n\r\t\0é\u202e\U0001f600",
    *("::", "://", "{{", "}}", "[[", "%(x)s", "a@", "a.", "a ", " a", "a\n", "1d", "a=b&", "a:b@"),
    *("/ping/", "/p/", "token=", "Bearer ", "Archive name: ", 'Creating archive at "', "Key a: "),
    *(
        "\nRepository: ",
        "Creating archive at ",
        "BORG_KEY: ",
        "There is no key ",
        "en;q=0.1,",
        "${",
    ),
)
