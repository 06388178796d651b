"""Fills the Acquisition Context module (PS3.3 C.7.6.14): what was known of the skin at the time."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from derm_capture.anatomy import Code
from derm_capture.coded import item_of
from derm_capture.context import ContextItem, Counted

_NO_UNITS = Code("1", "UCUM", "no units")


def put_context(ds: Dataset, said: Sequence[ContextItem]) -> None:
    """Fill the sequence, which is type 2: present and empty when nothing was said."""
    ds.AcquisitionContextSequence = Items([_item(each) for each in said])


def _item(said: ContextItem) -> Dataset:
    item = Dataset()
    item.ConceptNameCodeSequence = Items([item_of(said.concept)])
    if isinstance(said.value, Counted):
        item.ValueType = "NUMERIC"  # Enumerated value of this module, where SR has NUM
        item.NumericValue = [str(said.value.number)]
        item.MeasurementUnitsCodeSequence = Items([item_of(_NO_UNITS)])
        return item
    item.ValueType = "CODE"
    item.ConceptCodeSequence = Items([item_of(said.value)])
    return item
