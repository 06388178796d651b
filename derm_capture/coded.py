"""Writes a coded concept as an item of a code sequence (PS3.3 section 8.8)."""

from __future__ import annotations

from pydicom.dataset import Dataset

from derm_capture.anatomy import Code


def item_of(code: Code) -> Dataset:
    """Return the item of a code."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme
    item.CodeMeaning = code.meaning
    return item
