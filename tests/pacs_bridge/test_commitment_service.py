"""Storage commitment on one association: what is answered, and reports that go over it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset
from pynetdicom.ae import ApplicationEntity as NetworkEntity
from pynetdicom.association import Association
from pynetdicom.dsutils import decode, encode
from sqlalchemy import update

from casework.commitment import Failure, Result
from casework.custody import Door, Origin
from casework.model import AePermission, ApplicationEntity, SiteKind
from pacs_bridge import dimse
from pacs_bridge.desk import Desk
from pacs_bridge.dimse import Command
from pacs_bridge.meter import NoMeter
from pacs_bridge.negotiation import ACCEPTED, Context
from pacs_bridge.session import Session
from pacs_bridge.syntaxes import COMMITMENT, COMMITMENT_INSTANCE, IMPLICIT_LE
from pacs_bridge.whole import Message, OutgoingRequest
from storage.casebook_tables import commitment_items
from storage.commitments import Commitments
from storage.performed import PerformedSteps
from storage.promises import Promises
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.making import CT

CONTEXT = Context(5, COMMITMENT, ACCEPTED, IMPLICIT_LE)
WHO = ApplicationEntity(
    "HAMMER_MR", "hammer", SiteKind.HOSPITAL, permissions=frozenset({AePermission.COMMIT})
)


def us(value: int) -> bytes:
    return struct.pack("<H", value)


def action(
    *, sop_class: str = COMMITMENT, instance: str = COMMITMENT_INSTANCE, kind: int | None = 1
) -> Command:
    elements = {
        0x0003: sop_class.encode(),
        0x0100: us(dimse.N_ACTION_RQ),
        0x0110: us(7),
        0x0800: us(1),
        0x1001: instance.encode(),
    }
    if kind is not None:
        elements[0x1008] = us(kind)
    return Command(elements)


def information(*uids: str, transaction: str = "1.2.9") -> Dataset:
    ds = Dataset()
    ds.TransactionUID = transaction
    ds.ReferencedSOPSequence = []
    for uid in uids:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, uid
        ds.ReferencedSOPSequence.append(item)
    return ds


def response(report: OutgoingRequest, status: int = 0, *, field: int = 0x8100) -> Command:
    asked = dimse.read_command(report.command)
    return Command(
        {0x0100: us(field), 0x0120: us(asked.message_id), 0x0800: us(0x0101), 0x0900: us(status)}
    )


@dataclass
class Line:
    """An association, without a network."""

    session: Session
    commitments: Commitments

    def ask(self, data: bytes, command: Command | None = None) -> int:
        command = command or action()
        sink = self.session.sink_for(CONTEXT, command)
        sink.write(data)
        (reply,) = self.session.answers(Message(CONTEXT, command, sink), lambda: False)
        answer = dimse.read_command(reply.command)
        assert (answer.field, answer.responded_to) == (dimse.N_ACTION_RSP, 7)
        return answer.status

    def ask_for(self, *uids: str, transaction: str = "1.2.9") -> int:
        return self.ask(encode(information(*uids, transaction=transaction), True, True) or b"")

    def judge(self, *, reason: Failure | None = None) -> None:
        """Say what was found of all that is open, without a look."""
        result = Result.COMMITTED if reason is None else Result.FAILED
        with self.commitments.database.begin() as conn:
            conn.execute(update(commitment_items).values(result=result, reason=reason))
        while (taken := self.commitments.lease_waiting(lease_s=60)) is not None:
            assert self.commitments.conclude(taken)

    @property
    def state(self) -> dict[str, int]:
        return {name: n for name, n in self.commitments.counts().items() if n}


@pytest.fixture(scope="module")
def under(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("service")) as opened:
        yield opened


@pytest.fixture
def line(under: House, request: pytest.FixtureRequest) -> Line:
    return open_line(under, request.node.name)


def open_line(house: House, name: str) -> Line:
    """Open an association of a hospital of its own, so that tests do not meet."""
    with house.database.begin() as conn:
        conn.execute(commitment_items.delete())
        conn.exec_driver_sql("DELETE FROM commitments")
    commitments = Commitments(house.database, house.archive.clock)
    desk = Desk(
        archive=house.archive, index=house.index, ledger=house.ledger, own_title="LYSBRO",
        maximum_matches=10, max_object_bytes=1 << 20, meter=NoMeter(), commitments=commitments,
        performed=PerformedSteps(house.database, house.archive.clock),
        promises=Promises(house.database, house.archive.clock),
    )  # fmt: skip
    origin = Origin(site="hammer", door=Door.DICOM, calling_ae="HAMMER_MR", association=name[-32:])
    return Line(Session(desk, WHO, origin), commitments)


def read(report: OutgoingRequest) -> tuple[Dataset, Dataset]:
    return (
        decode(BytesIO(report.command), True, True),
        decode(BytesIO(report.dataset), report.context.transfer_syntax == IMPLICIT_LE, True),
    )


def test_request_is_kept_before_success_is_answered_and_is_in_the_audit(
    line: Line, under: House
) -> None:
    assert line.ask_for("1.2.1", "1.2.2") == 0x0000

    (listed,) = line.commitments.listed()
    assert (listed.commitment.site, listed.commitment.ae_title) == ("hammer", "HAMMER_MR")
    assert (listed.commitment.transaction_uid, listed.instances) == ("1.2.9", 2)
    entry = under.ledger.entries(q="commitment-requested")[0]
    assert (entry.actor_id, entry.subject, entry.outcome) == ("ae:HAMMER_MR", "1.2.9", "ok")
    assert entry.detail == {"instances": 2, "status": "0000"}


GOOD = encode(information("1.2.1"), True, True) or b""


@pytest.mark.parametrize(
    ("command", "data", "status"),
    [
        (action(instance="1.2.3"), GOOD, 0x0112),
        (action(kind=2), GOOD, 0x0123),
        (action(kind=None), GOOD, 0x0212),
        (action(sop_class="1.2.840.10008.1.1"), GOOD, 0x0118),
        (action(), b"", 0x0115),
        (action(), GOOD[:-3], 0x0115),
        (action(), b"no data set at all, but text that goes on", 0x0115),
    ],
)
def test_request_that_is_none_gets_its_status_and_is_not_kept(
    line: Line, command: Command, data: bytes, status: int
) -> None:
    assert f"{line.ask(data, command):04X}" == f"{status:04X}"
    assert line.state == {}
    assert line.session.due() is None


def test_request_when_the_database_fails_is_answered_as_a_failure(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> int:
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(line.commitments, "request", broken)

    assert line.ask_for("1.2.1") == 0x0110


def test_report_goes_over_the_association_of_the_request(line: Line, under: House) -> None:
    line.ask_for("1.2.1")
    assert line.session.due() is None, "nothing is judged"
    line.judge()

    report = line.session.due()

    assert report is not None
    assert report.context == CONTEXT
    command, event = read(report)
    assert (command.CommandField, command.EventTypeID) == (0x0100, 1)
    assert command.AffectedSOPInstanceUID == COMMITMENT_INSTANCE
    assert event.TransactionUID == "1.2.9"
    assert event.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.1"
    assert line.session.due() is None, "one is under way"
    line.session.answered(response(report))
    assert line.state == {"reported": 1}
    assert line.session.due() is None
    assert under.ledger.entries(q="commitment-reported")[0].subject == "1.2.9"


def test_reports_go_one_after_the_other_each_with_its_number(line: Line) -> None:
    line.ask_for("1.2.1")
    line.ask_for("1.2.2", transaction="1.2.10")
    line.judge(reason=Failure.NO_SUCH_OBJECT)
    numbers = []
    for _ in range(2):
        report = line.session.due()
        assert report is not None
        command, event = read(report)
        assert (command.EventTypeID, event.FailedSOPSequence[0].FailureReason) == (2, 0x0112)
        numbers.append(command.MessageID)
        line.session.answered(response(report))

    assert numbers == [1, 2]
    assert line.state == {"reported": 2}


def test_refused_report_is_tried_again_over_a_new_association(line: Line) -> None:
    line.ask_for("1.2.1")
    line.judge()
    report = line.session.due()
    assert report is not None

    line.session.answered(response(report, 0x0110))

    (listed,) = line.commitments.listed()
    assert (listed.commitment.state, listed.commitment.attempts) == ("judged", 1)
    assert listed.commitment.last_error == "HAMMER_MR answered 0110."
    assert line.session.due() is None


@pytest.mark.parametrize(
    "other",
    [{0x0120: us(99)}, {0x0100: us(0x8001)}],
)
def test_answer_to_something_else_changes_nothing(line: Line, other: dict[int, bytes]) -> None:
    line.ask_for("1.2.1")
    line.judge()
    report = line.session.due()
    assert report is not None

    line.session.answered(Command({**response(report).elements, **other}))

    assert line.state == {"judged": 1}
    line.session.answered(response(report))
    assert line.state == {"reported": 1}


def test_answer_without_a_status_changes_nothing(line: Line) -> None:
    line.ask_for("1.2.1")
    line.judge()
    report = line.session.due()
    assert report is not None
    elements = dict(response(report).elements)
    del elements[0x0900]

    line.session.answered(Command(elements))

    assert line.state == {"judged": 1}


def test_association_that_ends_before_the_answer_leaves_the_report_to_a_new_one(
    line: Line,
) -> None:
    line.ask_for("1.2.1")
    line.judge()
    assert line.commitments.lease_report(lease_s=60) is None, "left to the association at first"
    assert line.session.due() is not None

    line.session.ended()

    assert line.commitments.lease_report(lease_s=60) is not None


def test_association_that_ends_before_the_judgement_leaves_it_too(line: Line) -> None:
    line.ask_for("1.2.1")

    line.session.ended()
    line.judge()

    assert line.commitments.lease_report(lease_s=60) is not None


def test_session_asks_the_database_only_while_a_report_is_awaited(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []
    ask = line.commitments.lease_report_of

    def counted(association: str, *, lease_s: float) -> object:
        questions.append(association)
        return ask(association, lease_s=lease_s)

    monkeypatch.setattr(line.commitments, "lease_report_of", counted)
    assert line.session.due() is None
    assert questions == []
    line.ask_for("1.2.1")
    line.session.due()
    line.judge()
    report = line.session.due()
    assert report is not None
    line.session.answered(response(report))
    line.session.due()
    asked = len(questions)
    line.session.due()

    assert len(questions) == asked == 3


# over the network, to the bridge as it runs


def asking(house: House, title: str = "HAMMER_MR") -> Association:
    entity = NetworkEntity(ae_title=title)
    entity.add_requested_context(COMMITMENT)
    entity.add_requested_context("1.2.840.10008.1.1")
    return entity.associate("127.0.0.1", house.port, ae_title="LYSBRO")


def test_modality_of_another_maker_asks_and_is_answered(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        link = asking(house)
        assert link.is_established

        status, reply = link.send_n_action(information("1.2.1"), 1, COMMITMENT, COMMITMENT_INSTANCE)
        wrong, _ = link.send_n_action(information("1.2.1"), 3, COMMITMENT, COMMITMENT_INSTANCE)
        link.release()

        assert (status.Status, bool(reply)) == (0x0000, False)
        assert wrong.Status == 0x0123
        commitments = Commitments(house.database, house.archive.clock)
        (listed,) = commitments.listed()
        assert listed.commitment.ae_title == "HAMMER_MR"


def test_node_without_the_permission_gets_no_context(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        link = asking(house, "HAMMER_CT")

        assert [cx.abstract_syntax for cx in link.accepted_contexts] == ["1.2.840.10008.1.1"]
        link.release()
