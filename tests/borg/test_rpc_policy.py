from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.borg.framing import ProtocolError
from hive.borg.rpc_policy import Policy, RequestFilter

WRITABLE = Policy(
    name="alpha",
    path="/srv/alpha",
    writable=True,
    other_repositories={"beta": "ssh://x@h/./beta", "gamma": None, "alpha": None},
    url="ssh://a@h/./alpha",
)
READ_ONLY = replace(WRITABLE, writable=False)


def pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=False)
    return packed


def unpack(data: bytes) -> dict[bytes, object]:
    content: dict[bytes, object] = msgpack.unpackb(data, raw=True, use_list=False)
    return content


def call(method: str, number: int = 7, **arguments: object) -> bytes:
    return pack({b"i": number, b"m": method, b"a": arguments})


NEGOTIATE = pack((1, 1, "negotiate", [{b"client_version": (1, 4, 5, -1)}]))
OPEN = call("open", 2, path="/any/where", create=False, lock=True, exclusive=True)
OPENED = call("open", 2, path="/srv/alpha", create=False, lock=True, exclusive=True)


def opened(policy: Policy) -> RequestFilter:
    rpc = RequestFilter(policy)
    rpc.feed(NEGOTIATE + OPEN)
    assert rpc.opened
    return rpc


def message_of(reply: bytes) -> str:
    arguments = unpack(reply)[b"exception_args"]
    assert isinstance(arguments, tuple)
    return str(arguments[0], "utf-8")


def test_a_connection_tells_about_itself() -> None:
    rpc = RequestFilter(WRITABLE)
    rpc.feed(NEGOTIATE + call("open", path="/./sub/alpha", create=True, exclusive=False))
    assert rpc.client_version == "1.4.5"
    assert rpc.requested_path == "/./sub/alpha"
    assert (rpc.create, rpc.exclusive, rpc.opened) == (True, False, True)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((1, 2, 4, -1), "1.2.4"),
        ((1, 4, 0, -2, 1), "1.4.0rc1"),
        ((1, 1, 18), "1.1.18"),
        ((1, 2), None),
        ((1, 2, 10**9), None),
        ((1, 2, b"x"), None),
        (7, None),
    ],
)
def test_versions_are_written_as_people_do(numbers: object, text: str | None) -> None:
    rpc = RequestFilter(WRITABLE)
    rpc.feed(pack((1, 1, "negotiate", [{b"client_version": numbers}])))
    assert rpc.client_version == text


@pytest.mark.parametrize("policy", [WRITABLE, READ_ONLY], ids=["writable", "read-only"])
def test_every_cut_gives_the_same(policy: Policy) -> None:
    stream = (
        NEGOTIATE + OPEN + call("get", 3, id=b"x" * 32) + call("put", 4, id=b"", data=b"y" * 90)
    )
    whole = RequestFilter(policy).feed(stream)
    for cut in range(len(stream)):
        rpc = RequestFilter(policy)
        first, second = rpc.feed(stream[:cut]), rpc.feed(stream[cut:])
        assert b"".join(first.forward + second.forward) == b"".join(whole.forward)
        assert first.replies + second.replies == whole.replies
        assert rpc.opened


@given(st.lists(st.integers(0, 3000), max_size=8), st.booleans())
def test_random_cuts_give_the_same(cuts: list[int], writable: bool) -> None:
    policy = replace(WRITABLE, writable=writable)
    stream = (
        NEGOTIATE
        + OPEN
        + b"".join(
            call(method, number, id=bytes(32), data=b"z" * 200)
            for number, method in enumerate(["get", "put", "list", "commit", "get", "rollback"])
        )
    )
    whole = RequestFilter(policy).feed(stream)
    rpc = RequestFilter(policy)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    parts = [rpc.feed(stream[a:b]) for a, b in pairwise(edges)]
    assert b"".join(b"".join(part.forward) for part in parts) == b"".join(whole.forward)
    assert [reply for part in parts for reply in part.replies] == whole.replies


def test_after_open_bytes_pass_unread_and_uncopied() -> None:
    rpc = opened(WRITABLE)
    assert rpc.passes_through
    garbage = b"\xc1" * 100
    assert rpc.feed(garbage).forward[0] is garbage
    one_piece = RequestFilter(WRITABLE).feed(NEGOTIATE + OPEN + b"\xc1" * 2_000_000)
    assert b"".join(one_piece.forward) == NEGOTIATE + OPENED + b"\xc1" * 2_000_000


def test_other_open_arguments_reach_the_server() -> None:
    sent = call("open", path="x", create=True, append_only=True, lock_wait=1.5, newer=1)
    (forward,) = RequestFilter(WRITABLE).feed(sent).forward
    expected = {b"path": b"/srv/alpha", b"create": True, b"append_only": True, b"lock_wait": 1.5}
    assert unpack(forward)[b"a"] == expected | {b"newer": 1}
    (forward,) = RequestFilter(READ_ONLY).feed(call("open", path="x", newer=1)).forward
    assert unpack(forward)[b"a"] == {b"path": b"/srv/alpha"}


@pytest.mark.parametrize("path", ["beta", "/./beta", "/~/beta/", "/x/beta/..//./~/", "../beta"])
@pytest.mark.parametrize("policy", [WRITABLE, READ_ONLY], ids=["writable", "read-only"])
def test_the_name_of_another_repository_is_refused(policy: Policy, path: str) -> None:
    rpc = RequestFilter(policy)
    result = rpc.feed(NEGOTIATE + call("open", 5, path=path))
    assert len(result.forward) == 1
    (reply,) = result.replies
    assert unpack(reply)[b"i"] == 5
    assert unpack(reply)[b"exception_class"] == b"PathNotAllowed"
    assert "use ssh://x@h/./beta" in message_of(reply)
    assert not rpc.opened
    assert rpc.feed(OPEN).forward == [OPENED]


def test_a_url_that_is_not_known_is_not_made_up() -> None:
    (reply,) = RequestFilter(WRITABLE).feed(call("open", path="gamma")).replies
    assert "another login" in message_of(reply)


@pytest.mark.parametrize("path", ["", "/", "/./", "~", "..", "alpha", "beta/alpha", "beta2", "\0"])
def test_any_other_path_is_this_repository(path: str) -> None:
    (forward,) = RequestFilter(WRITABLE).feed(call("open", path=path)).forward
    assert unpack(forward)[b"a"] == {b"path": b"/srv/alpha"}


@pytest.mark.parametrize(
    "request_",
    [
        call("get", id=b"x" * 32),
        call("list", limit=100_000, marker=None),
        call("scan", limit=10, marker=b"x"),
        call("__len__"),
        call("load_key"),
        call("rollback"),
        call("check", repair=False, save_space=False, max_duration=0),
        OPENED,
    ],
    ids=lambda message: str(unpack(message)[b"m"]),
)
def test_a_read_only_key_may(request_: bytes) -> None:
    result = opened(READ_ONLY).feed(request_)
    assert (result.forward, result.replies) == ([request_], [])


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (call("put", id=b"x", data=b"y", wait=False), "writing is refused"),
        (call("delete", id=b"x"), "deleting is refused"),
        (call("destroy"), "deleting is refused"),
        (call("commit", compact=True), "writing is refused"),
        (call("save_key", keydata=b""), "changing its key is refused"),
        (call("break_lock"), "breaking its lock is refused"),
        (call("get_free_nonce"), "writing is refused"),
        (call("commit_nonce_reservation", next_unreserved=9, start_nonce=0), "writing is refused"),
        (call("inject_exception", kind=b"divide"), "inject_exception is refused"),
        (call("__class__"), "__class__ is refused"),
        (call("close"), "close is refused"),
        (call("unknown\nmethod"), "unknown?method is refused"),
        (call("check", repair=True), "a check that repairs"),
        (call("check", repair=1), "a check that repairs"),
        (call("check", repair=b""), "a check that repairs"),
        (call("check", max_duration=60), "a check that repairs"),
        (call("check", max_duration=False), "a check that repairs"),
        (call("open", path="x", create=True), "creating it is refused"),
        (call("open", path="x", create=None), "creating it is refused"),
        (call("open", path="x", lock=False), "without its lock"),
        (call("open", path="x", lock=0), "without its lock"),
    ],
)
def test_a_read_only_key_may_not(request_: bytes, says: str) -> None:
    rpc = opened(READ_ONLY)
    result = rpc.feed(request_)
    assert result.forward == []
    (reply,) = result.replies
    content = unpack(reply)
    assert (content[b"i"], content[b"exception_trace"]) == (7, False)
    assert content[b"exception_short"] == content[b"exception_args"]
    assert (
        message_of(reply) == f"Repository alpha is read-only for this key: {message_of(reply)[44:]}"
    )
    assert says in message_of(reply)
    assert len(rpc.refused_methods) == 1


def test_a_check_gets_nonces_that_are_never_reserved() -> None:
    rpc = opened(READ_ONLY)
    rpc.feed(call("list", limit=1, marker=None))
    ask, reserve = call("get_free_nonce"), call("commit_nonce_reservation", 8, next_unreserved=9)
    assert rpc.feed(ask).forward == [ask]
    result = rpc.feed(reserve)
    assert (result.forward, result.replies) == ([], [pack({b"i": 8, b"r": None})])
    assert rpc.feed(call("put", id=b"", data=b"")).forward == []


def test_the_record_of_refusals_is_bounded() -> None:
    rpc = opened(READ_ONLY)
    for number in range(200):
        rpc.feed(call(f"method{number}" + "x" * 80))
    assert len(rpc.refused_methods) == 32
    assert max(map(len, rpc.refused_methods)) == 40


def test_a_key_that_comes_twice_counts_once() -> None:
    body = b"\x82" + pack("repair") + b"\xc2" + pack("repair") + b"\xc3"
    smuggled = b"\x83" + pack("i") + pack(1) + pack("m") + pack("check") + pack("a") + body
    assert opened(READ_ONLY).feed(smuggled).forward == []
    swapped = b"\x83" + pack("i") + pack(1) + pack("m") + pack("check") + pack("a")
    swapped += b"\x82" + pack("repair") + b"\xc3" + pack("repair") + b"\xc2"
    assert opened(READ_ONLY).feed(swapped).forward == [call("check", 1, repair=False)]


@pytest.mark.parametrize("policy", [WRITABLE, READ_ONLY], ids=["writable", "read-only"])
@pytest.mark.parametrize(
    "hostile",
    [
        b"\xc1",
        b"GET / HTTP/1.1\r\n\r\n",
        pack(7),
        pack([1, 2, 3]),
        pack({}),
        pack({b"i": 1, b"m": b"get"}),
        pack({b"i": True, b"m": b"get", b"a": {}}),
        pack({b"i": b"1", b"m": b"get", b"a": {}}),
        pack({b"i": 1, b"m": 1, b"a": {}}),
        pack({b"i": 1, b"m": b"\xff", b"a": {}}),
        pack({b"i": 1, b"m": b"m" * 101, b"a": {}}),
        pack({b"i": 1, b"m": b"get", b"a": {1: 2}}),
        pack({b"i": 1, b"m": b"open", b"a": {}}),
        pack({b"i": 1, b"m": b"open", b"a": {b"path": 1}}),
        pack({(1, 2): 1}),
        pack((1, 1, "negotiate", [2])),
        pack((1, 1, "open", ["/x", False])),
        pack((1, 1, "put", [b"x", b"y"])),
        b"\xc6\x7f\xff\xff\xff" + b"x" * 1_100_000,
        NEGOTIATE * 60_000,
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else None,
)
def test_what_is_not_the_protocol_ends_the_session(policy: Policy, hostile: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        RequestFilter(policy).feed(hostile)
    assert caught.value.message.isprintable()


@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_any_bytes_are_filtered_or_refused(data: bytes, writable: bool, after_open: bool) -> None:
    policy = replace(WRITABLE, writable=writable)
    rpc = opened(policy) if after_open else RequestFilter(policy)
    with suppress(ProtocolError):
        rpc.feed(data)


NAMES = st.sampled_from(["open", "get", "check", "put", "negotiate", "list", "commit", "x"])
KEYS = st.sampled_from([b"path", b"create", b"lock", b"repair", b"id", b"client_data", 1, None])
VALUES = st.none() | st.booleans() | st.integers() | st.binary(max_size=9) | st.just([1, [2]])


@given(st.lists(st.tuples(NAMES, st.dictionaries(KEYS, VALUES, max_size=4)), max_size=4))
def test_a_read_only_key_never_gets_more_than_reading_through(
    calls: list[tuple[str, dict[object, object]]],
) -> None:
    rpc = RequestFilter(READ_ONLY)
    for method, arguments in calls:
        try:
            packed = pack({b"i": 1, b"m": method, b"a": arguments})
        except OverflowError:
            continue
        try:
            result = rpc.feed(packed)
        except ProtocolError:
            return
        for forward in result.forward:
            content = unpack(forward)
            passed = content[b"a"]
            assert isinstance(passed, dict)
            assert content[b"m"] in {b"open", b"get", b"check", b"negotiate", b"list"}
            assert passed.get(b"create", False) is False
            assert passed.get(b"repair", False) is False
            assert passed.get(b"lock", True) is True
            assert content[b"m"] != b"open" or passed[b"path"] == b"/srv/alpha"
