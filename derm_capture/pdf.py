"""Opens what a person gives as a document (PDF), or refuses it with a code and a sentence.

Nothing in it is changed; what would act by itself when it is opened is refused. Draws no page.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from casework.errors import Invalid, TooLarge

_HEAD = re.compile(rb"%PDF-[12]\.\d")
_NAME = re.compile(rb"/([^\x00\t\n\x0c\r /<>\[\](){}%]{1,120})")
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM = re.compile(rb"(?<!end)stream(?:\r\n|\n|\r)")
_DICTIONARY_BYTES = 4096  # before a stream, in which its own dictionary is looked for
_MOST_INFLATED = 64 << 20
_ACTIVE = {
    b"JavaScript": "a script",
    b"JS": "a script",
    b"Launch": "a command that starts another program",
    b"EmbeddedFile": "another file",
    b"EmbeddedFiles": "another file",
    b"FileAttachment": "another file",
    b"RichMedia": "embedded media",
    b"Movie": "embedded media",
    b"Sound": "embedded media",
    b"Rendition": "embedded media",
    b"3D": "embedded media",
    b"XFA": "a form with a program",
    b"SubmitForm": "a form that sends itself away",
    b"ImportData": "a form that reads other files",
    b"GoToE": "a link into another file",
    b"GoToR": "a link into another file",
}
_RARE = frozenset(name for name in _ACTIVE if len(name) > 4)
"""Names too long to stand in compressed data by chance: they are looked for in every byte."""


@dataclass(frozen=True)
class DocumentLimits:
    """What a document may be, at most."""

    max_bytes: int = 20 << 20


def is_pdf(data: bytes) -> bool:
    """Tell whether a file claims to be a PDF; anything that a reader would take for one does."""
    return b"%PDF-" in data[:1024]


def open_pdf(data: bytes, *, limits: DocumentLimits | None = None) -> bytes:
    """Return the document without what stands behind its end, or raise Invalid."""
    limits = limits or DocumentLimits()
    if len(data) > limits.max_bytes:
        raise TooLarge(
            f"The document has {len(data) / 1e6:.0f} MB; {limits.max_bytes / 1e6:.0f} MB is the"
            " most. Send the pages that matter.",
            code="document-large",
        )
    if not _HEAD.match(data):
        raise _damaged("it does not begin as a PDF does")
    end = data.rfind(b"%%EOF")
    if end < 0 or data.rfind(b"startxref", 0, end) < 0:
        raise Invalid(
            "The document is not whole: its end is missing. Send it again.",
            code="truncated-document",
        )
    document = data[: end + 5] + b"\n"
    found = set(_names(_outside_streams(document)))
    found |= {name for name in _names(document) if name in _RARE}
    if b"Encrypt" in found:
        raise Invalid(
            "The document is locked or encrypted. Print it to a new PDF without a password.",
            code="document-encrypted",
        )
    for inner in _inner_objects(document):
        found |= set(_names(inner))
    active = sorted({_ACTIVE[name] for name in found if name in _ACTIVE})
    if active:
        held = " and ".join(active)
        raise Invalid(
            f"The document holds {held}, which is not taken. Print it to a new PDF, and send that.",
            code="document-active",
        )
    return document


def _names(text: bytes) -> Iterator[bytes]:
    """Yield the names in a stretch, their escapes undone (ISO 32000-1 7.3.5)."""
    for found in _NAME.finditer(text):
        name = found[1]
        if b"#" in name:
            name = _ESCAPED.sub(lambda code: bytes((int(code[1], 16),)), name)
        yield name


def _outside_streams(document: bytes) -> bytes:
    """Return what is no content of a stream, where short names can be trusted to be names."""
    parts, at = [], 0
    for start in _STREAM.finditer(document):
        if start.start() < at:
            continue
        parts.append(document[at : start.start()])
        end = document.find(b"endstream", start.end())
        at = end if end >= 0 else len(document)
    return b" ".join((*parts, document[at:]))


def _inner_objects(document: bytes) -> Iterator[bytes]:
    """Yield the objects that are packed in streams of their own (7.5.7), or raise Invalid where
    they are packed so that they cannot be looked into.
    """
    left = _MOST_INFLATED
    for start in _STREAM.finditer(document):
        before = document[max(start.start() - _DICTIONARY_BYTES, 0) : start.start()]
        names = set(_names(before[max(before.rfind(b" obj"), before.rfind(b"\nobj"), 0) :]))
        if b"ObjStm" not in names:
            continue
        if b"FlateDecode" not in names and b"Filter" not in names:
            yield document[start.end() : document.find(b"endstream", start.end())]
            continue
        usual = names & {b"LZWDecode", b"ASCIIHexDecode", b"ASCII85Decode", b"DecodeParms", b"F"}
        if b"FlateDecode" not in names or usual:
            raise _unusual()
        inflater = zlib.decompressobj()
        try:
            packed = document[start.end() : document.find(b"endstream", start.end())]
            inner = inflater.decompress(packed, left)
        except zlib.error as error:
            raise _damaged("a part of it cannot be unpacked") from error
        left -= len(inner)
        if left <= 0 or not inflater.eof:
            raise _unusual()
        yield inner


def _damaged(what: str) -> Invalid:
    return Invalid(
        f"The document is damaged: {what}. Print it to a new PDF, and send that.",
        code="damaged-document",
    )


def _unusual() -> Invalid:
    return Invalid(
        "The document is packed in a way that cannot be looked into. Print it to a new PDF, and"
        " send that.",
        code="document-unusual",
    )
