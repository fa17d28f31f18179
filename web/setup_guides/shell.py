"""The steps that every client begins with, and those of borg itself: commands of a shell.

All paths are below the home directory of whoever runs them. A command can be copied alone: each
block names what it needs, and none is lost when it is run once more.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from hive.kinds import Access
from hive.sentences import N_
from hive.services.overview.connecting import Connection
from web.setup_guides.parts import Milestone, Snippet, Step


@dataclass(frozen=True)
class Machine:
    """What stands in the commands."""

    url: str
    name: str
    login: str
    host: str
    port: int
    known_hosts: tuple[str, ...]
    may_free_space: bool  # a key with full access prunes and compacts

    @classmethod
    def of(cls, connection: Connection) -> Machine:
        details = connection.head.details
        return cls(
            url=details.repository.url,
            name=details.repository.directory,
            login=details.repository.login,
            host=details.host,
            port=details.port,
            known_hosts=tuple(one.known_hosts_line for one in details.host_identities),
            may_free_space=connection.access == Access.FULL,
        )

    @property
    def passphrase(self) -> str:
        """The file with the passphrase, below the home directory."""
        return f".config/borg/{self.name}.passphrase"

    @property
    def settings(self) -> str:
        """The file with borg's variables, below the home directory."""
        return f".config/borg/{self.name}.env"

    @property
    def ssh(self) -> str:
        """The command that asks the server for the state of the repository."""
        port = "" if self.port == 22 else f"-p {self.port} "
        return f"ssh {port}{shlex.quote(f'{self.login}@{self.host}')}"

    @property
    def restored_path(self) -> str:
        """A small file that a first backup of the home directory holds, as archives name it."""
        return '"${HOME#/}/.ssh/known_hosts"'


def key() -> Step:
    text = """\
mkdir -p -m 700 ~/.ssh
test -e ~/.ssh/id_ed25519 || ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519
cat ~/.ssh/id_ed25519.pub"""
    return Step(
        id="key",
        title=N_("Give the machine a key"),
        about=N_("This shows the machine's public key, and creates it if there is none yet."),
        snippets=(Snippet("connect-key", "sh", text),),
        sees=Milestone.KEY,
    )


def known_hosts(machine: Machine) -> Step:
    lines = "\n".join(machine.known_hosts)
    text = f"""\
mkdir -p -m 700 ~/.ssh
cat >> ~/.ssh/known_hosts <<'END'
{lines}
END"""
    snippets = [Snippet("connect-hosts", "sh", text)] if machine.known_hosts else []
    return Step(
        id="login",
        title=N_("Let it know this server"),
        about=N_("Now the machine recognizes this server, and the second command logs in once."),
        snippets=(*snippets, Snippet("connect-login", "sh", machine.ssh)),
        sees=Milestone.LOGIN,
    )


def passphrase(machine: Machine) -> Step:
    file = f"~/{machine.passphrase}"
    text = f"""\
mkdir -p -m 700 ~/.config/borg
test -e {file} || (umask 077; head -c 32 /dev/urandom | base64 > {file})
cat {file}"""
    return Step(
        id="passphrase",
        title=N_("Make a passphrase and print it"),
        about=N_(
            "Nobody can restore without it, and this server does not have it: keep a copy"
            " away from the machine."
        ),
        snippets=(Snippet("connect-passphrase", "sh", text),),
    )


def create(machine: Machine) -> Step:
    text = f"""\
cat > ~/{machine.settings} <<'END'
export BORG_REPO={shlex.quote(machine.url)}
export BORG_PASSCOMMAND="cat $HOME/{machine.passphrase}"
END
. ~/{machine.settings}
borg init --encryption=repokey-blake2"""
    return Step(
        id="create",
        title=N_("Create the repository"),
        about=N_("borg's settings go into a file, so that later commands find them."),
        snippets=(Snippet("connect-create", "sh", text),),
        sees=Milestone.CREATED,
    )


def backup(machine: Machine) -> Step:
    text = f"""\
. ~/{machine.settings}
borg create --stats --compression zstd --exclude-caches --exclude ~/.cache \\
    '::{{hostname}}-{{now}}' ~"""
    if machine.may_free_space:
        text += """
borg prune --list --glob-archives '{hostname}-*' \\
    --keep-daily 7 --keep-weekly 4 --keep-monthly 6
borg compact"""
    return Step(
        id="backup",
        title=N_("Make the first backup"),
        about=N_(
            "This backs up the home directory. Add other directories at the end of the"
            " command, such as /etc."
        ),
        snippets=(Snippet("connect-backup", "sh", text),),
        after=freeing(machine),
        sees=Milestone.BACKUP,
    )


def freeing(machine: Machine) -> str:
    """What is said of freeing space, where this machine's key may not."""
    if machine.may_free_space:
        return ""
    return N_("This key may only append. Free space from a machine whose key has full access.")


def export_key(machine: Machine, command: str) -> Step:
    title = N_("Keep borg's key safe")
    if not machine.may_free_space:
        return Step(
            id="export",
            title=title,
            about=N_(
                "borg's own key lies in the repository. To keep a copy elsewhere as well, run"
                " borg key export on a machine whose SSH key has full access."
            ),
        )
    return Step(
        id="export",
        title=title,
        about=N_(
            "borg's own key lies in the repository. Keep a copy away from both machines,"
            " beside the passphrase."
        ),
        snippets=(Snippet("connect-export", "sh", command),),
    )


def export_with_borg(machine: Machine) -> Step:
    text = f"""\
. ~/{machine.settings}
borg key export "$BORG_REPO" ~/{machine.name}-borg-key.txt
cat ~/{machine.name}-borg-key.txt"""
    return export_key(machine, text)


def restore(machine: Machine) -> Step:
    text = f"""\
. ~/{machine.settings}
mkdir -p ~/restored
cd ~/restored
borg extract --list "::$(borg list --last 1 --short)" {machine.restored_path}"""
    return restore_step((Snippet("connect-restore", "sh", text),))


def restore_step(snippets: tuple[Snippet, ...], about: str = "") -> Step:
    return Step(
        id="restore",
        title=N_("Try to restore"),
        about=about
        or N_("A backup is as good as its restore: this restores one small file to ~/restored."),
        snippets=snippets,
        sees=Milestone.RESTORE,
    )
