"""Pieces of a photograph in the data folder: in any order of events one thing is made, once."""

import errno
import hashlib
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casework.errors import LysbroError, NoRoom, NotFound
from storage.uploads import Announced, Uploads, WrongOffset

DATA = bytes(range(256)) * 3
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["next", "again", "skip", "overlap", "spoil", "drop", "full", "killed", "finish"]
        ),
        st.integers(0, len(DATA)),
    ),
    max_size=25,
)


def announced(capture_id="c1", data=DATA):
    return Announced("AAAA-BBBB", "user:1", capture_id, len(data), sha256(data), {"kind": "x"})


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Taker:
    """Takes uploads in a folder, and what they have become, as the photograph intake does."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.made: dict[str, bytes] = {}
        self.calls = 0

    @property
    def uploads(self) -> Uploads:
        """Return the uploads as another process has them: nothing is remembered but the files."""
        now = datetime(2026, 11, 28, tzinfo=UTC)
        return Uploads(
            self.data, lambda: now, syncs=False, chunk_bytes=1 << 20, room_bytes=1 << 20, keep_s=60
        )

    def make(self, data: bytes) -> dict[str, str]:
        self.calls += 1
        return {"sop_instance_uid": self.made.setdefault(sha256(data), data) and sha256(data)}

    def send(self, data: bytes, offset: int):
        begun = self.uploads.begin(announced())
        found = self.uploads.append(begun.id, "user:1", data, offset_bytes=offset)
        return self.finish() if found.offset_bytes == len(DATA) else found

    def finish(self):
        return self.uploads.finish(announced().upload_id, "user:1", self.make)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_any_mix_of_pieces_losses_and_repeats_makes_the_one_thing(steps):
    with TemporaryDirectory() as folder:
        taker = Taker(Path(folder))
        last = (0, b"")
        for what, size in steps:
            here = taker.uploads.begin(announced()).offset_bytes
            if what == "next":
                last = (here, DATA[here : here + size])
            elif what == "skip":
                last = (here + 1, DATA[here + 1 : here + 1 + size])
            elif what == "overlap":
                last = (here // 2, DATA[here // 2 : here // 2 + size])
            elif what == "spoil":
                last = (here, bytes(len(DATA[here : here + size])))
            try:
                disturb(taker, what, size, last)
            except LysbroError:
                continue
        done = end_as_a_client_does(taker)
        assert taker.made == {sha256(DATA): DATA}
        assert done.made == {"sop_instance_uid": sha256(DATA)}
        assert taker.uploads.standing().unfinished == 0


def disturb(taker, what, size, last):
    """Do one thing to an upload that may go wrong on the way."""
    place = taker.data / "uploads" / announced().upload_id
    if what == "drop":
        taker.uploads.drop(announced().upload_id, "user:1")
    elif what == "finish":
        taker.finish()
    elif what == "killed" and (place / "bytes").exists():  # in the middle of writing a piece
        here = (place / "bytes").stat().st_size
        with (place / "bytes").open("ab") as file:
            file.write(DATA[here : here + size // 2])
    elif what == "full":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("storage.uploads.write_all_at", half_then_full)
            taker.send(DATA[last[0] :], last[0])
    elif what not in {"killed"}:
        taker.send(last[1], last[0])


def half_then_full(descriptor, buffers, offset):
    os.pwrite(descriptor, buffers[0][: len(buffers[0]) // 2], offset)
    raise OSError(errno.ENOSPC, "No space left on device")


def end_as_a_client_does(taker):
    """Send what is missing until it is whole, beginning anew when other bytes lie there."""
    for _ in range(3):
        here = taker.uploads.begin(announced()).offset_bytes
        try:
            return taker.send(DATA[here:], here)
        except WrongOffset:  # other bytes lay there: now there are none
            continue
    raise AssertionError("never whole")


def test_what_was_begun_and_not_announced_is_no_upload(tmp_path):
    taker = Taker(tmp_path)
    taker.uploads.begin(announced())
    (tmp_path / "uploads" / ".new-0123").mkdir()
    assert taker.uploads.standing().unfinished == 1
    with pytest.raises(NotFound):
        taker.uploads.find("../uploads", "user:1")


def test_a_disk_without_room_is_said_before_anything_is_begun(tmp_path, monkeypatch):
    monkeypatch.setattr("storage.uploads.free_bytes", lambda folder: 10)
    with pytest.raises(NoRoom) as refused:
        Taker(tmp_path).uploads.begin(announced())
    assert refused.value.code == "uploads-no-room"
    assert list((tmp_path / "uploads").iterdir()) == []


def test_what_takes_no_photographs_any_more_is_swept(tmp_path):
    taker = Taker(tmp_path)
    taker.uploads.begin(announced())
    assert taker.uploads.sweep(lambda ids: ids) == 0
    assert taker.uploads.sweep(lambda ids: ()) == 1
    assert list((tmp_path / "uploads").iterdir()) == []


def test_what_is_said_of_a_picture_may_change_until_it_is_an_object(tmp_path):
    taker, said = Taker(tmp_path), announced()
    other = replace(said, form={"kind": "x", "lesion": "B"})
    taker.send(DATA[:100], 0)
    begun = taker.uploads.begin(other)
    assert (begun.offset_bytes, begun.announced.form["lesion"]) == (100, "B")
    taker.uploads.append(begun.id, "user:1", DATA[100:], offset_bytes=100)
    taker.uploads.finish(begun.id, "user:1", taker.make)
    assert taker.uploads.begin(said).announced == other
    assert list(taker.made.values()) == [DATA]
