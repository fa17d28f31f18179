"""What runs for a request: nothing that the client said but what was checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hive.borg.repository_path import PathRule
from hive.config.settings import Settings
from hive.errors import AccessRefused
from hive.kinds import Access, Mode, Need
from hive.process.spec import Confinement
from hive.services.gate.admission import Admission
from hive.services.programs.discovery import Program, Programs
from hive.services.programs.host import Host, scratch
from hive.services.storage.paths import Place
from sshgate import command
from sshgate.command import Borg2Serve, BorgServe, CommandRefused, Rsync, ShowStatus
from sshgate.plan import make_plan, need_of

BORG = Program("/usr/bin/borg", (1, 4, 5))
BORG2 = Program("/usr/bin/borg", (2, 0, 0))
RSYNC = Program("/usr/bin/rsync", (3, 5, 0))
SETTINGS = Settings()
HOST = Host(
    settings=SETTINGS,
    programs=Programs(BORG, BORG2, RSYNC),
    host_id="the-host-id",
    confinement=Confinement(landlock=True, user=None),
    run_token="the-run",
)
PUSH = "rsync --server -logDtpre.iLsfxCIvu . ."
PULL = "rsync --server --sender -logDtpre.iLsfxCIvu . ."


@pytest.fixture
def admission(tmp_path: Path) -> Admission:
    place = Place(tmp_path / "repos", "abcd1234", "laptop")
    for directory in (place.repository, place.staging):
        directory.mkdir(parents=True, exist_ok=True)
    return Admission(
        session_id=1,
        repository_id=1,
        name="laptop",
        login="abcd1234",
        place=place,
        url="ssh://abcd1234@host/./laptop",
        mode=Mode.BORG,
        access=Access.FULL,
        need=Need.BORG,
        is_created=True,
        import_folder=None,
        paths=PathRule(frozenset({"laptop", "Laptop"}), "abcd1234"),
    )


NO_QUOTA = ["--storage-quota", str(2**62)]


@pytest.mark.parametrize(
    ("access", "level", "is_created", "added"),
    [
        (Access.FULL, None, True, NO_QUOTA),
        (Access.FULL, None, False, []),  # borg would write it into the config
        (Access.FULL, "debug", True, [*NO_QUOTA, "--debug"]),
        (Access.APPEND_ONLY, "info", True, ["--append-only", *NO_QUOTA, "--info"]),
        (Access.READ_ONLY, None, True, ["--append-only", *NO_QUOTA]),
    ],
)
def test_borg_serves_one_repository_with_our_own_arguments(
    admission: Admission, access: Access, level: str | None, is_created: bool, added: list[str]
) -> None:
    path = str(admission.place.repository)
    given = replace(admission, access=access, is_created=is_created)
    plan = make_plan(given, BorgServe(level), HOST)
    assert list(plan.spec.argv) == [
        "/usr/bin/borg",
        "serve",
        "--restrict-to-path",
        path,
        "--restrict-to-repository",
        path,
        *added,
    ]
    assert plan.policy is not None
    assert plan.policy.access == access
    assert plan.policy.is_created == is_created
    assert plan.policy.path == path


def test_the_environment_is_ours_and_the_home_lies_outside_the_repository(
    admission: Admission,
) -> None:
    spec = make_plan(admission, BorgServe(None), HOST).spec
    state = str(scratch(admission.place, HOST))
    assert dict(spec.environment) == {
        "PATH": "/usr/bin:/bin",
        "HOME": state,
        "TMPDIR": state,
        "LANG": "C.UTF-8",
        "BORG_BASE_DIR": state,
        "BORG_HOST_ID": "the-host-id",
        "BORG_HIVE_RUN": "the-run",
    }
    assert admission.place.root not in scratch(admission.place, HOST).parents


def test_a_child_may_write_to_its_repository_and_nowhere_else(admission: Admission) -> None:
    place = admission.place
    spec = make_plan(admission, BorgServe(None), HOST).spec
    assert set(spec.writable) == {place.repository, scratch(place, HOST)}
    assert spec.removable == (place.home,)
    assert spec.readable == ()
    pulled = make_plan(admission, Rsync(sending=True, options=()), HOST).spec
    assert set(pulled.writable) == {scratch(place, HOST)}
    assert pulled.readable == (place.repository,)
    pushed = make_plan(admission, Rsync(sending=False, options=()), HOST).spec
    assert set(pushed.writable) == {scratch(place, HOST), place.staging}
    assert pushed.cwd == place.staging


def test_rsync_gets_what_the_server_insists_on(admission: Admission) -> None:
    place = admission.place
    push = make_plan(admission, _rsync(PUSH), HOST).spec.argv
    assert f"--confine-root={place.home}" in push
    assert {"--munge-links", "--chmod=D700,F600", "--drop-D", "--timeout=600"} <= set(push)
    assert "--copy-dest=../laptop" in push
    fresh = make_plan(replace(admission, is_created=False), _rsync(PUSH), HOST).spec.argv
    assert not any(word.startswith("--copy-dest") for word in fresh)
    pull = make_plan(admission, _rsync(PULL), HOST).spec.argv
    assert f"--confine-root={place.repository}" in pull
    old = Host(
        settings=Settings(),
        programs=Programs(BORG, None, Program("/usr/bin/rsync", (3, 2, 7))),
        host_id="id",
        confinement=Confinement(landlock=True, user=None),
    )
    assert not any(
        "--confine-root" in word for word in make_plan(admission, _rsync(PULL), old).spec.argv
    )


@pytest.mark.parametrize(
    ("request_", "programs", "word"),
    [
        (BorgServe(None), Programs(None, None, RSYNC), "no working borg"),
        (Borg2Serve("x"), Programs(BORG, None, RSYNC), "no borg 2"),
        (Borg2Serve("x"), Programs(BORG, BORG, RSYNC), "no borg 2"),
        (Rsync(sending=True, options=()), Programs(BORG, None, None), "no working rsync"),
    ],
)
def test_a_program_that_is_missing_is_said(
    admission: Admission,
    request_: BorgServe | Borg2Serve | Rsync,
    programs: Programs,
    word: str,
) -> None:
    with pytest.raises(AccessRefused, match=word):
        make_plan(
            admission,
            request_,
            Host(
                settings=Settings(),
                programs=programs,
                host_id="id",
                confinement=Confinement(landlock=True, user=None),
            ),
        )


OTHER_PATHS = ["nas", "./nas", "/srv/nas/", ".", "/", "/etc", "../..", "x y", "nas/laptop"]


@pytest.mark.parametrize("typed", [*OTHER_PATHS, "laptop/sub", "~/laptop/x"])
def test_borg_2_opens_the_repository_by_its_path_only(admission: Admission, typed: str) -> None:
    with pytest.raises(AccessRefused, match=r"use rest://abcd1234@host/\./laptop\."):
        make_plan(admission, Borg2Serve(typed), HOST)


@pytest.mark.parametrize("typed", ["laptop", "./Laptop", "~/laptop", "/any/root/abcd1234/laptop/"])
def test_the_path_of_the_repository_opens_it_with_borg_2(admission: Admission, typed: str) -> None:
    assert permissions_of(admission, typed) == "all"


@pytest.mark.parametrize("typed", [".", "/backups", "/srv/laptop"])
def test_a_former_path_deletes_nothing_with_borg_2(admission: Admission, typed: str) -> None:
    paths = replace(admission.paths, accepts_former=True, others=frozenset({"nas"}))
    former = replace(admission, paths=paths)
    assert permissions_of(former, typed) == "no-delete"
    assert permissions_of(replace(former, access=Access.READ_ONLY), typed) == "read-only"
    for refused in ("nas", "laptop/sub"):
        with pytest.raises(AccessRefused, match="One login holds one repository"):
            make_plan(former, Borg2Serve(refused), HOST)
    with pytest.raises(AccessRefused, match="One login holds one repository"):
        make_plan(replace(former, is_created=False), Borg2Serve(typed), HOST)


def permissions_of(admission: Admission, typed: str) -> str:
    argv = list(make_plan(admission, Borg2Serve(typed), HOST).spec.argv)
    path = str(admission.place.repository)
    assert argv[:-1] == [
        "/usr/bin/borg",
        "serve",
        "--rest",
        "--backend",
        f"FILE:{path}",
        "--restrict-to-repository",
        path,
        "--permissions",
    ]
    return argv[-1]


@pytest.mark.parametrize(
    ("request_", "need"),
    [
        (BorgServe(None), Need.BORG),
        (Borg2Serve("x"), Need.BORG),
        (Rsync(sending=True, options=()), Need.EXPORT),
        (Rsync(sending=False, options=()), Need.IMPORT),
        (ShowStatus(as_json=False), Need.STATUS),
    ],
)
def test_each_request_has_its_need(request_: command.Request, need: Need) -> None:
    assert need_of(request_) == need


words = st.sampled_from(
    [
        "borg",
        "serve",
        "rsync",
        "--server",
        "--sender",
        "-logDtpre.iLsfxCIvu",
        ".",
        "..",
        "/etc",
        "--restrict-to-path",
        "/",
        "--storage-quota=1T",
        "--umask=000",
        "--rest",
        "--backend",
        "FILE:/etc",
        "--debug",
        "-v",
        "--delete",
        "--partial",
        "--log-file=/tmp/x",
        "-s",
        "sudo",
        ";",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(st.lists(words | st.text(max_size=12), max_size=8))
def test_whatever_is_asked_nothing_outside_is_named(admission: Admission, asked: list[str]) -> None:
    try:
        request = command.parse(" ".join(asked))
    except CommandRefused:
        return
    if isinstance(request, ShowStatus):
        return
    try:
        spec = make_plan(admission, request, HOST).spec
    except AccessRefused:
        return
    home = str(admission.place.home)
    for word in spec.argv[1:]:
        path = word.partition("=")[2] if word.startswith("--") else word.removeprefix("FILE:")
        assert not path.startswith("/") or path.startswith(home), spec.argv
        assert ".." not in path.split("/") or path == "../laptop", spec.argv
    assert spec.argv[0] in {"/usr/bin/borg", "/usr/bin/rsync"}
    allowed = (admission.place.home, scratch(admission.place, HOST))
    for touched in (*spec.writable, spec.cwd):
        assert any(touched.is_relative_to(directory) for directory in allowed)


def _rsync(text: str) -> Rsync:
    request = command.parse(text)
    assert isinstance(request, Rsync)
    return request
