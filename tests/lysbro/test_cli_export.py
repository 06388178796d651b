"""`lysbro export`: one case whole in a ZIP that others can check, and nothing when it fails."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pypdf import PdfReader

from casework.access import Scope
from casework.audit import AuditEntry, chain
from casework.findings import canonical_json
from casework.model import Actor, Patient, Priority, Referral, Role, Specialty
from storage.mover import Mover
from tests.lysbro.calling import PASSWORD, Desk
from tests.storage.building import part10
from tests.storage.pictures import Picture

pytestmark = pytest.mark.slow

EVERYTHING = Scope(sites=None, specialties=None, own_site="")


@pytest.fixture
def people(desk: Desk) -> dict[str, Actor]:
    """Return a radiologist of the centre, and referrers of the hospital and the GP."""
    for name, site, role in (
        ("reader", "nordlys", "radiologist"),
        ("ward", "hammer", "referrer"),
        ("gp", "fjord", "referrer"),
    ):
        words = ("user", "add", f"{name}@example.no", "--site", site, "--role", role)
        desk.must(*words, "--name", f"Dr. {name}", "--password-stdin", given=PASSWORD + "\n")
    with desk.parts() as parts:
        return {row.actor.email.partition("@")[0]: row.actor for row in parts.people.users()}


@pytest.fixture
def case_id(desk: Desk, slices: Path, people: dict[str, Actor]) -> str:
    """Return a case with three slices, a question, its answer, a report and an addendum."""
    desk.must("import", slices, "--site", "hammer")
    reader, ward = people["reader"], people["ward"]
    assert (reader.role, ward.role) == (Role.RADIOLOGIST, Role.REFERRER)
    with desk.parts() as parts:
        ((row,), _) = parts.casebook.list_cases(EVERYTHING)
        case, book = row.case, parts.casebook
        book.claim(reader, case.id)
        book.ask(reader, case.id, reason="incomplete", text="On anticoagulants?")
        book.answer(ward, case.id, text="Yes, apixaban.")
        book.claim(reader, case.id)
        book.save_findings(reader, case.id, {"findings": "Clear.", "impression": "No bleed: æøå."})
        book.sign(reader, case.id, displayed={"series": ["1.2.2"]})
        book.addend(reader, case.id, {"impression": "Old infarct on the left."})
    return case.id


def opened(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_case_is_exported_whole(desk: Desk, case_id: str, tmp_path: Path) -> None:
    target = tmp_path / "case.zip"
    told = desk.must("export", case_id, "-o", target, "--json").json
    assert told == {
        "file": str(target), "case_id": case_id, "images": 3, "reports": 2,
        "size_bytes": target.stat().st_size,
    }  # fmt: skip
    assert target.stat().st_mode & 0o777 == 0o600
    files = opened(target)
    assert sorted(files) == [
        "case.json", "conversation.json",
        *(f"images/series-001/0000{i}.dcm" for i in (1, 2, 3)),
        "ledger/audit.json", "ledger/custody.json", "manifest.json", "referral.json",
        "reports/01-original.json", "reports/01-original.pdf",
        "reports/02-addendum.json", "reports/02-addendum.pdf",
    ]  # fmt: skip
    referral = json.loads(files["referral.json"])
    assert (referral["patient"]["name"], referral["site"]) == ("Bjørnson^Åse", "hammer")
    assert (referral["patient"]["birth_date"], referral["priority"]) == ("1955-02-14", "routine")
    conversation = json.loads(files["conversation.json"])
    assert [m["text"] for m in conversation] == ["On anticoagulants?", "Yes, apixaban."]
    case = json.loads(files["case.json"])
    assert (case["id"], case["state"], "draft" in case) == (case_id, "signed", False)
    assert [s["study_uid"] for s in case["studies"]] == ["1.2.1"]
    assert {d["channel"] for d in case["deliveries"]} == {"inbox", "study"}


def test_the_images_are_the_archive_s_own(desk: Desk, case_id: str, tmp_path: Path) -> None:
    with desk.parts() as parts:
        rows = parts.index.instances_of(EVERYTHING, "1.2.1", site="hammer")
        kept = [parts.archive.read_part10(row) for row in rows]
        assert Mover(parts.archive, quiet_s=0).run_once(parts.clock()).packed == 3
    desk.must("export", case_id, "-o", tmp_path / "case.zip")
    files = opened(tmp_path / "case.zip")
    images = [files[name] for name in sorted(files) if name.startswith("images/")]
    assert images == kept
    assert [pydicom.dcmread(io.BytesIO(i)).SOPInstanceUID for i in images] == [
        "1.2.1.1", "1.2.1.2", "1.2.1.3",
    ]  # fmt: skip


def test_the_manifest_names_every_other_file_with_its_hash(
    desk: Desk, case_id: str, tmp_path: Path
) -> None:
    desk.must("export", case_id, "-o", tmp_path / "case.zip")
    files = opened(tmp_path / "case.zip")
    manifest = json.loads(files.pop("manifest.json"))
    assert (manifest["format"], manifest["case_id"]) == ("lysbro-case/1", case_id)
    listed = {f["name"]: (f["sha256"], f["size_bytes"]) for f in manifest["files"]}
    assert listed == {n: (hashlib.sha256(c).hexdigest(), len(c)) for n, c in files.items()}
    images = [f for f in manifest["files"] if f["name"].startswith("images/")]
    with desk.parts() as parts:
        rows = parts.index.instances_of(EVERYTHING, "1.2.1", site="hammer")
    assert [(f["sop_instance_uid"], f["received_sha256"]) for f in images] == [
        (row.sop_instance_uid, row.sha256) for row in rows
    ]


def test_reports_can_be_read_and_checked(desk: Desk, case_id: str, tmp_path: Path) -> None:
    desk.must("export", case_id, "-o", tmp_path / "case.zip")
    files = opened(tmp_path / "case.zip")
    for name, said in (("01-original", "No bleed: æøå."), ("02-addendum", "Old infarct")):
        report = json.loads(files[f"reports/{name}.json"])
        assert said in report["content"]["impression"]
        hashed = hashlib.sha256(canonical_json(report["content"])).hexdigest()
        assert report["sha256"] == hashed
        pdf = PdfReader(io.BytesIO(files[f"reports/{name}.pdf"]))
        assert said in "".join(page.extract_text() for page in pdf.pages)


def test_the_ledgers_tell_what_has_happened(desk: Desk, case_id: str, tmp_path: Path) -> None:
    for name in ("first.zip", "second.zip"):
        desk.must("export", case_id, "-o", tmp_path / name)
    files = opened(tmp_path / "second.zip")
    audit = json.loads(files["ledger/audit.json"])
    assert [e["action"] for e in audit] == [
        "submitted", "claimed", "asked", "answered", "claimed", "drafted", "signed", "addended",
        "exported",
    ]  # fmt: skip
    covered = [f.name for f in fields(AuditEntry) if f.name not in {"previous", "hash"}]
    for entry in audit:
        values: dict[str, Any] = {name: entry[name] for name in covered}
        assert chain(entry["previous"], values) == entry["hash"]
    custody = json.loads(files["ledger/custody.json"])
    assert [c["sop_instance_uid"] for c in custody] == ["1.2.1.1", "1.2.1.2", "1.2.1.3"]
    for instance in custody:
        assert [e["event"] for e in instance["events"]] == ["received", "synced", "exported"]
        assert len(instance["sha256"]) == 64
        assert instance["events"][2]["detail"] == {"actor": "system:operator", "case": case_id}
    assert [(e.case_id, e.outcome) for e in desk.audit("exported")] == [(case_id, "ok")] * 2


def test_a_draft_is_exported_without_what_nobody_signed(
    desk: Desk, case_id: str, people: dict[str, Actor], tmp_path: Path
) -> None:
    with desk.parts() as parts:
        draft = parts.casebook.create_referral(
            people["gp"],
            specialty=Specialty.DERMATOLOGY,
            priority=Priority.ROUTINE,
            patient=Patient(id="fjord-1", name="Lunde^Maren"),
            referral=Referral("Is it benign?"),
        )
    told = desk.must("export", draft.id.lower(), "-o", tmp_path / "draft.zip", "--json").json
    assert (told["case_id"], told["images"], told["reports"]) == (draft.id, 0, 0)
    assert json.loads(opened(tmp_path / "draft.zip")["referral.json"])["question"] == (
        "Is it benign?"
    )


def test_a_file_that_is_there_stays(desk: Desk, case_id: str, tmp_path: Path) -> None:
    target = tmp_path / "case.zip"
    target.write_bytes(b"mine")
    answer = desk("export", case_id, "-o", target)
    assert (answer.status, answer.out, target.read_bytes()) == (1, "", b"mine")
    assert "is there already" in answer.err
    assert desk.audit("exported") == []


def test_a_rotten_object_leaves_neither_file_nor_trace(
    desk: Desk, case_id: str, tmp_path: Path
) -> None:
    with desk.parts() as parts:
        Mover(parts.archive, quiet_s=0).run_once(parts.clock())
    (pack,) = (desk.data / "store").rglob("*.zip")
    content = pack.read_bytes()
    pack.chmod(0o600)
    pack.write_bytes(content.replace(bytes([2] * 8), bytes([2] * 7 + [3]), 1))
    target = tmp_path / "case.zip"
    answer = desk("export", case_id, "-o", target)
    assert (answer.status, answer.out, target.exists()) == (1, "", False)
    assert "1.2.1.2 of hammer no longer has its hash" in answer.err
    pack.unlink()
    answer = desk("export", case_id, "-o", target)
    assert (answer.status, target.exists(), desk.audit("exported")) == (1, False, [])


def test_what_cannot_be_exported_is_told(desk: Desk, case_id: str, tmp_path: Path) -> None:
    for words, status, told in (
        (("2222-2222", "-o", tmp_path / "no.zip"), 1, "There is no case 2222-2222"),
        ((case_id, "-o", tmp_path / "no" / "no.zip"), 1, "cannot be written"),
        ((case_id, "-o", tmp_path), 2, "is a directory"),
        ((case_id,), 2, "Missing option '-o'"),
    ):
        answer = desk("export", *words)
        assert (answer.status, answer.out) == (status, ""), words
        assert told in answer.err
    assert not (tmp_path / "no.zip").exists()
    assert desk.audit("exported") == []


def test_an_export_comes_in_elsewhere(desk: Desk, case_id: str, tmp_path: Path) -> None:
    desk.must("export", case_id, "-o", tmp_path / "case.zip")
    answer = desk("import", tmp_path / "case.zip", "--site", "fjord", "--json")
    assert answer.json["imported"] == 3
    assert {Path(r["file"]).suffix for r in answer.json["refused"]} == {".pdf"}


def test_what_is_kept_in_another_form_is_exported_as_it_came(
    desk: Desk, tmp_path: Path, people: dict[str, Actor]
) -> None:
    content = Picture().dataset("1.2.9.1", study="1.2.9")
    came = tmp_path / "came.dcm"
    came.write_bytes(part10(content, "1.2.9.1"))
    desk.must("import", came, "--site", "hammer")
    desk.must("site", "recompress", "hammer", "htj2k")
    with desk.parts() as parts:
        soon = parts.clock() + timedelta(seconds=60)
        assert Mover(parts.archive, quiet_s=0).run_once(soon).packed == 1
        assert parts.index.instance(EVERYTHING, "1.2.9.1").received is not None
        ((row,), _) = parts.casebook.list_cases(EVERYTHING)
    target = tmp_path / "case.zip"
    desk.must("export", row.case.id, "-o", target)
    files = opened(target)
    assert files["images/series-001/00001.dcm"].endswith(content)
    (listed,) = (f for f in json.loads(files["manifest.json"])["files"] if "series_uid" in f)
    assert listed["transfer_syntax_uid"] == "1.2.840.10008.1.2.1"
    assert listed["sha256"] == hashlib.sha256(files["images/series-001/00001.dcm"]).hexdigest()
