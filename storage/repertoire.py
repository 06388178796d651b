"""Encodes text in the character sets that a data set names, with escapes (PS3.5 section 6.1.2.5).

Says when they cannot hold a text; which to take then is for who asks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from storage.charset import decode_text, encodings_of

UTF_8 = "ISO_IR 192"

_ALONE = {
    "ISO_IR 100": "latin_1", "ISO_IR 101": "iso8859_2", "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4", "ISO_IR 144": "iso8859_5", "ISO_IR 127": "iso8859_6",
    "ISO_IR 126": "iso8859_7", "ISO_IR 138": "iso8859_8", "ISO_IR 148": "iso8859_9",
    "ISO_IR 203": "iso8859_15", "ISO_IR 13": "shift_jis", "ISO_IR 166": "tis_620",
    "ISO_IR 192": "utf-8", "GB18030": "gb18030", "GBK": "gbk",
}  # fmt: skip
_EXTENDING = {
    "ISO 2022 IR 100": (b"\x1b-A", "latin_1"),
    "ISO 2022 IR 101": (b"\x1b-B", "iso8859_2"),
    "ISO 2022 IR 109": (b"\x1b-C", "iso8859_3"),
    "ISO 2022 IR 110": (b"\x1b-D", "iso8859_4"),
    "ISO 2022 IR 144": (b"\x1b-L", "iso8859_5"),
    "ISO 2022 IR 127": (b"\x1b-G", "iso8859_6"),
    "ISO 2022 IR 126": (b"\x1b-F", "iso8859_7"),
    "ISO 2022 IR 138": (b"\x1b-H", "iso8859_8"),
    "ISO 2022 IR 148": (b"\x1b-M", "iso8859_9"),
    "ISO 2022 IR 203": (b"\x1b-b", "iso8859_15"),
    "ISO 2022 IR 13": (b"\x1b)I", "shift_jis"),
    "ISO 2022 IR 166": (b"\x1b-T", "tis_620"),
    "ISO 2022 IR 87": (b"", "iso2022_jp"),  # the codec writes the escapes
    "ISO 2022 IR 159": (b"", "iso2022_jp_2"),
    "ISO 2022 IR 149": (b"\x1b$)C", "euc_kr"),
    "ISO 2022 IR 58": (b"\x1b$)A", "gb2312"),
}
_ASCII = ("", "ISO_IR 6", "ISO 2022 IR 6")
_NO_SET = (b"", "ascii")
_PARTS = re.compile(r"([\\^=\r\n\t\f])")  # after one of them the first set is in force again


@dataclass(frozen=True)
class Repertoire:
    """What the terms of a Specific Character Set can hold."""

    terms: tuple[str, ...]

    @property
    def is_known(self) -> bool:
        """Tell whether every term is one of the standard's."""
        first = self.terms[0] if self.terms else ""
        others = self.terms[1:]
        return (first in _ASCII or first in _ALONE or first in _EXTENDING) and all(
            term in _EXTENDING or term in _ASCII for term in others
        )

    def encode(self, text: str) -> bytes:
        """Return the encoded text, or raise UnicodeEncodeError when the sets cannot hold it."""
        if text.isascii():
            return text.encode("ascii")
        encoded = b"".join(self._part(part) for part in _PARTS.split(text))
        if decode_text(encoded, encodings_of(self.terms)) != text:
            raise _cannot(text)
        return encoded

    def _part(self, part: str) -> bytes:
        """Encode what stands between two delimiters: in one set where one holds all of it."""
        if part.isascii():
            return part.encode("ascii")
        sets = self._sets()
        for each in sets:
            encoded = _encoded(part, *each)
            if encoded is not None:
                return encoded
        runs: list[tuple[tuple[bytes, str], str]] = []
        for character in part:
            current = runs[-1][0] if runs else sets[0] if sets else _NO_SET
            fitting = (each for each in (current, *sets) if _encoded(character, *each) is not None)
            chosen = next(fitting, None)
            if chosen is None:
                raise _cannot(part)
            if runs and chosen == current:
                runs[-1] = (chosen, runs[-1][1] + character)
            else:
                runs.append((chosen, character))
        again = _EXTENDING.get(self.terms[0], _NO_SET)[0] if self.terms else b""
        pieces: list[bytes] = []
        for (escape, codec), text in runs:
            is_first_again = pieces and not escape and codec == sets[0][1]
            pieces.append((again if is_first_again else escape) + text.encode(codec))
        return b"".join(pieces)

    def _sets(self) -> list[tuple[bytes, str]]:
        """Return each set's escape and codec; the first is in force without an escape."""
        first, *others = self.terms or ("",)
        sets = [] if first in _ASCII else [(b"", _ALONE.get(first) or _EXTENDING[first][1])]
        return sets + [_EXTENDING[term] for term in others if term not in _ASCII]


def repertoire_of(terms: Sequence[str]) -> Repertoire:
    """Return what terms can hold; of several of which the first stands alone, that one."""
    named = tuple(term.strip(" \0") for term in terms)
    if named and named[0] in ("ISO_IR 192", "GB18030", "GBK"):
        named = named[:1]
    return Repertoire(named)


def _encoded(text: str, escape: bytes, codec: str) -> bytes | None:
    try:
        encoded = text.encode(codec)
    except UnicodeEncodeError:
        return None
    if codec == "shift_jis" and len(encoded) != len(text):
        return None  # the standard's set is JIS X 0201 alone, of one byte a character
    return escape + encoded


def _cannot(text: str) -> UnicodeEncodeError:
    return UnicodeEncodeError("dicom", text, 0, len(text), "not in these character sets")
