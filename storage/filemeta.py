"""Writes and reads preamble and file meta information of Part 10 files (PS3.10 section 7.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

from casework.errors import Invalid
from casework.identifiers import derived_uid
from storage.source import Source
from storage.walker import LONG_VRS

IMPLEMENTATION_CLASS_UID = derived_uid("implementation", "lysbro")
IMPLEMENTATION_VERSION_NAME = "LYSBRO_1"
IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
DEFLATED_LE = "1.2.840.10008.1.2.1.99"

_PREAMBLE = bytes(128) + b"DICM"
_MAX_META_BYTES = 1 << 20


@dataclass(frozen=True)
class FileMeta:
    """What the file meta of a Part 10 file says; empty where it says nothing."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    source_ae: str
    dataset_offset: int


def build_file_meta(
    *, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, source_ae: str = ""
) -> bytes:
    """Return preamble, prefix and group 0002; the preamble is always zero (CVE-2019-11687)."""
    before, after = _around_instance(sop_class_uid, transfer_syntax_uid, source_ae)
    group = before + _element(0x0003, b"UI", sop_instance_uid.encode("ascii")) + after
    return _PREAMBLE + _element(0x0000, b"UL", struct.pack("<L", len(group))) + group


@lru_cache(maxsize=256)
def _around_instance(
    sop_class_uid: str, transfer_syntax_uid: str, source_ae: str
) -> tuple[bytes, bytes]:
    """Return the elements before and after the SOP Instance UID: the same for a whole series."""
    before = _element(0x0001, b"OB", b"\x00\x01")
    before += _element(0x0002, b"UI", sop_class_uid.encode("ascii"))
    after = _element(0x0010, b"UI", transfer_syntax_uid.encode("ascii"))
    after += _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID.encode("ascii"))
    after += _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME.encode("ascii"))
    if source_ae:
        after += _element(0x0016, b"AE", source_ae.encode("ascii", errors="replace"))
    return before, after


def read_file_meta(source: Source) -> FileMeta:
    """Return what the file meta says, or raise Invalid when this is no Part 10 file.

    The group length is not trusted: group 0002 ends where the next group starts.
    """
    head = source.read_at(0, 132 + 8)
    if head[128:132] != b"DICM":
        raise Invalid(
            "This is no DICOM file: the prefix DICM is missing at byte 128. Choose another file.",
            code="bad-structure",
        )
    position = 132
    values: dict[int, bytes] = {}
    window = source.read_at(0, _MAX_META_BYTES)
    while position + 8 <= len(window) and window[position : position + 2] == b"\x02\x00":
        vr = window[position + 4 : position + 6]
        if vr in LONG_VRS:
            if position + 12 > len(window):
                break
            (length,) = struct.unpack_from("<L", window, position + 8)
            start = position + 12
        elif vr.isalpha():
            (length,) = struct.unpack_from("<H", window, position + 6)
            start = position + 8
        else:  # implicit VR in the file meta: wrong, and met in the wild
            (length,) = struct.unpack_from("<L", window, position + 4)
            start = position + 8
        if start + length > len(window):
            raise Invalid("The file meta information is cut off. Send it again.", code="truncated")
        (number,) = struct.unpack_from("<H", window, position + 2)
        values[number] = window[start : start + length]
        position = start + length
    return FileMeta(
        sop_class_uid=_text(values, 0x0002),
        sop_instance_uid=_text(values, 0x0003),
        transfer_syntax_uid=_text(values, 0x0010) or guess_transfer_syntax(source, position),
        source_ae=_text(values, 0x0016),
        dataset_offset=position,
    )


def guess_transfer_syntax(source: Source, offset: int) -> str:
    """Return the transfer syntax that the first element of a data set looks like."""
    first = source.read_at(offset, 8)
    if len(first) == 8 and first[4:6].isalpha() and first[4:6].isupper():
        return EXPLICIT_BE if first[0] == 0 and first[1] != 0 else EXPLICIT_LE
    return IMPLICIT_LE


def _element(number: int, vr: bytes, value: bytes) -> bytes:
    value += (b" " if vr in (b"SH", b"AE") else b"\x00") * (len(value) % 2)
    if vr == b"OB":
        return struct.pack("<HH2sHL", 2, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", 2, number, vr, len(value)) + value


def _text(values: dict[int, bytes], number: int) -> str:
    return values.get(number, b"").decode("latin-1").strip(" \x00")
