"""Names of character sets in foreign data sets: known ones are read, others do no harm."""

from __future__ import annotations

import encodings

import pytest

from storage.charset import decode_text, encodings_of


@pytest.mark.parametrize(
    ("term", "encoding"),
    [
        ("ISO_IR 100", "iso8859-1"),
        ("ISO_IR 192", "utf-8"),
        ("ISO-IR 144", "iso8859-5"),
        ("UTF-8", "utf-8"),
        ("latin1", "iso8859-1"),
        ("windows-1252", "cp1252"),
        ("", "iso8859-1"),
        ("NOTHING", "iso8859"),
    ],
)
def test_term_is_read_as_the_encoding_that_it_means(term: str, encoding: str) -> None:
    assert encodings_of([term]) == (encoding,)


@pytest.mark.parametrize(
    "term",
    ["utf\0008", "zlib", "idna", "punycode", "unicode_escape", "undefined", "rot13", "hex",
     "../../etc", "antigravity", "\udcff", "x" * 16_000],
)  # fmt: skip
def test_name_that_is_no_encoding_of_text_is_read_as_latin(term: str) -> None:
    assert encodings_of([term]) == ("iso8859",)
    assert decode_text(b"Bj\xf8rnsen", encodings_of([term])) == "Bjørnsen"


def test_names_that_nobody_knows_are_not_remembered() -> None:
    before = len(encodings._cache)  # type: ignore[attr-defined]
    for number in range(100):
        encodings_of([f"NO SUCH SET {number}"])
    assert len(encodings._cache) == before  # type: ignore[attr-defined]
