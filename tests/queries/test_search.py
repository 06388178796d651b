"""QIDO-RS beyond matching: resources, fields, pages, warnings (PS3.18 sections 8.3.4 and 10.6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.databases import ON_SQLITE
from tests.queries.stored import Exchange, label, uid

pytestmark = ON_SQLITE  # what differs between databases is in the table of cases

STEPS, STEP, REQUESTED, STEP_DESCRIPTION = "00400275", "00400009", "00401001", "00400007"
STUDY_TAGS = {
    "00080005", "00080020", "00080030", "00080050", "00080056", "00080061", "00080090", "00081030",
    "00081190", "00100010", "00100020", "00100030", "00100040", "0020000D", "00200010", "00201206",
    "00201208",
}  # fmt: skip


def search(exchange: Exchange, path: str, query: str = "", site: str = "hammer") -> Any:
    answer = exchange.clients[site].get(f"/dicom-web/{path}?{query}")
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/dicom+json"
    return answer


def found(exchange: Exchange, path: str, query: str = "", site: str = "hammer") -> list[str]:
    tag = {"studies": "0020000D", "series": "0020000E", "instances": "00080018"}
    matches = search(exchange, path, query, site).get_json()
    return [label(m[tag[path.rsplit("/", maxsplit=1)[-1]]]["Value"][0]) for m in matches]


@pytest.mark.parametrize(
    ("path", "labels"),
    [
        ("studies", "g f c b a e d h"),
        ("series", "g1 f1 c1 b1 a1 a2 e1 d1 h1"),
        ("instances", "g1.1 f1.1 c1.1 b1.1 a1.1 a1.2 a2.1 e1.1 d1.1 h1.1"),
        (f"studies/{uid('a')}/series", "a1 a2"),
        (f"studies/{uid('a')}/instances", "a1.1 a1.2 a2.1"),
        (f"studies/{uid('a')}/series/{uid('a1')}/instances", "a1.1 a1.2"),
        (f"studies/{uid('b')}/series/{uid('a1')}/instances", ""),
        (f"studies/{uid('u')}/instances", ""),
        ("studies/1.2.3/series", ""),
    ],
)
def test_every_resource_is_searched_newest_first(
    exchange: Exchange, path: str, labels: str
) -> None:
    assert found(exchange, path) == labels.split()


@pytest.mark.parametrize("path", ["studies", "series", "instances"])
def test_pages_join_up_and_all_but_the_last_say_that_there_is_more(
    exchange: Exchange, path: str
) -> None:
    everything, pages = found(exchange, path), []
    for offset in range(0, len(everything) + 3, 3):
        answer = search(exchange, path, f"limit=3&offset={offset}")
        pages += found(exchange, path, f"limit=3&offset={offset}")
        is_more = offset + 3 < len(everything)
        warning = answer.headers.get("Warning", "")
        assert warning.startswith("299 http://localhost/dicom-web: ") is is_more
        assert ("additional results" in warning) is is_more
    assert pages == everything
    assert search(exchange, path, "offset=500").get_json() == []
    assert search(exchange, path, "limit=0").get_json() == []


@pytest.mark.parametrize("path", ["series", "instances"])
def test_what_is_read_a_few_at_a_time_is_the_same(
    exchange: Exchange, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = found(exchange, path, "SeriesNumber=1")
    monkeypatch.setattr("storage.find._AT_ONCE", 1)
    assert found(exchange, path, "SeriesNumber=1") == everything
    pages = [found(exchange, path, f"SeriesNumber=1&limit=2&offset={n}") for n in range(0, 12, 2)]
    assert [each for page in pages for each in page] == everything


def test_study_has_what_the_standard_wants_and_no_more(exchange: Exchange) -> None:
    (match,) = search(exchange, "studies", "AccessionNumber=A1").get_json()
    assert match.keys() == STUDY_TAGS
    assert match["00080056"]["Value"] == ["ONLINE"]
    assert match["00080005"]["Value"] == ["ISO_IR 192"]
    (zoned,) = search(exchange, "studies", "AccessionNumber=A_1").get_json()
    assert zoned["00080201"] == {"vr": "SH", "Value": ["+0100"]}
    (name,) = search(exchange, "studies", "PatientID=F").get_json()[0]["00100010"]["Value"]
    assert name["Ideographic"] == "山田^太郎"


def test_series_has_the_steps_that_were_requested(exchange: Exchange) -> None:
    one, other = search(exchange, f"studies/{uid('a')}/series").get_json()
    items = one[STEPS]["Value"]
    assert [item.keys() for item in items] == [{STEP, REQUESTED}] * 2
    assert STEPS not in other
    assert "00100010" not in one
    assert "00100010" in search(exchange, "series", "Modality=SR").get_json()[0]


@pytest.mark.parametrize(
    ("query", "tags"),
    [
        ("includefield=InstitutionName", {"00080080"}),
        ("includefield=00080080", {"00080080"}),
        ("includefield=InstitutionName,PatientAge", {"00080080", "00101010"}),
        ("includefield=InstitutionName&includefield=00101010", {"00080080", "00101010"}),
        ("includefield=%20InstitutionName%20,", {"00080080"}),
        ("includefield=SOPClassesInStudy", {"00080062"}),
        ("includefield=NumberOfPatientRelatedStudies", {"00201200"}),
        ("includefield=PatientName", set()),
        ("includefield=PatientComments", set()),  # not kept
        ("includefield=00091001", set()),  # nobody's
        ("includefield=", set()),
        ("InstitutionName=Hammer*", {"00080080"}),
        ("InstitutionName=", {"00080080"}),
    ],
)
def test_fields_are_added_to_those_that_come_anyway(
    exchange: Exchange, query: str, tags: set[str]
) -> None:
    (match,) = search(exchange, "studies", f"AccessionNumber=A1&{query}").get_json()
    assert match.keys() == STUDY_TAGS | tags


@pytest.mark.parametrize(
    ("query", "tags"),
    [
        ("includefield=RequestAttributesSequence", {STEP, REQUESTED, STEP_DESCRIPTION}),
        ("includefield=00400275", {STEP, REQUESTED, STEP_DESCRIPTION}),
        ("includefield=00400275.00400007", {STEP, REQUESTED, STEP_DESCRIPTION}),
        (
            "includefield=RequestAttributesSequence.ScheduledProcedureStepDescription",
            {STEP, REQUESTED, STEP_DESCRIPTION},
        ),
        ("00400275.00400009=P1", {STEP, REQUESTED}),
        ("RequestAttributesSequence.00400007=Tho*", {STEP, REQUESTED, STEP_DESCRIPTION}),
        ("includefield=all", {STEP, REQUESTED, STEP_DESCRIPTION}),
    ],
)
def test_fields_of_items_are_named_by_their_path(
    exchange: Exchange, query: str, tags: set[str]
) -> None:
    match = search(exchange, f"studies/{uid('a')}/series", query).get_json()[0]
    assert {tag for item in match[STEPS]["Value"] for tag in item} >= tags - {STEP_DESCRIPTION}
    shown = {t for item in match[STEPS]["Value"] for t, v in item.items() if "Value" in v}
    assert shown == tags


def test_all_fields_are_all_that_is_kept_at_the_level(exchange: Exchange) -> None:
    study = search(exchange, "studies", "AccessionNumber=A1&includefield=all").get_json()[0]
    assert study.keys() > STUDY_TAGS | {"00080080", "00101010", "00080062", "00201200", "00100021"}
    assert "00080060" not in study
    path = f"studies/{uid('a')}/series/{uid('a1')}/instances"
    image = search(exchange, path, "InstanceNumber=1&includefield=ALL").get_json()[0]
    for tag, value in {
        "00080008": "ORIGINAL",
        "00080080": "Hammer sykehus",
        "00081010": "CT1",
    }.items():
        assert value in image[tag]["Value"]
    assert image["00080005"]["Value"] == ["ISO_IR 192"]
    assert "00080052" not in image


@pytest.mark.parametrize(
    ("query", "not_matched"),
    [
        ("PatientComments=x", "PatientComments"),
        ("Modality=CT&00104000=x", "Modality, PatientComments"),
        ("NumberOfStudyRelatedInstances=77", "NumberOfStudyRelatedInstances"),
        ("ProcedureCodeSequence.CodeValue=x", "ProcedureCodeSequence.CodeValue"),
        ("PatientComments=", ""),
        ("includefield=PatientComments", ""),
    ],
)
def test_keys_that_were_not_matched_are_warned_of(
    exchange: Exchange, query: str, not_matched: str
) -> None:
    answer = search(exchange, "studies", f"AccessionNumber=A1&{query}")
    assert len(answer.get_json()) == 1
    warning = answer.headers.get("Warning", "")
    assert warning.endswith(f': {not_matched}."') if not_matched else warning == ""


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        (f"StudyInstanceUID={uid('a')},{uid('b')}", "a b"),
        (f"0020000D={uid('a')},{uid('b')}", "a b"),
        (f"0020000d={uid('a')}\\{uid('b')}", "a b"),
        (f"StudyInstanceUID={uid('a')}&StudyInstanceUID={uid('b')}", "a b"),
        (f"SOPClassesInStudy=1.2.3,{'1.2.840.10008.5.1.4.1.1.88.11'}", "a"),
        ("PatientName=Moe, Anne&fuzzymatching=TRUE", "g"),
        ("PatientName=Moe, Anne&fuzzymatching=false", ""),
        ("AccessionNumber=%22%22&emptyvaluematching=true", "h"),
        ("AccessionNumber=%22%22", ""),
        ("AccessionNumber=A1\\a1&multiplevaluematching=true", "a b"),
        ("PatientID=123&PatientID=123", "a"),
        ("PatientID=123&00100020=123", "a"),
    ],
)
def test_keys_may_be_written_in_more_ways_than_one(
    exchange: Exchange, query: str, labels: str
) -> None:
    assert sorted(found(exchange, "studies", query)) == labels.split()


def test_nobody_sees_what_is_not_of_their_site(exchange: Exchange) -> None:
    assert found(exchange, "studies", site="utsira") == ["v", "u"]
    assert set("auv") <= set(found(exchange, "studies", "limit=50", site="nordlys"))
    secret = f"StudyInstanceUID={uid('a')},{uid('u')}"
    assert found(exchange, "studies", secret, site="utsira") == ["u"]
    assert found(exchange, "instances", f"SOPInstanceUID={uid('a1.1')}", site="utsira") == []


def test_other_forms_than_json_are_not_acceptable(exchange: Exchange) -> None:
    client = exchange.clients["hammer"]
    for accept, status in (
        ("application/dicom+json", 200),
        ("application/json", 200),
        ("*/*", 200),
        ("text/html", 406),
    ):
        answer = client.get("/dicom-web/studies", headers={"Accept": accept})
        assert answer.status_code == status
