"""In what order fragments make messages, and that what is not whole leaves nothing."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casework.access import Scope
from casework.custody import Door, Origin
from casework.errors import Invalid, NotFound, TooLarge
from casework.model import ApplicationEntity, SiteKind
from pacs_bridge import dimse
from pacs_bridge.desk import Desk
from pacs_bridge.messages import Assembler, Cancel, Response, Whole
from pacs_bridge.meter import NoMeter
from pacs_bridge.negotiation import ACCEPTED, Context
from pacs_bridge.session import Session
from pacs_bridge.sinks import DiscardSink, MemorySink, StoreSink
from pacs_bridge.whole import Message
from storage.archive import utc_now
from storage.commitments import Commitments
from storage.performed import PerformedSteps
from storage.promises import Promises
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.wire import CT, ECHO, IMPLICIT

ALL = Scope(sites=None, specialties=None, own_site="")
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
CONTEXTS = {
    number: Context(number, uid, ACCEPTED, IMPLICIT)
    for number, uid in ((1, CT), (3, ECHO), (5, FIND), (7, CT))
}
ENTITY = ApplicationEntity("HAMMER_CT", "hammer", SiteKind.HOSPITAL)
ORIGIN = Origin(site="hammer", door=Door.DICOM, association="a1")


def command(field: int, *, sop_class: str = ECHO, dataset: bool = False, **more: int) -> bytes:
    elements = {
        0x0002: sop_class.encode() + b"\0" * (len(sop_class) % 2),
        0x0100: struct.pack("<H", field),
        0x0800: struct.pack("<H", 1 if dataset else dimse.NO_DATASET),
    }
    numbers = {"id": 0x0110, "responds_to": 0x0120, "status": 0x0900} if more else {}
    elements |= {numbers[name]: struct.pack("<H", value) for name, value in more.items()}
    return dimse.write_elements(elements)


ECHO_RQ = command(dimse.C_ECHO_RQ, id=4)
FIND_RQ = command(dimse.C_FIND_RQ, sop_class=FIND, dataset=True, id=5)
STORE_RQ = dimse.write_store_request(6, CT, "1.2.3")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("messages"), object_bytes=1 << 20) as opened:
        yield opened


@pytest.fixture(scope="module")
def session(house: House) -> Session:
    desk = Desk(
        archive=house.archive,
        index=house.index,
        ledger=house.ledger,
        own_title="LYSBRO",
        maximum_matches=10,
        max_object_bytes=1 << 20,
        meter=NoMeter(),
        commitments=Commitments(house.database, utc_now),
        performed=PerformedSteps(house.database, utc_now),
        promises=Promises(house.database, utc_now),
    )
    return Session(desk, ENTITY, ORIGIN)


@pytest.fixture
def assembler(session: Session) -> Iterator[Assembler]:
    opened = Assembler(session, CONTEXTS, max_command_bytes=1000)
    yield opened
    opened.discard()


def taken(
    assembler: Assembler, context: int, data: bytes, *, is_command: bool = True, last: bool = True
) -> Whole | None:
    return assembler.take(context, data, is_command=is_command, is_last=last)


def test_command_without_a_data_set_is_a_message(assembler: Assembler) -> None:
    whole = taken(assembler, 3, ECHO_RQ)

    assert isinstance(whole, Message)
    assert whole.command.message_id == 4
    assert whole.context is CONTEXTS[3]
    assert isinstance(whole.sink, DiscardSink)
    assert assembler.is_quiet


def test_command_and_data_set_are_one_message_when_both_are_whole(assembler: Assembler) -> None:
    assert taken(assembler, 5, FIND_RQ[:20], last=False) is None
    assert not assembler.is_quiet
    assert taken(assembler, 5, FIND_RQ[20:]) is None
    assert taken(assembler, 5, b"identi", is_command=False, last=False) is None
    whole = taken(assembler, 5, b"fier", is_command=False)

    assert isinstance(whole, Message)
    assert isinstance(whole.sink, MemorySink)
    assert whole.sink.content == b"identifier"
    assert assembler.is_quiet


@given(seed=st.integers(0, 1 << 30))
@settings(max_examples=50, deadline=None)
def test_pieces_of_any_length_make_the_same_message(session: Session, seed: int) -> None:
    chosen = random.Random(seed)
    assembler = Assembler(session, CONTEXTS)
    found: list[Whole] = []
    for content, is_command in ((FIND_RQ, True), (b"an identifier", False)):
        left = content
        while left:
            length = chosen.randint(0, len(left))
            piece, left = left[:length], left[length:]
            if is_command and left and not piece:
                continue  # a piece of a command has bytes, but for the last
            whole = taken(assembler, 5, piece, is_command=is_command, last=not left)
            found += [whole] if whole is not None else []

    (message,) = found
    assert isinstance(message, Message)
    assert isinstance(message.sink, MemorySink)
    assert message.sink.content == b"an identifier"


@pytest.mark.parametrize("context", [0, 2, 9, 255])
@pytest.mark.parametrize("is_command", [True, False])
def test_context_that_was_not_accepted_is_a_violation(
    assembler: Assembler, context: int, is_command: bool
) -> None:
    with pytest.raises(Invalid, match=f"Context {context} was not accepted") as violated:
        taken(assembler, context, ECHO_RQ, is_command=is_command)
    assert violated.value.code == "bad-context"


def test_data_set_without_a_command_is_a_violation(assembler: Assembler) -> None:
    with pytest.raises(Invalid, match="without its command"):
        taken(assembler, 1, b"data", is_command=False)

    taken(assembler, 3, ECHO_RQ)  # it says that it has none
    with pytest.raises(Invalid, match="without its command"):
        taken(assembler, 3, b"data", is_command=False)


def test_data_set_before_its_command_is_whole_is_a_violation(assembler: Assembler) -> None:
    taken(assembler, 5, FIND_RQ[:20], last=False)
    with pytest.raises(Invalid, match="without its command"):
        taken(assembler, 5, b"data", is_command=False)


@pytest.mark.parametrize("other", [ECHO_RQ, FIND_RQ, b""])
def test_command_inside_a_data_set_is_a_violation(assembler: Assembler, other: bytes) -> None:
    taken(assembler, 5, FIND_RQ)
    taken(assembler, 5, b"half", is_command=False, last=False)
    with pytest.raises(Invalid, match="in the middle of a data set"):
        taken(assembler, 5, other)


@pytest.mark.parametrize("context", [3, 7])  # 7 is of the same class
def test_data_set_in_another_context_than_its_command_is_a_violation(
    assembler: Assembler, context: int
) -> None:
    taken(assembler, 1, STORE_RQ)
    with pytest.raises(Invalid, match="without its command"):
        taken(assembler, context, b"data", is_command=False)


def test_command_whose_pieces_come_in_two_contexts_is_a_violation(assembler: Assembler) -> None:
    taken(assembler, 5, FIND_RQ[:20], last=False)
    with pytest.raises(Invalid, match="two contexts") as violated:
        taken(assembler, 1, FIND_RQ[20:])
    assert violated.value.code == "bad-order"


def test_piece_of_a_command_without_bytes_is_a_violation(assembler: Assembler) -> None:
    with pytest.raises(Invalid, match="empty"):
        taken(assembler, 3, b"", last=False)


def test_last_piece_may_be_empty(assembler: Assembler) -> None:
    assert taken(assembler, 5, FIND_RQ, last=False) is None
    assert taken(assembler, 5, b"") is None
    assert taken(assembler, 5, b"identifier", is_command=False, last=False) is None
    assert taken(assembler, 5, b"", is_command=False, last=False) is None
    assert isinstance(taken(assembler, 5, b"", is_command=False), Message)


def test_command_set_over_the_limit_is_a_violation_at_once(assembler: Assembler) -> None:
    assert taken(assembler, 3, bytes(1000), last=False) is None
    with pytest.raises(Invalid, match="too long"):
        taken(assembler, 3, b"\0", last=False)


def test_command_set_that_is_none_is_a_violation(assembler: Assembler) -> None:
    with pytest.raises(Invalid) as violated:
        taken(assembler, 3, b"GET / HTTP/1.1\r\n\r\n")
    assert violated.value.code == "bad-command"


def test_request_without_a_message_number_is_a_violation(assembler: Assembler) -> None:
    with pytest.raises(Invalid, match="0110"):
        taken(assembler, 3, command(dimse.C_ECHO_RQ))


def test_cancel_names_the_message_and_has_no_data_set(assembler: Assembler) -> None:
    assert taken(assembler, 5, command(dimse.C_CANCEL_RQ, responds_to=5)) == Cancel(5)
    assert assembler.is_quiet

    with pytest.raises(Invalid, match="data set that none has"):
        taken(assembler, 5, command(dimse.C_CANCEL_RQ, responds_to=5, dataset=True))


@pytest.mark.parametrize("field", [0x8001, 0x8030, 0x8100, 0xFFFF])
def test_response_is_given_out_and_its_data_set_thrown_away(
    assembler: Assembler, field: int
) -> None:
    whole = taken(assembler, 3, command(field, responds_to=9, status=0))

    assert isinstance(whole, Response)
    assert whole.command.responded_to == 9
    assert taken(assembler, 3, command(field, responds_to=8, status=0, dataset=True)) is None
    late = assembler.take(3, b"a reply", is_command=False, is_last=True)
    assert isinstance(late, Response)
    assert late.command.responded_to == 8


def test_room_is_asked_for_once_before_each_request_is_begun(session: Session) -> None:
    asked: list[None] = []
    assembler = Assembler(session, CONTEXTS, room=lambda: asked.append(None))

    taken(assembler, 3, ECHO_RQ)
    taken(assembler, 5, command(dimse.C_CANCEL_RQ, responds_to=5))
    taken(assembler, 3, command(dimse.C_ECHO_RSP, responds_to=4, status=0))
    taken(assembler, 5, FIND_RQ)
    taken(assembler, 5, b"identifier", is_command=False)

    assert len(asked) == 2


def test_object_that_is_not_whole_leaves_nothing(
    house: House, session: Session, assembler: Assembler
) -> None:
    taken(assembler, 1, STORE_RQ)
    taken(assembler, 1, bytes(400_000), is_command=False, last=False)
    assert not assembler.is_quiet
    before = house.archive.spool.depth_bytes()

    assembler.discard()
    assembler.discard()

    assert assembler.is_quiet
    assert house.archive.spool.depth_bytes() <= before
    house.archive.settle()
    with pytest.raises(NotFound):
        house.index.instance(ALL, "1.2.3")


def test_object_whose_class_is_not_the_contexts_is_read_and_thrown_away(
    assembler: Assembler,
) -> None:
    taken(assembler, 1, dimse.write_store_request(6, "1.2.840.10008.5.1.4.1.1.4", "1.2.3"))
    whole = taken(assembler, 1, b"data", is_command=False)

    assert isinstance(whole, Message)
    assert isinstance(whole.sink, DiscardSink)


def send_for_ever(assembler: Assembler, context: int) -> int:
    """Send a data set without an end; return how much of it was taken when it was refused."""
    piece = bytes(1 << 20)
    for taken_mib in range(1000):
        try:
            taken(assembler, context, piece, is_command=False, last=False)
        except TooLarge:
            return taken_mib << 20
    raise AssertionError("a data set without an end was taken")


def test_data_set_that_nobody_wants_may_not_go_on_for_ever(assembler: Assembler) -> None:
    taken(assembler, 5, FIND_RQ)
    assert send_for_ever(assembler, 5) <= 1 << 20

    assembler.discard()
    taken(assembler, 1, dimse.write_store_request(6, "1.2.840.10008.5.1.4.1.1.4", "1.2.3"))
    assert send_for_ever(assembler, 1) == 64 << 20


def test_object_far_over_the_limit_is_cut_off(assembler: Assembler) -> None:
    taken(assembler, 1, STORE_RQ)
    assert 64 << 20 <= send_for_ever(assembler, 1) < 70 << 20


def test_object_is_written_to_the_archive_as_it_comes(assembler: Assembler) -> None:
    taken(assembler, 1, STORE_RQ)
    whole = taken(assembler, 1, b"no data set", is_command=False)

    assert isinstance(whole, Message)
    assert isinstance(whole.sink, StoreSink)
    assert whole.sink.finish().status == 0xC000
