"""`lysbro import`: files, folders and ZIPs through the intake, and what is told of the rest."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

from casework.access import Scope
from tests.lysbro.calling import Desk
from tests.pacs_bridge.making import ct, part10

EVERYTHING = Scope(sites=None, specialties=None, own_site="")


def kept(desk: Desk) -> dict[str, bytes]:
    """Return the Part 10 files of the study 1.2.1 by their UIDs."""
    with desk.parts() as parts:
        rows = parts.index.instances_of(EVERYTHING, "1.2.1", site="hammer")
        return {row.sop_instance_uid: parts.archive.read_part10(row) for row in rows}


def dataset(part10_file: bytes) -> bytes:
    """Return what follows the file meta information (PS3.10 section 7.1)."""
    return part10_file[144 + int.from_bytes(part10_file[140:144], "little") :]


def test_a_file_a_folder_and_a_zip_all_come_in(desk: Desk, slices: Path, tmp_path: Path) -> None:
    path = tmp_path / "more.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("deep/4.dcm", part10(ct("1.2.1.4")))
        archive.writestr("DICOMDIR", b"not read")
    single = tmp_path / "5"
    single.write_bytes(part10(ct("1.2.1.5")))
    answer = desk.must("import", slices, path, single, "--site", "hammer")
    assert answer.out == "5 objects are in the archive of hammer.\n"
    stored = kept(desk)
    assert sorted(stored) == [f"1.2.1.{i}" for i in (1, 2, 3, 4, 5)]
    for i in (1, 2, 3):
        assert dataset(stored[f"1.2.1.{i}"]) == dataset((slices / f"{i}.dcm").read_bytes())
    (entry,) = desk.audit("imported")
    assert (entry.site, entry.detail) == ("hammer", {"kept": 5, "refused": 0})
    assert desk.must("status", "--json").json["cases"] == {"total": 1, "submitted": 1}


def test_importing_again_changes_nothing(desk: Desk, slices: Path) -> None:
    desk.must("import", slices, "--site", "hammer")
    assert desk.must("import", slices, "--site", "hammer", "--json").json == {
        "imported": 3, "refused": [], "stopped": "",
    }  # fmt: skip
    assert desk.must("status", "--json").json["index"]["instances"] == 3


def test_a_file_that_is_no_dicom_is_told_and_the_others_come_in(desk: Desk, slices: Path) -> None:
    (slices / "notes.txt").write_text("not an image")
    cut = (slices / "3.dcm").read_bytes()[:-4]
    (slices / "3.dcm").write_bytes(cut)
    answer = desk("import", slices, "--site", "hammer", "--json")
    assert answer.status == 1
    told = {Path(r["file"]).name: r["reason"] for r in answer.json["refused"]}
    assert sorted(told) == ["3.dcm", "notes.txt"]
    assert "no DICOM file" in told["notes.txt"]
    assert (answer.json["imported"], sorted(kept(desk))) == (2, ["1.2.1.1", "1.2.1.2"])
    text = desk("import", slices / "notes.txt", "--site", "hammer")
    assert text.status == 1
    assert "0 objects" in text.out
    assert "notes.txt" in text.out
    assert "no DICOM file" in text.out


def test_an_object_that_ends_like_a_zip_is_still_an_object(desk: Desk, tmp_path: Path) -> None:
    """An encapsulated office document is a ZIP, and Python looks for one from the end."""
    inner = tmp_path / "inner.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    content = inner.read_bytes()
    file = tmp_path / "document.dcm"
    file.write_bytes(part10(ct("1.2.1.9", PixelData=content + b"\0" * (len(content) % 2))))
    assert zipfile.is_zipfile(file)
    desk.must("import", file, "--site", "hammer")
    assert list(kept(desk)) == ["1.2.1.9"]


def test_a_folder_with_nothing_in_it_is_told(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    answer = desk("import", tmp_path / "empty", "--site", "hammer")
    assert answer.status == 1
    assert "There is no file to import" in answer.out


def test_a_pipe_is_not_waited_for(desk: Desk, slices: Path) -> None:
    os.mkfifo(slices / "pipe")
    assert desk.must("import", slices, "--site", "hammer", "--json").json["imported"] == 3


def test_an_unknown_site_and_a_path_that_is_not_there_are_told(desk: Desk, slices: Path) -> None:
    answer = desk("import", slices, "--site", "utsira")
    assert (answer.status, answer.out) == (1, "")
    assert "lysbro site add utsira" in answer.err
    answer = desk("import", slices / "none", "--site", "hammer")
    assert (answer.status, "does not exist" in answer.err) == (2, True)
    assert kept(desk) == {}


def test_a_full_spool_is_told(desk: Desk, slices: Path) -> None:
    desk.variables["LYSBRO_SPOOL_LIMIT"] = "100"
    answer = desk("import", slices, "--site", "hammer")
    assert answer.status == 1
    first, stopped = answer.out.splitlines()
    assert first == "1 objects are in the archive of hammer."
    assert stopped.startswith(f"Stopped at {slices / '2.dcm'}: ")
    assert "spool" in stopped
    assert list(kept(desk)) == ["1.2.1.1"]
    assert desk.audit("imported")[0].detail["kept"] == 1


def test_a_pack_of_the_store_comes_in_like_any_zip(desk: Desk, slices: Path) -> None:
    """Its JSON members beside the objects are not taken for objects."""
    path = shutil.make_archive(str(slices.parent / "study"), "zip", slices)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("metadata.json", b"[]")
    assert desk.must("import", path, "--site", "fjord", "--json").json["imported"] == 3
