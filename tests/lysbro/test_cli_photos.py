"""`lysbro wrap` and `lysbro assess`, offline, on the sample photographs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pydicom
import pytest

from tests.derm_capture.films import SECRETS, phone_film
from tests.lysbro.calling import Desk

PHOTOS = Path(__file__).parents[2] / "lysbro" / "samples" / "photos"
META: dict[str, Any] = {
    "patient": {
        "id": "fjord-3311", "name": "Lunde^Maren", "birth_date": "1971-06-18", "sex": "F",
    },
    "kind": "closeup",
    "site_code": "244111001",
    "lesion": "A",
}  # fmt: skip
KINDS = [
    ("overview.png", "overview"),
    ("closeup.png", "closeup"),
    ("dermoscopic.jpg", "dermoscopic"),
]


def described(folder: Path, **changes: Any) -> Path:
    path = folder / "meta.json"
    path.write_text(json.dumps({**META, **changes}), "utf-8")
    return path


@pytest.mark.parametrize(("photo", "kind"), KINDS)
def test_a_photograph_becomes_an_object_offline(
    empty_desk: Desk, tmp_path: Path, photo: str, kind: str
) -> None:
    target = tmp_path / "out.dcm"
    words = ("wrap", PHOTOS / photo, "--meta", described(tmp_path, kind=kind), "-o", target)
    told = empty_desk.must(*words, "--json").json
    ds = pydicom.dcmread(target)
    assert told == {
        "file": str(target),
        "sop_class_uid": ds.SOPClassUID,
        "sop_instance_uid": ds.SOPInstanceUID,
        "transfer_syntax_uid": ds.file_meta.TransferSyntaxUID,
    }
    assert (ds.PatientName, ds.PatientID, ds.PatientSex) == ("Lunde^Maren", "fjord-3311", "F")
    assert (ds.PatientBirthDate, ds.Rows > 100) == ("19710618", True)
    assert not empty_desk.data.exists()


def test_a_film_becomes_an_object_offline_and_is_judged(empty_desk: Desk, tmp_path: Path) -> None:
    film, target = tmp_path / "film.mov", tmp_path / "out.dcm"
    film.write_bytes(phone_film())
    empty_desk.must("wrap", film, "--meta", described(tmp_path, kind="clip"), "-o", target)
    ds = pydicom.dcmread(target)
    assert (ds.SOPClassUID.name, ds.NumberOfFrames) == ("Video Photographic Image Storage", 45)
    assert not [secret for secret in SECRETS if secret in target.read_bytes()]
    (judged,) = empty_desk.must("assess", film, "--json").json
    assert {each["check"] for each in judged["advice"]} == {"focus", "motion", "exposure"}


def test_several_photographs_become_objects_of_one_study(empty_desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "objects"
    folder.mkdir()
    names = [PHOTOS / name for name, _ in KINDS]
    words = ("wrap", *names, "--meta", described(tmp_path), "-o", folder)
    told = empty_desk.must(*words, "--json").json
    objects = [pydicom.dcmread(one["file"]) for one in told]
    assert {path.name for path in folder.iterdir()} == {
        f"{ds.SOPInstanceUID}.dcm" for ds in objects
    }
    assert len({ds.StudyInstanceUID for ds in objects}) == 1
    assert [ds.InstanceNumber for ds in objects] == [1, 2, 3]
    again = empty_desk.must(*words, "--json").json
    assert again == told, "a repeat names the same objects"


def test_several_photographs_when_one_is_none_then_the_others_are_made(
    empty_desk: Desk, tmp_path: Path
) -> None:
    meta, closeup = described(tmp_path, capture_id="visit-1"), PHOTOS / "closeup.png"
    folder = tmp_path / "objects"
    folder.mkdir()
    answer = empty_desk(
        "wrap", closeup, meta, PHOTOS / "overview.png", "--meta", meta, "-o", folder
    )
    assert (answer.status, len(list(folder.iterdir()))) == (1, 2)
    assert f"{meta}: refused: This file is no photograph" in answer.out
    no_folder = empty_desk("wrap", closeup, closeup, "--meta", meta, "-o", tmp_path / "out.dcm")
    assert (no_folder.status, no_folder.out) == (1, "")
    assert "is no folder" in no_folder.err


@pytest.mark.peers
@pytest.mark.parametrize(("photo", "kind"), KINDS)
def test_dciodvfy_finds_no_fault_in_it(
    empty_desk: Desk, tmp_path: Path, photo: str, kind: str
) -> None:
    target = tmp_path / "out.dcm"
    empty_desk.must("wrap", PHOTOS / photo, "--meta", described(tmp_path, kind=kind), "-o", target)
    checked = subprocess.run(["dciodvfy", str(target)], check=False, capture_output=True, text=True)
    faults = [line for line in checked.stderr.splitlines() if line.startswith("Error")]
    assert faults == []


def test_all_faults_of_the_description_are_told_at_once(empty_desk: Desk, tmp_path: Path) -> None:
    meta = described(
        tmp_path, kind="portrait", site_code="12", laterality="up", colour="red",
        patient={"name": "Lunde^Maren", "birth_date": "18.06.1971", "sex": "X"},
    )  # fmt: skip
    target = tmp_path / "out.dcm"
    answer = empty_desk("wrap", PHOTOS / "closeup.png", "--meta", meta, "-o", target)
    assert (answer.status, answer.out, target.exists()) == (1, "", False)
    for name in (
        "kind", "site_code", "laterality", "colour", "patient.id", "patient.birth_date",
        "patient.sex",
    ):  # fmt: skip
        assert name in answer.err


def test_what_cannot_be_wrapped_is_told(empty_desk: Desk, tmp_path: Path) -> None:
    meta, target = described(tmp_path), tmp_path / "out.dcm"
    no_json = tmp_path / "no.json"
    no_json.write_text("{")
    closeup = PHOTOS / "closeup.png"
    for words, status, told in (
        ((meta, "--meta", meta, "-o", target), 1, "no photograph"),
        ((closeup, "--meta", no_json, "-o", target), 1, "is not JSON"),
        ((closeup, "--meta", meta, "-o", tmp_path / "no" / "out.dcm"), 1, "cannot be written"),
        ((closeup, "--meta", tmp_path / "none.json", "-o", target), 2, "does not exist"),
        ((closeup, "-o", target), 2, "Missing option '--meta'"),
    ):
        answer = empty_desk("wrap", *words)
        assert (answer.status, answer.out) == (status, ""), words
        assert told in answer.err
    assert not target.exists()


def test_photographs_are_judged_each_with_its_advice(empty_desk: Desk, tmp_path: Path) -> None:
    no_photo = shutil.copy(__file__, tmp_path / "no-photo.jpg")
    names = [PHOTOS / name for name, _ in KINDS]
    answer = empty_desk("assess", *names, no_photo, "--json")
    assert answer.status == 1
    *judged, refused = answer.json
    assert [r["photo"] for r in judged] == [str(name) for name in names]
    for result in judged:
        for advice in result["advice"]:
            assert advice["verdict"] in {"good", "doubtful", "poor"}
            assert advice["message"]
            assert advice["message_nb"]
    assert {a["check"] for a in judged[0]["advice"]} >= {"focus", "exposure", "resolution"}
    assert "no photograph" in refused["error"]["message"]
    text = empty_desk.must("assess", *names).out
    assert all(str(name) in text for name in names)


def test_the_scale_card_is_written_as_a_page_to_print(empty_desk: Desk, tmp_path: Path) -> None:
    page = tmp_path / "card.pdf"

    empty_desk.must("scale-card", "-o", page)

    assert page.read_bytes().startswith(b"%PDF-")


def test_a_scale_card_that_cannot_be_written_is_told(empty_desk: Desk, tmp_path: Path) -> None:
    done = empty_desk("scale-card", "-o", tmp_path / "none" / "card.pdf")

    assert done.status == 1
    assert "Choose another place" in done.err
