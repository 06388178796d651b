"""From outside: what a hospital's own tools get from a running exchange, and what its log tells."""

from __future__ import annotations

import re
import subprocess
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from tests.flows.conftest import Exchange, can_connect
from tests.flows.waiting import until
from tests.ports import free_port

SAMPLE = Path(__file__).resolve().parents[2] / "lysbro" / "samples" / "ct" / "01.dcm"
RADIOLOGIST, WARD = "radiologist@nordlys.example", "ward@utsira.example"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
IMPRESSION = "Ingen blødning. Åpne ventrikler."
PATIENTS = {
    "U1": ("Ødegård^Åse Ælin", "ISO_IR 100", "19370226", "20240115", "ACC-7"),
    "U2": ("Østby^Ole", "ISO_IR 192", "19581103", "20240320", "ACC-8"),
    "U3": ("<script>alert(1)</script>^Bo", "ISO_IR 6", "19990909", "20230101", "ACC-9"),
}

pytestmark = [pytest.mark.peers, pytest.mark.slow]


def run(*words: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(list(map(str, words)), check=False, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def sent(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Store one slice for each patient as UTSIRA_CT; return the studies by patient number."""
    folder = tmp_path_factory.mktemp("slices")
    studies = {}
    for number, (name, charset, born, date, accession) in PATIENTS.items():
        ds = dcmread(SAMPLE)
        ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.SpecificCharacterSet = charset
        ds.PatientName, ds.PatientID, ds.PatientBirthDate = name, number, born
        ds.StudyDate, ds.AccessionNumber = date, accession
        ds.save_as(folder / f"{number}.dcm")
        studies[number] = str(ds.StudyInstanceUID)
    to = ("-aet", "UTSIRA_CT", "-aec", "LYSBRO", "127.0.0.1", exchange.dicom_port)
    done = run("dcmsend", *to, *sorted(folder.iterdir()))
    assert done.returncode == 0, done.stderr
    return studies


def found(exchange: Exchange, folder: Path, *keys: str, level: str = "STUDY") -> list[Dataset]:
    """Ask as UTSIRA_CT with findscu; return the answers, which are read as they say themselves."""
    for old in folder.glob("rsp*.dcm"):
        old.unlink()
    words = [word for key in (f"QueryRetrieveLevel={level}", *keys) for word in ("-k", key)]
    done = run(
        "findscu", "-S", "-X", "-od", folder, "-aet", "UTSIRA_CT", "-aec", "LYSBRO",
        "127.0.0.1", exchange.dicom_port, *words,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [dcmread(path, force=True) for path in sorted(folder.glob("rsp*.dcm"))]


UTF8 = "SpecificCharacterSet=ISO_IR 192"


@pytest.mark.parametrize(
    ("keys", "who"),
    [
        (("PatientID=U2",), {"U2"}),
        ((UTF8, "PatientName=ød*"), {"U1"}),
        ((UTF8, "PatientName=Ø?tby*"), {"U2"}),
        (("StudyDate=20240101-20240201",), {"U1"}),
        (("StudyDate=-20231231",), {"U3"}),
        (("AccessionNumber=ACC-8",), {"U2"}),
        (("ModalitiesInStudy=CT", "StudyDate=20240101-"), {"U1", "U2"}),
        (("ModalitiesInStudy=MR",), set()),
    ],
)
def test_studies_are_found_by_the_usual_keys(
    exchange: Exchange, sent: dict[str, str], tmp_path: Path, keys: tuple[str, ...], who: set[str]
) -> None:
    asked = [k for k in ("PatientID", "PatientName") if not any(w.startswith(k) for w in keys)]
    answers = found(exchange, tmp_path, *keys, *asked)
    assert {str(a.PatientID) for a in answers} == who
    assert {str(a.PatientName) for a in answers} == {PATIENTS[number][0] for number in who}


@pytest.fixture(scope="module")
def replied(exchange: Exchange, sent: dict[str, str], pacs: Path) -> str:
    """Let the radiologist answer the case of U1; return its number."""
    _, listed = exchange.call(RADIOLOGIST, "GET", "/api/cases?site=utsira")
    (case,) = (c["case_id"] for c in listed["cases"] if c["patient"]["id"] == "U1")
    for method, step, body in (
        ("POST", "claim", None),
        ("PUT", "findings", {"findings": "", "impression": IMPRESSION}),
        ("POST", "sign", {}),
    ):
        status, answer = exchange.call(RADIOLOGIST, method, f"/api/cases/{case}/{step}", body)
        assert status == 200, answer
    until(lambda: list(pacs.iterdir()), "the reply at the hospital", timeout_s=60)
    return str(case)


@pytest.fixture(scope="module")
def pacs(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of a node of Utsira that takes replies."""
    folder, port = tmp_path_factory.mktemp("pacs"), free_port()
    with subprocess.Popen(["storescp", "+B", "-od", str(folder), str(port)]) as storescp:
        try:
            until(lambda: can_connect(port), "storescp")
            exchange.must(
                "ae", "add", "UTSIRA_PACS", "--site", "utsira", "--host", "127.0.0.1",
                "--port", str(port), "--allow", "reply",
            )  # fmt: skip
            yield folder
        finally:
            storescp.terminate()


def test_signed_reply_is_stored_at_the_node_that_takes_replies(
    exchange: Exchange, sent: dict[str, str], replied: str, pacs: Path, tmp_path: Path
) -> None:
    arrived = until(lambda: len(found := list(pacs.iterdir())) == 2 and found, "PDF and SR")
    for file in arrived:
        judged = run("dciodvfy", file)
        assert b"Error" not in judged.stdout + judged.stderr
    reply, document = sorted(map(dcmread, arrived), key=lambda ds: str(ds.Modality))
    assert document.SOPClassUID.name == "Basic Text SR Storage"
    assert (reply.SOPClassUID, reply.StudyInstanceUID) == (PDF, sent["U1"])
    assert bytes(reply.EncapsulatedDocument).startswith(b"%PDF-")

    series = until(
        lambda: found(
            exchange, tmp_path, f"StudyInstanceUID={sent['U1']}", "SeriesInstanceUID",
            "Modality=DOC", level="SERIES",
        ),
        "the reply in the study",
    )  # fmt: skip
    assert [s.SeriesInstanceUID for s in series] == [reply.SeriesInstanceUID]


def test_reply_is_a_diagnostic_report_whose_conclusion_is_the_impression(
    exchange: Exchange, replied: str
) -> None:
    status, bundle = exchange.call(WARD, "GET", "/fhir/DiagnosticReport")
    (report,) = (entry["resource"] for entry in bundle["entry"])
    assert (status, report["id"], report["conclusion"]) == (200, replied, IMPRESSION)
    _, of_others = exchange.call("ward@hammer.example", "GET", "/fhir/DiagnosticReport")
    assert of_others["total"] == 0


def test_retrieved_object_is_the_one_that_was_sent(
    exchange: Exchange, sent: dict[str, str]
) -> None:
    url = f"{exchange.address}/dicom-web/studies/{sent['U3']}"
    asked = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
    asked["Authorization"] = f"Bearer {exchange.token(WARD)}"
    with urllib.request.urlopen(urllib.request.Request(url, headers=asked), timeout=30) as answer:
        body: bytes = answer.read()
    assert body.count(b"DICM") == 1
    assert dcmread(SAMPLE).PixelData in body


def test_packs_are_ordinary_zips(exchange: Exchange, sent: dict[str, str]) -> None:
    def packed() -> Any:
        zips = list((exchange.data / "store" / "v1").rglob("*.zip"))
        return len(zips) >= len(sent) and zips

    for path in until(packed, "the series to be packed", timeout_s=60):
        assert run("unzip", "-tq", path).returncode == 0
        names = zipfile.ZipFile(path).namelist()
        assert {"metadata.json", "custody.json"} < set(names)
        assert any(name.endswith(".dcm") for name in names)


def test_log_names_no_patient_and_no_birth_date(
    exchange: Exchange, sent: dict[str, str], replied: str
) -> None:
    log = exchange.log()
    assert sent["U1"] in log or "stored" in log
    for name, _, born, *_ in PATIENTS.values():
        words = [word for word in re.split(r"[\^ ]", name) if len(word) > 2]
        iso = f"{born[:4]}-{born[4:6]}-{born[6:]}"
        assert not [word for word in (*words, born, iso, IMPRESSION) if word in log]
