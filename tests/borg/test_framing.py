from __future__ import annotations

from itertools import pairwise

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.borg.framing import (
    REQUEST_LIMITS,
    RESPONSE_LIMITS,
    MessageReader,
    MessageScanner,
    ProtocolError,
)
from hive.borg.response_framer import ResponseFramer

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.binary(max_size=300)
    | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.binary(max_size=3), inner),
    max_leaves=20,
)


class Watcher:
    """Wants the first `wanted` answers."""

    def __init__(self, wanted: int = 0) -> None:
        self.seen: list[bytes] = []
        self._wanted = wanted

    @property
    def wants_answers(self) -> bool:
        return len(self.seen) < self._wanted

    def answered(self, message: bytes) -> None:
        self.seen.append(message)


def pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=False)
    return packed


def ends_of(data: bytes, cuts: list[int]) -> list[int]:
    """Return the message ends that a scanner finds in `data` when it comes cut at `cuts`."""
    scanner = MessageScanner(RESPONSE_LIMITS)
    edges = [0, *sorted(cuts), len(data)]
    ends = []
    for start, stop in pairwise(edges):
        part = data[start:stop]
        end = scanner.next_end(part)
        while end is not None:
            ends.append(start + end)
            end = scanner.next_end(part, end)
    assert scanner.between_messages
    return ends


@given(st.lists(VALUES, max_size=5), st.booleans(), st.data())
def test_ends_are_found_wherever_the_stream_is_cut(
    values: list[object], new_format: bool, data: st.DataObject
) -> None:
    messages = [msgpack.packb(value, use_bin_type=new_format) for value in values]
    stream = b"".join(messages)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))
    expected = [sum(map(len, messages[: index + 1])) for index in range(len(messages))]
    assert ends_of(stream, cuts) == expected


@pytest.mark.parametrize("count", [1, 4, 5, 6, 50])
@pytest.mark.parametrize("odd", [None, 0, 3, -1])
def test_rows_of_chunk_ids_are_found_cut_at_every_byte(count: int, odd: int | None) -> None:
    ids: list[object] = [bytes([number]) * 32 for number in range(count)]
    if odd is not None:
        ids[odd % count] = b"\xda" * 31
    stream = pack({b"i": 1, b"r": ids}) + pack({b"i": 2, b"r": None})
    whole = ends_of(stream, [])
    assert whole[-1] == len(stream)
    assert len(whole) == 2
    for cut in range(len(stream)):
        assert ends_of(stream, [cut]) == whole


@pytest.mark.parametrize(
    "hostile",
    [
        b"\xc1",
        b"\xc7\xff",  # extension types, and so the time stamps of msgpack
        b"\xd6\xff\0\0\0\0",
        b"\x91" * 9,
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\x00\x00\x00\x65",
        pack([[0] * 100] * 11),
    ],
    ids=repr,
)
def test_bombs_are_refused_before_anything_is_built(hostile: bytes) -> None:
    with pytest.raises(ProtocolError):
        MessageScanner(REQUEST_LIMITS).next_end(hostile)


def test_a_message_that_grows_too_long_is_refused() -> None:
    reader = MessageReader(REQUEST_LIMITS, largest=1000)
    assert reader.next_message(b"\xc6\xff\xff\xff\xff", 0) == (None, 5)
    reader.next_message(b"x" * 990, 0)
    with pytest.raises(ProtocolError, match="too long"):
        reader.next_message(b"x" * 6, 0)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_scanned_or_refused(first: bytes, second: bytes) -> None:
    framer = ResponseFramer(Watcher())
    try:
        assert framer.feed(first) == [first]
        assert framer.feed(second) == [second]
    except ProtocolError:
        pass


def test_a_reply_waits_for_the_end_of_the_servers_message() -> None:
    framer = ResponseFramer(Watcher())
    first, second = pack({b"i": 1, b"r": b"x" * 100}), pack({b"i": 2, b"r": None})
    reply = pack({b"i": 3, b"r": None})
    stream = first + second
    for cut in range(1, len(stream)):
        framer = ResponseFramer(Watcher())
        sent = framer.feed(stream[:cut])
        sent += framer.insert([reply])
        sent += framer.feed(stream[cut:])
        expected = first + reply + second if cut <= len(first) else first + second + reply
        assert b"".join(sent) == expected


@pytest.mark.parametrize("wanted", [0, 1, 2, 3])
def test_a_watcher_sees_the_first_answers_however_they_are_cut(wanted: int) -> None:
    answers = [pack({b"i": number, b"r": b"x" * number * 50}) for number in range(3)]
    stream = b"".join(answers)
    reply = pack({b"i": 9, b"r": None})
    for cut in range(1, len(stream)):
        watcher = Watcher(wanted)
        framer = ResponseFramer(watcher)
        sent = framer.feed(stream[:cut])
        sent += framer.insert([reply])
        sent += framer.feed(stream[cut:])
        assert watcher.seen == answers[:wanted]
        ends = [0, len(answers[0]), len(answers[0] + answers[1]), len(stream)]
        place = next(end for end in ends if end >= cut)
        assert b"".join(sent) == stream[:place] + reply + stream[place:]


def test_what_passes_is_not_copied() -> None:
    data = pack({b"i": 1, b"r": b"x" * 100})
    assert ResponseFramer(Watcher()).feed(data)[0] is data


def test_replies_do_not_pile_up() -> None:
    framer = ResponseFramer(Watcher())
    framer.feed(b"\x92")
    assert framer.insert([b"x" * 1_000_000]) == []
    with pytest.raises(ProtocolError, match="Too many"):
        framer.insert([b"x" * 100_000])
