"""Keeps photographs that come in pieces in the data folder until they are whole; makes no object.

Each upload is a folder of its own: what was announced of it, and the bytes that have come. How many
there are is the length of that file, so that nothing else can say otherwise after a power cut.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from casework.errors import Conflict, Invalid, NoRoom, NotFound, TooLarge, Unavailable
from storage.disk import free_bytes, is_out_of_room, sync_folder, write_all_at

FOLDER = "uploads"

_TOLD, _BYTES, _FRESH = "told.json", "bytes", ".new-"
_SHARES = 4  # one person may announce a quarter of the room
_HELD_S, _LOOK_S = 10.0, 0.02


class WrongOffset(Conflict):
    """A piece does not begin where the bytes that are here end; `offset_bytes` says where."""

    def __init__(self, message: str, *, code: str, offset_bytes: int) -> None:
        super().__init__(message, code=code)
        self.offset_bytes = offset_bytes


@dataclass(frozen=True)
class Announced:
    """What is said of a photograph before its bytes come."""

    case_id: str
    actor_id: str
    capture_id: str
    size_bytes: int
    sha256: str
    form: Mapping[str, Any]  # what else is said of the photograph

    @property
    def upload_id(self) -> str:
        """Return the name of the upload: the same for the same press of the shutter."""
        parts = (self.case_id, self.actor_id, self.capture_id)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Upload:
    """An upload as it is now: how much is here, and what it has become once it is an object."""

    id: str
    announced: Announced
    begun_at: datetime
    offset_bytes: int
    made: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Standing:
    """What lies in a data folder of photographs that are not whole yet."""

    unfinished: int
    bytes_here: int
    oldest_at: datetime | None


class Uploads:
    """The uploads of one data folder, which several processes may take pieces for."""

    def __init__(
        self,
        data: Path,
        clock: Callable[[], datetime],
        *,
        syncs: bool,
        chunk_bytes: int,
        room_bytes: int,
        keep_s: float,
    ) -> None:
        self.chunk_bytes = chunk_bytes
        self._folder = data / FOLDER
        self._clock = clock
        self._syncs = syncs
        self._room_bytes = room_bytes
        self._keep = timedelta(seconds=keep_s)

    def begin(self, announced: Announced) -> Upload:
        """Begin an upload, or return the one that was begun with the same announcement.

        Something else may be said of the same bytes until they are an object.
        """
        upload_id = announced.upload_id
        if not (self._folder / upload_id).is_dir():
            self._require_room(announced)
            self._make(upload_id, announced)
        with self._held(upload_id) as place:
            found = _read(place)
            if found.announced == announced:
                return found
            if replace(found.announced, form=announced.form) != announced:
                raise Conflict(
                    "Another picture was announced under this capture_id. Give each its own.",
                    code="upload-differs",
                )
            if found.made is None:
                self._tell(place, announced, found.begun_at, None)
            return _read(place)

    def find(self, upload_id: str, actor_id: str) -> Upload:
        """Return an upload of a person, or raise NotFound: of others' nobody learns."""
        with self._held(upload_id) as place:
            return self._own(place, actor_id)

    def append(self, upload_id: str, actor_id: str, data: bytes, *, offset_bytes: int) -> Upload:
        """Keep a piece; one that is here already changes nothing.

        The bytes are on stable storage when this returns, as the durability asks.
        """
        with self._held(upload_id) as place:
            found = self._own(place, actor_id)
            if found.made is not None:
                return found
            here, size = found.offset_bytes, found.announced.size_bytes
            if offset_bytes > here:
                raise WrongOffset(
                    f"The next piece begins at {here}, not at {offset_bytes}.",
                    code="upload-offset",
                    offset_bytes=here,
                )
            if offset_bytes + len(data) > size:
                raise TooLarge(
                    f"The picture was announced with {size} bytes, and this is more.",
                    code="upload-past-end",
                )
            known = min(here - offset_bytes, len(data))
            with (place / _BYTES).open("r+b") as file:
                if os.pread(file.fileno(), known, offset_bytes) != data[:known]:
                    raise WrongOffset(
                        "Other bytes came for this place before. Begin this picture anew.",
                        code="upload-differs",
                        offset_bytes=here,
                    )
                self._write(file.fileno(), data[known:], here)
            return _read(place)

    def finish(
        self, upload_id: str, actor_id: str, make: Callable[[bytes], Mapping[str, Any]]
    ) -> Upload:
        """Make what is whole into what it is to be, once; its bytes are then gone from here.

        What is no photograph goes too: its sender has it, and it will never be one.
        """
        with self._held(upload_id) as place:
            found = self._own(place, actor_id)
            if found.made is not None:
                return found
            if found.offset_bytes != found.announced.size_bytes:
                raise WrongOffset(
                    f"Only {found.offset_bytes} bytes are here. Send the rest.",
                    code="upload-not-whole",
                    offset_bytes=found.offset_bytes,
                )
            data = (place / _BYTES).read_bytes()
            if hashlib.sha256(data).hexdigest() != found.announced.sha256:
                os.truncate(place / _BYTES, 0)
                raise WrongOffset(
                    "The bytes that came are not those that were announced. Send them again from "
                    "the beginning.",
                    code="upload-hash",
                    offset_bytes=0,
                )
            try:
                made = make(data)
            except Invalid:
                shutil.rmtree(place, ignore_errors=True)
                raise
            self._tell(place, found.announced, found.begun_at, made)
            (place / _BYTES).unlink(missing_ok=True)
            return _read(place)

    def drop(self, upload_id: str, actor_id: str) -> None:
        """Forget an upload of a person."""
        with self._held(upload_id) as place:
            self._own(place, actor_id)
            shutil.rmtree(place, ignore_errors=True)

    def sweep(self, wanted: Callable[[Collection[str]], Collection[str]]) -> int:
        """Remove what was begun too long ago, and what is of a case that takes no photographs now.

        `wanted` says which of some cases still do.
        """
        found = list(self._listed())
        if not found:
            return 0
        open_cases = wanted({upload.announced.case_id for upload in found})
        oldest = self._clock() - self._keep
        goes = [
            upload.id
            for upload in found
            if upload.begun_at < oldest or upload.announced.case_id not in open_cases
        ]
        for upload_id in goes:
            with suppress(NotFound, Unavailable), self._held(upload_id) as place:
                shutil.rmtree(place, ignore_errors=True)
        return len(goes)

    def standing(self) -> Standing:
        """Return how much waits here to become whole."""
        open_ones = [upload for upload in self._listed() if upload.made is None]
        return Standing(
            len(open_ones),
            sum(upload.offset_bytes for upload in open_ones),
            min((upload.begun_at for upload in open_ones), default=None),
        )

    def _require_room(self, announced: Announced) -> None:
        open_ones = [upload.announced for upload in self._listed() if upload.made is None]
        own = [each for each in open_ones if each.actor_id == announced.actor_id]
        for those, room in ((open_ones, self._room_bytes), (own, self._room_bytes // _SHARES)):
            if sum(each.size_bytes for each in those) + announced.size_bytes > room:
                raise NoRoom(
                    "Too many pictures have been begun and not ended. Send this one later.",
                    code="uploads-full",
                )

    def _make(self, upload_id: str, announced: Announced) -> None:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if free_bytes(self._folder) < announced.size_bytes:
                raise _no_room()
            fresh = self._folder / f"{_FRESH}{secrets.token_hex(8)}"
            fresh.mkdir(mode=0o700)
            try:
                (fresh / _BYTES).touch()
                self._tell(fresh, announced, self._clock(), None)
                with suppress(OSError):  # another process was first
                    fresh.rename(self._folder / upload_id)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
            if self._syncs:
                sync_folder(self._folder)
        except OSError as error:
            raise _of(error) from error

    def _tell(
        self, place: Path, announced: Announced, at: datetime, made: Mapping[str, Any] | None
    ) -> None:
        told = {"announced": asdict(announced), "begun_at": at.isoformat(), "made": made}
        fresh = place / f"{_TOLD}.new"
        try:
            with fresh.open("w") as file:
                json.dump(told, file)
                file.flush()
                if self._syncs:
                    os.fsync(file.fileno())
            fresh.rename(place / _TOLD)
            if self._syncs:
                sync_folder(place)
        except OSError as error:
            raise _of(error) from error

    def _write(self, descriptor: int, data: bytes, here: int) -> None:
        try:
            write_all_at(descriptor, [data], here)
            if self._syncs:
                os.fdatasync(descriptor)
        except OSError as error:
            with suppress(OSError):  # what was answered before stays
                os.ftruncate(descriptor, here)
            raise _of(error) from error

    def _own(self, place: Path, actor_id: str) -> Upload:
        found = _read(place)
        if found.announced.actor_id != actor_id:
            raise _unknown()
        return found

    def _listed(self) -> Iterator[Upload]:
        with suppress(FileNotFoundError):
            for place in sorted(self._folder.iterdir()):
                if place.name.startswith(_FRESH):
                    self._clear_leftover(place)
                    continue
                with suppress(OSError, NotFound):
                    yield _read(place)

    def _clear_leftover(self, place: Path) -> None:
        """Remove the beginning of an upload whose process died before it was announced."""
        with suppress(OSError):
            if time.time() - place.stat().st_mtime > self._keep.total_seconds():
                shutil.rmtree(place, ignore_errors=True)

    @contextmanager
    def _held(self, upload_id: str) -> Iterator[Path]:
        """Hold an upload alone, among the threads and processes of this data folder."""
        place = self._folder / upload_id
        if not upload_id.isalnum():
            raise _unknown()
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _unknown() from error
        try:
            _lock(descriptor)
            if not _is_still(place, descriptor):
                raise _unknown()
            yield place
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> None:
    deadline = time.monotonic() + _HELD_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise Unavailable(
                    "This picture is being taken in just now. Ask again in a moment.",
                    code="upload-busy",
                ) from error
            time.sleep(_LOOK_S)
        else:
            return


def _is_still(place: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(place.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _read(place: Path) -> Upload:
    try:
        told = json.loads((place / _TOLD).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _unknown() from error
    announced = Announced(**told["announced"])
    begun_at = datetime.fromisoformat(told["begun_at"])
    if told["made"] is not None:
        return Upload(place.name, announced, begun_at, announced.size_bytes, told["made"])
    return Upload(place.name, announced, begun_at, (place / _BYTES).stat().st_size)


def _unknown() -> NotFound:
    return NotFound(
        "No such picture is on its way here. Announce it again; what has arrived counts.",
        code="no-such-upload",
    )


def _no_room() -> NoRoom:
    return NoRoom(
        "There is no room for the picture on the server's disk. Keep it, and send it later.",
        code="uploads-no-room",
    )


def _of(error: OSError) -> Exception:
    if is_out_of_room(error):
        return _no_room()
    return Unavailable(
        f"The folder of pictures on their way cannot be written ({error.strerror or error}). "
        "Look at the disk of the data folder.",
        code="uploads-failed",
    )
