"""From an admitted request to what runs: argv, environment, directory, rights. Pure.

Nothing that the client said gets into argv but the log level and the checked options of rsync.
"""

from __future__ import annotations

from dataclasses import dataclass

from hive.borg.repository_path import Meaning, meaning_of, refusal
from hive.borg.rpc_policy import Policy
from hive.config.settings import Settings
from hive.errors import AccessRefused, RefusalCause
from hive.kinds import Access, Need
from hive.process.spec import ChildSpec
from hive.services.gate.admission import Admission
from hive.services.programs.discovery import SAFE_RSYNC, Program, program_roots
from hive.services.programs.host import Host, borg_child, environment, limits, scratch
from hive.services.repositories.infos import borg2_url
from sshgate import command
from sshgate.command import Borg2Serve, BorgServe, Rsync

_NO_QUOTA = 2**62
# borg 2's names for what a client may do; borg 2 has neither append-only nor quotas.
_BORG2_PERMISSIONS = {
    Access.FULL: "all",
    Access.APPEND_ONLY: "no-delete",
    Access.READ_ONLY: "read-only",
}


@dataclass(frozen=True)
class Plan:
    """What to run. `policy` is what borg 1's requests are held against; None for other programs."""

    spec: ChildSpec
    policy: Policy | None


def need_of(request: command.Request) -> Need:
    """What the request needs, in the words of the access rules."""
    if isinstance(request, Rsync):
        return Need.EXPORT if request.sending else Need.IMPORT
    return Need.BORG if isinstance(request, (BorgServe, Borg2Serve)) else Need.STATUS


def make_plan(admission: Admission, request: BorgServe | Borg2Serve | Rsync, host: Host) -> Plan:
    """The plan for a request; AccessRefused where the program for it is not here."""
    if isinstance(request, BorgServe):
        return _borg(admission, request, host)
    if isinstance(request, Borg2Serve):
        return _borg2(admission, request, host)
    return _rsync(admission, request, host)


def _borg(admission: Admission, request: BorgServe, host: Host) -> Plan:
    if (admission.place.repository / "config").is_dir():
        raise AccessRefused(
            "Repository %(name)s was made by borg 2: use borg 2 with %(url)s.",
            RefusalCause.COMMAND,
            name=admission.name,
            url=borg2_url(admission.url),
        )
    borg = _installed(host.programs.borg, "borg")
    path = admission.place.repository.resolve()
    argv = [
        borg.path,
        "serve",
        "--restrict-to-path",
        str(path),
        "--restrict-to-repository",
        str(path),
    ]
    if admission.access != Access.FULL:
        argv.append("--append-only")
    if admission.is_created:
        # The gate holds sessions to their quotas. The one in the config, of a former server or an
        # import, must not: borg would refuse to delete as well. borg 1.2 takes no 0 for "none".
        argv += ["--storage-quota", str(_NO_QUOTA)]
    if request.log_level is not None:
        argv.append(f"--{request.log_level}")
    policy = Policy(
        name=admission.name,
        path=str(path),
        access=admission.access,
        url=admission.url,
        paths=admission.paths,
        is_created=admission.is_created,
    )
    return Plan(borg_child(admission.place, borg, argv, host), policy)


def _borg2(admission: Admission, request: Borg2Serve, host: Host) -> Plan:
    if (admission.place.repository / "config").is_file():
        raise AccessRefused(
            "Repository %(name)s was made by borg 1: use borg 1 with %(url)s.",
            RefusalCause.COMMAND,
            name=admission.name,
            url=admission.url,
        )
    borg2 = host.programs.borg2
    if borg2 is None or borg2.version < (2,):
        raise AccessRefused(
            "This server has no borg 2: use borg 1, or ask its administrator to set"
            " borg.borg2_command.",
            RefusalCause.UNAVAILABLE,
        )
    if not admission.is_created and admission.access != Access.FULL:
        raise AccessRefused(
            "Repository %(name)s is not created yet: borg 2 creates it only with a key that has"
            " full access.",
            RefusalCause.NOT_CREATED,
            name=admission.name,
        )
    path = admission.place.repository.resolve()
    permissions = _BORG2_PERMISSIONS[_borg2_access(admission, request.path)]
    argv = [
        borg2.path,
        "serve",
        "--rest",
        "--backend",
        f"FILE:{path}",
        "--restrict-to-repository",
        str(path),
        "--permissions",
        permissions,
    ]
    return Plan(borg_child(admission.place, borg2, argv, host), None)


def _borg2_access(admission: Admission, typed: str) -> Access:
    """What a path allows, by the rule that holds for borg 1 too: a former one deletes nothing."""
    meaning = meaning_of(typed, admission.paths)
    may_open = meaning is Meaning.RIGHT or (meaning is Meaning.FORMER and admission.is_created)
    if not may_open:
        why = refusal(typed, meaning, name=admission.name, url=borg2_url(admission.url))
        raise AccessRefused("Repository path not allowed: %(why)s.", RefusalCause.COMMAND, why=why)
    if meaning is Meaning.FORMER and admission.access == Access.FULL:
        return Access.APPEND_ONLY
    return admission.access


def _rsync(admission: Admission, request: Rsync, host: Host) -> Plan:
    rsync = _installed(host.programs.rsync, "rsync")
    if rsync.version < SAFE_RSYNC and not host.confinement.holds_files:
        # Filter rules travel inside the protocol: nothing else would keep them in.
        raise AccessRefused(
            "rsync %(version_text)s on this server cannot be held to one directory: its"
            " administrator can install rsync 3.5 or newer.",
            RefusalCause.UNAVAILABLE,
            version_text=rsync.version_text,
        )
    place = admission.place
    target = place.repository if request.sending else place.staging
    forced = _forced_rsync_options(admission, request, rsync, host.settings)
    argv = command.rebuild_rsync(request, rsync=rsync.path, forced=forced)
    home = scratch(place, host)
    readable = [place.repository.resolve()]
    if admission.import_folder is not None and place.view.is_dir():
        readable.append(place.view.resolve())
    spec = ChildSpec(
        argv=tuple(argv),
        environment=environment(place, host),
        cwd=target.resolve(),
        writable=(home,) if request.sending else (home, target.resolve()),
        readable=tuple(readable),
        executable=program_roots(rsync.path),
        symlinks=not request.sending,  # munged ones; the verification refuses them by name
        limits=limits(host.settings),
    )
    return Plan(spec, None)


def _forced_rsync_options(
    admission: Admission, request: Rsync, rsync: Program, settings: Settings
) -> list[str]:
    """What the server adds to any rsync.

    An import takes files that the repository has already from there (--copy-dest), so that a
    repeated import sends nothing again; for that its root is the login's directory.
    """
    place = admission.place
    forced = [f"--timeout={settings.rsync.timeout_seconds}"]
    root = place.repository if request.sending else place.home
    if rsync.version >= SAFE_RSYNC:
        forced.append(f"--confine-root={root.resolve()}")
    if request.sending:
        return forced
    forced += ["--munge-links", "--chmod=D700,F600"]
    if rsync.version >= SAFE_RSYNC:
        forced.append("--drop-D")
    if settings.rsync.max_file_bytes is not None:
        forced.append(f"--max-size={settings.rsync.max_file_bytes}")
    if admission.is_created:
        # Older ones with fixes of 2025 cannot open what lies behind `..`; newer ones are confined.
        is_safe = rsync.version >= SAFE_RSYNC
        known = f"../{place.directory}" if is_safe else place.repository.resolve()
        forced.append(f"--copy-dest={known}")
        if admission.import_folder is not None and place.view.is_dir():
            shown = f"../{place.view.name}" if is_safe else place.view.resolve()
            forced.append(f"--copy-dest={shown}")
    return forced


def _installed(program: Program | None, name: str) -> Program:
    if program is None:
        raise AccessRefused(
            "There is no working %(name)s on this server: its administrator can install it."
            " `hive doctor` says more.",
            RefusalCause.PROGRAM,
            name=name,
        )
    return program
