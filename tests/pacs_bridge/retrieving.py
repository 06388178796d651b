"""Who retrieves, and who is sent to: pynetdicom as user and provider, over real connections."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.presentation import build_context

from casework.custody import Origin
from casework.model import AePermission
from pacs_bridge.syntaxes import (
    EXPLICIT_LE,
    IMPLICIT_LE,
    PATIENT_ROOT_GET,
    PATIENT_ROOT_MOVE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
)
from tests.flows.waiting import until
from tests.pacs_bridge.conftest import House
from tests.pacs_bridge.making import CT, ORIGIN, ct, part10

Pair = tuple[str, Sequence[str]]
PLAIN = (EXPLICIT_LE, IMPLICIT_LE)
RETRIEVER = "HAMMER_WS"
P = AePermission


@dataclass(frozen=True)
class Arrived:
    """An object as a node was sent it."""

    uid: str
    syntax: str
    dataset: bytes
    originator: str
    originator_id: int | None


@dataclass
class Node:
    """A node that takes objects, and answers as it is told."""

    port: int = 0
    arrived: list[Arrived] = field(default_factory=list)
    answer: Callable[[str], int] = lambda uid: 0x0000
    proposed: list[int] = field(default_factory=list)  # contexts of each association

    def take(self, event: evt.Event) -> int:
        request = event.request
        assert request.DataSet is not None
        self.arrived.append(
            Arrived(
                str(request.AffectedSOPInstanceUID),
                str(event.context.transfer_syntax),
                request.DataSet.getvalue(),
                str(request.MoveOriginatorApplicationEntityTitle or ""),
                request.MoveOriginatorMessageID,
            )
        )
        return self.answer(str(request.AffectedSOPInstanceUID))

    def count(self, event: evt.Event) -> None:
        self.proposed.append(len(event.assoc.requestor.requested_contexts))


@contextmanager
def listening(*pairs: Pair) -> Iterator[Node]:
    """Give a running node that takes these classes in these transfer syntaxes."""
    node = Node()
    entity = AE(ae_title="PACS")
    for sop_class, syntaxes in pairs or ((CT, PLAIN),):
        entity.add_supported_context(sop_class, [UID(s) for s in syntaxes])
    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[(evt.EVT_C_STORE, node.take), (evt.EVT_ACCEPTED, node.count)],
    )
    node.port = server.socket.getsockname()[1]
    try:
        yield node
    finally:
        server.shutdown()
        server.server_close()


def know(
    house: House, title: str, site: str, port: int, *permissions: AePermission, **more: Any
) -> None:
    """Register an entity of a site at a port of this machine."""
    allowed = frozenset(permissions or (P.QUERY, P.RETRIEVE))
    house.people.add_ae(title, site, "127.0.0.1", port, permissions=allowed, **more)


def fill(
    house: House, *datasets: Dataset, origin: Origin = ORIGIN, syntax: str = EXPLICIT_LE
) -> None:
    """Take objects in and wait until they can be found."""
    for ds in datasets:
        house.archive.receive_part10(BytesIO(part10(ds, syntax)), origin)
    house.archive.settle()


def slices(
    count: int, *, study: str = "1.2.1", series: str = "1.2.2", **values: Any
) -> list[Dataset]:
    return [
        ct(f"{series}.{n}", study=study, series=series, InstanceNumber=n, **values)
        for n in range(1, count + 1)
    ]


@dataclass(frozen=True)
class Told:
    """One response: status, counts (remaining, completed, failed, warning) and failed UIDs."""

    status: int
    counts: tuple[int | None, ...]
    failed: list[str] = field(default_factory=list)
    comment: str = ""


@contextmanager
def associated(
    house: House,
    *,
    calling: str = RETRIEVER,
    storage: Sequence[Pair] = ((CT, PLAIN),),
    roles: Sequence[str] | None = None,
    relational: bool = False,
    take: Callable[[evt.Event], int] = lambda event: 0x0000,
    port: int | None = None,
    tls_args: Any = None,
) -> Iterator[Association]:
    """Give an association for query and retrieve, over which storage classes are taken (C-GET)."""
    classes = (
        STUDY_ROOT_FIND, STUDY_ROOT_MOVE, PATIENT_ROOT_MOVE, STUDY_ROOT_GET, PATIENT_ROOT_GET,
    )  # fmt: skip
    contexts = [build_context(UID(uid), [UID(EXPLICIT_LE)]) for uid in classes]
    contexts += [build_context(UID(uid), [UID(s) for s in syntaxes]) for uid, syntaxes in storage]
    asked: list[Any] = [
        build_role(UID(uid), scp_role=True)
        for uid in (dict.fromkeys(p[0] for p in storage) if roles is None else roles)
    ]
    if relational:
        for uid in classes[1:]:
            item = SOPClassExtendedNegotiation()
            item.sop_class_uid = UID(uid)
            item.service_class_application_information = b"\x01\x01"
            asked.append(item)
    association = AE(ae_title=calling).associate(
        "127.0.0.1",
        port or house.port,
        tls_args=tls_args,
        contexts=contexts,
        ae_title="LYSBRO",
        ext_neg=asked,
        evt_handlers=[(evt.EVT_C_STORE, take)],
    )
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


def identifier(level: str, **keys: Any) -> Dataset:
    ds = Dataset()
    ds.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    return ds


def told(responses: Iterator[tuple[Dataset, Dataset | None]]) -> list[Told]:
    """Return what each response says; without a status (-1) the association has ended."""
    found = []
    for status, answer in responses:
        counts = tuple(
            status.get(f"NumberOf{kind}Suboperations")
            for kind in ("Remaining", "Completed", "Failed", "Warning")
        )
        value = None if answer is None else answer.get("FailedSOPInstanceUIDList")
        failed = [] if value is None else [value] if isinstance(value, str) else list(value)
        found.append(
            Told(status.get("Status", -1), counts, failed, str(status.get("ErrorComment", "")))
        )
    return found


def move(association: Association, asked: Dataset, to: str = "PACS", **how: Any) -> list[Told]:
    model = how.pop("model", STUDY_ROOT_MOVE)
    return told(association.send_c_move(asked, to, UID(model), **how))


def get(association: Association, asked: Dataset, **how: Any) -> list[Told]:
    model = how.pop("model", STUDY_ROOT_GET)
    return told(association.send_c_get(asked, UID(model), **how))


class Bad:
    """A listening socket whose every connection is treated in one bad way."""

    def __init__(self, treat: Callable[[socket.socket], None]) -> None:
        self._treat = treat
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._kept: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._kept.append(connection)
            try:
                self._treat(connection)
            except OSError:
                connection.close()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._kept:
            connection.close()
        self._thread.join(5)


@contextmanager
def bad(treat: Callable[[socket.socket], None]) -> Iterator[Bad]:
    """Give a node that treats every connection so."""
    node = Bad(treat)
    try:
        yield node
    finally:
        node.close()


def settled(house: House) -> None:
    """Wait until every association has ended, and what it leaves in the audit is written."""
    until(lambda: house.meter.open_now == 0, "the end of the associations")


def of(arrived: Sequence[Arrived]) -> Mapping[str, Arrived]:
    return {each.uid: each for each in arrived}
