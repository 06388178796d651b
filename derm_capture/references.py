"""Fills what a photograph refers to: other photographs of its lesion, in its own study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from casework.photo_links import Link, Purpose
from derm_capture.anatomy import Code
from derm_capture.coded import item_of

PURPOSES: Mapping[Purpose, Code] = MappingProxyType(
    {
        Purpose.LOCALIZER: Code("121311", "DCM", "Localizer"),
        Purpose.DETAIL: Code("121338", "DCM", "Anatomic image"),
    }
)
"""Of CID 7201, which has no closer word for a picture that shows the same from nearer."""


def put_references(ds: Dataset, links: Sequence[Link]) -> None:
    """Fill the references of the General Image module, and the Common Instance Reference module
    (PS3.3 C.12.2), which says in which series they are.
    """
    if not links:
        return
    ds.ReferencedImageSequence = Items([_referred(link) for link in links])
    by_series: dict[str, list[Dataset]] = {}
    for link in links:
        by_series.setdefault(link.series_uid, []).append(_named(link))
    series = []
    for series_uid, instances in by_series.items():
        item = Dataset()
        item.SeriesInstanceUID = series_uid
        item.ReferencedInstanceSequence = Items(instances)
        series.append(item)
    ds.ReferencedSeriesSequence = Items(series)


def _referred(link: Link) -> Dataset:
    item = _named(link)
    item.PurposeOfReferenceCodeSequence = Items([item_of(PURPOSES[link.purpose])])
    return item


def _named(link: Link) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = link.sop_class_uid
    item.ReferencedSOPInstanceUID = link.sop_instance_uid
    return item
