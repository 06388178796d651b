"""Asking a node how much it has of a study: one that counts, and ones that count less well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as STUDY_ROOT

from casework.errors import NotFound, Refused, Unavailable
from casework.model import ApplicationEntity, SiteKind
from pacs_bridge.asking import instances_at
from pacs_bridge.scu import Wait
from tests.pacs_bridge.conftest import House
from tests.pacs_bridge.making import ORIGIN, ct, part10
from tests.ports import free_port

pytestmark = pytest.mark.slow

WAIT = Wait(connect_s=2, association_s=5, answer_s=5)


def node(port: int, title: str = "LYSBRO") -> ApplicationEntity:
    return ApplicationEntity(title, "hammer", SiteKind.HOSPITAL, host="127.0.0.1", port=port)


def ask(port: int, study: str = "1.2.1", *, title: str = "LYSBRO", calling: str = "HAMMER_CT"):
    return instances_at(node(port, title), study, calling=calling, wait=WAIT)


def test_a_node_that_counts_is_asked_once(house: House) -> None:
    for number in range(3):
        file = part10(ct(f"1.2.2.{number}", series=f"1.2.2{number % 2}"))
        house.archive.receive_part10(file, ORIGIN)
    assert ask(house.port) == 3
    with pytest.raises(NotFound, match="LYSBRO does not know"):
        ask(house.port, "1.2.9")
    with pytest.raises(Refused):
        ask(house.port, calling="NOBODY")


@contextmanager
def peer(answers: dict[str, list[dict[str, Any]]], *, status: int = 0x0000) -> Iterator[int]:
    """Run a node that answers each level with what it is given, whatever is asked."""

    def handle(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        for values in answers.get(event.identifier.QueryRetrieveLevel, []):
            found = Dataset()
            for keyword, value in values.items():
                setattr(found, keyword, value)
            yield 0xFF00, found
        if status:
            yield status, None

    entity = AE(ae_title="PEER")
    entity.add_supported_context(STUDY_ROOT)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, handle)]
    )
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()


STUDY = {"StudyInstanceUID": "1.2.1"}


def test_a_node_without_the_studys_number_is_asked_for_its_series() -> None:
    series = [
        {"SeriesInstanceUID": "1.1", "NumberOfSeriesRelatedInstances": 4},
        {"SeriesInstanceUID": "1.2", "NumberOfSeriesRelatedInstances": 5},
    ]
    with peer({"STUDY": [STUDY], "SERIES": series}) as port:
        assert ask(port, title="PEER") == 9


def test_a_node_without_any_number_is_asked_for_its_instances() -> None:
    images = [{"SOPInstanceUID": f"1.2.{n}"} for n in range(6)]
    series = [{"SeriesInstanceUID": "1.1"}, {"SeriesInstanceUID": "1.2"}]
    with peer({"STUDY": [STUDY], "SERIES": series, "IMAGE": images}) as port:
        assert ask(port, title="PEER") == 12


def test_a_node_that_answers_with_another_study_does_not_know_this_one() -> None:
    other = {"StudyInstanceUID": "1.2.9", "NumberOfStudyRelatedInstances": 5}
    with peer({"STUDY": [other]}) as port, pytest.raises(NotFound):
        ask(port, title="PEER")


def test_a_node_that_fails_or_says_nothing_of_use_is_asked_again_later() -> None:
    with peer({"STUDY": []}, status=0xA700) as port, pytest.raises(Unavailable, match="A700"):
        ask(port, title="PEER")
    with peer({"STUDY": [STUDY]}) as port, pytest.raises(Unavailable, match="without any"):
        ask(port, title="PEER")


def test_a_node_that_is_not_there_is_asked_again_later() -> None:
    port = free_port()
    with pytest.raises(Unavailable):
        ask(port, title="PEER")
