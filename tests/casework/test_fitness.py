"""Whether images are fit to read: every remark by its table, and silence where all is well."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework import slices
from casework.fitness import Known, Person, SeriesFacts, Weight, remarks_of
from casework.slices import Gap, Slices

EVEN = tuple(float(n * 2) for n in range(20))

LYING = [  # distances, what is said of them
    (EVEN, Slices()),
    (EVEN[:3], Slices()),
    (EVEN[:9] + EVEN[10:], Slices((Gap(9, 1, 4.0),))),
    (EVEN[:5] + EVEN[8:], Slices((Gap(5, 3, 8.0),))),
    (EVEN[:5] + EVEN[6:12] + EVEN[14:], Slices((Gap(5, 1, 4.0), Gap(11, 2, 6.0)))),
    (tuple(reversed(EVEN)), Slices()),
    ((*EVEN, 6.0), Slices(twice=1)),
    (EVEN * 3, Slices()),  # the same places three times, as in perfusion
    ((*EVEN, *EVEN[:4]), Slices(twice=4)),
    ((0, 1, 2, 3, 4.5, 6, 7.5, 9), Slices(is_uneven=True)),
    (tuple(n * 2 + 0.05 * (n % 2) for n in range(20)), Slices()),
    ((*EVEN, 100.0, 102, 104), Slices(is_uneven=True)),  # two stacks
    ((5.0,) * 9, Slices()),
]


@pytest.mark.parametrize(("distances", "told"), LYING)
def test_slices_tell_what_is_missing_between_them(distances, told):
    assert slices.judge(distances) == told


@given(st.integers(6, 200), st.floats(0.3, 12), st.floats(-500, 500), st.data())
def test_every_slice_that_is_taken_out_of_a_stack_is_missed(count, step, start, data):
    whole = [start + n * step for n in range(count)]
    out = data.draw(st.integers(1, count - 2))
    judged = slices.judge([each for n, each in enumerate(whole) if n != out])
    assert (judged.missing, [gap.after for gap in judged.gaps]) == (1, [out])
    assert slices.judge(whole) == Slices()


KARI = Person("13116900216", "Nordmann^Kari", "19691113")


def ct(**facts):
    return SeriesFacts(**{"title": "CT Thorax", "kind": "stack", "images": 20} | facts)


def photo(view, **facts):
    return SeriesFacts(**{"title": view, "kind": "photo", "images": 1, "view": view} | facts)


WELL = [
    Known(),
    Known(person=KARI, others=(KARI,), series=(ct(stacks=(EVEN,)),)),
    Known(person=KARI, others=(Person("", "", ""), Person("13116900216", "NORDMANN^KARI", "")),
          series=(ct(),)),
    Known(is_skin=True, series=(photo("overview"), photo("closeup"), photo("dermoscopic"))),
    Known(side="L", series=(ct(sides=frozenset({"L"})), ct(sides=frozenset({"R", "L"})))),
    Known(side="R", series=(ct(sides=frozenset({"B"})),)),
]  # fmt: skip


@pytest.mark.parametrize("known", WELL)
def test_nothing_is_said_where_all_is_well(known):
    assert remarks_of(known) == ()


REMARKS = [
    (Known(person=KARI, others=(Person("1", "Nordmann^Kari", "19691113"),)), "other-number", {}),
    (Known(person=KARI, others=(Person("", "Hansen^Kari", ""),)), "other-name", {}),
    (Known(person=KARI, others=(Person("", "", "19691114"),)), "other-birth-date", {}),
    (Known(missing=3), "missing", {"n": 3}),
    (Known(is_arriving=True), "arriving", {}),
    (Known(conflicts=2), "conflicts", {"n": 2}),
    (Known(side="L", series=(ct(sides=frozenset({"R"})),)), "other-side",
     {"asked": "L", "side": "R"}),
    (Known(series=(ct(is_paired=True),)), "no-side", {"series": "CT Thorax", "n": 1}),
    (Known(is_skin=True, warned=("focus",), kept_anyway=1), "warned", {"n": 1, "kept": 1}),
    (Known(is_skin=True, series=(photo("closeup"),)), "no-overview", {}),
    (Known(is_skin=True, series=(photo("overview"),)), "no-closeup", {}),
    (Known(series=(ct(stacks=(EVEN[:9] + EVEN[10:],)),)), "gaps",
     {"series": "CT Thorax", "n": 1, "after": 9}),
    (Known(series=(ct(stacks=((0, 1, 2, 3, 4.5, 6, 7.5, 9),)),)), "uneven",
     {"series": "CT Thorax"}),
    (Known(series=(ct(stacks=((*EVEN, 6.0),)),)), "twice", {"series": "CT Thorax", "n": 1}),
    (Known(series=(ct(without_scale=2),)), "no-scale", {"n": 2, "of": 20}),
    (Known(series=(ct(lossy=20, lossy_ratio=12.5, lossy_method="ISO_10918_1"),)), "lossy",
     {"n": 20, "ratio": 12.5, "method": "ISO_10918_1"}),
    (Known(series=(SeriesFacts(title="RTSTRUCT", kind="other", images=1),)), "not-shown",
     {"n": 1, "what": "RTSTRUCT"}),
]  # fmt: skip


@pytest.mark.parametrize(("known", "code", "values"), REMARKS, ids=[each[1] for each in REMARKS])
def test_what_is_wrong_is_remarked(known, code, values):
    [found] = remarks_of(known)
    assert (found.code, dict(found.values)) == (code, values)


def test_a_photograph_that_is_lossy_is_as_it_was_taken():
    assert remarks_of(Known(series=(photo("closeup", lossy=1),))) == ()


def test_the_gravest_comes_first():
    known = Known(series=(ct(lossy=3, without_scale=3),), missing=3)
    weights = [remark.weight for remark in remarks_of(known)]
    assert weights == [Weight.ACT, Weight.NOTE, Weight.NOTE]
