"""Object stores: one port, and a folder, memory and S3 behind it.

Knows nothing of DICOM or the index.
"""

from storage.objects.folder import FolderStore
from storage.objects.late import LateStore
from storage.objects.memory import MemoryStore
from storage.objects.opening import make_bucket, open_mirror, open_store, tested
from storage.objects.port import (
    LocalFiles,
    ObjectInfo,
    ObjectStore,
    is_local,
    read_range,
    sha256_of_object,
)
from storage.objects.s3_place import S3Place

__all__ = [
    "FolderStore",
    "LateStore",
    "LocalFiles",
    "MemoryStore",
    "ObjectInfo",
    "ObjectStore",
    "S3Place",
    "is_local",
    "make_bucket",
    "open_mirror",
    "open_store",
    "read_range",
    "sha256_of_object",
    "tested",
]
