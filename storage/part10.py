"""The one walk over a data set at the door: structure, identity, index values, pixel layout.

Foreign bytes are never parsed beyond this in a process that receives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from casework.errors import Invalid
from casework.identifiers import is_receivable_uid
from storage.filemeta import (
    DEFLATED_LE,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    FileMeta,
    build_file_meta,
    read_file_meta,
)
from storage.header import (
    INDEXED_KEYWORDS,
    NESTED_KEYWORDS,
    NOTED_TAGS,
    Header,
    PixelLayout,
    Span,
)
from storage.inflate import inflate
from storage.pixels import layout_of, native_frame_bits
from storage.source import BytesSource, FileSource, Source
from storage.values import plain_node
from storage.walker import OFFSET_TABLES, Walked, WalkLimits, Wanted, walk_structure

__all__ = [
    "DEFLATED_LE",
    "EXPLICIT_BE",
    "EXPLICIT_LE",
    "IMPLICIT_LE",
    "INDEXED_KEYWORDS",
    "NESTED_KEYWORDS",
    "BytesSource",
    "FileMeta",
    "FileSource",
    "Header",
    "PixelLayout",
    "Source",
    "Span",
    "WalkLimits",
    "build_file_meta",
    "check_identity",
    "native_frame_bits",
    "peek_identity",
    "plain_source",
    "read_file_meta",
    "walk",
]

PlainWanted = dict[int, tuple[str, str, Mapping[int, Any] | None]]


def walk(
    source: Source | bytes, *, transfer_syntax_uid: str, limits: WalkLimits | None = None
) -> Header:
    """Return the header of a data set, or raise Invalid (TooLarge) when it must not be kept."""
    limits = limits or WalkLimits()
    given = BytesSource(source) if isinstance(source, bytes) else source
    content = plain_source(given, transfer_syntax_uid=transfer_syntax_uid, limits=limits)
    little_endian = transfer_syntax_uid != EXPLICIT_BE
    walked = walk_structure(
        content,
        implicit=transfer_syntax_uid == IMPLICIT_LE,
        little_endian=little_endian,
        wanted=_WALKED,
        limits=limits,
    )
    warnings = walked.warnings
    offsets = {tag: walked.node.pop(tag) for tag in OFFSET_TABLES if tag in walked.node}
    attributes = plain_node(
        walked.node, _PLAIN, ("iso8859",), little_endian=little_endian, warnings=warnings
    )
    pixel = None
    if walked.pixel is not None:
        pixel = layout_of(
            walked.pixel,
            attributes=attributes,
            node=offsets,
            source=content,
            little_endian=little_endian,
            warnings=warnings,
            is_video=transfer_syntax_uid in _VIDEO,
        )
    return Header(
        sop_class_uid=_uid(attributes, "SOPClassUID"),
        sop_instance_uid=_uid(attributes, "SOPInstanceUID"),
        study_uid=_uid(attributes, "StudyInstanceUID"),
        series_uid=_uid(attributes, "SeriesInstanceUID"),
        transfer_syntax_uid=transfer_syntax_uid,
        attributes=attributes,
        pixel=pixel,
        warnings=tuple(warnings),
    )


def peek_identity(
    source: Source, *, transfer_syntax_uid: str, limits: WalkLimits
) -> tuple[str, str]:
    """Return SOP Class and Instance UID as the first elements say, empty where they are missing."""
    content = plain_source(source, transfer_syntax_uid=transfer_syntax_uid, limits=limits)
    little_endian = transfer_syntax_uid != EXPLICIT_BE
    walked: Walked = walk_structure(
        content,
        implicit=transfer_syntax_uid == IMPLICIT_LE,
        little_endian=little_endian,
        wanted=dict.fromkeys(_IDENTITY),
        limits=limits,
        stop_after=0x00080018,
    )
    values = plain_node(walked.node, _PLAIN, ("iso8859",), little_endian=little_endian, warnings=[])
    return str(values.get("SOPClassUID", "")), str(values.get("SOPInstanceUID", ""))


def check_identity(header: Header, *, sop_class_uid: str, sop_instance_uid: str) -> None:
    """Raise Invalid unless the data set is the object that was announced (PS3.4 section B.2.3)."""
    for name, said, found in (
        ("SOP Class UID", sop_class_uid, header.sop_class_uid),
        ("SOP Instance UID", sop_instance_uid, header.sop_instance_uid),
    ):
        if said != found:
            raise Invalid(
                f"The {name} was announced as {said}, but the data set says {found}. "
                "It was not kept.",
                code="uid-mismatch",
            )


def plain_source(source: Source, *, transfer_syntax_uid: str, limits: WalkLimits) -> Source:
    """Return the data set itself: inflated when its transfer syntax deflates it."""
    if transfer_syntax_uid != DEFLATED_LE:
        return source
    return BytesSource(
        inflate(
            source,
            ratio=limits.inflate_ratio,
            floor_bytes=limits.inflate_floor_bytes,
            cap_bytes=limits.inflate_bytes,
        )
    )


def _uid(attributes: Mapping[str, Any], keyword: str) -> str:
    value = attributes.get(keyword)
    if value is None:
        raise Invalid(f"The data set has no {keyword}. It cannot be kept.", code="uid-missing")
    if not isinstance(value, str) or not is_receivable_uid(value):
        raise Invalid(
            f"The {keyword} is not made of digits and dots, 64 at most. It cannot be kept.",
            code="uid-malformed",
        )
    return value


def _plain(keywords: frozenset[str]) -> PlainWanted:
    wanted: PlainWanted = {}
    for keyword in keywords:
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise ValueError(keyword)
        nested = NESTED_KEYWORDS.get(keyword)
        wanted[tag] = (keyword, dictionary_VR(tag), None if nested is None else _plain(nested))
    return wanted


def _walked(plain: Mapping[int, tuple[str, str, Mapping[int, Any] | None]]) -> dict[int, Any]:
    return {tag: None if n is None else _walked(n) for tag, (_, _, n) in plain.items()}


_VIDEO = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in range(100, 109)) | frozenset(
    f"1.2.840.10008.1.2.4.{n}.1" for n in range(100, 107)
)
_IDENTITY = (0x00080016, 0x00080018)
_NOTED: PlainWanted = {
    tag: (keyword, vr, {} if vr == "SQ" else None) for tag, (keyword, vr) in NOTED_TAGS.items()
}
_PLAIN: PlainWanted = _plain(INDEXED_KEYWORDS) | _NOTED
_WALKED: Wanted = _walked(_PLAIN) | dict.fromkeys(OFFSET_TABLES)
