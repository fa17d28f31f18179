"""Every method, with every access, in every phase of a session, against real borg serve."""

from __future__ import annotations

import shutil
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack
import pytest

from hive.borg.framing import ProtocolError
from hive.borg.rpc_policy import TABLE, Phase
from hive.kinds import Access
from tests.borg.rpc_serve import Serve
from tests.programs import borg_command, has_borg_11
from tests.rpc_messages import RpcError

MANIFEST = bytes(32)
KEY = b64encode(msgpack.packb({"version": 1, "algorithm": "sha256", "data": b"x"})) + b"\n"
CHUNK = b"c" * 32
NEW = b"n" * 32

# method: what full, append-only and read-only keys may, as pairs of phase and letters.
EXPECTED = {
    "negotiate": "START far",
    "open": "START far",
    "get": "SHARED far, EXCLUSIVE far, MAINTENANCE f",
    "__len__": "SHARED far, EXCLUSIVE far",
    "list": "SHARED far, EXCLUSIVE far",
    "scan": "SHARED far, EXCLUSIVE far",
    "load_key": "SHARED far, EXCLUSIVE far, MAINTENANCE f",
    "rollback": "SHARED far, EXCLUSIVE far, MAINTENANCE f, LOCKED f",
    "check": "EXCLUSIVE far",
    "get_free_nonce": "EXCLUSIVE fa",  # r only within a check
    "commit_nonce_reservation": "EXCLUSIVE fa",
    "put": "EXCLUSIVE fa",
    "delete": "EXCLUSIVE fa",
    "commit": "EXCLUSIVE fa",
    "save_key": "SHARED f, EXCLUSIVE f, MAINTENANCE f",
    "destroy": "EXCLUSIVE f",
    "break_lock": "MAINTENANCE f, LOCKED f",
    "inject_exception": "",
    "close": "",
    "info": "",
    "__class__": "",
    "serve": "",
    "put_many": "",
}
ARGUMENTS: dict[str, dict[str, object]] = {
    "negotiate": {"client_data": {b"client_version": (1, 2, 0)}},
    "open": {"path": "/./alpha", "create": False, "lock": True, "exclusive": True},
    "get": {"id": MANIFEST},
    "list": {"limit": 10, "marker": None},
    "scan": {"limit": 10, "marker": None},
    "check": {"repair": False, "save_space": False},
    "commit_nonce_reservation": {"next_unreserved": 2**28, "start_nonce": None},
    "put": {"id": NEW, "data": b"new", "wait": True},
    "delete": {"id": CHUNK, "wait": True},
    "commit": {"save_space": False, "compact": True},
    "save_key": {"keydata": KEY},
    "inject_exception": {"kind": b"divide"},
}
READING = {"get", "__len__", "list", "scan", "load_key", "rollback"}
PHASES = [phase for phase in Phase if phase is not Phase.OPENING]


def allowed(method: str, access: Access, phase: Phase) -> bool:
    letter = {Access.FULL: "f", Access.APPEND_ONLY: "a", Access.READ_ONLY: "r"}[access]
    cells = dict(cell.split() for cell in EXPECTED[method].split(", ") if cell)
    return letter in cells.get(phase.name, "")


def reach(phase: Phase, access: Access) -> bool:
    """Append-only and read-only keys never open without the lock."""
    return access == Access.FULL or phase not in (Phase.MAINTENANCE, Phase.LOCKED)


class Stage:
    """A repository with two objects, and sessions of it that are in a wanted phase."""

    def __init__(self, borg: str, directory: Path) -> None:
        self.borg = borg
        self.repository = directory / "alpha"
        self._made = directory / "made"
        self._make()
        self.repository.rename(self._made)

    def fresh(self) -> None:
        shutil.rmtree(self.repository, ignore_errors=True)
        shutil.copytree(self._made, self.repository)

    def _make(self) -> None:
        with Serve(self.borg, self.repository, Access.FULL) as serve:
            serve.open(create=True)
            for identifier in (MANIFEST, CHUNK):
                serve.call("put", id=identifier, data=b"kept", wait=True)
            serve.call("commit")

    @contextmanager
    def session(self, phase: Phase, access: Access) -> Iterator[Serve]:
        lock = self.repository / "lock.exclusive"
        if phase in (Phase.LOCKED, Phase.CLOSED):
            lock.mkdir()
            (lock / "elsewhere@1.4711-0").touch()
        serve = Serve(self.borg, self.repository, access)
        with serve:
            if phase in (Phase.SHARED, Phase.EXCLUSIVE):
                serve.open(exclusive=phase is Phase.EXCLUSIVE)
            elif phase in (Phase.MAINTENANCE, Phase.LOCKED):
                serve.open(lock=False, exclusive=False)
            elif phase is Phase.CLOSED:
                with pytest.raises(RpcError, match="Lock"):
                    serve.open()
            assert serve.filter.phase is phase
            yield serve
        if lock.is_dir():
            (lock / "elsewhere@1.4711-0").unlink(missing_ok=True)
            lock.rmdir()

    def kept(self) -> bool:
        with Serve(self.borg, self.repository, Access.READ_ONLY) as serve:
            serve.open()
            result: Any = serve.call("get", id=CHUNK)
            return bool(result == b"kept" and serve.call("check", repair=False))


@pytest.fixture(scope="module", params=["1.1", "1.2", "1.4"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    if request.param == "1.1" and not has_borg_11():
        pytest.skip("borg 1.1 does not build with this Python")
    return Stage(borg_command(request.param), tmp_path_factory.mktemp("stage"))


def test_the_table_names_what_the_tests_expect() -> None:
    for method, phases in TABLE.items():
        for phase in Phase:
            for letter, access in zip("far", Access, strict=True):
                is_nonce = "nonce" in method and letter == "r"
                expected = phase is not Phase.OPENING and allowed(method, access, phase)
                assert (letter in phases.get(phase, "")) == expected or is_nonce, (method, phase)


@pytest.mark.parametrize("access", list(Access))
@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_what_the_table_refuses_never_reaches_borg(
    stage: Stage, phase: Phase, access: Access
) -> None:
    if not reach(phase, access):
        pytest.skip("refused at opening: see below")
    stage.fresh()
    with stage.session(phase, access) as serve:
        for method in EXPECTED:
            if allowed(method, access, phase):
                continue
            passed = serve.passed
            with pytest.raises(RpcError) as caught:
                serve.call(method, **ARGUMENTS.get(method, {}))
            assert (caught.value.kind, serve.passed) == ("Error", passed), method
            assert "Repository alpha" in caught.value.message
    assert stage.kept()


@pytest.mark.long
@pytest.mark.parametrize("access", list(Access))
@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_what_the_table_allows_is_done_by_borg(stage: Stage, phase: Phase, access: Access) -> None:
    methods = [method for method in EXPECTED if allowed(method, access, phase)]
    reading = [method for method in methods if method in READING]
    groups = [reading, *([method] for method in methods if method not in READING)]
    for group in groups if reach(phase, access) else []:
        stage.fresh()
        with stage.session(phase, access) as serve:
            for method in group:
                try_allowed(serve, method, phase)
        assert group == ["destroy"] or stage.kept(), group


def try_allowed(serve: Serve, method: str, phase: Phase) -> None:
    if method == "commit":
        serve.call("put", **ARGUMENTS["put"])
    passed = serve.passed
    result = serve.call(method, **ARGUMENTS.get(method, {}))
    # The lock that lies there is the session's: there is nothing to do.
    is_answered = method == "break_lock" and phase is Phase.MAINTENANCE
    assert serve.passed == passed + (not is_answered), method
    if method == "get":
        assert result == b"kept"


@pytest.mark.parametrize("access", [Access.APPEND_ONLY, Access.READ_ONLY])
@pytest.mark.parametrize("locked", [True, False])
def test_only_a_full_key_opens_without_the_lock(stage: Stage, access: Access, locked: bool) -> None:
    stage.fresh()
    if locked:
        (stage.repository / "lock.exclusive").mkdir()
    with Serve(stage.borg, stage.repository, access) as serve:
        for lock in (False, None, 0, b""):
            passed = serve.passed
            with pytest.raises(RpcError, match="Repository alpha"):
                serve.open(lock=lock, exclusive=False)
            assert serve.passed == passed
        assert serve.filter.phase is Phase.CLOSED


def test_a_full_key_opens_without_the_lock_only_where_nothing_else_runs(stage: Stage) -> None:
    stage.fresh()
    with Serve(stage.borg, stage.repository, Access.FULL, lambda: "session 7") as serve:
        with pytest.raises(RpcError, match="in use by session 7"):
            serve.open(lock=False, exclusive=False)
        assert serve.filter.phase is Phase.CLOSED


def test_a_lock_is_broken_only_where_nothing_else_runs(stage: Stage) -> None:
    stage.fresh()
    others: list[str | None] = [None, "session 7"]
    lock = stage.repository / "lock.exclusive"
    lock.mkdir()
    with Serve(stage.borg, stage.repository, Access.FULL, lambda: others.pop(0)) as serve:
        serve.open(lock=False, exclusive=False)
        with pytest.raises(RpcError, match="in use by session 7"):
            serve.call("break_lock")
    assert lock.is_dir()
    lock.rmdir()


@pytest.mark.parametrize("access", list(Access))
def test_nothing_is_taken_before_borg_says_that_it_is_open(stage: Stage, access: Access) -> None:
    """borg serve keeps a repository whose lock it did not get, and would write to it."""
    stage.fresh()
    lock = stage.repository / "lock.exclusive"
    lock.mkdir()
    (lock / "elsewhere@1.4711-0").touch()
    with Serve(stage.borg, stage.repository, access) as serve:
        serve.send("open", **ARGUMENTS["open"], lock_wait=0.1)
        with pytest.raises(ProtocolError):
            serve.send("put", id=CHUNK, data=b"evil", wait=True)
        with pytest.raises(ProtocolError):
            serve.send("commit")
    (lock / "elsewhere@1.4711-0").unlink()
    lock.rmdir()
    assert stage.kept()


STRANGE: list[tuple[str, dict[str, Any]]] = [
    ("check", {"repair": False, "max_duration": b"x"}),
    ("check", {"repair": False, "max_duration": 1.5}),
    ("check", {"repair": 0}),
    ("put", {"id": b"short", "data": b"x"}),
    ("put", {"id": CHUNK, "data": None}),
    ("put", {"id": CHUNK}),
    ("delete", {"id": None}),
    ("delete", {}),
    ("get", {"id": 7}),
    ("list", {"limit": -1}),
    ("scan", {"limit": 0}),
    ("list", {"limit": 10**9}),
    ("scan", {"limit": 1, "marker": b"x"}),
    ("commit", {"threshold": b"x"}),
    ("commit", {"compact": 1}),
    ("commit_nonce_reservation", {"next_unreserved": 2**28}),
    ("commit_nonce_reservation", {"next_unreserved": -1, "start_nonce": None}),
    ("commit_nonce_reservation", {"next_unreserved": True, "start_nonce": None}),
]


@pytest.mark.parametrize("access", [Access.FULL, Access.APPEND_ONLY])
def test_an_argument_that_borg_does_not_send_never_reaches_it(stage: Stage, access: Access) -> None:
    stage.fresh()
    with stage.session(Phase.EXCLUSIVE, access) as serve:
        serve.call("put", **ARGUMENTS["put"])  # so that there is something to commit
        for method, arguments in STRANGE:
            passed = serve.passed
            with pytest.raises(RpcError, match="borg sends no "):
                serve.call(method, **arguments)
            assert serve.passed == passed, (method, arguments)


@pytest.mark.parametrize("access", [Access.FULL, Access.APPEND_ONLY])
def test_what_a_rollback_gave_up_is_not_committed(stage: Stage, access: Access) -> None:
    """borg serve would write the end of a transaction behind it, and an index that lacks it."""
    stage.fresh()
    with stage.session(Phase.EXCLUSIVE, access) as serve:
        serve.call("get", id=CHUNK)
        with pytest.raises(RpcError, match="nothing was written"):
            serve.call("commit", compact=False)
        serve.call("delete", id=CHUNK, wait=True)
        serve.call("rollback")
        assert serve.call("get", id=CHUNK) == b"kept"
        with pytest.raises(RpcError, match="nothing was written"):
            serve.call("commit", compact=False)
    assert stage.kept()


@pytest.mark.parametrize("access", [Access.FULL, Access.APPEND_ONLY])
def test_a_session_that_has_checked_writes_nothing(stage: Stage, access: Access) -> None:
    """A check that fails leaves a transaction open, with an index that lacks what was not read."""
    stage.fresh()
    with stage.session(Phase.EXCLUSIVE, access) as serve:
        serve.call("check", repair=False)
        for method in ("put", "delete", "commit"):
            with pytest.raises(RpcError, match="after a check"):
                serve.call(method, **ARGUMENTS[method])
    assert stage.kept()


def test_an_append_only_key_gets_the_nonces_that_its_data_needs_and_no_more(stage: Stage) -> None:
    stage.fresh()
    with stage.session(Phase.EXCLUSIVE, Access.APPEND_ONLY) as serve:
        reserve = "commit_nonce_reservation"
        with pytest.raises(RpcError, match="nonces is refused"):
            serve.call(reserve, next_unreserved=2**64 - 1, start_nonce=None)
        serve.call(reserve, next_unreserved=2**28, start_nonce=None)
        for jump in (2**64 - 1, 2**48, 0):
            with pytest.raises(RpcError, match="nonces is refused"):
                serve.call(reserve, next_unreserved=jump, start_nonce=2**28)
    with stage.session(Phase.EXCLUSIVE, Access.APPEND_ONLY) as serve:
        assert serve.call("get_free_nonce") == 2**28
        serve.call(reserve, next_unreserved=2**29, start_nonce=2**28)
        assert serve.call("get_free_nonce") == 2**29


NO_KEYS = [
    b"EVIL",
    b"[repository]\rappend_only = 1",
    KEY.replace(b"\n", b"\r"),
    b64encode(msgpack.packb(["no map"])),
    b64encode(msgpack.packb({"version": 1})),
    b"A" * 100_000,
    "kéy".encode(),
    None,
]


def test_what_is_not_a_key_is_not_stored_as_one(stage: Stage) -> None:
    stage.fresh()
    before = (stage.repository / "config").read_bytes()
    with stage.session(Phase.EXCLUSIVE, Access.FULL) as serve:
        for keydata in NO_KEYS:
            with pytest.raises(RpcError, match="not a borg key"):
                serve.call("save_key", keydata=keydata)
            assert (stage.repository / "config").read_bytes() == before, keydata


@pytest.mark.parametrize("access", [Access.FULL, Access.APPEND_ONLY])
def test_where_new_data_is_refused_the_rest_goes_on(stage: Stage, access: Access) -> None:
    stage.fresh()
    with stage.session(Phase.EXCLUSIVE, access) as serve:
        serve.call("put", id=NEW, data=b"before", wait=True)
        serve.filter.refuse_new_data("The quota is used up.")
        with pytest.raises(RpcError, match=r"The quota is used up\."):
            serve.call("put", id=b"m" * 32, data=b"x" * 100_000, wait=True)
        assert serve.call("get", id=CHUNK) == b"kept"
        if access == Access.FULL:
            serve.call("delete", id=NEW, wait=True)
            serve.call("put", id=MANIFEST, data=b"kept", wait=True)
            with pytest.raises(RpcError, match="used up"):
                serve.call("put", id=MANIFEST, data=b"again", wait=True)
            serve.call("commit", compact=True)
        else:
            with pytest.raises(RpcError, match="used up"):
                serve.call("put", id=MANIFEST, data=b"x", wait=True)
            with pytest.raises(RpcError, match="used up"):
                serve.call("delete", id=NEW, wait=True)
    assert stage.kept()


def test_an_append_only_key_stores_a_key_only_where_it_creates(stage: Stage) -> None:
    shutil.rmtree(stage.repository, ignore_errors=True)
    with Serve(stage.borg, stage.repository, Access.APPEND_ONLY) as serve:
        serve.open(create=True)
        serve.call("save_key", keydata=KEY)
        serve.call("put", id=MANIFEST, data=b"kept", wait=True)
        serve.call("commit")
        with pytest.raises(RpcError, match="append-only for this key: deleting is refused"):
            serve.call("destroy")
    with (
        stage.session(Phase.EXCLUSIVE, Access.APPEND_ONLY) as serve,
        pytest.raises(RpcError, match="changing its key is refused"),
    ):
        serve.call("save_key", keydata=KEY)


def test_who_comes_too_late_to_create_a_repository_stores_no_key(stage: Stage) -> None:
    """Two sessions were admitted before there was anything; the other one was faster."""
    shutil.rmtree(stage.repository, ignore_errors=True)
    late = Serve(stage.borg, stage.repository, Access.APPEND_ONLY)
    stage.fresh()
    before = (stage.repository / "config").read_bytes()
    with late as serve:
        with pytest.raises(RpcError, match="exist"):
            serve.open(create=True)
        with pytest.raises(RpcError, match="Repository alpha"):
            serve.call("save_key", keydata=KEY)
    assert (stage.repository / "config").read_bytes() == before
    assert stage.kept()
