"""Decodes text by the Specific Character Set of its data set (PS3.3 C.12.1.1.2). Never fails."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from encodings.aliases import aliases

from pydicom import charset as _dicom

_DEFAULT = "iso8859"
_ESCAPED = re.compile(rb"(\x1b(?:\$[()]?[A-Z@]|[(),\-./][A-Za-z]))")
_DELIMITERS = re.compile(rb"([\\^=\r\n\t\f])")
_ONE_BYTE_G1 = {b"\x1b)I": "shift_jis", b"\x1b(J": "shift_jis", b"\x1b(I": "shift_jis"}
_ESCAPE_KEPT = frozenset({"iso2022_jp", "iso2022_jp_2"})  # these codecs read it
_NEWER = {"ISO_IR 203": "iso8859_15", "ISO 2022 IR 203": "iso8859_15"}
_NEWER_ESCAPES = {b"\x1b-b": "iso8859_15", b"\x1b$)A": "gb2312"}

_NAMES = frozenset(
    name
    for alias, codec in aliases.items()
    for name in (alias, codec)
    if not codec.endswith("_codec") and codec not in ("rot_13", "mbcs")
)
"""What Python calls its encodings of text. No other name is looked up: Python would remember each
that it is ever asked for, and some of its codecs are no encodings or are slow on purpose."""


def encodings_of(terms: Sequence[str]) -> tuple[str, ...]:
    """Return Python's names for defined terms; an unknown term is read as Latin-1."""
    encodings = tuple(_encoding(term) for term in terms) or (_DEFAULT,)
    if len(encodings) > 1 and terms[0].strip() in _dicom.STAND_ALONE_ENCODINGS:
        return encodings[:1]
    return encodings


def decode_text(value: bytes, encodings: Sequence[str]) -> str:
    """Return the text; bytes that do not fit become replacement characters."""
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    first = encodings[0]
    if b"\x1b" not in value:
        return _decode(value, first)
    text = []
    current, escape = first, b""
    for part in _ESCAPED.split(value):
        if _ESCAPED.fullmatch(part):
            escape = part
            known = _NEWER_ESCAPES.get(part) or _dicom.CODES_TO_ENCODINGS.get(part)
            current = known or _ONE_BYTE_G1.get(part) or first
            continue
        # PS3.5 section 6.1.2.5.3: the first set is in force again after a delimiter
        pieces = _DELIMITERS.split(part) if current not in _ESCAPE_KEPT else [part]
        if current in _ESCAPE_KEPT:
            text.append(_decode(escape + part, current))
            continue
        for piece in pieces:
            if _DELIMITERS.fullmatch(piece):
                current = first
            text.append(_decode(piece, current))
    return "".join(text)


def _decode(value: bytes, encoding: str) -> str:
    try:
        return value.decode(encoding, errors="replace")
    except (LookupError, UnicodeError):
        return value.decode("latin-1")


def _encoding(term: str) -> str:
    name = term.strip()
    for spelling in (
        name,
        name.replace("_", " "),
        name.replace("-", " ").replace("ISO IR", "ISO_IR"),
    ):
        if spelling in _NEWER:
            return _NEWER[spelling]
        if spelling in _dicom.python_encoding:
            return _known(_dicom.python_encoding[spelling])
    match = re.fullmatch(r"ISO[ _-]?(2022[ _-])?IR[ _-]?(\d+)", name, re.IGNORECASE)
    if match:
        spelling = f"ISO 2022 IR {match[2]}" if match[1] else f"ISO_IR {match[2]}"
        return _known(_dicom.python_encoding.get(spelling, _DEFAULT))
    spelling = name.lower().replace("-", "_").replace(" ", "_")
    return _known(spelling) if spelling in _NAMES else _DEFAULT


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        return _DEFAULT
