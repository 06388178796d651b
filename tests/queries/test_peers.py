"""Real peers ask: DCMTK's findscu in both models, and Orthanc by its own REST interface."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from casework.model import AePermission
from tests.flows.waiting import until
from tests.ports import free_port
from tests.queries.stored import Exchange, fill, label, open_exchange, uid

pytestmark = [pytest.mark.peers, pytest.mark.slow]

ORTHANC = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
needs_orthanc = pytest.mark.skipif(ORTHANC is None, reason="Orthanc is not on this machine")
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Give an exchange that holds everything and knows Orthanc."""
    with open_exchange(tmp_path_factory.mktemp("known")) as opened:
        fill(opened)
        allowed = frozenset({AePermission.QUERY})
        opened.parts.people.add_ae("ORTHANC", "hammer", permissions=allowed)
        yield opened


def findscu(exchange: Exchange, folder: Path, model: str, *keys: str) -> list[Dataset]:
    """Return the answers as findscu has written them."""
    words = [word for key in keys for word in ("-k", key)]
    done = subprocess.run(
        [
            "findscu", model, "-X", "-od", folder, "-aet", "HAMMER_WS", "-aec", "LYSBRO",
            "127.0.0.1", str(exchange.bridge.port), *words,
        ],
        check=False, capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [dcmread(path, force=True) for path in sorted(folder.glob("rsp*.dcm"))]


UTF8 = "SpecificCharacterSet=ISO_IR 192"
LATIN1 = "SpecificCharacterSet=ISO_IR 100"


@pytest.mark.parametrize(
    ("keys", "studies"),
    [
        (("AccessionNumber=A_1",), "c"),
        (("AccessionNumber=A?1",), "c d e f g"),
        (("StudyDate=20260102-20260103",), "a b"),
        (("StudyDate=20260102-", "StudyTime=1000-1015"), "a"),
        ((UTF8, "PatientName=bjørn*"), "a b"),
        ((UTF8, "PatientName=šuoŋŋá*"), "c"),
        ((UTF8, "PatientName=山田*"), "f"),
        (("ModalitiesInStudy=SR",), "a"),
        (("StudyInstanceUID=" + "\\".join((uid("a"), uid("b"), uid("u"))),), "a b"),
        (("AccessionNumber=V1",), ""),
    ],
)
def test_findscu_finds_studies(
    known: Exchange, tmp_path: Path, keys: tuple[str, ...], studies: str
) -> None:
    answers = findscu(known, tmp_path, "-S", "QueryRetrieveLevel=STUDY", "StudyInstanceUID", *keys)
    assert sorted(label(a.StudyInstanceUID) for a in answers) == studies.split()


def test_findscu_goes_down_from_the_patient(known: Exchange, tmp_path: Path) -> None:
    def asked(level: str, *keys: str) -> list[Dataset]:
        folder = tmp_path / level
        folder.mkdir()
        return findscu(known, folder, "-P", f"QueryRetrieveLevel={level}", *keys)

    counts = ("NumberOfPatientRelatedStudies", "NumberOfPatientRelatedInstances")
    (patient,) = asked("PATIENT", "PatientID=123", "IssuerOfPatientID", *counts)
    assert patient.IssuerOfPatientID == "2.16.578.1.1"
    assert [patient[c].value for c in counts] == [1, 3]
    (study,) = asked("STUDY", "PatientID=123", "StudyInstanceUID", "ModalitiesInStudy")
    assert list(study.ModalitiesInStudy) == ["CT", "SR"]
    of_study = ("PatientID=123", f"StudyInstanceUID={study.StudyInstanceUID}")
    series = asked("SERIES", *of_study, "SeriesInstanceUID", "NumberOfSeriesRelatedInstances")
    assert [s.NumberOfSeriesRelatedInstances for s in series] == [2, 1]
    of_series = (*of_study, f"SeriesInstanceUID={series[0].SeriesInstanceUID}")
    images = asked("IMAGE", *of_series, "SOPInstanceUID", "InstanceNumber")
    assert [i.InstanceNumber for i in images] == [1, 2]


def test_findscu_asks_for_items_of_a_sequence(known: Exchange, tmp_path: Path) -> None:
    (series,) = findscu(
        known, tmp_path, "-S", "QueryRetrieveLevel=SERIES", f"StudyInstanceUID={uid('a')}",
        "SeriesInstanceUID", "RequestAttributesSequence[0].ScheduledProcedureStepID=P2",
        "RequestAttributesSequence[0].RequestedProcedureID",
    )  # fmt: skip
    found = series.RequestAttributesSequence
    assert [i.RequestedProcedureID for i in found] == ["R1", "R2"]


def test_findscu_is_answered_in_its_own_set(known: Exchange, tmp_path: Path) -> None:
    asked = ("-S", "QueryRetrieveLevel=STUDY", LATIN1, f"StudyInstanceUID={uid('a')}")
    (answer,) = findscu(known, tmp_path, *asked, "PatientName")
    assert (answer.SpecificCharacterSet, answer.PatientName) == ("ISO_IR 100", "Bjørnson^Åse")


def can_connect(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def orthanc(known: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Call]:
    """Run Orthanc, which knows us; give a way to call its REST interface."""
    folder, port, web_port = tmp_path_factory.mktemp("orthanc"), free_port(), free_port()
    settings = {
        "StorageDirectory": str(folder), "IndexDirectory": str(folder), "DicomAet": "ORTHANC",
        "DicomPort": port, "HttpPort": web_port, "AuthenticationEnabled": False, "Plugins": [],
        "DefaultEncoding": "Utf8",
        "DicomModalities": {"lysbro": ["LYSBRO", "127.0.0.1", known.bridge.port]},
    }  # fmt: skip
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings))

    def call(path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{web_port}{path}", data=data)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    assert ORTHANC is not None
    with subprocess.Popen(
        [ORTHANC, str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            until(lambda: can_connect(web_port), "Orthanc", alive=lambda: process.poll() is None)
            yield call
        finally:
            process.terminate()


def _asked(orthanc: Call, level: str, query: dict[str, str]) -> list[dict[str, str]]:
    path = orthanc("/modalities/lysbro/query", {"Level": level, "Query": query})["Path"]
    return [
        orthanc(f"{path}/answers/{number}/content?simplify")
        for number in orthanc(f"{path}/answers")
    ]


@needs_orthanc
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"PatientName": "bjørn*"}, ["BJORNSON^ASE", "Bjørnson^Åse"]),
        ({"PatientName": "ŠUOŊŊÁ*"}, ["Šuoŋŋá^Máhtte"]),
        ({"PatientName": "*=山田*"}, ["Yamada^Tarou=山田^太郎=やまだ^たろう"]),
        ({"StudyDate": "20260102"}, ["Bjørnson^Åse"]),
        ({"AccessionNumber": "A%1"}, ["Διονυσιος^Άννα"]),
        ({"AccessionNumber": "V1"}, []),
    ],
)
def test_orthanc_finds_studies(orthanc: Call, query: dict[str, str], names: list[str]) -> None:
    answers = _asked(orthanc, "Study", {"PatientName": "", "StudyInstanceUID": "", **query})
    assert sorted(a["PatientName"] for a in answers) == names


@needs_orthanc
def test_orthanc_finds_at_every_level(orthanc: Call) -> None:
    (patient,) = _asked(orthanc, "Patient", {"PatientID": "123"})
    assert patient["PatientID"] == "123"
    of_study = {"StudyInstanceUID": uid("a")}
    series = _asked(orthanc, "Series", {**of_study, "SeriesInstanceUID": "", "Modality": ""})
    assert sorted(s["Modality"] for s in series) == ["CT", "SR"]
    of_series = {**of_study, "SeriesInstanceUID": uid("a1"), "SOPInstanceUID": ""}
    images = _asked(orthanc, "Instance", of_series)
    assert sorted(label(i["SOPInstanceUID"]) for i in images) == ["a1.1", "a1.2"]
