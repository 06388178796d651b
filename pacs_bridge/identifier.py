"""Reads and writes the identifiers of queries: encoded data sets to plain keys, and answers back.

Decides the character set of an answer; knows no matching.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag

from casework.errors import Invalid
from pacs_bridge.encoding import TEXT_VRS, encode_values
from pacs_bridge.syntaxes import IMPLICIT_LE
from storage.charset import decode_text, encodings_of
from storage.repertoire import UTF_8, repertoire_of
from storage.source import BytesSource
from storage.values import BINARY_FORMATS, numbers
from storage.walker import EVERYTHING, Element, Node, WalkLimits, walk_structure

MAX_IDENTIFIER_BYTES = 1 << 20
_LIMITS = WalkLimits(
    max_depth=8, max_elements=4096, max_value_bytes=MAX_IDENTIFIER_BYTES, takes_meta=True
)
_FILE_META = 0x0002
_CHARSET_TAG = 0x00080005


def read_identifier(encoded: bytes, *, transfer_syntax: str) -> dict[str, Any]:
    """Return the keys: keyword to text, or to items for a sequence.

    Private elements are left out, and those of group 0002, which Orthanc puts in. Raises Invalid
    when the bytes are no data set.
    """
    walked = walk_structure(
        BytesSource(encoded),
        implicit=transfer_syntax == IMPLICIT_LE,
        little_endian=True,
        wanted=EVERYTHING,
        limits=_LIMITS,
    )
    return _keys(walked.node, ())


def write_identifier(
    values: Mapping[str, Any], *, transfer_syntax: str, charset_terms: Sequence[str]
) -> bytes:
    """Return the encoded answer, in the requester's character sets where they hold all of it."""
    values = {k: v for k, v in values.items() if k != "SpecificCharacterSet"}
    implicit = transfer_syntax == IMPLICIT_LE
    if all(text.isascii() for text in _texts_of(values)):
        return encode_values(values, encoding="ascii", implicit=implicit)
    asked = repertoire_of(charset_terms)
    if asked.is_known:
        said = {**values, "SpecificCharacterSet": "\\".join(asked.terms)}
        with contextlib.suppress(UnicodeEncodeError):
            return encode_values(said, encoding=asked, implicit=implicit)
    values["SpecificCharacterSet"] = UTF_8
    return encode_values(values, encoding="utf-8", implicit=implicit)


def charset_terms_of(keys: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the defined terms of Specific Character Set of a query."""
    value = keys.get("SpecificCharacterSet", "")
    return tuple(str(value).split("\\")) if value else ()


def _keys(node: Node, inherited: Sequence[str]) -> dict[str, Any]:
    terms = inherited
    if _CHARSET_TAG in node:
        terms = (node[_CHARSET_TAG].value or b"").decode("latin-1").strip(" \0").split("\\")
    encodings = encodings_of([term for term in terms if term.strip()])
    keys: dict[str, Any] = {}
    for tag, element in node.items():
        keyword = keyword_for_tag(tag)
        if keyword and tag >> 16 != _FILE_META:
            keys[keyword] = _key(keyword, element, encodings, terms)
    return keys


def _key(keyword: str, element: Element, encodings: Sequence[str], terms: Sequence[str]) -> Any:
    vr = dictionary_VR(keyword)
    if vr == "SQ":
        return [_keys(item, terms) for item in element.items or ()]
    if element.value is None:
        raise Invalid(f"The key {keyword} is too long to search for.", code="bad-key")
    if vr in BINARY_FORMATS:
        return "\\".join(str(n) for n in numbers(element.value, vr, little_endian=True))
    if vr in TEXT_VRS:
        return decode_text(element.value, encodings).rstrip(" \0")
    return element.value.decode("latin-1").strip(" \0")


def _texts_of(values: Mapping[str, Any]) -> Iterator[str]:
    for value in values.values():
        for part in value if isinstance(value, list | tuple) else [value]:
            if isinstance(part, Mapping):
                yield from _texts_of(part)
            elif isinstance(part, str):
                yield part
