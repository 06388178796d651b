"""Text in the sets that a requester names: what comes back is what went in, or it is not taken."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.charset import decode_text, encodings_of
from storage.repertoire import _ALONE, _EXTENDING, repertoire_of

LETTERS = "aZ 0øÅæčŋŠáЛюΔωあ山ﾔ한吉洪张€¥\\~^=\n-"
SETS = [
    *((term,) for term in _ALONE),
    *((first, *more) for first in ("", "ISO 2022 IR 100") for more in combinations(_EXTENDING, 2)),
]


@settings(max_examples=400, deadline=None)
@given(terms=st.sampled_from(SETS), text=st.text(alphabet=LETTERS, max_size=12))
def test_no_letter_is_lost_or_changed(terms: tuple[str, ...], text: str) -> None:
    sets = repertoire_of(terms)
    assert sets.is_known
    try:
        encoded = sets.encode(text)
    except UnicodeEncodeError:
        return
    assert decode_text(encoded, encodings_of(terms)) == text


def test_every_set_holds_a_letter_of_its_own() -> None:
    held = {}
    for term in (*_ALONE, *_EXTENDING):
        for letter in "øčŋőĦłЛωابאğžกﾔ山丂한张€":
            try:
                repertoire_of((term,) if term in _ALONE else ("", term)).encode(letter)
            except UnicodeEncodeError:
                continue
            held[term] = letter
    assert held.keys() == {*_ALONE, *_EXTENDING}


def test_terms_that_are_not_the_standards_are_known_as_such() -> None:
    assert not repertoire_of(("LATIN1",)).is_known
    assert not repertoire_of(("", "ISO_IR 100")).is_known
    assert repertoire_of(()).is_known
    assert repertoire_of(("ISO_IR 192", "ISO 2022 IR 87")).terms == ("ISO_IR 192",)


def test_chinese_of_94_by_94_is_written_as_the_standard_shows_it() -> None:  # PS3.5 annex K
    encoded = repertoire_of(("", "ISO 2022 IR 58")).encode("Zhang^XiaoDong=张^小东")
    assert encoded == b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab"
