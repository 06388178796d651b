"""The stream gives the same events however its bytes are cut, and holds no more than its buffer."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom.pdu import P_DATA_TF

from casework.errors import Invalid
from pacs_bridge import pdu
from pacs_bridge.stream import BUFFER_BYTES, Fragment, PduStream, StreamLimits
from tests.pacs_bridge.pdus import SAMPLES, pdus
from tests.pacs_bridge.wire import fed, p_data

Whole = tuple[int, bool, bytes]
"""The context, whether it is a command, and the bytes of a command set or data set."""

fragments = st.tuples(
    st.integers(0, 127).map(lambda n: 2 * n + 1),
    st.integers(0, 3),
    st.binary(max_size=200),
)


def p_data_of(values: list[tuple[int, int, bytes]]) -> bytes:
    """Return one P-DATA-TF that holds several fragments."""
    items = b"".join(
        struct.pack(">LBB", len(data) + 2, context, control) + data
        for context, control, data in values
    )
    return struct.pack(">BxL", pdu.P_DATA, len(items)) + items


def seen_by_theirs(encoded: bytes) -> list[tuple[int, int, bytes]]:
    """Return the fragments that pynetdicom finds in a P-DATA-TF."""
    theirs = P_DATA_TF()
    theirs.decode(encoded)
    return [
        (
            item.presentation_context_id,
            item.presentation_data_value[0],
            item.presentation_data_value[1:],
        )
        for item in theirs.presentation_data_value_items
    ]


def joined(events: list[Fragment | pdu.Pdu]) -> list[tuple[int, int, bytes] | pdu.Pdu]:
    """Return the events, pieces of one command or data set put together up to its last."""
    found: list[tuple[int, int, bytes] | pdu.Pdu] = []
    held: dict[tuple[int, bool], bytes] = {}
    for event in events:
        if not isinstance(event, Fragment):
            found.append(event)
            continue
        key = (event.context_id, event.is_command)
        held[key] = held.get(key, b"") + bytes(event.data)
        if event.is_last:
            found.append((event.context_id, event.is_command | 2, held.pop(key)))
    return found + [(context, int(command), data) for (context, command), data in held.items()]


def fed_in_pieces(stream: PduStream, pieces: list[bytes]) -> list[Fragment | pdu.Pdu]:
    return [event for piece in pieces for event in fed(stream, piece)]


def cut(content: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(content)]
    return [content[a:b] for a, b in zip(edges, edges[1:], strict=False)]


@given(st.lists(st.lists(fragments, min_size=1, max_size=4), min_size=1, max_size=4), st.data())
@settings(deadline=None)
def test_fragments_are_the_same_however_the_bytes_are_cut(
    sent: list[list[tuple[int, int, bytes]]], data: st.DataObject
) -> None:
    encoded = [p_data_of(values) for values in sent]
    content = b"".join(encoded)
    places = data.draw(st.lists(st.integers(0, len(content)), max_size=12))

    in_pieces = fed_in_pieces(PduStream(), cut(content, places))

    assert [f for pdata in encoded for f in seen_by_theirs(pdata)] == [
        value for values in sent for value in values
    ]
    assert joined(in_pieces) == joined(fed(PduStream(), content))
    assert joined(in_pieces) == joined(
        [
            Fragment(context, bool(control & 1), memoryview(value), bool(control & 2))
            for pdata in encoded
            for context, control, value in seen_by_theirs(pdata)
        ]
    )


@given(st.lists(st.one_of(pdus, fragments), min_size=1, max_size=4), st.data())
@settings(deadline=None)
def test_pdus_between_fragments_come_out_in_their_order(
    sent: list[pdu.Pdu | tuple[int, int, bytes]], data: st.DataObject
) -> None:
    whole = [
        value if not isinstance(value, tuple) else (value[0], value[1] | 2, value[2])
        for value in sent
    ]
    content = b"".join(
        p_data(*value) if isinstance(value, tuple) else pdu.encode(value) for value in whole
    )
    places = data.draw(st.lists(st.integers(0, len(content)), max_size=12))
    stream = PduStream()

    events = fed_in_pieces(stream, cut(content, places))

    assert joined(events) == [
        (value[0], value[1] & 1 | 2, value[2]) if isinstance(value, tuple) else value
        for value in whole
    ]
    assert stream.begun == len(sent)
    assert not stream.is_inside_pdu


def test_bytes_one_at_a_time_are_the_same_as_all_at_once() -> None:
    content = b"".join(pdu.encode(sample) for sample in SAMPLES) + p_data(3, 3, b"a command")

    one_by_one = fed_in_pieces(PduStream(), [content[i : i + 1] for i in range(len(content))])

    assert joined(one_by_one) == [*SAMPLES, (3, 3, b"a command")]


@given(st.binary(max_size=600), st.data())
@settings(max_examples=300)
def test_any_bytes_end_in_events_or_invalid(content: bytes, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(content)), max_size=4))
    with contextlib.suppress(Invalid):
        fed_in_pieces(PduStream(), cut(content, places))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_changed_bytes_end_in_events_or_invalid(data: st.DataObject) -> None:
    content = bytearray(p_data_of([(1, 1, b"half "), (1, 3, b"a command"), (3, 2, bytes(40))]))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Invalid):
        fed(PduStream(), bytes(content) + pdu.encode(SAMPLES[0]))


LIMITS = StreamLimits(max_pdu=4096, request_bytes=2000)


@pytest.mark.parametrize(
    ("kind", "longest"),
    [
        (pdu.ASSOCIATE_RQ, 2000),
        (pdu.ASSOCIATE_AC, 2000),
        (pdu.ASSOCIATE_RJ, 1024),
        (pdu.P_DATA, 4096 + 1024),
        (pdu.RELEASE_RQ, 1024),
        (pdu.RELEASE_RP, 1024),
        (pdu.ABORT, 1024),
    ],
)
def test_length_over_the_limit_is_refused_at_the_head(kind: int, longest: int) -> None:
    assert fed(PduStream(LIMITS), struct.pack(">BxL", kind, longest)) == []

    for announced in (longest + 1, 1 << 31, 0xFFFFFFFF):
        stream = PduStream(LIMITS)
        with pytest.raises(Invalid, match=f"{announced} bytes was announced") as refused:
            fed(stream, struct.pack(">BxL", kind, announced))
        assert refused.value.code == "pdu-too-long"
        assert stream.begun == 0


@pytest.mark.parametrize(
    "content",
    [
        struct.pack(">BxL", 0, 4),
        struct.pack(">BxL", 8, 4),
        struct.pack(">BxL", 255, 4),
        struct.pack(">BxL", pdu.P_DATA, 0),
        struct.pack(">BxL", pdu.P_DATA, 5),
        struct.pack(">BxLLBB", pdu.P_DATA, 6, 1, 1, 3),  # too short for its own header
        struct.pack(">BxLLBB", pdu.P_DATA, 6, 0, 1, 3),
        struct.pack(">BxLLBB", pdu.P_DATA, 8, 9, 1, 3),  # longer than its PDU
        struct.pack(">BxLLBB", pdu.P_DATA, 100, 0xFFFFFFFF, 1, 3),
        struct.pack(">BxLLBB", pdu.P_DATA, 11, 2, 1, 3),  # leaves too little for another
        struct.pack(">BxL", pdu.RELEASE_RQ, 3) + bytes(3),
    ],
)
def test_what_is_no_pdu_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        fed(PduStream(LIMITS), content)
    assert refused.value.code in ("bad-pdu", "pdu-too-long")


def test_fragment_without_bytes_ends_what_it_ends() -> None:
    (event,) = fed(PduStream(), p_data(1, 2, b""))

    assert isinstance(event, Fragment)
    assert (event.is_command, event.is_last, bytes(event.data)) == (False, True, b"")


def test_fragment_of_any_length_needs_no_more_than_the_buffer() -> None:
    length = 200 << 20
    stream = PduStream(StreamLimits(max_pdu=length + 6))
    head = pdu.encode_fragment_head(1, 2, length)
    stream.space()[: len(head)] = head
    assert stream.received(len(head)) == []
    noise = bytes(BUFFER_BYTES)
    left, longest, ends = length, 0, 0
    tracemalloc.start()
    try:
        while left:
            space = stream.space()
            taken = min(len(space), left)
            space[:taken] = noise[:taken]
            for event in stream.received(taken):
                assert isinstance(event, Fragment)
                longest = max(longest, len(event.data))
                left -= len(event.data)
                ends += event.is_last
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert ends == 1
    assert longest <= BUFFER_BYTES
    assert peak < BUFFER_BYTES + (64 << 10)  # the slice of noise, and little else
    assert not stream.is_inside_pdu


@pytest.mark.parametrize("behind", [b"", b"\x04\x00", p_data(1, 3, b"too early")])
def test_request_is_played_again_with_what_came_behind_it(behind: bytes) -> None:
    content = pdu.encode(SAMPLES[0]) + behind
    stream = PduStream()
    stream.space()[:100] = content[:100]
    assert stream.received(100) == []
    stream.space()[: len(content) - 100] = content[100:]

    events = stream.received(len(content) - 100)

    assert events[0] == SAMPLES[0]
    assert stream.replay() == content
