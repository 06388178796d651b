"""DCMTK's own tools against a running bridge: let in, rejected with reasons, stored, found."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from casework.access import Scope
from pacs_bridge.syntaxes import IMPLICIT_LE
from tests.pacs_bridge.conftest import House
from tests.pacs_bridge.making import ct, part10

pytestmark = pytest.mark.peers

ALL = Scope(sites=None, specialties=None, own_site="")


def dcmtk(tool: str, house: House, *words: str, calling: str = "HAMMER_CT") -> tuple[int, str]:
    """Run a tool of DCMTK against the bridge; return its status and what it said."""
    command = [tool, "-v", "-aet", calling]
    if "-aec" not in words:
        command += ["-aec", "LYSBRO"]
    split = next((i for i, word in enumerate(words) if word.startswith("/")), len(words))
    command += [*words[:split], "127.0.0.1", str(house.port), *words[split:]]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    return done.returncode, (done.stdout + done.stderr).replace("\0", "")  # it shows the padding


@pytest.fixture
def series(tmp_path: Path) -> list[Path]:
    """Return files of a series of three slices of a Norwegian patient."""
    files = []
    for n in range(3):
        file = tmp_path / f"{n}.dcm"
        file.write_bytes(part10(ct(f"1.2.3.{n}", InstanceNumber=n + 1)))
        files.append(file)
    return files


def test_known_caller_gets_an_echo(house: House) -> None:
    status, said = dcmtk("echoscu", house)

    assert status == 0
    assert "Received Echo Response (Success)" in said


@pytest.mark.parametrize(
    ("calling", "words", "reason"),
    [
        ("NOBODY", (), "Reason: Calling AE Title Not Recognized"),
        ("HAMMER_TLS", (), "Reason: Calling AE Title Not Recognized"),
        ("HAMMER_CT", ("-aec", "ORTHANC"), "Reason: Called AE Title Not Recognized"),
    ],
)
def test_rejected_caller_is_told_why_and_it_is_audited(
    house: House, calling: str, words: tuple[str, ...], reason: str
) -> None:
    status, said = dcmtk("echoscu", house, *words, calling=calling)

    assert status != 0
    assert "Association Rejected" in said
    assert reason in said
    (entry,) = house.ledger.entries(q="association-rejected")
    assert (entry.subject, entry.outcome) == (calling, "refused")


def test_caller_without_the_permission_to_store_has_no_context_for_it(
    house: House, series: list[Path]
) -> None:
    status, said = dcmtk("storescu", house, str(series[0]), calling="HAMMER_ASK")

    assert status != 0
    assert "No Acceptable Presentation Contexts" in said


def test_stored_series_is_found_at_once_with_its_patient(house: House, series: list[Path]) -> None:
    status, said = dcmtk("storescu", house, *map(str, series))
    assert status == 0
    assert said.count("Received Store Response (Success)") == 3

    status, said = dcmtk(
        "findscu", house, "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName=BJØRN*",
        "-k", "SpecificCharacterSet=ISO_IR 192", "-k", "StudyInstanceUID",
        "-k", "NumberOfStudyRelatedInstances", "-k", "ModalitiesInStudy",
    )  # fmt: skip

    assert status == 0
    assert "Received Final Find Response (Success)" in said
    for part in ("[1.2.1]", "[CT]", "[3 ]", "[LYSBRO]", "[ONLINE]", "[Bjørnson^Åse]"):
        assert part in said


def test_each_level_is_found_below_the_other(house: House, series: list[Path]) -> None:
    dcmtk("storescu", house, *map(str, series))

    keys = ["-k", "StudyInstanceUID=1.2.1", "-k", "SeriesInstanceUID=1.2.2", "-k", "SOPInstanceUID"]
    status, said = dcmtk("findscu", house, "-S", "-k", "QueryRetrieveLevel=IMAGE", *keys)

    assert status == 0
    assert [f"[1.2.3.{n}]" in said for n in range(3)] == [True, True, True]
    status, said = dcmtk("findscu", house, "-S", "-k", "QueryRetrieveLevel=SERIES")
    assert "DataSetDoesNotMatchSOPClass" in said.replace(" ", "")


def test_other_site_finds_nothing_of_it(house: House, series: list[Path]) -> None:
    dcmtk("storescu", house, *map(str, series))

    status, said = dcmtk(
        "findscu", house, "-P", "-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientID",
        calling="UTSIRA_CT",
    )  # fmt: skip

    assert status == 0
    assert "(Pending)" not in said


def test_cancelled_find_ends(house: House, tmp_path: Path) -> None:
    for n in range(12):
        (tmp_path / f"{n}.dcm").write_bytes(part10(ct(f"1.2.3.{n}", series=f"1.2.2.{n}")))
    dcmtk("storescu", house, *(str(tmp_path / f"{n}.dcm") for n in range(12)))

    status, said = dcmtk(
        "findscu", house, "-S", "--cancel", "1", "-k", "QueryRetrieveLevel=SERIES",
        "-k", "StudyInstanceUID=1.2.1", "-k", "SeriesInstanceUID",
    )  # fmt: skip

    assert status == 0
    assert "Cancel" in said


def test_compressed_object_is_stored_as_it_is_sent(house: House, tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain.dcm", tmp_path / "rle.dcm"
    plain.write_bytes(part10(ct("1.2.9", Rows=2, Columns=2)))
    subprocess.run(["dcmcrle", str(plain), str(packed)], check=True)

    status, _ = dcmtk("storescu", house, "-xr", str(packed))

    assert status == 0
    house.archive.settle()
    row = house.index.instance(ALL, "1.2.9")
    assert row.transfer_syntax_uid == "1.2.840.10008.1.2.5"
    assert packed.read_bytes().endswith(house.archive.read_dataset(row))


def test_what_is_kept_with_a_warning_is_told_so(house: House, tmp_path: Path) -> None:
    long = tmp_path / "long.dcm"
    long.write_bytes(part10(ct("1.2.10", PixelData=bytes(64)), IMPLICIT_LE))

    _, said = dcmtk("storescu", house, str(long))

    assert "Warning" in said
    house.archive.settle()
    assert house.index.instance(ALL, "1.2.10").size_bytes > 64
    assert house.meter.objects[-1][2] == 0xB007
