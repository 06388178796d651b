"""Reads and writes the identifiers of queries: encoded data sets to plain keys, and answers back.

Decides the character set of an answer; knows no matching.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag

from casework.errors import Invalid
from pacs_bridge.encoding import TEXT_VRS, encode_values
from pacs_bridge.syntaxes import IMPLICIT_LE
from storage.charset import decode_text, encodings_of
from storage.source import BytesSource
from storage.values import BINARY_FORMATS, numbers
from storage.walker import EVERYTHING, Element, Node, WalkLimits, walk_structure

MAX_IDENTIFIER_BYTES = 1 << 20
_LIMITS = WalkLimits(max_depth=8, max_elements=4096, max_value_bytes=1 << 16)
_CHARSET_TAG = 0x00080005
_UTF8_TERM = "ISO_IR 192"


def read_identifier(encoded: bytes, *, transfer_syntax: str) -> dict[str, Any]:
    """Return the keys: keyword to text, or to items for a sequence; private elements are left out.

    Raises Invalid when the bytes are no data set.
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
    """Return the encoded answer, in the requester's character set where that holds all of it."""
    values = {k: v for k, v in values.items() if k != "SpecificCharacterSet"}
    term, encoding = _choose_charset("".join(_texts_of(values)), charset_terms)
    if term:
        values["SpecificCharacterSet"] = term
    return encode_values(values, encoding=encoding, implicit=transfer_syntax == IMPLICIT_LE)


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
        if keyword:
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


def _choose_charset(text: str, terms: Sequence[str]) -> tuple[str, str]:
    """Return the defined term, empty for the default repertoire, and Python's name of it."""
    if text.isascii():
        return "", "ascii"
    if len(terms) == 1:
        encoding = encodings_of(terms)[0]
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            return _UTF8_TERM, "utf-8"
        return terms[0], encoding
    return _UTF8_TERM, "utf-8"
