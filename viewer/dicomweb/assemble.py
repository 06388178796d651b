"""Makes a data set of metadata and bulk data (PS3.18 section 10.5.2): encoded, in a file.

The intake judges it like everything else; nothing is stored here.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from casework.errors import Invalid
from casework.identifiers import is_receivable_uid
from storage.source import BytesSource, FileSource, Source
from viewer.dicomweb import model_encoding, stream_facts, video_facts
from viewer.dicomweb.bulk import OCTETS, Shelf
from viewer.dicomweb.dicom_json import tag_of, to_json
from viewer.dicomweb.model_encoding import Frames, Raw, inline_bytes
from viewer.dicomweb.multipart import Piece
from viewer.dicomweb.pixel_module import Dataset, completed, native_bytes, number, value
from viewer.dicomweb.stream_facts import Facts, NotSupported

EXPLICIT_LE = "1.2.840.10008.1.2.1"
_UNCOMPRESSED = frozenset({"", "*", EXPLICIT_LE, "1.2.840.10008.1.2"})
_PIXELS, _DOCUMENT = "7FE00010", "00420011"

DOCUMENTS: Mapping[str, tuple[str, bytes]] = {
    "application/pdf": ("1.2.840.10008.5.1.4.1.1.104.1", b"%PDF-"),
    "text/xml": ("1.2.840.10008.5.1.4.1.1.104.2", b"<"),
    "application/xml": ("1.2.840.10008.5.1.4.1.1.104.2", b"<"),
    "model/stl": ("1.2.840.10008.5.1.4.1.1.104.3", b""),
    "model/obj": ("1.2.840.10008.5.1.4.1.1.104.4", b""),
    "model/mtl": ("1.2.840.10008.5.1.4.1.1.104.5", b""),
}
"""The SOP class of a document of each media type, and what stands at its beginning."""

_IDENTIFYING = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


@dataclass(frozen=True)
class Named:
    """What an object is called; empty where it does not say."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_uid: str = ""
    series_uid: str = ""


def named(dataset: Mapping[str, Any]) -> Named:
    """Return what metadata calls its object; what is no UID counts as not said."""
    found = [str(value(dataset, keyword) or "") for keyword in _IDENTIFYING]
    return Named(*(uid if is_receivable_uid(uid) else "" for uid in found))


def assemble(metadata: Mapping[str, Any], shelf: Shelf, target: BinaryIO) -> str:
    """Write the data set and return the transfer syntax that it is written in, or raise Invalid."""
    dataset = _usable(metadata)
    who = named(dataset)
    if not all((who.sop_class_uid, who.sop_instance_uid, who.study_uid, who.series_uid)):
        raise Invalid("The metadata names no object, study and series.", code="not-dicom")
    syntax = EXPLICIT_LE
    if "BulkDataURI" in dataset.get(_PIXELS, {}):
        dataset, syntax = _with_pixels(dataset, shelf)
    elif "InlineBinary" in dataset.get(_PIXELS, {}):
        inline = inline_bytes(_PIXELS, dataset[_PIXELS])
        dataset = _with_native(dataset, BytesSource(inline))
    if "BulkDataURI" in dataset.get(_DOCUMENT, {}):
        dataset = _with_document(dataset, shelf, who)
    model_encoding.write(dataset, target, bulk=shelf.octets)
    return syntax


def _usable(metadata: Mapping[str, Any]) -> Dataset:
    """Return the elements of a data set: no file meta information, no group lengths."""
    dataset: Dataset = {}
    for tag, element in metadata.items():
        if not isinstance(element, dict):
            raise Invalid(f"{tag[:16]!r} is no element.", code="not-dicom")
        if tag.startswith("0002") or tag.endswith("0000"):
            continue
        if tag.upper() in dataset:
            raise Invalid(f"Element {tag[:16]} comes twice.", code="not-dicom")
        dataset[tag.upper()] = {key: given for key, given in element.items() if key != "raw"}
    return dataset


def _with_pixels(dataset: Dataset, shelf: Shelf) -> tuple[Dataset, str]:
    pieces = shelf.take(str(dataset[_PIXELS]["BulkDataURI"]))
    media_type = pieces[0].head.media_type
    if media_type in OCTETS and len(pieces) == 1:
        if pieces[0].head.options.get("transfer-syntax", "") not in _UNCOMPRESSED:
            raise NotSupported(
                "Octets are taken as native pixel data in little endian.", code="not-supported"
            )
        return _with_native(dataset, shelf.source(pieces[0])), EXPLICIT_LE
    reader = stream_facts.READERS.get(media_type) or video_facts.READERS.get(media_type)
    if reader is None or any(piece.head.media_type != media_type for piece in pieces):
        raise NotSupported(
            f"Pixel data of the media type {media_type[:60]!r} is not taken.", code="not-supported"
        )
    if media_type in video_facts.READERS and len(pieces) > 1:
        raise Invalid("A video is one part.", code="bad-part")
    try:
        read = [reader(shelf.source(piece)) for piece in pieces]
    except (struct.error, IndexError) as error:
        raise Invalid("The stream of the pixel data is cut short.", code="bad-stream") from error
    if len({_shape(facts) for facts in read}) > 1:
        raise Invalid("The frames are not all alike.", code="does-not-match")
    dataset = completed(dataset, read[0], frames=len(read))
    streams = [
        FileSource(shelf.descriptor, offset=piece.offset + facts.offset, size=facts.length)
        for piece, facts in zip(pieces, read, strict=True)
    ]
    encapsulated = {_PIXELS: {"vr": "OB", "raw": Frames(streams)}}
    return dataset | encapsulated, _syntax(pieces, read)


def _shape(facts: Facts) -> tuple[Any, ...]:
    return facts.rows, facts.columns, facts.samples, facts.bits, facts.is_signed


def _syntax(pieces: Sequence[Piece], read: Sequence[Facts]) -> str:
    """Return the syntax that is named if every stream is of it, else the one that all are of."""
    of_all = [s for s in read[0].syntaxes if all(s in facts.syntaxes for facts in read)]
    asked = {piece.head.options.get("transfer-syntax", "") for piece in pieces} - {"", "*"}
    if not asked and of_all:
        return of_all[0]
    for syntax in asked:
        if len(asked) == 1 and syntax in of_all:
            return syntax
    raise Invalid("The pixel data is not of the transfer syntax named.", code="does-not-match")


def _with_native(dataset: Dataset, source: Source) -> Dataset:
    expected = native_bytes(dataset)
    if source.size not in {expected, expected + expected % 2}:
        raise Invalid(
            f"The pixel data has {source.size} bytes, and the image {expected}.",
            code="does-not-match",
        )
    return dataset | {_PIXELS: {"vr": _native_vr(dataset), "raw": Raw(source)}}


def _native_vr(dataset: Dataset) -> str:
    given = str(dataset[_PIXELS].get("vr", ""))
    return "OW" if number(dataset, "BitsAllocated") > 8 or given not in {"OB", "OW"} else given


def _with_document(dataset: Dataset, shelf: Shelf, who: Named) -> Dataset:
    pieces = shelf.take(str(dataset[_DOCUMENT]["BulkDataURI"]))
    piece, source = pieces[0], shelf.source(pieces[0])
    media_type = piece.head.media_type
    sop_class, begins = DOCUMENTS.get(media_type, ("", b""))
    if len(pieces) > 1 or not (sop_class or media_type in OCTETS):
        raise NotSupported(
            f"A document of the media type {media_type[:60]!r} is not taken.", code="not-supported"
        )
    said = value(dataset, "MIMETypeOfEncapsulatedDocument")
    if sop_class and (who.sop_class_uid != sop_class or said not in {None, media_type}):
        raise Invalid(f"A document of {media_type} is another object.", code="does-not-match")
    if begins and begins not in source.read_at(0, 1024):
        raise Invalid(f"The document is no {media_type}.", code="does-not-match")
    filled = {"EncapsulatedDocumentLength": piece.length}
    more: dict[str, Any] = {"MIMETypeOfEncapsulatedDocument": media_type} if sop_class else {}
    missing = {k: v for k, v in (more | filled).items() if tag_of(k) not in dataset}
    return dataset | to_json(missing) | {_DOCUMENT: {"vr": "OB", "raw": Raw(source)}}
