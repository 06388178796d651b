"""An object store in a folder of a local disk: temporary file, fsync, hard link, fsync."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from casework.errors import NoRoom, Unavailable
from storage.disk import is_out_of_room, open_stretch, sync_folder, write_all
from storage.objects.port import ObjectInfo, no_such_object, other_bytes, require_key, wrong_hash

_TEMPORARIES = ".putting"  # no key starts with a dot; one folder, so that tidying walks no other
_CHUNK = 1 << 20


class FolderStore:
    """Objects as files: the key is the path under the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._prefix = f"{folder}{os.sep}"  # a frame is read sooner than a Path is made
        self._temporaries = folder / _TEMPORARIES
        self._temporaries.mkdir(exist_ok=True)
        sync_folder(folder.parent)

    def put(self, key: str, source: Path | bytes, *, sha256: str) -> None:
        """Keep the bytes; see `ObjectStore.put`."""
        final = self._path(key)
        try:
            if not final.exists():
                self._write(final, source, key=key, sha256=sha256)
                return
        except OSError as error:
            if is_out_of_room(error):
                raise NoRoom(
                    f"There is no room for {key} in {self.folder}. Make room on that disk.",
                    code="store-full",
                ) from error
            raise Unavailable(
                f"The store in {self.folder} did not take {key} ({error.strerror}). "
                "Look at that disk.",
                code="store-failed",
            ) from error
        self._require_same(final, source, key=key, sha256=sha256)

    def open_range(self, key: str, offset: int, length: int) -> BinaryIO:
        """Open a stretch of an object."""
        return open_stretch(self.open_file(key), offset, length)

    def open_file(self, key: str) -> int:
        """Open the file of an object; see `LocalFiles`."""
        try:
            return os.open(self._prefix + require_key(key), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise no_such_object(key) from error

    def size(self, key: str) -> int:
        """Return the size of an object."""
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError as error:
            raise no_such_object(key) from error

    def exists(self, key: str) -> bool:
        """Tell whether there is an object under the key."""
        return self._path(key).is_file()

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield every object whose key starts with the prefix."""
        start = self.folder / prefix.rpartition("/")[0]
        found = []
        for root, folders, files in os.walk(start):
            folders[:] = sorted(name for name in folders if name != _TEMPORARIES)
            for name in files:
                path = Path(root, name)
                key = path.relative_to(self.folder).as_posix()
                if key.startswith(prefix):
                    found.append(ObjectInfo(key, path.stat().st_size))
        yield from sorted(found, key=lambda o: o.key)

    def describe(self) -> str:
        """Return where this store is."""
        return f"folder {self.folder}"

    def delete(self, key: str) -> None:
        """Remove an object; see `ObjectStore.delete`."""
        path = self._path(key)
        try:
            path.unlink()
            sync_folder(path.parent)
        except FileNotFoundError:
            return
        except OSError as error:
            raise Unavailable(
                f"The store in {self.folder} did not remove {key} ({error.strerror}). "
                "Look at that disk.",
                code="store-failed",
            ) from error

    def erase(self, key: str) -> None:
        """Remove an object; see `ObjectStore.erase`. A folder keeps no versions."""
        self.delete(key)

    def tidy(self) -> int:
        """Remove what puts that were cut short left behind; see `ObjectStore.tidy`."""
        removed = 0
        for path in self._temporaries.iterdir():
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
                removed += 1
            except BlockingIOError:  # its put is under way
                pass
            finally:
                os.close(descriptor)
        return removed

    def _path(self, key: str) -> Path:
        return self.folder / require_key(key)

    def _write(self, final: Path, source: Path | bytes, *, key: str, sha256: str) -> None:
        self._make_folder(final.parent)
        temporary, descriptor = self._new_temporary()
        try:
            try:
                digest = hashlib.sha256()
                for chunk in _chunks(source):
                    digest.update(chunk)
                    write_all(descriptor, chunk)
                if digest.hexdigest() != sha256:
                    raise wrong_hash(key)
                os.fsync(descriptor)
                os.link(temporary, final)  # unlike rename it refuses to overwrite
            except FileExistsError:
                self._require_same(final, source, key=key, sha256=sha256)
            finally:
                os.close(descriptor)
            sync_folder(final.parent)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()

    def _new_temporary(self) -> tuple[Path, int]:
        """Make a file that is locked for as long as its put is under way."""
        while True:
            path = self._temporaries / secrets.token_hex(8)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return path, descriptor
            os.close(descriptor)  # it was tidied away before it was locked

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)

    def _require_same(self, final: Path, source: Path | bytes, *, key: str, sha256: str) -> None:
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if final.stat().st_size != size or _sha256(final) != sha256:
            raise other_bytes(key)
        # an earlier put may have been cut short between the link and its fsync
        sync_folder(final.parent)


def _chunks(source: Path | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
