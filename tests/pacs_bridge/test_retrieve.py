"""C-MOVE and C-GET as a requester sees them: what is sent, counted, failed, cancelled, noted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless
from pynetdicom import evt
from pynetdicom.sop_class import _STORAGE_CLASSES
from sqlalchemy import update

from casework.access import Scope
from casework.custody import CustodyEvent
from casework.erasure import Target
from casework.model import AePermission
from pacs_bridge.syntaxes import (
    EXPLICIT_LE,
    IMPLICIT_LE,
    PATIENT_ROOT_GET,
    PATIENT_ROOT_MOVE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_MOVE,
)
from storage.archive import utc_now
from storage.erasing import Erasures
from storage.erasure_steps import Eraser
from storage.tables import instances
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.making import CT, ORIGIN, SC, ct
from tests.pacs_bridge.retrieving import (
    PLAIN,
    RETRIEVER,
    Node,
    associated,
    fill,
    get,
    identifier,
    know,
    listening,
    move,
    of,
    settled,
    slices,
    told,
)
from tests.storage.erasing import ADMIN

ALL = Scope(sites=None, specialties=None, own_site="")
UTSIRA = replace(ORIGIN, site="utsira")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Return a house with two series of one study, another study, and another site's."""
    with open_house(tmp_path_factory.mktemp("retrieve"), retrieve_pending_every=1) as opened:
        fill(opened, *slices(3), *slices(2, series="1.2.22", SeriesNumber=2))
        fill(opened, *slices(1, study="1.2.7", series="1.2.77"))
        other = slices(2, study="1.2.9", series="1.2.99", PatientID="u-1")
        fill(opened, *other, origin=UTSIRA)
        know(opened, RETRIEVER, "hammer", 0)
        know(opened, "UTSIRA_WS", "utsira", 0)
        know(opened, "NORDLYS_WS", "nordlys", 0)
        yield opened


@pytest.fixture(scope="module")
def node(house: House) -> Iterator[Node]:
    """Return a node that runs for all tests."""
    with listening() as running:
        yield running


@pytest.fixture
def pacs(house: House, node: Node) -> Node:
    """Return a node of the site, known as PACS, that has nothing yet."""
    know(house, "PACS", "hammer", node.port)
    node.arrived.clear()
    node.answer = lambda uid: 0x0000
    return node


def dataset_of(house: House, uid: str) -> bytes:
    return house.archive.read_dataset(house.index.instance(ALL, uid))


STUDY = {f"1.2.2.{n}" for n in (1, 2, 3)} | {f"1.2.22.{n}" for n in (1, 2)}
ASKED: list[tuple[str, str, dict[str, Any], set[str]]] = [
    (STUDY_ROOT_MOVE, "STUDY", {"StudyInstanceUID": "1.2.1"}, STUDY),
    (STUDY_ROOT_MOVE, "STUDY", {"StudyInstanceUID": ["1.2.1", "1.2.7"]}, STUDY | {"1.2.77.1"}),
    (
        STUDY_ROOT_MOVE,
        "SERIES",
        {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.22"},
        {"1.2.22.1", "1.2.22.2"},
    ),
    (
        STUDY_ROOT_MOVE,
        "IMAGE",
        {
            "StudyInstanceUID": "1.2.1",
            "SeriesInstanceUID": "1.2.2",
            "SOPInstanceUID": ["1.2.2.1", "1.2.2.3", "1.2.22.1", "1.2.3.4.5"],
        },
        {"1.2.2.1", "1.2.2.3"},
    ),
    (PATIENT_ROOT_MOVE, "PATIENT", {"PatientID": "hammer-1"}, STUDY | {"1.2.77.1"}),
    (
        PATIENT_ROOT_MOVE,
        "STUDY",
        {"PatientID": "hammer-1", "StudyInstanceUID": "1.2.7"},
        {"1.2.77.1"},
    ),
    (PATIENT_ROOT_MOVE, "STUDY", {"PatientID": "other", "StudyInstanceUID": "1.2.7"}, set()),
    (STUDY_ROOT_MOVE, "STUDY", {"StudyInstanceUID": "1.2.9"}, set()),  # of another site
    (PATIENT_ROOT_MOVE, "PATIENT", {"PatientID": "u-1"}, set()),
]


@pytest.mark.parametrize(("model", "level", "keys", "sent"), ASKED)
def test_move_sends_what_is_asked_for_and_seen_byte_for_byte(
    house: House, pacs: Node, model: str, level: str, keys: dict[str, Any], sent: set[str]
) -> None:
    with associated(house) as association:
        responses = move(association, identifier(level, **keys), model=model, msg_id=77)

    assert set(of(pacs.arrived)) == sent
    for uid, arrived in of(pacs.arrived).items():
        assert arrived.dataset == dataset_of(house, uid)
        assert (arrived.syntax, arrived.originator) == (EXPLICIT_LE, RETRIEVER)
        assert arrived.originator_id == 77
    *pending, last = responses
    total = len(sent)
    assert (last.status, last.counts, last.failed) == (0x0000, (None, total, 0, 0), [])
    assert [p.counts for p in pending] == [(total - n, n, 0, 0) for n in range(1, total)]
    assert {p.status for p in pending} <= {0xFF00}


@pytest.mark.parametrize(("model", "level", "keys", "sent"), ASKED)
def test_get_sends_the_same_over_the_association_that_asked(
    house: House, model: str, level: str, keys: dict[str, Any], sent: set[str]
) -> None:
    node = Node()
    model = PATIENT_ROOT_GET if model == PATIENT_ROOT_MOVE else "1.2.840.10008.5.1.4.1.2.2.3"

    with associated(house, take=node.take) as association:
        responses = get(association, identifier(level, **keys), model=model)

    assert set(of(node.arrived)) == sent
    for uid, arrived in of(node.arrived).items():
        assert arrived.dataset == dataset_of(house, uid)
        assert (arrived.originator, arrived.originator_id) == ("", None)
    assert (responses[-1].status, responses[-1].counts) == (0x0000, (None, len(sent), 0, 0))


@pytest.mark.parametrize(
    ("level", "keys"),
    [
        ("FRAME", {"StudyInstanceUID": "1.2.1"}),
        ("PATIENT", {"PatientID": "hammer-1"}),  # not in the study root
        ("STUDY", {}),
        ("STUDY", {"StudyInstanceUID": ""}),
        ("STUDY", {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.2"}),
        ("SERIES", {"SeriesInstanceUID": "1.2.2"}),
        ("SERIES", {"StudyInstanceUID": ["1.2.1", "1.2.7"], "SeriesInstanceUID": "1.2.2"}),
        ("IMAGE", {"StudyInstanceUID": "1.2.1", "SOPInstanceUID": "1.2.2.1"}),
    ],
)
def test_identifier_that_breaks_the_rules_is_refused_and_nothing_is_sent(
    house: House, pacs: Node, level: str, keys: dict[str, Any]
) -> None:
    with associated(house) as association:
        (moved,) = move(association, identifier(level, **keys))
        (got,) = get(association, identifier(level, **keys))

    assert (moved.status, got.status) == (0xA900, 0xA900)
    assert moved.comment
    assert pacs.arrived == []


def test_relational_retrieve_needs_no_higher_keys_once_negotiated(house: House, pacs: Node) -> None:
    with associated(house, relational=True) as association:
        agreed = association.acceptor.sop_class_extended
        moved = move(association, identifier("IMAGE", SOPInstanceUID=["1.2.22.2", "1.2.77.1"]))

    assert agreed[STUDY_ROOT_MOVE] == b"\x01\x00"
    assert moved[-1].status == 0x0000
    assert set(of(pacs.arrived)) == {"1.2.22.2", "1.2.77.1"}


def test_destination_is_known_only_with_address_and_permission_and_a_site_that_may_see(
    house: House, pacs: Node
) -> None:
    asked = identifier("STUDY", StudyInstanceUID="1.2.1")
    house.people.add_ae("NO_HOST", "hammer", permissions=frozenset({AePermission.RETRIEVE}))
    know(house, "NO_RIGHT", "hammer", pacs.port, AePermission.QUERY)
    know(house, "ELSEWHERE", "utsira", pacs.port)

    with associated(house) as association:
        for title in ("NOBODY", "NO_HOST", "NO_RIGHT", "ELSEWHERE", "LYSBRO"):
            (answer,) = move(association, asked, title)
            assert (answer.status, title) == (0xA801, title)

    settled(house)
    assert pacs.arrived == []
    refused = [e for e in house.ledger.entries(q="retrieved") if e.outcome == "refused"]
    assert {e.detail["to"] for e in refused[:5]} == {
        "NOBODY", "NO_HOST", "NO_RIGHT", "ELSEWHERE", "LYSBRO",
    }  # fmt: skip


def test_centre_moves_to_a_site_only_what_both_see(house: House, pacs: Node) -> None:
    with associated(house, calling="NORDLYS_WS") as association:
        own = move(association, identifier("STUDY", StudyInstanceUID="1.2.7"))
        others = move(association, identifier("STUDY", StudyInstanceUID="1.2.9"))

    assert [own[-1].counts, others[-1].counts] == [(None, 1, 0, 0), (None, 0, 0, 0)]
    assert set(of(pacs.arrived)) == {"1.2.77.1"}


def test_failures_and_warnings_are_counted_and_failed_ones_listed(house: House, pacs: Node) -> None:
    asked = identifier("STUDY", StudyInstanceUID="1.2.1")
    answers = {"1.2.2.1": 0xA700, "1.2.2.2": 0xB007, "1.2.22.1": 0xC123}
    pacs.answer = lambda uid: answers.get(uid, 0)

    with associated(house, take=pacs.take) as association:
        for responses in (move(association, asked), get(association, asked)):
            last = responses[-1]
            assert (last.status, last.counts) == (0xB000, (None, 2, 2, 1))
            assert last.failed == ["1.2.2.1", "1.2.22.1"]


def test_when_nothing_arrives_it_is_a_failure_with_the_whole_list(house: House, pacs: Node) -> None:
    pacs.answer = lambda uid: 0xA700

    with associated(house) as association:
        last = move(association, identifier("STUDY", StudyInstanceUID="1.2.1"))[-1]

    assert (last.status, last.counts) == (0xA702, (None, 0, 5, 0))
    assert set(last.failed) == STUDY


@pytest.mark.parametrize("asks", ["move", "get"])
def test_cancel_ends_it_between_two_objects(house: House, pacs: Node, asks: str) -> None:
    def slow(uid: str) -> int:
        time.sleep(0.05)
        return 0

    pacs.answer = slow
    asked = identifier("STUDY", StudyInstanceUID="1.2.1")
    with associated(house, take=pacs.take) as association:
        if asks == "move":
            responses = association.send_c_move(asked, "PACS", STUDY_ROOT_MOVE, msg_id=9)
        else:
            responses = association.send_c_get(asked, "1.2.840.10008.5.1.4.1.2.2.3", msg_id=9)
        next(responses)
        association.send_c_cancel(9, query_model=STUDY_ROOT_MOVE)
        last = told(responses)[-1]
        assert move(association, identifier("STUDY", StudyInstanceUID="1.2.7"))[-1].status == 0

    remaining, completed, failed, warning = last.counts
    assert last.status == 0xFE00
    assert remaining
    assert completed
    assert (remaining + completed, failed, warning) == (5, 0, 0)
    assert last.failed == []


def test_query_and_retrieve_share_an_association(house: House, pacs: Node) -> None:
    asked = identifier("SERIES", StudyInstanceUID="1.2.1", SeriesInstanceUID="")
    with associated(house, take=pacs.take) as association:
        found = [i for s, i in association.send_c_find(asked, STUDY_ROOT_FIND) if i is not None]
        for series in found:
            move(association, identifier(
                "SERIES", StudyInstanceUID="1.2.1", SeriesInstanceUID=series.SeriesInstanceUID
            ))  # fmt: skip

    assert set(of(pacs.arrived)) == STUDY


def test_caller_without_the_permission_has_no_context_for_it(house: House) -> None:
    with associated(house, calling="HAMMER_ASK") as association:
        accepted = {str(c.abstract_syntax) for c in association.accepted_contexts}

    assert accepted == {STUDY_ROOT_FIND}


def test_retrieves_are_in_the_audit_and_in_the_custody(house: House, pacs: Node) -> None:
    with associated(house) as association:
        move(association, identifier("STUDY", StudyInstanceUID="1.2.7"))

    settled(house)
    ended, begun = house.ledger.entries(limit=2)
    assert (begun.action, begun.subject, begun.site) == ("images-retrieved", "1.2.7", "hammer")
    assert begun.detail == {"by": "C-MOVE", "to": "PACS", "images": 1}
    assert (ended.action, ended.subject, ended.outcome) == ("retrieved", RETRIEVER, "ok")
    assert (ended.detail["sent"], ended.detail["status"]) == (1, "0000")
    exported = [
        line for line in house.index.custody(ALL, "1.2.77.1") if line.event == CustodyEvent.EXPORTED
    ]
    assert exported[-1].detail == {
        "actor": f"ae:{RETRIEVER}", "name": RETRIEVER, "door": "dicom", "by": "C-MOVE",
        "to": "PACS",
    }  # fmt: skip


def test_number_of_several_patients_is_refused_until_the_issuer_is_named(tmp_path: Path) -> None:
    with open_house(tmp_path) as house, listening() as node:
        know(house, "NORDLYS_WS", "nordlys", node.port)
        fill(house, ct("1.2.3.1", study="1.2.1", PatientID="7", IssuerOfPatientID="A"))
        fill(house, ct("1.2.3.2", study="1.2.9", PatientID="7"), origin=UTSIRA)
        with associated(house, calling="NORDLYS_WS") as association:
            ask = {"model": PATIENT_ROOT_MOVE, "to": "NORDLYS_WS"}
            (refused,) = move(association, identifier("PATIENT", PatientID="7"), **ask)
            named = identifier("PATIENT", PatientID="7", IssuerOfPatientID="A")
            sent = move(association, named, **ask)

    assert refused.status == 0xC001
    assert "several patients" in refused.comment
    assert sent[-1].counts == (None, 1, 0, 0)
    assert set(of(node.arrived)) == {"1.2.3.1"}


def test_quarantined_copy_is_not_sent(tmp_path: Path) -> None:
    with open_house(tmp_path) as house, listening() as node:
        know(house, RETRIEVER, "hammer", node.port)
        fill(house, ct("1.2.3.1"))
        fill(house, ct("1.2.3.1", StudyID="other"))
        with associated(house) as association:
            moved = move(association, identifier("STUDY", StudyInstanceUID="1.2.1"), RETRIEVER)
        assert len(house.index.conflicts()) == 1
        kept = dataset_of(house, "1.2.3.1")

    assert moved[-1].counts == (None, 1, 0, 0)
    assert [a.dataset for a in node.arrived] == [kept]


@pytest.fixture(scope="module")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Return a house with an object in RLE Lossless, whose pixels are known, and a plain one."""
    with open_house(tmp_path_factory.mktemp("compressed")) as opened:
        ds = ct("1.2.3.1", Rows=8, Columns=8, PixelData=np.arange(64, dtype="<u2").tobytes())
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.compress(RLELossless, generate_instance_uid=False)
        fill(opened, ds, syntax=RLELossless)
        fill(opened, ct("1.2.3.2", SOPClassUID=SC))
        know(opened, RETRIEVER, "hammer", 0)
        yield opened


RLE = "1.2.840.10008.1.2.5"
PIXELS = np.arange(64, dtype="<u2").tobytes()


@pytest.mark.parametrize(
    ("taken", "syntax"),
    [((RLE, EXPLICIT_LE), RLE), ((EXPLICIT_LE,), EXPLICIT_LE), ((IMPLICIT_LE,), IMPLICIT_LE)],
)
def test_object_goes_as_stored_or_decoded_when_the_receiver_takes_no_other(
    compressed: House, taken: tuple[str, ...], syntax: str
) -> None:
    asked = identifier(
        "IMAGE", StudyInstanceUID="1.2.1", SeriesInstanceUID="1.2.2", SOPInstanceUID="1.2.3.1"
    )
    taker = Node()
    separate = [(CT, (each,)) for each in taken]
    with (
        listening((CT, taken)) as node,
        associated(compressed, storage=separate, take=taker.take) as association,
    ):
        know(compressed, "PACS", "hammer", node.port)
        assert move(association, asked)[-1].status == 0
        assert get(association, asked)[-1].status == 0

    for (arrived,) in (node.arrived, taker.arrived):
        assert arrived.syntax == syntax
        if syntax == RLE:
            assert arrived.dataset == dataset_of(compressed, "1.2.3.1")
        else:
            assert arrived.dataset.endswith(PIXELS)


def test_class_that_was_not_negotiated_fails_and_the_others_go(compressed: House) -> None:
    asked = identifier("STUDY", StudyInstanceUID="1.2.1")
    taker = Node()
    with listening((CT, PLAIN)) as node, associated(compressed, take=taker.take) as association:
        know(compressed, "PACS", "hammer", node.port)
        answers = [move(association, asked)[-1], get(association, asked)[-1]]

    for last in answers:
        assert (last.status, last.counts, last.failed) == (0xB000, (None, 1, 1, 0), ["1.2.3.2"])
    assert [len(node.arrived), len(taker.arrived)] == [1, 1]


def test_without_the_role_nothing_can_be_got(compressed: House) -> None:
    asked = identifier("STUDY", StudyInstanceUID="1.2.1")
    with associated(compressed, roles=()) as association:
        assert CT not in {str(c.abstract_syntax) for c in association.accepted_contexts}
        (*_, last) = get(association, asked)

    assert (last.status, last.counts) == (0xA702, (None, 0, 2, 0))


def test_object_whose_bytes_are_lost_fails_alone(tmp_path: Path) -> None:
    with open_house(tmp_path) as house, listening() as node:
        know(house, RETRIEVER, "hammer", node.port)
        fill(house, *slices(3))
        with house.database.begin() as conn:
            lost = update(instances).where(instances.c.sop_instance_uid == "1.2.2.2")
            conn.execute(lost.values(location="pack", container="v1/nowhere.zip"))
        taker = Node()
        with associated(house, take=taker.take) as association:
            asked = identifier("STUDY", StudyInstanceUID="1.2.1")
            answers = [move(association, asked, RETRIEVER)[-1], get(association, asked)[-1]]

    for last in answers:
        assert (last.status, last.counts, last.failed) == (0xB000, (None, 2, 1, 0), ["1.2.2.2"])
    assert set(of(node.arrived)) == set(of(taker.arrived)) == {"1.2.2.1", "1.2.2.3"}


def test_what_is_erased_in_the_middle_goes_no_further_and_the_rest_is_told_in_its_custody(
    tmp_path: Path,
) -> None:
    with open_house(tmp_path) as house:
        know(house, RETRIEVER, "hammer", 0)
        fill(house, *slices(3))
        fill(house, *slices(2, study="1.2.7", series="1.2.77"))
        erasures = Erasures(house.database, utc_now, node=house.archive.spool.node)
        taker, both = Node(), identifier("STUDY", StudyInstanceUID=["1.2.1", "1.2.7"])

        def erase_first(event: evt.Event) -> int:
            if not gone:
                target = Target(study_uid=str(event.dataset.StudyInstanceUID))
                stone = erasures.erase(target, actor=ADMIN, reason="asked for")
                gone.append(target.study_uid)
                assert Eraser(house.archive, actor=ADMIN).finish(stone.id, utc_now())
            return taker.take(event)

        gone: list[str] = []
        with associated(house, take=erase_first) as association:
            (*_, last) = get(association, both)
            assert all(each.dataset.strip(b"\0") for each in taker.arrived)
            taker.arrived.clear()
            (*_, again) = get(association, both)
        settled(house)
        stays = {"1.2.1", "1.2.7"} - set(gone)
        left = [row for uid in stays for row in house.index.instances_of(ALL, uid)]
        assert (last.status, last.counts[0]) in {(0xB000, None), (0x0000, None)}
        assert again.counts == (None, len(left), 0, 0)
        assert set(of(taker.arrived)) == {row.sop_instance_uid for row in left}
        for row in left:
            events = [e.event for e in house.index.custody(ALL, row.sop_instance_uid, row.site)]
            assert events.count("exported") == 2


def test_more_classes_than_an_association_holds_go_over_several(tmp_path: Path) -> None:
    classes = sorted(_STORAGE_CLASSES.values())[:70]
    with (
        open_house(tmp_path) as house,
        listening(*((uid, PLAIN) for uid in classes)) as node,
    ):
        know(house, RETRIEVER, "hammer", node.port)
        fill(house, *(ct(f"1.2.3.{n}", SOPClassUID=uid) for n, uid in enumerate(classes)))
        with associated(house) as association:
            moved = move(association, identifier("STUDY", StudyInstanceUID="1.2.1"), RETRIEVER)

    assert moved[-1].counts == (None, 70, 0, 0)
    assert node.proposed == [128, 12]
