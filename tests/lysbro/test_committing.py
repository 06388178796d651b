"""Storage commitment from request to report: a modality asks the real bridge and hears from us."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity as NetworkEntity
from pynetdicom.association import Association
from pynetdicom.presentation import build_role

from casework.access import Scope
from casework.delivery import MAX_ATTEMPTS
from casework.model import AePermission
from lysbro.committing import Committer
from lysbro.dicom import open_bridge
from lysbro.settings import Settings
from lysbro.wiring import Parts, open_parts, utc_now
from lysbro.worker import chores
from storage.commitments import Commitments
from tests.flows.waiting import until
from tests.lysbro.calling import Desk
from tests.pacs_bridge.making import CT, ct
from tests.ports import free_port

pytestmark = pytest.mark.slow

COMMITMENT = "1.2.840.10008.1.20.1"
INSTANCE = "1.2.840.10008.1.20.1.1"
EVERYTHING = Scope(sites=None, specialties=None, own_site="")
MODALITY = "HAMMER_CT"


@dataclass
class Exchange:
    """A data folder that is opened, closed and opened again."""

    data: Path
    modality_port: int = 0
    later_s: float = 0
    settings: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def open(self) -> Iterator[Parts]:
        settings = Settings(
            data=self.data, dicom_port=0, quiet_seconds=3600, log_level="error", **self.settings
        )
        with open_parts(settings, intake=True) as parts:
            commitments = Commitments(
                parts.database, lambda: utc_now() + timedelta(seconds=self.later_s)
            )
            yield replace(parts, commitments=commitments)

    def work(self, parts: Parts) -> None:
        """Do the worker's chores until nothing is left to do at once."""
        for _ in range(20):
            busy = [chore.run_once() for chore in chores(parts) if chore.name != "presume"]
            if not any(busy):
                return
        raise AssertionError("the worker does not come to rest")

    def pack(self, parts: Parts) -> None:
        """Bring to the store what is asked for; nothing is judged by it yet."""
        for name in ("commit", "pack"):
            next(chore for chore in chores(parts) if chore.name == name).run_once()


@pytest.fixture
def exchange(registered: Path, tmp_path: Path) -> Exchange:
    shutil.copytree(registered, tmp_path / "data")
    made = Exchange(tmp_path / "data", free_port())
    with made.open() as parts:
        for title, site in ((MODALITY, "hammer"), ("FJORD_CT", "fjord")):
            parts.people.add_ae(
                title, site, "127.0.0.1", made.modality_port,
                frozenset({AePermission.STORE, AePermission.COMMIT}),
            )  # fmt: skip
    return made


def send_and_ask(
    port: int, *send: Dataset, ask: list[str], title: str = MODALITY, transaction: str = "1.2.9"
) -> None:
    """Store objects and ask for commitment over one association, as a modality does, and leave."""
    link = associated(port, title)
    store_and_ask(link, *send, ask=ask, transaction=transaction)
    link.release()


def associated(port: int, title: str, *handlers: Any) -> Association:
    entity = NetworkEntity(ae_title=title)
    entity.add_requested_context(CT, "1.2.840.10008.1.2.1")
    entity.add_requested_context(COMMITMENT)
    link = entity.associate(
        "127.0.0.1", port, ae_title="LYSBRO", evt_handlers=list(handlers),
        ext_neg=[build_role(COMMITMENT, scu_role=True)],
    )  # fmt: skip
    assert link.is_established
    return link


def store_and_ask(
    link: Association, *send: Dataset, ask: list[str], transaction: str = "1.2.9"
) -> None:
    for ds in send:
        ds.file_meta = Dataset()
        ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        assert link.send_c_store(ds).Status == 0x0000
    request = Dataset()
    request.TransactionUID = transaction
    request.ReferencedSOPSequence = []
    for uid in ask:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, uid
        request.ReferencedSOPSequence.append(item)
    status, _ = link.send_n_action(request, 1, COMMITMENT, INSTANCE)
    assert status.Status == 0x0000


@dataclass
class Listener:
    """The modality's own door, where it hears reports."""

    answer: int = 0x0000
    heard: list[tuple[int, Dataset]] = field(default_factory=list)
    roles: list[tuple[bool, bool]] = field(default_factory=list)

    def take(self, event: evt.Event) -> tuple[int, None]:
        self.heard.append((event.event_type, event.event_information))
        return self.answer, None

    def note_roles(self, event: evt.Event) -> None:
        self.roles += [
            (role.scu_role, role.scp_role) for role in event.assoc.requestor.role_selection.values()
        ]

    @property
    def told(self) -> tuple[int, list[str], dict[str, int]]:
        """Return event type, committed instances and failed ones of the one report."""
        ((kind, ds),) = self.heard
        committed = [i.ReferencedSOPInstanceUID for i in ds.get("ReferencedSOPSequence", [])]
        failed = {
            str(i.ReferencedSOPInstanceUID): int(i.FailureReason)
            for i in ds.get("FailedSOPSequence", [])
        }
        return kind, committed, failed


@contextmanager
def listening(port: int, *, accept_role: bool = True, answer: int = 0x0000) -> Iterator[Listener]:
    """Run a modality that hears reports; one that knows no roles takes itself for the provider."""
    listener = Listener(answer)
    entity = NetworkEntity(ae_title=MODALITY)
    roles = {"scu_role": False, "scp_role": True} if accept_role else {}
    entity.add_supported_context(COMMITMENT, **roles)
    server = entity.start_server(
        ("127.0.0.1", port),
        block=False,
        evt_handlers=[
            (evt.EVT_N_EVENT_REPORT, listener.take), (evt.EVT_REQUESTED, listener.note_roles)
        ],
    )  # fmt: skip
    try:
        yield listener
    finally:
        server.shutdown()


def slices(count: int) -> list[Dataset]:
    return [
        ct(f"1.2.1.{n}", InstanceNumber=n, PixelData=bytes([n] * 8)) for n in range(1, count + 1)
    ]


def counts(parts: Parts) -> dict[str, int]:
    return {name: n for name, n in parts.commitments.counts().items() if n}


def test_what_was_stored_is_packed_read_back_and_reported_over_a_new_association(
    exchange: Exchange,
) -> None:
    with exchange.open() as parts, listening(exchange.modality_port) as modality:
        with open_bridge(parts) as port:
            send_and_ask(port, *slices(3), ask=["1.2.1.1", "1.2.1.2", "1.2.1.3"])
        parts.archive.settle()
        exchange.work(parts)
        exchange.later_s = 2
        exchange.work(parts)

        assert modality.told == (1, ["1.2.1.1", "1.2.1.2", "1.2.1.3"], {})
        assert modality.heard[0][1].TransactionUID == "1.2.9"
        assert modality.roles == [(False, True)]
        assert counts(parts) == {"reported": 1}
        for n in (1, 2, 3):
            events = [line.event for line in parts.index.custody(EVERYTHING, f"1.2.1.{n}")]
            assert events == ["received", "synced", "packed", "verified", "committed"]
        (entry,) = [e for e in parts.ledger.entries() if e.action == "commitment-reported"]
        assert entry.detail == {"to": MODALITY, "committed": 3, "failed": 0}


def test_flipped_byte_in_the_store_is_reported_as_a_failure(exchange: Exchange) -> None:
    with exchange.open() as parts, listening(exchange.modality_port) as modality:
        with open_bridge(parts) as port:
            send_and_ask(port, *slices(1), ask=["1.2.1.1"])
        parts.archive.settle()
        exchange.pack(parts)
        (pack,) = (exchange.data / "store" / "v1").rglob("*.zip")
        where = parts.index.instance(EVERYTHING, "1.2.1.1").location
        content = bytearray(pack.read_bytes())
        content[where.offset + where.length - 1] ^= 1
        pack.chmod(0o600)
        pack.write_bytes(content)
        exchange.later_s = 2
        exchange.work(parts)

        assert modality.told == (2, [], {"1.2.1.1": 0x0110})


def test_what_never_came_and_what_is_anothers_is_reported_after_the_wait(
    exchange: Exchange,
) -> None:
    exchange.settings["commitment_wait"] = 60
    with exchange.open() as parts, listening(exchange.modality_port) as modality:
        with open_bridge(parts) as port:
            send_and_ask(port, ct("1.2.8"), ask=["1.2.8"], title="FJORD_CT", transaction="1.2.77")
            send_and_ask(port, *slices(1), ask=["1.2.1.1", "1.2.8", "1.2.404"])
        parts.archive.settle()
        exchange.work(parts)
        exchange.later_s = 50
        exchange.work(parts)
        assert [ds.TransactionUID for _, ds in modality.heard] == ["1.2.77"], "of the other site"
        modality.heard.clear()
        exchange.later_s = 61
        exchange.work(parts)

        assert modality.told == (2, ["1.2.1.1"], {"1.2.8": 0x0112, "1.2.404": 0x0112})


def test_report_waits_for_a_modality_that_is_away_and_outlives_a_restart(
    exchange: Exchange,
) -> None:
    with exchange.open() as parts:
        with open_bridge(parts) as port:
            send_and_ask(port, *slices(1), ask=["1.2.1.1"])
        parts.archive.settle()
    with exchange.open() as parts:
        assert counts(parts) == {"waiting": 1}
        exchange.work(parts)
        exchange.later_s = 2
        exchange.work(parts)
        assert counts(parts) == {"judged": 1}
        (listed,) = parts.commitments.listed()
        assert listed.commitment.attempts == 1
        assert "does not answer" in listed.commitment.last_error
    with exchange.open() as parts, listening(exchange.modality_port) as modality:
        exchange.later_s = 4
        exchange.work(parts)
        assert modality.heard == [], "not before it is due"
        exchange.later_s = 20
        exchange.work(parts)

        assert modality.told == (1, ["1.2.1.1"], {})
        assert counts(parts) == {"reported": 1}


def test_association_that_stays_open_has_ten_seconds_for_the_report(exchange: Exchange) -> None:
    with exchange.open() as parts, listening(exchange.modality_port) as modality:
        with open_bridge(parts) as port:
            entity = NetworkEntity(ae_title=MODALITY)
            entity.add_requested_context(COMMITMENT)
            link = entity.associate("127.0.0.1", port, ae_title="LYSBRO")
            request = Dataset()
            request.TransactionUID, item = "1.2.9", Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.1.1", "1.2"
            request.ReferencedSOPSequence = [item]
            status, _ = link.send_n_action(request, 1, COMMITMENT, INSTANCE)
            assert status.Status == 0x0000
            exchange.work(parts)
            assert counts(parts) == {"judged": 1}
            assert modality.heard == []

            exchange.later_s = 11
            exchange.work(parts)
            link.release()

        assert modality.told == (2, [], {"1.2": 0x0122})


def test_association_that_was_left_frees_the_report_at_once(exchange: Exchange) -> None:
    with exchange.open() as parts, listening(exchange.modality_port) as modality:
        with open_bridge(parts) as port:
            send_and_ask(port, ask=["1.2.1.1"])
            until(
                lambda: parts.commitments.listed()[0].commitment.association == "",
                "the end of the association",
            )
        exchange.later_s = 3600
        exchange.work(parts)

        assert modality.told == (2, [], {"1.2.1.1": 0x0112})


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"accept_role": False}, "did not accept the SCP role"),
        ({"answer": 0x0110}, "status 0110"),
    ],
)
def test_modality_that_does_not_take_the_report_is_tried_again_and_said_why(
    exchange: Exchange, given: dict[str, Any], reason: str
) -> None:
    with exchange.open() as parts, listening(exchange.modality_port, **given):
        with open_bridge(parts) as port:
            send_and_ask(port, ask=["1.2.1.1"])
        exchange.later_s = 3600
        exchange.work(parts)

        (listed,) = parts.commitments.listed()
        assert (listed.commitment.state, listed.commitment.attempts) == ("judged", 1)
        assert reason in listed.commitment.last_error


def test_report_of_many_instances_goes_in_pieces_that_the_peer_takes(exchange: Exchange) -> None:
    uids = [f"1.2.826.0.1.3680043.2.1143.1{n:07}" for n in range(1, 2001)]
    with exchange.open() as parts, listening(exchange.modality_port) as modality:
        with open_bridge(parts) as port:
            send_and_ask(port, ask=uids)
        exchange.later_s = 3600
        exchange.work(parts)

        kind, committed, failed = modality.told
        assert (kind, committed, len(failed)) == (2, [], 2000)


def test_two_workers_report_once(exchange: Exchange) -> None:
    with exchange.open() as parts, listening(exchange.modality_port) as modality:
        with open_bridge(parts) as port:
            send_and_ask(port, ask=["1.2.1.1"])
        exchange.later_s = 3600
        workers = [threading.Thread(target=Committer(parts).run_once) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        exchange.work(parts)

        assert len(modality.heard) == 1


def test_what_was_given_up_is_seen_and_reported_again(exchange: Exchange, empty_desk: Desk) -> None:
    with exchange.open() as parts, open_bridge(parts) as port:
        send_and_ask(port, ask=["1.2.1.1"])
    exchange.later_s = 3600
    with exchange.open() as parts:
        exchange.work(parts)
        for _ in range(MAX_ATTEMPTS):
            exchange.later_s += 3601
            found = parts.commitments.lease_report(lease_s=60)
            if found is not None:
                parts.commitments.failed(found, "HAMMER_CT does not answer.")
    desk = Desk(exchange.data, empty_desk.monkeypatch)

    assert desk.must("status", "--json").json["commitments"] == {
        "waiting": 0, "judged": 0, "reported": 0, "given_up": 1,
    }  # fmt: skip
    assert "0 waiting, 0 judged, 0 reported, 1 given up" in desk.must("status").out
    (row,) = desk.must("commitments", "--json").json
    assert (row["node"], row["state"], row["failed"]) == (MODALITY, "given_up", 1)
    assert "does not answer" in desk.must("commitments").out
    assert MODALITY in desk.must("commitments", "--replay", row["id"]).out
    assert len(desk.audit("commitment-replayed")) == 1
    assert desk("commitments", "--replay", row["id"]).status == 1
    exchange.later_s = 0
    with exchange.open() as parts, listening(exchange.modality_port) as modality:
        exchange.work(parts)
        assert modality.told == (2, [], {"1.2.1.1": 0x0112})
    assert desk.must("commitments").out.strip() == "none"


def test_node_without_an_address_is_said_so(exchange: Exchange) -> None:
    with exchange.open() as parts, open_bridge(parts) as port:
        send_and_ask(port, ask=["1.2.1.1"])
        parts.people.add_ae(MODALITY, "hammer")
    exchange.later_s = 3600
    with exchange.open() as parts:
        exchange.work(parts)

        (listed,) = parts.commitments.listed()
        assert "lysbro ae add HAMMER_CT" in listed.commitment.last_error


def test_report_comes_over_the_association_that_asked_while_it_is_open(exchange: Exchange) -> None:
    listener = Listener()
    with exchange.open() as parts, open_bridge(parts) as port:
        link = associated(port, MODALITY, (evt.EVT_N_EVENT_REPORT, listener.take))
        store_and_ask(link, ct("1.2.3.1"), ask=["1.2.3.1"])
        parts.archive.settle()
        until(lambda: exchange.work(parts) or listener.heard, "the report")
        assert link.send_c_store(with_meta(ct("1.2.3.2"))).Status == 0x0000
        link.release()
        until(lambda: parts.commitments.counts()["reported"] == 1, "the report to be settled")
    assert listener.told == (1, ["1.2.3.1"], {})


def with_meta(ds: Dataset) -> Dataset:
    ds.file_meta = Dataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    return ds


@pytest.mark.parametrize(
    ("asked", "later_s", "is_complete"),
    [(["1.2.3.1", "1.2.3.2"], 0, True), (["1.2.3.1", "1.2.3.2", "1.2.3.3"], 7200, False)],
)
def test_request_is_evidence_of_how_much_there_is_of_its_study(
    exchange: Exchange, asked: list[str], later_s: float, is_complete: bool
) -> None:
    with exchange.open() as parts, open_bridge(parts) as port:
        send_and_ask(port, ct("1.2.3.1"), ct("1.2.3.2"), ask=asked)
        parts.archive.settle()
        exchange.work(parts)
    exchange.later_s = later_s
    with exchange.open() as parts:
        until(
            lambda: exchange.work(parts) or parts.commitments.counts()["waiting"] == 0,
            "the judgement",
        )
        (study,) = parts.index.studies(EVERYTHING)
    assert (study.completeness == "complete") is is_complete
    assert (study.completeness_evidence, study.expected_instances) == ("commitment", len(asked))
