"""What an import finds on disk, and that a ZIP cannot unfold without bound."""

from __future__ import annotations

import zipfile
from pathlib import Path

from casework.errors import Invalid
from lysbro.disk_import import Found, ImportLimits, objects_under

LIMITS = ImportLimits(object_bytes=10_000_000)


def names(found: list[Found]) -> list[str]:
    return [Path(f.name).name for f in found]


def test_folders_are_walked_in_order_without_directories_and_hidden_files(tmp_path: Path) -> None:
    for name in ("b/2.dcm", "a/1.dcm", "a/DICOMDIR", "a/.hidden"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    assert names(list(objects_under([tmp_path], LIMITS))) == ["1.dcm", "2.dcm"]


def test_members_of_a_zip_come_as_bytes(tmp_path: Path) -> None:
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("series/1.dcm", b"one")
        archive.writestr("metadata.json", b"{}")
    (found,) = objects_under([path], LIMITS)
    assert (found.name.endswith("study.zip!series/1.dcm"), found.content) == (True, b"one")


def test_a_bomb_is_not_unfolded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.dcm", bytes(50_000_000))
    (found,) = objects_under([path], LIMITS)
    assert isinstance(found.content, Invalid)
    assert "unfolds to more than" in found.content.message


def test_a_damaged_member_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "damaged.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.dcm", b"A" * 100)
        archive.writestr("2.dcm", b"B" * 100)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"A" * 100, b"A" * 99 + b"X", 1))
    first, second = objects_under([path], LIMITS)
    assert isinstance(first.content, Invalid)
    assert second.content == b"B" * 100
