"""Frames come out as they went in, wherever they lie; from afar few reads fetch many of them."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from casework.access import Scope
from casework.errors import Unavailable
from storage.archive import Archive, SpoolLimits
from storage.database import Database
from storage.exact import chunks_of
from storage.index import Index
from storage.mover import Mover
from storage.objects import FolderStore, MemoryStore, ObjectStore
from storage.part10 import EXPLICIT_LE
from storage.rows import InstanceRow
from tests.flows.waiting import until
from tests.storage.building import CT, ORIGIN, dataset

LIMITS = SpoolLimits(spool_bytes=1 << 30, object_bytes=64 << 20, reserve_bytes=0)
SIDE = 16
FRAME = SIDE * SIDE * 2


class Counted(io.BytesIO):
    """Remembers how far it was read."""

    read_to = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.read_to = self.tell()
        return data


class Watched(MemoryStore):
    """A store that is not on this machine: counts its reads, and may be cut short or away."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[int, int]] = []
        self.streams: list[Counted] = []
        self.ends_at: int | None = None

    def open_range(self, key: str, offset: int, length: int) -> BinaryIO:
        self.reads.append((offset, length))
        content = super().open_range(key, offset, length).read()
        if self.ends_at is not None:
            content = content[: max(0, self.ends_at - offset)]
        self.streams.append(Counted(content))
        return self.streams[-1]


@pytest.fixture(params=["folder", "afar"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return FolderStore(tmp_path / "store") if request.param == "folder" else Watched()


@pytest.fixture
def archive(sited: Database, tmp_path: Path, store: ObjectStore) -> Iterator[Archive]:
    opened = Archive(
        data=tmp_path, database=sited, store=store, limits=LIMITS, frame_cache_bytes=1 << 20
    )
    opened.start()
    yield opened
    opened.close()


@pytest.fixture
def afar(sited: Database, tmp_path: Path) -> Iterator[tuple[Archive, Watched]]:
    store = Watched()
    archive = Archive(
        data=tmp_path, database=sited, store=store, limits=LIMITS, frame_cache_bytes=1 << 20
    )
    archive.start()
    yield archive, store
    archive.close()


def pixels_of(number: int, frames: int = 1) -> bytes:
    return random.Random(number).randbytes(FRAME * frames)


def take(
    archive: Archive, count: int, *, frames: int | None = None, numbered: bool = True
) -> list[bytes]:
    contents = []
    for number in range(1, count + 1):
        pixels = pixels_of(number, frames or 1)
        content = dataset(
            f"1.2.3.{number}",
            number=number if numbered else 1,
            pixels=pixels,
            rows=SIDE,
            columns=SIDE,
            frames=frames,
        )
        archive.receive(
            content,
            ORIGIN,
            sop_class_uid=CT,
            sop_instance_uid=f"1.2.3.{number}",
            transfer_syntax_uid=EXPLICIT_LE,
        )
        contents.append(content)
    archive.settle()
    return contents


def pack(archive: Archive) -> None:
    assert not Mover(archive, quiet_s=0).run_once(archive.clock() + timedelta(minutes=5)).failure


def rows(archive: Archive, everything: Scope) -> list[InstanceRow]:
    return Index(archive.database).instances_of(everything, "1.2.3")


@pytest.mark.parametrize("packed", [False, True])
def test_any_stretch_is_that_of_the_stored_bytes(
    archive: Archive, everything: Scope, packed: bool
) -> None:
    contents = take(archive, 3)
    if packed:
        pack(archive)
    dice = random.Random(7)
    for row, content in zip(rows(archive, everything), contents, strict=True):
        whole = archive.read_part10(row)
        assert whole.endswith(content)
        assert b"".join(chunks_of(archive.open_part10(row))) == whole
        for _ in range(50):
            offset = dice.randrange(len(whole) + 1)
            length = dice.randrange(len(whole) - offset + 1)
            assert archive.read_stretch(row, offset, length) == whole[offset : offset + length]
            with archive.open_part10(row) as stream:
                assert stream.read(offset) + stream.read(length) == whole[: offset + length]
        for offset, length in ((-1, 1), (0, len(whole) + 1), (len(whole), 1)):
            with pytest.raises(ValueError, match="not within"):
                archive.read_stretch(row, offset, length)


@pytest.mark.parametrize("packed", [False, True])
def test_a_series_is_read_object_by_object(
    archive: Archive, store: ObjectStore, everything: Scope, packed: bool
) -> None:
    take(archive, 5)
    if packed:
        pack(archive)
    found = rows(archive, everything)
    wholes = [archive.read_part10(row) for row in found]
    if isinstance(store, Watched):
        store.reads.clear()
    assert [b"".join(chunks_of(each)) for each in archive.open_each(found)] == wholes
    if isinstance(store, Watched):
        assert len(store.reads) == (1 if packed else 0)
    backwards = [found[n] for n in (4, 3, 0, 1, 1, 2)]
    got = [b"".join(chunks_of(each)) for each in archive.open_each(backwards)]
    assert got == [wholes[n] for n in (4, 3, 0, 1, 1, 2)]
    heads = []
    for each in archive.open_each(found):
        with each:
            heads.append(each.read(200))
    assert heads == [whole[:200] for whole in wholes]
    assert list(archive.open_each([])) == []


def test_one_who_goes_away_has_no_more_fetched(
    afar: tuple[Archive, Watched], everything: Scope
) -> None:
    archive, store = afar
    take(archive, 5)
    pack(archive)
    streams = archive.open_each(rows(archive, everything))
    first = next(streams)
    first.read(10)
    first.close()
    streams.close()  # type: ignore[attr-defined]
    assert store.streams[-1].closed
    assert store.streams[-1].read_to == 10


def test_frames_read_by_many_at_once_are_those_stored(archive: Archive, everything: Scope) -> None:
    take(archive, 24)
    pack(archive)
    found = rows(archive, everything)
    order = [random.Random(5).randrange(24) for _ in range(300)]
    with ThreadPoolExecutor(8) as viewers:
        got = list(viewers.map(lambda n: archive.read_frame(found[n], 1).data, order))
    assert got == [pixels_of(n + 1) for n in order]


@pytest.mark.parametrize("numbered", [True, False])
def test_slices_side_by_side_in_a_pack_cost_few_reads(
    afar: tuple[Archive, Watched], everything: Scope, numbered: bool
) -> None:
    archive, store = afar
    take(archive, 40, numbered=numbered)
    pack(archive)
    if numbered:
        found = rows(archive, everything)
        assert [row.location.offset for row in found] == sorted(r.location.offset for r in found)
    else:
        found = sorted(rows(archive, everything), key=lambda row: row.location.offset)
    pixels = [pixels_of(int(row.sop_instance_uid.rpartition(".")[2])) for row in found]
    store.reads.clear()
    assert [archive.read_frame(row, 1).data for row in found] == pixels
    # 1 + 4 frames, then 1 + 16 each time
    assert len(store.reads) == 4
    assert [archive.read_frame(row, 1).data for row in found] == pixels
    assert len(store.reads) == 4
    figures = archive.frame_figures()
    assert (figures.hits, figures.misses, figures.read_ahead) == (76, 4, 36)


def test_frames_of_one_object_cost_few_reads(
    afar: tuple[Archive, Watched], everything: Scope
) -> None:
    archive, store = afar
    take(archive, 1, frames=22)
    pack(archive)
    (row,) = rows(archive, everything)
    store.reads.clear()
    pixels = pixels_of(1, 22)
    for frame in range(1, 23):
        assert archive.read_frame(row, frame).data == pixels[(frame - 1) * FRAME : frame * FRAME]
    assert len(store.reads) == 2


@pytest.mark.parametrize(("cache_bytes", "most_kept"), [(0, 0), (3000, 3000)])
def test_nothing_is_read_ahead_that_could_not_be_kept(
    sited: Database, tmp_path: Path, everything: Scope, cache_bytes: int, most_kept: int
) -> None:
    store = Watched()
    archive = Archive(
        data=tmp_path, database=sited, store=store, limits=LIMITS, frame_cache_bytes=cache_bytes
    )
    archive.start()
    take(archive, 6)
    pack(archive)
    store.reads.clear()
    for number, row in enumerate(rows(archive, everything), start=1):
        assert archive.read_frame(row, 1).data == pixels_of(number)
    assert max(length for _, length in store.reads) <= max(FRAME, cache_bytes // 2)
    assert archive.frame_figures().size_bytes <= most_kept
    archive.close()


def test_a_local_frame_is_not_kept_twice(
    sited: Database, tmp_path: Path, everything: Scope
) -> None:
    archive = Archive(
        data=tmp_path,
        database=sited,
        store=FolderStore(tmp_path / "store"),
        limits=LIMITS,
        frame_cache_bytes=1 << 20,
    )
    archive.start()
    take(archive, 2)
    for _ in range(2):
        assert archive.read_frame(rows(archive, everything)[0], 1).data == pixels_of(1)
        pack(archive)
    assert archive.frame_figures().size_bytes == 0
    archive.close()


def test_a_store_that_ends_too_soon_is_an_error_and_not_a_short_answer(
    afar: tuple[Archive, Watched], everything: Scope
) -> None:
    archive, store = afar
    take(archive, 6)
    pack(archive)
    found = rows(archive, everything)
    third = found[2].location
    store.ends_at = third.offset + third.length - 10
    assert archive.read_frame(found[0], 1).data == pixels_of(1)
    assert archive.read_frame(found[1], 1).data == pixels_of(2)
    for row in found[2:]:
        with pytest.raises(Unavailable) as caught:
            archive.read_frame(row, 1)
        assert caught.value.code == "object-short"
    with archive.open_part10(found[2]) as stream, pytest.raises(Unavailable):
        stream.read()
    with pytest.raises(Unavailable):
        b"".join(chunks_of(archive.open_part10(found[3])))
    with pytest.raises(Unavailable):
        list(map(list, map(chunks_of, archive.open_each(found))))
    store.ends_at = None
    until(lambda: archive.read_frame(found[2], 1).data == pixels_of(3), "the frame")
    assert [archive.read_frame(row, 1).data for row in found] == [
        pixels_of(n + 1) for n in range(6)
    ]
