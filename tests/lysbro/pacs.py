"""A site's PACS for tests: it is asked and fetched from, and behaves as well as it is told to."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from pacs_bridge.syntaxes import (
    EXPLICIT_LE,
    IMPLICIT_LE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
)
from tests.pacs_bridge.making import CT


@dataclass
class Pacs:
    """What it has, how it behaves, and what was asked of it."""

    objects: list[Dataset]
    destination: int = 0  # port of whom it may send to by C-MOVE; 0: it knows nobody
    overstated: int = 0  # images that it tells of and does not have
    ignores_number: bool = False
    stops_after: int = 1 << 30  # objects of one retrieve, then it breaks off
    breaks_get: bool = False  # it does so by C-GET alone
    tells_little: bool = False  # of a study neither how many images it has nor of what kind
    silence: threading.Event | None = None  # it answers nothing until this is set
    port: int = 0
    asked: list[Dataset] = field(default_factory=list)
    given: list[str] = field(default_factory=list)  # SOP Instance UIDs, as it sent them
    ways: list[str] = field(default_factory=list)

    def find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        keys = event.identifier
        self.asked.append(keys)
        if self.silence is not None:
            self.silence.wait(10)
            return
        level = keys.QueryRetrieveLevel
        tag = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID"}.get(
            level, "SOPInstanceUID"
        )
        seen: dict[str, Dataset] = {}
        for each in self.objects:
            if self._matches(each, keys):
                seen.setdefault(str(each[tag].value), each)
        for uid, first in seen.items():
            answer = Dataset()
            answer.QueryRetrieveLevel = level
            answer.SpecificCharacterSet = "ISO_IR 192"
            for element in keys:
                if element.keyword in first:
                    answer[element.tag] = first[element.tag]
            answer[tag] = first[tag]
            if level == "STUDY" and not self.tells_little:
                count = sum(str(each.StudyInstanceUID) == uid for each in self.objects)
                answer.NumberOfStudyRelatedInstances = count + self.overstated
                answer.ModalitiesInStudy = first.Modality
            yield 0xFF00, answer

    def _matches(self, each: Dataset, keys: Dataset) -> bool:
        for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            wanted = keys.get(keyword)
            if not wanted or (keyword == "PatientID" and self.ignores_number):
                continue
            listed = [wanted] if isinstance(wanted, str) else list(wanted)
            if str(each.get(keyword)) not in [str(one) for one in listed]:
                return False
        return True

    def get(self, event: evt.Event) -> Iterator[Any]:
        self.ways.append("get")
        yield from self._sent(event, breaks=True)

    def move(self, event: evt.Event) -> Iterator[Any]:
        self.ways.append("move")
        if not self.destination:
            yield None, None
            return
        yield "127.0.0.1", self.destination
        yield from self._sent(event, breaks=not self.breaks_get)

    def _sent(self, event: evt.Event, *, breaks: object) -> Iterator[Any]:
        found = [each for each in self.objects if self._matches(each, event.identifier)]
        yield len(found)
        for number, each in enumerate(found):
            if breaks and number >= self.stops_after:
                event.assoc.abort()
                return
            self.given.append(str(each.SOPInstanceUID))
            yield 0xFF00, each


@contextmanager
def serving(
    objects: Sequence[Dataset],
    *,
    offers: Sequence[str] = ("get", "move"),
    secure: ssl.SSLContext | None = None,
    **told: Any,
) -> Iterator[Pacs]:
    """Run a PACS with these objects, over TLS when a context is given."""
    pacs = Pacs(list(objects), **told)
    for each in pacs.objects:
        if not hasattr(each, "file_meta"):
            raise AssertionError("give it objects with a file meta header")
    entity = AE(ae_title="PACS")
    entity.add_supported_context(STUDY_ROOT_FIND)
    if "get" in offers:
        entity.add_supported_context(STUDY_ROOT_GET)
        entity.add_supported_context(CT, [EXPLICIT_LE, IMPLICIT_LE], scu_role=True, scp_role=True)
    if "move" in offers:
        entity.add_supported_context(STUDY_ROOT_MOVE)
    entity.add_requested_context(CT, [EXPLICIT_LE])
    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        ssl_context=secure,
        evt_handlers=[
            (evt.EVT_C_FIND, pacs.find),
            (evt.EVT_C_GET, pacs.get),
            (evt.EVT_C_MOVE, pacs.move),
        ],
    )
    pacs.port = server.socket.getsockname()[1]
    try:
        yield pacs
    finally:
        server.shutdown()
        server.server_close()
