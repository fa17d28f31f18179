from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.borg.framing import ProtocolError
from hive.borg.repository_path import PathRule
from hive.borg.request_filter import RequestFilter
from hive.borg.rpc_policy import Phase, Policy
from hive.kinds import Access

FULL = Policy(
    name="Alpha",
    path="/srv/alpha",
    access=Access.FULL,
    url="ssh://a@h/./alpha",
    paths=PathRule(frozenset({"alpha", "Alpha"}), "abcd1234"),
)
APPEND_ONLY = replace(FULL, access=Access.APPEND_ONLY)
READ_ONLY = replace(FULL, access=Access.READ_ONLY)
POLICIES = pytest.mark.parametrize(
    "policy", [FULL, APPEND_ONLY, READ_ONLY], ids=lambda policy: str(policy.access)
)
ID = b"x" * 32


def pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=False)
    return packed


def unpack(data: bytes) -> dict[bytes, object]:
    content: dict[bytes, object] = msgpack.unpackb(data, raw=True, use_list=False)
    return content


def call(method: str, number: int = 7, **arguments: object) -> bytes:
    return pack({b"i": number, b"m": method, b"a": arguments})


NEGOTIATE = pack((1, 1, "negotiate", [{b"client_version": (1, 4, 5, -1)}]))
OPEN = call("open", 2, path="/./alpha", create=False, lock=True, exclusive=True)
OPENED = call("open", 2, path="/srv/alpha", create=False, lock=True, exclusive=True)
ANSWER = pack({b"i": 2, b"r": b"the id of the repository"})


def opened(policy: Policy) -> RequestFilter:
    rpc = RequestFilter(policy)
    assert rpc.feed(NEGOTIATE + OPEN).forward == [NEGOTIATE, OPENED]
    rpc.answered(ANSWER)
    assert rpc.phase is Phase.EXCLUSIVE
    return rpc


def message_of(reply: bytes) -> str:
    arguments = unpack(reply)[b"exception_args"]
    assert isinstance(arguments, tuple)
    return str(arguments[0], "utf-8")


def test_a_connection_tells_about_itself() -> None:
    rpc = RequestFilter(FULL)
    rpc.feed(NEGOTIATE + call("open", path="/./alpha", create=True, exclusive=False))
    assert rpc.client_version == "1.4.5"
    assert rpc.requested_path == "/./alpha"
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
    rpc = RequestFilter(FULL)
    rpc.feed(pack((1, 1, "negotiate", [{b"client_version": numbers}])))
    assert rpc.client_version == text


STREAM = (
    call("get", 3, id=ID)
    + call("put", 4, id=ID, data=b"y" * 90)
    + call("put", 5, id=ID, data=b"z" * 300, wait=True)
    + call("list", 6, limit=3, marker=None)
    + call("put", 7, data=b"in another order", id=ID)
    + call("delete", 8, id=ID)
    + call("destroy_all", 9)
    + call("commit", 10, compact=True)
)


def outcome(rpc: RequestFilter, parts: list[bytes]) -> tuple[bytes, list[bytes], list[str]]:
    results = [rpc.feed(part) for part in parts]
    forward = b"".join(b"".join(result.forward) for result in results)
    replies = [reply for result in results for reply in result.replies]
    return forward, replies, rpc.refused_methods


@POLICIES
@pytest.mark.parametrize("full", [False, True], ids=["room", "no room"])
def test_every_cut_gives_the_same(policy: Policy, full: bool) -> None:
    def at_work() -> RequestFilter:
        rpc = opened(policy)
        if full:
            rpc.refuse_new_data("There is no room.")
        return rpc

    whole = outcome(at_work(), [STREAM])
    for cut in range(1, len(STREAM)):
        assert outcome(at_work(), [STREAM[:cut], STREAM[cut:]]) == whole
    assert outcome(at_work(), [STREAM[i : i + 1] for i in range(len(STREAM))]) == whole


@given(st.lists(st.integers(0, len(STREAM)), max_size=8), st.sampled_from(list(Access)))
def test_random_cuts_give_the_same(cuts: list[int], access: Access) -> None:
    policy = replace(FULL, access=access)
    edges = [0, *sorted(cuts), len(STREAM)]
    parts = [STREAM[a:b] for a, b in pairwise(edges)]
    assert outcome(opened(policy), parts) == outcome(opened(policy), [STREAM])


def test_what_borg_sends_in_bulk_passes_uncopied() -> None:
    rpc = opened(FULL)
    puts = call("put", 3, id=ID, data=b"y" * 100_000) + call("get", 4, id=ID)
    assert rpc.feed(puts).forward[0] is puts
    head, rest = puts[:50_000], puts[50_000:]
    assert rpc.feed(head).forward[0] is head
    assert rpc.feed(rest).forward[0] is rest


def test_a_payload_of_any_length_is_not_collected_but_has_a_limit() -> None:
    rpc = opened(FULL)
    start = call("put", 3, id=ID, data=b"y" * 30_000_000)
    assert rpc.feed(start[:1000]).forward == [start[:1000]]
    forged = b"\x83\xa1i\x01\xa1m\xa3put\xa1a\x82\xa2id\xda\x00\x20" + ID
    with pytest.raises(ProtocolError, match="too long"):
        opened(FULL).feed(forged + b"\xa4data\xdb\x7f\xff\xff\xff")


def test_a_second_id_behind_a_payload_ends_the_session() -> None:
    put = b"\x83\xa1i\x01\xa1m\xa3put\xa1a\x83\xa2id\xda\x00\x20" + ID + b"\xa4data\xa1x"
    with pytest.raises(ProtocolError, match="argument that borg does not send"):
        opened(FULL).feed(put + b"\xa2id\xda\x00\x20" + bytes(32))


def test_a_refused_put_is_answered_when_it_has_come() -> None:
    rpc = opened(READ_ONLY)
    put = call("put", 3, id=ID, data=b"y" * 1000, wait=True)
    for cut in range(1, len(put)):
        assert not rpc.feed(put[:cut]).replies
        result = rpc.feed(put[cut:])
        assert result.forward == []
        assert [unpack(reply)[b"i"] for reply in result.replies] == [3]


def test_only_known_arguments_reach_the_server() -> None:
    sent = call("open", path="alpha", create=True, append_only=True, lock_wait=1.5, newer=1)
    (forward,) = RequestFilter(FULL).feed(sent).forward
    expected = {b"path": b"/srv/alpha", b"create": True, b"append_only": True, b"lock_wait": 1.5}
    assert unpack(forward)[b"a"] == expected | {b"lock": True, b"exclusive": False}


@pytest.mark.parametrize("locked", [True, False])
def test_opening_without_the_lock_takes_it_where_nobody_has_it(locked: bool) -> None:
    rpc = RequestFilter(replace(FULL, is_locked=lambda: locked))
    (forward,) = rpc.feed(call("open", 2, path="alpha", lock=False, exclusive=False)).forward
    arguments = unpack(forward)[b"a"]
    expected = {b"path": b"/srv/alpha", b"lock": not locked, b"exclusive": False}
    assert arguments == expected
    rpc.answered(ANSWER)
    assert rpc.phase is (Phase.LOCKED if locked else Phase.MAINTENANCE)


@POLICIES
def test_an_opening_that_failed_leaves_nothing_open(policy: Policy) -> None:
    rpc = RequestFilter(policy)
    rpc.feed(NEGOTIATE + OPEN)
    rpc.answered(pack({b"i": 1, b"r": {b"server_version": (1, 2, 4)}}))
    rpc.answered(pack((1, 1, None, b"")))
    assert rpc.phase.name == "OPENING"
    rpc.answered(pack({b"i": 2, b"exception_class": b"LockTimeout", b"exception_args": []}))
    assert rpc.phase.name == "CLOSED"
    for again in (OPEN, NEGOTIATE, call("put", id=ID, data=b"x"), call("commit")):
        result = rpc.feed(again)
        assert (result.forward, len(result.replies)) == ([], 1)


@POLICIES
@pytest.mark.parametrize(
    ("method", "says"),
    [
        ("inject_exception", "inject_exception is refused"),
        ("__class__", "__class__ is refused"),
        ("close", "close is refused"),
        ("unknown\nmethod", "unknown?method is refused"),
    ],
)
def test_an_unknown_method_is_refused_in_words(policy: Policy, method: str, says: str) -> None:
    rpc = opened(policy)
    (reply,) = rpc.feed(call(method)).replies
    content = unpack(reply)
    assert (content[b"i"], content[b"exception_trace"]) == (7, False)
    assert content[b"exception_short"] == content[b"exception_args"]
    assert says in message_of(reply)
    assert len(rpc.refused_methods) == 1


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (call("put", id=ID, data=b"y", wait=False), "writing is refused"),
        (call("delete", id=ID), "deleting is refused"),
        (call("destroy"), "deleting is refused"),
        (call("commit", compact=True), "writing is refused"),
        (call("save_key", keydata=b""), "changing its key is refused"),
        (call("break_lock"), "breaking its lock is refused"),
        (call("get_free_nonce"), "writing is refused"),
        (call("commit_nonce_reservation", next_unreserved=9, start_nonce=0), "writing is refused"),
        (call("check", repair=True), "a check that repairs"),
        (call("check", max_duration=60), "a check that remembers"),
    ],
)
def test_a_read_only_key_is_refused_in_words(request_: bytes, says: str) -> None:
    (reply,) = opened(READ_ONLY).feed(request_).replies
    assert message_of(reply).startswith(f"Repository Alpha is read-only for this key: {says}")


def test_a_check_gets_nonces_that_are_never_reserved() -> None:
    rpc = opened(READ_ONLY)
    rpc.feed(call("list", limit=1, marker=None))
    ask, reserve = (
        call("get_free_nonce"),
        call("commit_nonce_reservation", 8, next_unreserved=9, start_nonce=None),
    )
    assert rpc.feed(ask).forward == [ask]
    result = rpc.feed(reserve)
    assert (result.forward, result.replies) == ([], [pack({b"i": 8, b"r": None})])
    assert rpc.feed(call("put", id=ID, data=b"")).forward == []


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


@POLICIES
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


@given(st.binary(max_size=300), st.sampled_from(list(Access)), st.booleans())
def test_any_bytes_are_filtered_or_refused(data: bytes, access: Access, after_open: bool) -> None:
    policy = replace(FULL, access=access)
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
            assert content[b"m"] in {b"open", b"negotiate"}
            assert passed.get(b"create", False) is False
            assert passed.get(b"repair", False) is False
            assert passed.get(b"lock", True) is True
            assert content[b"m"] != b"open" or passed[b"path"] == b"/srv/alpha"
