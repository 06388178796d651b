"""A JPEG that is not looked at is wrapped as one that is."""

from __future__ import annotations

import pytest

from casework.model import Patient
from derm_capture import jpeg
from derm_capture.context import CaptureContext, Kind
from derm_capture.dicomize import wrap
from derm_capture.photo import open_photo
from tests.derm_capture import pictures

CONTEXT = CaptureContext(patient=Patient("1"), kind=Kind.CLOSEUP, site_code="68698007")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"grey": True}, {"sampling": "4:4:4"}]
)
def test_wrap_when_not_looked_at_then_the_object_is_the_same(orientation, options):
    data = pictures.jpeg(pictures.skin(), orientation=orientation, **options)

    assert wrap(open_photo(data, look=False), CONTEXT) == wrap(open_photo(data), CONTEXT)


def test_markers_when_they_stand_at_the_seam_of_two_stretches_then_each_is_found(monkeypatch):
    data = pictures.jpeg(pictures.skin(), progressive=True)
    whole = jpeg.read_jpeg(data)

    for stretch in range(1, 40):
        monkeypatch.setattr(jpeg, "_STRETCH", stretch)
        assert jpeg.read_jpeg(data).segments == whole.segments
