"""Where each frame lies: worked out once, at the door, and then read with one range."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from casework.access import Scope
from storage.archive import Archive, SpoolLimits, utc_now
from storage.database import Database
from storage.filemeta import EXPLICIT_LE, IMPLICIT_LE
from storage.index import Index
from storage.mover import Mover
from storage.objects import MemoryStore
from storage.part10 import walk
from storage.people import People
from tests.storage.building import CT, ORIGIN, dataset, element, encapsulated
from tests.storage.pictures import Picture

JPEG_2000 = "1.2.840.10008.1.2.4.90"
EVERYTHING = Scope(sites=None, specialties=None, own_site="centre")
START = b"\xff\x4f\xff\x51"


@st.composite
def cut_frames(draw: st.DrawFn) -> list[list[bytes]]:
    """Frames, each in one fragment or several, as encoders cut them."""
    frames = []
    for _ in range(draw(st.integers(1, 6))):
        body = START + draw(st.binary(min_size=2, max_size=60))
        body += b"\0" * (len(body) % 2)
        cuts = draw(st.lists(st.integers(2, len(body) // 2 - 1), max_size=3, unique=True))
        edges = [0, *sorted(2 * cut for cut in cuts), len(body)]
        frames.append([body[a:b] for a, b in zip(edges, edges[1:], strict=False)])
    return frames


def offsets_of(frames: list[list[bytes]]) -> list[int]:
    """Return where the first item of each frame begins, after the table (PS3.5 section A.4)."""
    offsets, at = [], 0
    for fragments in frames:
        offsets.append(at)
        at += sum(8 + len(fragment) for fragment in fragments)
    return offsets


@settings(max_examples=120, deadline=None)
@given(frames=cut_frames(), table=st.sampled_from(["basic", "extended", "none"]))
def test_frames_of_encapsulated_data_are_found_by_a_table_or_by_walking_once(
    frames: list[list[bytes]], table: str
) -> None:
    follow_up = [f for fragments in frames for f in fragments[1:]]
    assume(table != "none" or not any(f.startswith(START) for f in follow_up))
    offsets, lengths = offsets_of(frames), [sum(map(len, each)) for each in frames]
    extended = b""
    if table == "extended":
        extended = element(0x7FE00001, "OV", struct.pack(f"<{len(offsets)}Q", *offsets))
        extended += element(0x7FE00002, "OV", struct.pack(f"<{len(lengths)}Q", *lengths))
    content = dataset(pixels=None, frames=len(frames), extra=extended) + encapsulated(
        [f for fragments in frames for f in fragments], table=offsets if table == "basic" else ()
    )
    layout = walk(content, transfer_syntax_uid=JPEG_2000).pixel
    assert layout is not None
    assert layout.frame_table is not None
    found = [b"".join(content[o : o + n] for o, n in spans) for spans in layout.frame_table]
    assert found == [b"".join(fragments) for fragments in frames]


@settings(max_examples=60, deadline=None)
@given(
    picture=st.builds(
        Picture,
        rows=st.integers(1, 9),
        columns=st.integers(1, 9),
        frames=st.integers(1, 5),
        allocated=st.sampled_from([8, 16]),
        stored=st.integers(2, 8),
        seed=st.integers(0, 99),
    ),
    syntax=st.sampled_from([EXPLICIT_LE, IMPLICIT_LE]),
)
def test_frames_of_native_data_are_found_by_arithmetic(picture: Picture, syntax: str) -> None:
    content = picture.dataset(syntax=syntax)
    layout = walk(content, transfer_syntax_uid=syntax).pixel
    assert layout is not None
    assert layout.frames == picture.frames
    assert content[layout.offset : layout.offset + len(picture.pixels)] == picture.pixels


class Counting(MemoryStore):
    """A store that counts what is read of it."""

    reads = 0

    def open_range(self, key: str, offset: int, length: int) -> AbstractContextManager[BinaryIO]:
        self.reads += 1
        return super().open_range(key, offset, length)


@pytest.fixture
def store() -> Counting:
    return Counting()


@pytest.fixture
def archive(sited: Database, tmp_path: Path, store: Counting) -> Iterator[Archive]:
    archive = Archive(
        data=tmp_path,
        database=sited,
        store=store,
        limits=SpoolLimits(spool_bytes=1 << 30, reserve_bytes=0),
    )
    archive.start()
    yield archive
    archive.close()


@pytest.mark.parametrize("codec", ["", "htj2k"])
def test_a_frame_in_the_store_is_one_range_read(
    archive: Archive, store: Counting, codec: str
) -> None:
    People(archive.database, utc_now).set_recompression("hammer", codec)
    picture = Picture(frames=4)
    archive.receive(
        picture.dataset(),
        ORIGIN,
        sop_class_uid=CT,
        sop_instance_uid="1.2.3.1.1",
        transfer_syntax_uid=EXPLICIT_LE,
    )
    archive.settle()
    assert Mover(archive, quiet_s=0).run_once(utc_now() + timedelta(seconds=60)).packed == 1
    row = Index(archive.database).instance(EVERYTHING, "1.2.3.1.1")
    assert (row.received is not None) == bool(codec)
    size = len(picture.pixels) // 4
    for frame in (1, 3, 4):
        store.reads = 0
        read = archive.native_frame(row, frame)
        assert store.reads == 1
        assert read.data == picture.pixels[(frame - 1) * size : frame * size]
