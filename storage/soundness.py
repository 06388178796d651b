"""Reads an object or a pack back where it lies, hashes it, and says what is wrong with it."""

from __future__ import annotations

from casework.errors import Invalid, NotFound, Unavailable
from storage.archive import Archive
from storage.journal import new_digest
from storage.objects import sha256_of_object
from storage.rows import InstanceRow

MISSING, CORRUPT, UNREADABLE = "missing", "corrupt", "unreadable"
"""What can be wrong with the bytes of an instance that are read back."""

_CHUNK = 1 << 20


def fault_of(archive: Archive, instance: InstanceRow) -> str:
    """Read an instance back where it lies and return what is wrong with it, or nothing."""
    digest = new_digest(instance.transfer_syntax_uid)
    size = 0
    try:
        with archive.open_in_place(instance) as stream:
            stream.read(instance.location.dataset_offset)
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except NotFound:
        return MISSING
    except (OSError, Unavailable):
        return UNREADABLE
    if digest.hexdigest() != instance.bytes_sha256 or size != instance.size_bytes:
        return CORRUPT
    return _fault_when_restored(archive, instance)


def _fault_when_restored(archive: Archive, instance: InstanceRow) -> str:
    """Return what is wrong with what a recompressed instance gives back, or nothing."""
    received = instance.received
    if received is None:
        return ""
    digest = new_digest(received.restored_syntax)
    try:
        with archive.open_dataset_as_received(instance) as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except Invalid:
        return CORRUPT
    except NotFound:
        return MISSING
    except (OSError, Unavailable):
        return UNREADABLE
    return "" if digest.hexdigest() == received.restored_sha256 else CORRUPT


def fault_of_pack(archive: Archive, key: str, sha256: str | None) -> str:
    """Return what is wrong with a pack as a whole; without a hash, whether it is there.

    A store that does not answer raises: nothing is known of the pack then.
    """
    try:
        if sha256 is None:
            return "" if archive.store.exists(key) else MISSING
        return "" if sha256_of_object(archive.store, key) == sha256 else CORRUPT
    except NotFound:
        return MISSING
    except OSError:  # the disk under this one object
        return CORRUPT
