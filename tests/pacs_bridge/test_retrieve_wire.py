"""Requesters of retrieves that do not keep to what was agreed, byte by byte over a bare socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from casework.model import AePermission
from pacs_bridge import dimse, pdu
from pacs_bridge.identifier import write_identifier
from pacs_bridge.items import Role, UserInformation
from pacs_bridge.negotiation import Proposed
from pacs_bridge.syntaxes import IMPLICIT_LE, STUDY_ROOT_GET, STUDY_ROOT_MOVE
from tests.flows.waiting import until
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.retrieving import RETRIEVER, fill, know, slices
from tests.pacs_bridge.wire import CT, Peer, associate_request, connected, p_data

ABORT = 7
IDENTIFIER = write_identifier(
    {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.2.1"},
    transfer_syntax=IMPLICIT_LE,
    charset_terms=(),
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Return a house whose index is always too far behind for anything to be stored."""
    with open_house(tmp_path_factory.mktemp("wire"), congestion_backlog=0) as opened:
        fill(opened, *slices(2))
        know(opened, RETRIEVER, "hammer", 0)
        yield opened


def associate(peer: Peer) -> pdu.AssociateAccept:
    proposed = tuple(
        Proposed(2 * n + 1, uid, (IMPLICIT_LE,))
        for n, uid in enumerate((STUDY_ROOT_MOVE, STUDY_ROOT_GET, CT))
    )
    user = UserInformation(16384, "1.2.3", roles=(Role(CT, scu=False, scp=True),))
    peer.send(pdu.encode(pdu.AssociateRequest("LYSBRO", RETRIEVER, proposed, user)))
    kind, body = peer.read_pdu()
    answer = pdu.decode(kind, body)
    assert isinstance(answer, pdu.AssociateAccept), answer
    return answer


def request(field: int, sop_class: str, message_id: int, destination: bytes = b"") -> bytes:
    elements = {
        0x0002: sop_class.encode() + b"\0" * (len(sop_class) % 2),
        0x0100: field.to_bytes(2, "little"),
        0x0110: message_id.to_bytes(2, "little"),
        0x0700: b"\0\0",
        0x0800: b"\1\0",
    }
    if destination:
        elements[0x0600] = destination
    return dimse.write_elements(elements)


def get(message_id: int) -> bytes:
    command = request(dimse.C_GET_RQ, STUDY_ROOT_GET, message_id)
    return p_data(3, 3, command) + p_data(3, 2, IDENTIFIER)


def test_requests_piled_up_are_an_abort(house: House) -> None:
    with connected(house.port) as peer:
        associate(peer)
        peer.send(b"".join(get(n) for n in range(1, 9)))

        assert peer.read_pdu()[0] == ABORT


def test_object_sent_over_a_context_that_was_agreed_for_getting_is_refused(house: House) -> None:
    know(house, RETRIEVER, "hammer", 0, AePermission.RETRIEVE, AePermission.STORE)
    with connected(house.port) as peer:
        answer = associate(peer)
        command = dimse.write_store_request(1, CT, "1.2.2.77")
        peer.send(p_data(5, 3, command) + p_data(5, 2, b"anything"))

        assert answer.user.roles == (Role(CT, scu=False, scp=True),)
        assert peer.response().Status == 0x0124


def test_congestion_turns_away_who_would_store_and_not_who_gets(house: House) -> None:
    know(house, RETRIEVER, "hammer", 0, AePermission.RETRIEVE, AePermission.STORE)
    with connected(house.port) as peer:
        peer.send(associate_request([(CT, IMPLICIT_LE)], calling=RETRIEVER))
        assert peer.read_pdu() == (3, b"\0\x02\x03\x01")
    with connected(house.port) as peer:
        assert {c.result for c in associate(peer).contexts} == {0}


def test_answer_to_another_object_ends_the_association_and_is_noted(house: House) -> None:
    with connected(house.port) as peer:
        associate(peer)
        peer.send(get(4))
        kind, body = peer.read_pdu()
        stored = dimse.read_command(body[6:])
        while peer.read_pdu()[1][5] != 2:
            pass
        wrong = dimse.write_store_request(stored.message_id + 1, CT, stored.affected_instance)
        peer.send(p_data(5, 3, dimse.write_response(dimse.read_command(wrong), 0x0000)))
        last = peer.read_pdu()[0]

    assert (kind, stored.field) == (4, dimse.C_STORE_RQ)
    assert last == ABORT
    entry = until(
        lambda: [e for e in house.ledger.entries(limit=2) if e.action == "retrieved"], "the audit"
    )[0]
    assert (entry.outcome, entry.detail["sent"], entry.detail["remaining"]) == ("failed", 0, 2)


def test_abort_in_the_middle_of_an_object_leaves_the_house_as_it_was(house: House) -> None:
    for _ in range(3):
        with connected(house.port) as peer:
            associate(peer)
            peer.send(get(4))
            peer.read_pdu()
            peer.send(pdu.encode(pdu.Abort(0, 0)))
    until(lambda: house.meter.open_now == 0, "the end of the associations")

    with connected(house.port) as peer:
        associate(peer)
        peer.send(p_data(1, 3, request(dimse.C_MOVE_RQ, STUDY_ROOT_MOVE, 9, b"NOWHERE ")))
        peer.send(p_data(1, 2, IDENTIFIER))

        assert peer.response().Status == 0xA801


def test_identifier_that_is_no_data_set_is_refused(house: House) -> None:
    with connected(house.port) as peer:
        associate(peer)
        peer.send(p_data(1, 3, request(dimse.C_MOVE_RQ, STUDY_ROOT_MOVE, 9, b"NOWHERE ")))
        peer.send(p_data(1, 2, b"\xff" * 40))

        assert peer.response().Status == 0xA900


def test_operation_of_another_model_is_not_recognised(house: House) -> None:
    with connected(house.port) as peer:
        associate(peer)
        peer.send(p_data(1, 3, request(dimse.C_GET_RQ, STUDY_ROOT_MOVE, 9)))
        peer.send(p_data(1, 2, IDENTIFIER))

        assert peer.response().Status == 0x0211
