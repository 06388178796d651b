"""PDUs against another implementation, both ways, and what is no PDU at all."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casework.errors import Invalid
from pacs_bridge import pdu
from pacs_bridge.items import UserInformation, decode_user_information, encode_user_information
from pacs_bridge.negotiation import Proposed
from pacs_bridge.stream import PduStream
from tests.pacs_bridge.pdus import SAMPLE_USER, SAMPLES, decoded_by_theirs, encoded_by_theirs, pdus
from tests.pacs_bridge.wire import fed

ids = [type(sample).__name__ for sample in SAMPLES]


def decoded(encoded: bytes) -> pdu.Pdu:
    """Decode a whole PDU, whose length must be that of its bytes."""
    kind, length = struct.unpack_from(">BxL", encoded)
    assert length == len(encoded) - 6
    return pdu.decode(kind, encoded[6:])


@given(pdus)
@settings(deadline=None)
def test_what_is_encoded_reads_back(value: pdu.Pdu) -> None:
    assert decoded(pdu.encode(value)) == value


@given(pdus)
@settings(deadline=None)
def test_what_is_encoded_is_read_the_same_by_another_implementation(value: pdu.Pdu) -> None:
    assert decoded_by_theirs(pdu.encode(value)) == value


@given(pdus)
@settings(deadline=None)
def test_what_another_implementation_encodes_is_read_the_same(value: pdu.Pdu) -> None:
    assert decoded(encoded_by_theirs(value)) == value


@given(pdus)
@settings(deadline=None)
def test_both_implementations_encode_the_same_bytes(value: pdu.Pdu) -> None:
    assert pdu.encode(value) == encoded_by_theirs(value)


@pytest.mark.parametrize("sample", SAMPLES, ids=ids)
def test_samples_of_every_item_go_both_ways(sample: pdu.Pdu) -> None:
    assert decoded_by_theirs(pdu.encode(sample)) == sample
    assert decoded(encoded_by_theirs(sample)) == sample


@pytest.mark.parametrize("sample", SAMPLES, ids=ids)
def test_body_that_is_cut_off_anywhere_is_invalid_or_a_shorter_pdu(sample: pdu.Pdu) -> None:
    encoded = pdu.encode(sample)
    for length in range(len(encoded) - 6):
        with contextlib.suppress(Invalid):
            assert pdu.decode(encoded[0], encoded[6 : 6 + length]) != sample


@pytest.mark.parametrize("sample", SAMPLES, ids=ids)
def test_stream_that_is_cut_off_anywhere_waits_for_more(sample: pdu.Pdu) -> None:
    encoded = pdu.encode(sample)
    for length in range(1, len(encoded)):
        stream = PduStream()
        assert fed(stream, encoded[:length]) == []
        assert stream.is_inside_pdu
        assert fed(stream, encoded[length:]) == [sample]
        assert not stream.is_inside_pdu


@given(st.sampled_from(SAMPLES), st.data())
@settings(deadline=None, max_examples=300)
def test_bytes_that_were_changed_are_a_pdu_or_invalid(sample: pdu.Pdu, data: st.DataObject) -> None:
    encoded = bytearray(pdu.encode(sample))
    for _ in range(data.draw(st.integers(1, 4))):
        encoded[data.draw(st.integers(6, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Invalid):
        again = pdu.decode(encoded[0], bytes(encoded[6:]))
        assert type(again) is type(sample)


@given(st.integers(0, 255), st.binary(max_size=400))
def test_any_bytes_are_a_pdu_or_invalid(kind: int, body: bytes) -> None:
    with contextlib.suppress(Invalid):
        assert isinstance(pdu.decode(kind, body), pdu.Pdu)


@given(st.binary(max_size=400))
def test_any_bytes_are_user_information_or_invalid(content: bytes) -> None:
    with contextlib.suppress(Invalid):
        assert isinstance(decode_user_information(content), UserInformation)


def test_user_information_that_is_cut_off_anywhere_is_invalid_or_less() -> None:
    content = encode_user_information(SAMPLE_USER)
    for length in range(len(content)):
        with contextlib.suppress(Invalid):
            assert decode_user_information(content[:length]) != SAMPLE_USER


def test_items_that_are_not_known_are_passed_over() -> None:
    unknown = struct.pack(">BxH", 0x7E, 3) + b"abc"
    content = unknown + encode_user_information(SAMPLE_USER) + unknown
    assert decode_user_information(content) == SAMPLE_USER

    encoded = pdu.encode(SAMPLES[0])
    assert pdu.decode(pdu.ASSOCIATE_RQ, encoded[6:] + unknown) == SAMPLES[0]


def test_padding_of_titles_and_uids_does_not_count() -> None:
    request = pdu.AssociateRequest(
        "LYSBRO", "CT", (Proposed(1, "1.2.840.10008.1.1\0", ("1.2.840.10008.1.2\0",)),)
    )

    read = decoded(pdu.encode(request))

    assert isinstance(read, pdu.AssociateRequest)
    assert (read.called, read.calling) == ("LYSBRO", "CT")
    assert read.proposed == (Proposed(1, "1.2.840.10008.1.1", ("1.2.840.10008.1.2",)),)


def test_most_contexts_that_there_may_be_are_read_and_not_one_more() -> None:
    contexts = [Proposed(2 * n + 1, "1.2.3", ("1.2",)) for n in range(128)]
    full = pdu.AssociateRequest("A", "B", tuple(contexts))
    assert decoded(pdu.encode(full)) == full

    one_twice = pdu.AssociateRequest("A", "B", (*contexts, contexts[0]))
    with pytest.raises(Invalid, match="129 presentation contexts"):
        decoded(pdu.encode(one_twice))


@pytest.mark.parametrize(
    ("proposed", "said"),
    [
        ((), "0 presentation contexts"),
        ((Proposed(1, "1.2", ("1.2",)), Proposed(1, "1.3", ("1.2",))), "one number"),
        ((Proposed(2, "1.2", ("1.2",)),), "no odd number"),
        ((Proposed(1, "1.2", ()),), "lacks a syntax"),
        ((Proposed(1, "", ("1.2",)),), "lacks a syntax"),
    ],
)
def test_request_whose_contexts_are_not_sound_is_invalid(
    proposed: tuple[Proposed, ...], said: str
) -> None:
    with pytest.raises(Invalid, match=said):
        decoded(pdu.encode(pdu.AssociateRequest("A", "B", proposed)))
