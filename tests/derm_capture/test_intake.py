"""A photograph through the real archive: stored once, the same one again is the same one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from casework.custody import Door, Origin
from casework.errors import Invalid
from derm_capture.intake import take_photo
from storage.archive import Archive, SpoolLimits
from storage.database import open_database
from storage.objects import open_store
from tests.derm_capture import pictures
from tests.derm_capture.wrapping import context, read

ORIGIN = Origin(site="fjordgata", door=Door.CAPTURE, actor="user:1", association="capture-1")
PHOTO = pictures.jpeg(pictures.skin(), orientation=3)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    database = open_database("sqlite", data=tmp_path)
    database.migrate()
    limits = SpoolLimits(1 << 30, reserve_bytes=0)
    archive = Archive(
        data=tmp_path, database=database, store=open_store("", tmp_path), limits=limits
    )
    archive.start()
    yield archive
    archive.close()
    database.close()


def test_take_when_a_photograph_then_it_is_promised_and_judged(archive):
    taken = take_photo(archive, PHOTO, context(), ORIGIN)
    assert taken.receipt.sop_instance_uid == taken.wrapped.sop_instance_uid
    assert taken.receipt.site == "fjordgata"
    assert {a.check for a in taken.advice} >= {"focus", "exposure"}


def test_take_when_sent_twice_then_it_is_one_object_of_one_hash(archive):
    one, other = (take_photo(archive, PHOTO, context(), ORIGIN) for _ in range(2))
    assert one.receipt.sop_instance_uid == other.receipt.sop_instance_uid
    assert one.receipt.sha256 == other.receipt.sha256


def test_take_when_it_is_no_photograph_then_nothing_is_kept(archive):
    with pytest.raises(Invalid):
        take_photo(archive, b"no picture", context(), ORIGIN)
    assert archive.spool_status().instances == 0


@pytest.mark.fixtures
@pytest.mark.parametrize(
    ("said", "shown", "told"),
    [
        ("", "face", "YES"),
        ("no", "face", "NO"),
        ("yes", "skin", "YES"),
        ("", "skin", "NO"),
    ],
)
def test_take_when_a_face_is_found_or_said_then_the_object_tells_and_what_was_said_goes_before(
    archive, fixtures_dir, said, shown, told
):
    portrait = fixtures_dir / "photo_exif_icc" / "pillow" / "hopper.png"
    data = portrait.read_bytes() if shown == "face" else PHOTO
    taken = take_photo(archive, data, context(), ORIGIN, recognizable=said)
    assert read(taken.wrapped).RecognizableVisualFeatures == told
