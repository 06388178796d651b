"""C-FIND: models, levels, unique keys, sight, limits and cancelling, over the real index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom.dsutils import decode, encode

from casework.errors import Invalid
from casework.model import ApplicationEntity, SiteKind
from pacs_bridge.query import FindRequest, find
from pacs_bridge.syntaxes import EXPLICIT_LE, PATIENT_ROOT_FIND, STUDY_ROOT_FIND
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.making import ORIGIN, ct, part10

HAMMER = ApplicationEntity("HAMMER_CT", "hammer", SiteKind.HOSPITAL)
UTSIRA = ApplicationEntity("UTSIRA_CT", "utsira", SiteKind.HOSPITAL)
CENTRE = ApplicationEntity("NORDLYS_PACS", "nordlys", SiteKind.CENTRE)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("query")) as opened:
        for n in range(3):
            ds = ct(f"1.2.3.{n}", series=f"1.2.2.{n % 2}", SeriesNumber=n % 2, InstanceNumber=n)
            opened.archive.receive_part10(BytesIO(part10(ds)), ORIGIN)
        other = ct("1.2.4", study="1.2.9", series="1.2.10", PatientID="u-1", PatientName="Vik^Ola")
        opened.archive.receive_part10(BytesIO(part10(other)), replace(ORIGIN, site="utsira"))
        opened.archive.settle()
        yield opened


Ask = Callable[..., list[Dataset]]


@pytest.fixture
def ask(house: House) -> Ask:
    """Return a way to query that gives the matches, and checks how it ended."""

    def asking(
        model: str,
        entity: ApplicationEntity = HAMMER,
        *,
        limit: int = 100,
        ends: int = 0x0000,
        pending: int = 0xFF00,
        cancelled: Callable[[], bool] = lambda: False,
        **keys: Any,
    ) -> list[Dataset]:
        ds = Dataset()
        ds.update({})
        for keyword, value in keys.items():
            setattr(ds, keyword, value)
        request = FindRequest(model, EXPLICIT_LE, encode(ds, False, True) or b"", entity)
        found = list(
            find(request, house.index, own_title="LYSBRO", limit=limit, is_cancelled=cancelled)
        )
        assert found[-1].answer.status == ends
        assert {f.answer.status for f in found[:-1]} <= {pending}
        assert not found[-1].identifier
        return [decode(BytesIO(f.identifier), False, True) for f in found[:-1]]

    return asking


def test_study_is_found_with_what_was_asked_and_where_it_is(ask: Ask) -> None:
    (study,) = ask(
        STUDY_ROOT_FIND, QueryRetrieveLevel="STUDY", PatientName="bjørnson*", StudyDate="20260101-",
        StudyInstanceUID="", AccessionNumber="", ModalitiesInStudy="",
        NumberOfStudyRelatedSeries="", NumberOfStudyRelatedInstances="",
    )  # fmt: skip

    assert str(study.PatientName) == "Bjørnson^Åse"
    assert study.StudyInstanceUID == "1.2.1"
    assert (study.AccessionNumber, study.ModalitiesInStudy) == ("A1", "CT")
    assert (study.NumberOfStudyRelatedSeries, study.NumberOfStudyRelatedInstances) == (2, 3)
    assert (study.QueryRetrieveLevel, study.RetrieveAETitle) == ("STUDY", "LYSBRO")
    assert study.InstanceAvailability == "ONLINE"
    assert study.SpecificCharacterSet == "ISO_IR 192"


def test_levels_below_are_found_through_their_unique_keys(ask: Ask) -> None:
    series = ask(
        STUDY_ROOT_FIND, QueryRetrieveLevel="SERIES", StudyInstanceUID="1.2.1",
        SeriesInstanceUID="", SeriesNumber="", NumberOfSeriesRelatedInstances="",
    )  # fmt: skip
    images = ask(
        STUDY_ROOT_FIND, QueryRetrieveLevel="IMAGE", StudyInstanceUID="1.2.1",
        SeriesInstanceUID="1.2.2.0", SOPInstanceUID="", InstanceNumber="",
    )  # fmt: skip

    assert [(s.SeriesInstanceUID, s.NumberOfSeriesRelatedInstances) for s in series] == [
        ("1.2.2.0", 2),
        ("1.2.2.1", 1),
    ]
    assert [i.SOPInstanceUID for i in images] == ["1.2.3.0", "1.2.3.2"]


def test_patient_root_starts_at_the_patient(ask: Ask) -> None:
    (patient,) = ask(PATIENT_ROOT_FIND, QueryRetrieveLevel="PATIENT", PatientID="", PatientName="")
    (study,) = ask(
        PATIENT_ROOT_FIND, QueryRetrieveLevel="STUDY", PatientID="hammer-1", StudyInstanceUID=""
    )

    assert patient.PatientID == "hammer-1"
    assert study.StudyInstanceUID == "1.2.1"


def test_nobody_sees_another_site_but_the_centre_what_was_submitted(ask: Ask) -> None:
    keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ""}

    assert [s.StudyInstanceUID for s in ask(STUDY_ROOT_FIND, UTSIRA, **keys)] == ["1.2.9"]
    assert [s.StudyInstanceUID for s in ask(STUDY_ROOT_FIND, HAMMER, **keys)] == ["1.2.1"]
    seen = {s.StudyInstanceUID for s in ask(STUDY_ROOT_FIND, CENTRE, **keys)}
    assert seen == {"1.2.1", "1.2.9"}
    assert ask(STUDY_ROOT_FIND, UTSIRA, QueryRetrieveLevel="STUDY", StudyInstanceUID="1.2.1") == []


@pytest.mark.parametrize(
    ("model", "keys"),
    [
        (STUDY_ROOT_FIND, {"StudyInstanceUID": ""}),
        (STUDY_ROOT_FIND, {"QueryRetrieveLevel": "PATIENT", "PatientID": "hammer-1"}),
        (STUDY_ROOT_FIND, {"QueryRetrieveLevel": "FRAME"}),
        (STUDY_ROOT_FIND, {"QueryRetrieveLevel": "SERIES"}),
        (STUDY_ROOT_FIND, {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": ["1.2.1", "1.2"]}),
        (STUDY_ROOT_FIND, {"QueryRetrieveLevel": "IMAGE", "StudyInstanceUID": "1.2.1"}),
        (PATIENT_ROOT_FIND, {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.2.1"}),
        (PATIENT_ROOT_FIND, {"QueryRetrieveLevel": "STUDY", "PatientID": "hammer-*"}),
    ],
)
def test_query_that_breaks_the_rules_of_its_model_is_refused(
    ask: Ask, model: str, keys: dict[str, Any]
) -> None:
    with pytest.raises(Invalid) as caught:
        ask(model, **keys)

    assert caught.value.code == "bad-identifier"


def test_more_matches_than_the_limit_end_with_a_warning(ask: Ask) -> None:
    keys = {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": "1.2.1"}

    assert len(ask(STUDY_ROOT_FIND, limit=1, ends=0xB001, **keys)) == 1
    assert len(ask(STUDY_ROOT_FIND, limit=2, ends=0x0000, **keys)) == 2


def test_cancelled_query_ends_between_two_matches(ask: Ask) -> None:
    said: list[bool] = []

    def cancelled() -> bool:  # asked before the search and before each of its matches
        said.append(True)
        return len(said) > 2

    found = ask(
        STUDY_ROOT_FIND, ends=0xFE00, cancelled=cancelled,
        QueryRetrieveLevel="SERIES", StudyInstanceUID="1.2.1",
    )  # fmt: skip

    assert len(found) == 1


def test_key_that_is_not_matched_is_told_by_the_pending_status(ask: Ask) -> None:
    found = ask(STUDY_ROOT_FIND, pending=0xFF01, QueryRetrieveLevel="STUDY", PatientComments="left")

    assert len(found) == 1
