"""Object stores: one port, a folder and memory behind it. Knows nothing of DICOM or the index."""

from storage.objects.folder import FolderStore
from storage.objects.memory import MemoryStore
from storage.objects.opening import open_store
from storage.objects.port import ObjectInfo, ObjectStore, read_range, sha256_of_object

__all__ = [
    "FolderStore",
    "MemoryStore",
    "ObjectInfo",
    "ObjectStore",
    "open_store",
    "read_range",
    "sha256_of_object",
]
