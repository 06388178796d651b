"""Recompression on the way from the spool to the store: by site, bounded, and reversible."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from sqlalchemy import select, update

from casework.access import Scope
from casework.custody import CustodyEvent, Door, Origin
from storage import care
from storage.archive import Archive, SpoolLimits
from storage.casebook_tables import sites
from storage.codec import SYNTAX_OF, Codec, encode
from storage.filemeta import EXPLICIT_LE, IMPLICIT_LE
from storage.forms import FrameShape
from storage.index import Index
from storage.merge import MergeRule
from storage.mover import Mover
from storage.rebuild import rebuild
from storage.recompression_counts import tallies
from storage.recompressor import RecompressionRule, Recompressor
from storage.rows import InstanceRow
from storage.segments import segment_paths
from storage.tables import instances
from storage.testing import fresh_database
from tests.storage.archives import Clock, LooseStore, OpenArchive
from tests.storage.building import CT, ORIGIN
from tests.storage.pictures import RLE, Picture, dataset_in

pytestmark = pytest.mark.slow

QUIET_S = 60.0
OTHER = Origin(site="vardo", door=Door.DICOM, calling_ae="VARDO_CT")
PICTURE = Picture(frames=3)


@pytest.fixture
def store() -> LooseStore:
    return LooseStore()


@pytest.fixture
def archive(open_archive: OpenArchive) -> Archive:
    return open_archive()


def let(archive: Archive, codec: str = "htj2k", site: str = "hammer") -> None:
    with archive.database.begin() as conn:
        conn.execute(update(sites).where(sites.c.slug == site).values(recompress=codec))


def receive(
    archive: Archive,
    uid: str,
    *,
    syntax: str = EXPLICIT_LE,
    origin: Origin = ORIGIN,
    content: bytes | None = None,
    picture: Picture = PICTURE,
) -> bytes:
    content = picture.dataset(uid, syntax=syntax) if content is None else content
    archive.receive(
        content, origin, sop_class_uid=CT, sop_instance_uid=uid, transfer_syntax_uid=syntax
    )
    archive.settle()
    return content


def row_of(archive: Archive, everything: Scope, uid: str, site: str = "hammer") -> InstanceRow:
    return Index(archive.database).instance(everything, uid, site)


def mover(archive: Archive, rule: RecompressionRule | None = None) -> Mover:
    return Mover(archive, quiet_s=QUIET_S, recompression=rule)


def counts(archive: Archive) -> dict[tuple[str, str], int]:
    with archive.database.read() as conn:
        return {(t.site, t.outcome): t.instances for t in tallies(conn)}


@pytest.mark.parametrize(
    ("codec", "syntax"),
    [(Codec.HTJ2K, EXPLICIT_LE), (Codec.JPEG_LS, IMPLICIT_LE), (Codec.HTJ2K, RLE)],
)
def test_images_of_a_site_that_wants_it_are_packed_in_another_form_and_come_back(
    archive: Archive, clock: Clock, everything: Scope, codec: Codec, syntax: str
) -> None:
    let(archive, codec.value)
    content = receive(archive, "1.2.3.1.1", syntax=syntax)
    before = row_of(archive, everything, "1.2.3.1.1")
    assert mover(archive).run_once(clock.later()).packed == 1
    row = row_of(archive, everything, "1.2.3.1.1")
    assert row.transfer_syntax_uid == SYNTAX_OF[codec]
    assert (row.sha256, row.attributes) == (before.sha256, before.attributes)
    assert row.size_bytes < len(content)
    assert row.as_received() == replace(before, location=row.location)
    if syntax != RLE:
        assert dataset_in(archive.open_as_received(row).read()) == content
    size = len(PICTURE.pixels) // 3
    for n in (1, 2, 3):
        native = archive.native_frame(row, n)
        assert native.data == PICTURE.pixels[(n - 1) * size : n * size]
        assert archive.read_frame(row, n).transfer_syntax_uid == SYNTAX_OF[codec]
    kept = dcmread(io.BytesIO(archive.read_part10(row)))
    assert kept.file_meta.TransferSyntaxUID == SYNTAX_OF[codec]
    assert care.verify(archive).is_clean
    assert counts(archive) == {("hammer", codec.value): 1}
    (line,) = [
        line
        for line in Index(archive.database).custody(everything, "1.2.3.1.1", "hammer")
        if line.event == CustodyEvent.RECOMPRESSED
    ]
    assert line.detail["from"] == syntax
    assert line.detail["kept_sha256"] == row.kept_sha256 != row.sha256


def test_a_site_that_has_not_asked_for_it_keeps_its_images_as_they_came(
    archive: Archive, clock: Clock, everything: Scope
) -> None:
    content = receive(archive, "1.2.3.1.1")
    assert mover(archive).run_once(clock.later()).packed == 1
    row = row_of(archive, everything, "1.2.3.1.1")
    assert (row.received, archive.read_dataset(row)) == (None, content)
    assert counts(archive) == {}


def test_what_is_sent_again_is_known_in_either_form(
    archive: Archive, clock: Clock, everything: Scope
) -> None:
    let(archive)
    content = receive(archive, "1.2.3.1.1")
    mover(archive).run_once(clock.later())
    row = row_of(archive, everything, "1.2.3.1.1")
    receive(archive, "1.2.3.1.1", content=content)
    receive(archive, "1.2.3.1.1", content=archive.read_dataset(row), syntax=row.transfer_syntax_uid)
    assert Index(archive.database).conflicts() == []
    events = [
        line.event for line in Index(archive.database).custody(everything, "1.2.3.1.1", "hammer")
    ]
    assert events.count(CustodyEvent.REPEATED) == 2
    with archive.database.read() as conn:
        assert len(conn.execute(select(instances.c.pk)).all()) == 1


def test_a_wrong_codec_leaves_the_original_in_place_and_is_counted(
    archive: Archive, clock: Clock, everything: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(frame: bytes, shape: FrameShape, how: Codec) -> bytes:
        return encode(bytes([frame[0] ^ 1]) + frame[1:], shape, how)

    monkeypatch.setattr("storage.recompressed_file.encode", wrong)
    let(archive)
    content = receive(archive, "1.2.3.1.1")
    assert mover(archive).run_once(clock.later()).packed == 1
    row = row_of(archive, everything, "1.2.3.1.1")
    assert (row.received, archive.read_dataset(row)) == (None, content)
    assert counts(archive) == {("hammer", "proof"): 1}
    assert [p.name for p in (archive.data / "packing").iterdir()] == ["lock"]


def test_one_without_pixels_and_one_that_cannot_be_carried_lie_in_the_same_pack_as_they_came(
    archive: Archive, clock: Clock, everything: Scope
) -> None:
    let(archive, "jpeg-ls")
    plain = receive(archive, "1.2.3.1.1", picture=Picture(allocated=32, stored=20))
    receive(archive, "1.2.3.1.2")
    report = mover(archive).run_once(clock.later())
    assert (report.packs, report.packed) == (1, 2)
    assert archive.read_dataset(row_of(archive, everything, "1.2.3.1.1")) == plain
    assert counts(archive) == {("hammer", "bits"): 1, ("hammer", "jpeg-ls"): 1}
    assert care.verify(archive).is_clean


def test_a_row_from_before_still_gives_the_bytes_that_it_describes(
    archive: Archive, clock: Clock, everything: Scope
) -> None:
    let(archive)
    content = receive(archive, "1.2.3.1.1", syntax=IMPLICIT_LE)
    before = row_of(archive, everything, "1.2.3.1.1")
    file = archive.read_part10(before)
    mover(archive).run_once(clock.later())
    for path in segment_paths(archive.spool.folder):
        path.unlink()
    assert archive.read_part10(before) == file
    assert archive.read_dataset(before) == content
    with archive.open_part10(before) as stream:
        assert stream.read() == file
    size = len(PICTURE.pixels) // 3
    assert archive.native_frame(before, 2).data == PICTURE.pixels[size : 2 * size]
    assert archive.read_frame(before, 1).transfer_syntax_uid == SYNTAX_OF[Codec.HTJ2K]


def test_a_rebuild_from_the_store_alone_knows_both_forms(
    archive: Archive, clock: Clock, store: LooseStore, everything: Scope, tmp_path: Path
) -> None:
    let(archive)
    content = receive(archive, "1.2.3.1.1", syntax=IMPLICIT_LE)
    receive(archive, "1.2.3.1.2", picture=Picture(allocated=32, stored=20))
    mover(archive).run_once(clock.later())
    was = row_of(archive, everything, "1.2.3.1.1")
    (tmp_path / "again").mkdir()
    with fresh_database(tmp_path / "again") as database:
        again = Archive(
            data=tmp_path / "again",
            database=database,
            store=store,
            limits=SpoolLimits(spool_bytes=1 << 30, reserve_bytes=0),
            clock=clock,
        )
        rebuild(again)
        row = row_of(again, everything, "1.2.3.1.1")
        assert replace(row, pk=was.pk) == was
        assert dataset_in(again.open_as_received(row).read()) == content
        assert care.verify(again).is_clean
        events = [x.event for x in Index(database).custody(everything, "1.2.3.1.1", "hammer")]
        assert events.count(CustodyEvent.RECOMPRESSED) == 1


def test_a_repair_from_the_spool_takes_the_object_back_as_it_was_received(
    archive: Archive, clock: Clock, store: LooseStore, everything: Scope
) -> None:
    let(archive)
    content = receive(archive, "1.2.3.1.1")
    before = row_of(archive, everything, "1.2.3.1.1")
    mover(archive).run_once(clock.later())
    store.lose(row_of(archive, everything, "1.2.3.1.1").location.container)
    repaired = care.verify(archive, repair=True)
    assert [f.repaired_from for f in repaired.faults if f.sop_instance_uid] == ["spool"]
    row = row_of(archive, everything, "1.2.3.1.1")
    assert replace(row, location=before.location) == before  # in a pack, as it was received
    assert archive.read_dataset(row) == content
    assert care.verify(archive).is_clean


def test_a_pack_that_was_put_and_not_located_is_taken_for_what_it_is(
    archive: Archive, clock: Clock, everything: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    let(archive)
    receive(archive, "1.2.3.1.1")

    def dies(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr("storage.mover.located", dies)
        with pytest.raises(KeyboardInterrupt):
            mover(archive).run_once(clock.later())
    mover(archive).run_once(clock.later())
    row = row_of(archive, everything, "1.2.3.1.1")
    assert row.transfer_syntax_uid == SYNTAX_OF[Codec.HTJ2K]
    assert care.verify(archive).is_clean
    assert care.verify(archive).orphaned == ()


class Ticks:
    """A clock of which each look takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_other_sites_are_packed_at_once_while_a_large_object_takes_many_runs(
    archive: Archive, clock: Clock, everything: Scope
) -> None:
    let(archive)
    receive(archive, "1.2.3.1.1", picture=Picture(frames=12))
    worker = mover(archive, RecompressionRule(patience_s=1e6))
    worker._recompressor._elapsed = Ticks()
    runs = 0
    while row_of(archive, everything, "1.2.3.1.1").location.in_spool:
        receive(archive, f"1.2.9.{runs}", origin=OTHER, picture=Picture())
        report = worker.run_once(clock.later())
        assert not row_of(archive, everything, f"1.2.9.{runs}", "vardo").location.in_spool
        assert report.waiting == (1 if report.packed == 1 else 0)
        runs += 1
    assert runs > 3
    assert row_of(archive, everything, "1.2.3.1.1").received is not None


def test_what_has_waited_too_long_is_packed_as_it_came(
    archive: Archive, clock: Clock, everything: Scope
) -> None:
    let(archive)
    content = receive(archive, "1.2.3.1.1")
    worker = mover(archive, RecompressionRule(patience_s=300))
    worker._recompressor._elapsed = Ticks()
    assert worker.run_once(clock.later()).waiting == 1
    assert worker.run_once(clock.later(300)).packed == 1
    assert archive.read_dataset(row_of(archive, everything, "1.2.3.1.1")) == content
    assert counts(archive) == {("hammer", "no-time"): 1}
    assert [p.name for p in (archive.data / "packing").iterdir()] == ["lock"]


def test_what_waits_no_more_leaves_no_file(archive: Archive, clock: Clock) -> None:
    receive(archive, "1.2.3.1.1")
    folder = archive.data / "packing"
    folder.mkdir(exist_ok=True)
    worker = Recompressor(archive, folder, RecompressionRule(), elapsed=lambda: 0.0)
    worker.begin_run()
    with archive.database.read() as conn:
        pk = conn.execute(select(instances.c.pk)).scalar_one()
    scope = Scope(sites=None, specialties=None, own_site="centre")
    row = row_of(archive, scope, "1.2.3.1.1")
    assert worker.prepare([row], Codec.HTJ2K, now=clock()) is not None
    assert len(list(folder.iterdir())) == 1
    worker.keep_only({pk})
    assert len(list(folder.iterdir())) == 1
    worker.keep_only(set())
    assert list(folder.iterdir()) == []


def test_verify_restores_what_is_kept_and_hashes_that_as_well(
    archive: Archive, clock: Clock, everything: Scope
) -> None:
    let(archive)
    receive(archive, "1.2.3.1.1")
    mover(archive).run_once(clock.later())
    row = row_of(archive, everything, "1.2.3.1.1")
    assert row.received is not None
    assert row.received.restored_sha256 == row.sha256
    told = {**row.received.as_json(), "restored_sha256": "0" * 64}
    with archive.database.begin() as conn:
        conn.execute(update(instances).values(received=told))
    report = care.verify(archive)
    assert report.corrupt == ("hammer 1.2.3.1.1",)


def test_small_packs_with_images_in_another_form_are_merged_as_they_are(
    archive: Archive, clock: Clock, store: LooseStore, everything: Scope
) -> None:
    let(archive)
    worker = Mover(
        archive, quiet_s=QUIET_S, copies_grace_s=60, merge=MergeRule(packs=1, quiet_s=60)
    )
    contents = {}
    for uid, codec in (("1.2.3.1.1", "htj2k"), ("1.2.3.1.2", "jpeg-ls"), ("1.2.3.1.3", "")):
        let(archive, codec)
        contents[uid] = receive(archive, uid)
        worker.run_once(clock.later())
    before = {uid: row_of(archive, everything, uid) for uid in contents}
    for _ in range(4):
        worker.run_once(clock.later(61))
    assert len(store.keys()) == 1
    for uid, content in contents.items():
        row = row_of(archive, everything, uid)
        assert (row.received, row.kept_sha256) == (before[uid].received, before[uid].kept_sha256)
        assert dataset_in(archive.open_as_received(row).read()) == content
    assert care.verify(archive).is_clean


def test_a_repair_from_a_copy_takes_the_form_that_lies_there(
    archive: Archive, clock: Clock, store: LooseStore, everything: Scope
) -> None:
    let(archive)
    worker = Mover(archive, quiet_s=QUIET_S, copies_grace_s=1e6, grace_s=0)
    receive(archive, "1.2.3.1.1")
    worker.run_once(clock.later())
    was = row_of(archive, everything, "1.2.3.1.1")
    merging = Mover(
        archive, quiet_s=QUIET_S, copies_grace_s=1e6, merge=MergeRule(packs=1, quiet_s=60)
    )
    receive(archive, "1.2.3.1.2")
    merging.run_once(clock.later())
    for _ in range(3):
        merging.run_once(clock.later(61))
    now = row_of(archive, everything, "1.2.3.1.1")
    assert now.location.container != was.location.container
    store.lose(now.location.container)
    for path in segment_paths(archive.spool.folder):
        path.unlink()
    report = care.verify(archive, repair=True)
    assert "hammer 1.2.3.1.1" in report.repaired
    row = row_of(archive, everything, "1.2.3.1.1")
    assert replace(row, location=was.location) == was
    assert care.fault_of(archive, row) == ""


def test_an_object_whose_bytes_are_gone_does_not_keep_the_others_waiting(
    archive: Archive, clock: Clock, everything: Scope
) -> None:
    let(archive)
    receive(archive, "1.2.3.1.1")
    with archive.database.begin() as conn:
        conn.execute(update(instances).values(container="no-such-segment"))
    receive(archive, "1.2.3.1.2")
    receive(archive, "1.2.9.1", origin=OTHER)
    report = mover(archive).run_once(clock.later())
    assert (report.packed, report.rotten) == (2, 1)
    assert row_of(archive, everything, "1.2.3.1.2").received is not None
