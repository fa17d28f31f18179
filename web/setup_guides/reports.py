"""What to put on a machine so that it reports its backups: for each client, ready to copy."""

from __future__ import annotations

import json
import shlex

from hive.sentences import N_
from hive.services.reports.tokens import NewPingToken
from hive.services.repositories.infos import RepositoryInfo
from web.setup_guides.parts import Snippet, Way

_CURL = "curl -fsS -m 10 --retry 3 -o /dev/null"


def ways(new: NewPingToken, repository: RepositoryInfo) -> list[Way]:
    return [_curl(new, repository), _borgmatic(new), _vorta(new), _cron(new)]


def _curl(new: NewPingToken, repository: RepositoryInfo) -> Way:
    text = f"""\
url={shlex.quote(new.url)}
curl -fsS -m 10 -o /dev/null "$url/start"
borg create --stats {shlex.quote(repository.url + "::{now}")} ~/Documents >log 2>&1
status=$?
curl -fsS -m 60 -o /dev/null --data-binary @log "$url/$status\""""
    about = N_("The exit status says whether it went well, and the log goes with it.")
    return Way("curl", "curl", about, (Snippet("report-curl", "sh", text),))


def _borgmatic(new: NewPingToken) -> Way:
    address, push = json.dumps(new.url), json.dumps(new.push_url)
    about = N_(
        "Use one of these. The first is best: it sends the log, which "
        "distinguishes a run that only checked from one that created an archive."
    )
    file = "/etc/borgmatic/config.yaml"
    snippets = (
        Snippet(
            "report-healthchecks",
            f"{file}: healthchecks",
            f"healthchecks:\n    ping_url: {address}\n    send_logs: true",
        ),
        Snippet("report-kuma", f"{file}: uptime_kuma", f"uptime_kuma:\n    push_url: {push}"),
        Snippet("report-cronitor", f"{file}: cronitor", f"cronitor:\n    ping_url: {address}"),
    )
    return Way("borgmatic", "borgmatic", about, snippets)


def _vorta(new: NewPingToken) -> Way:
    about = N_("Under Shell Commands of the profile: the pre-backup and the post-backup command.")
    snippets = (
        Snippet("report-vorta-before", "pre-backup", f"{_CURL} {new.url}/start"),
        Snippet("report-vorta-after", "post-backup", f"{_CURL} {new.url}/$returncode"),
    )
    return Way("vorta", "Vorta", about, snippets)


def _cron(new: NewPingToken) -> Way:
    line = f"0 3 * * * {_CURL} {new.url}/start; /usr/local/bin/backup; {_CURL} {new.url}/$?"
    about = N_("Around any script that ends with an exit status.")
    return Way("cron", "cron", about, (Snippet("report-cron", "crontab -e", line),))
