"""What is made of an object on request goes with it when it is erased, to the last byte."""

from __future__ import annotations

from typing import Any

import numpy as np

from casework.erasure import Target
from storage.erasing import Erasures
from storage.erasure_steps import Eraser
from tests.storage.erasing import files_with
from tests.viewer.images import attributes_of

STUDY = "1.2.826.0.1.60"
URL = f"/dicom-web/studies/{STUDY}/series/{STUDY}.1/instances/{STUDY}.1.1"
FORMS = (
    ("/frames/1", "image/jphc"),
    ("/frames/1", "image/jls"),
    ("/frames/1/rendered?viewport=100,100&annotation=patient", "image/png"),
    ("/thumbnail", "image/jpeg"),
    ("/rendered", "image/jpeg"),
)


def test_an_erasure_takes_what_was_made_of_the_object(world: Any) -> None:
    pixels = np.random.default_rng(5).integers(0, 4096, (64, 64)).astype("uint16")
    world.store(
        "hammer",
        **attributes_of(pixels),
        SOPInstanceUID=f"{STUDY}.1.1",
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=f"{STUDY}.1",
        PixelData=pixels.tobytes(),
    )
    client = world.client("radiologist@centre")
    made = [client.get(URL + path, headers={"Accept": how}).data for path, how in FORMS]
    archive, actor = world.parts.archive, world.actors["admin@centre"]
    needles = [data[200:400] for data in made]
    assert len(files_with(archive.data, *needles)) == len(FORMS)
    erasures = Erasures(archive.database, world.parts.clock, node=archive.spool.node)
    stone = erasures.erase(Target(study_uid=STUDY), actor=actor, reason="a request")
    for path, how in FORMS:
        assert client.get(URL + path, headers={"Accept": how}).status_code == 404
    Eraser(archive, actor=actor).finish(stone.id, world.parts.clock())
    assert files_with(archive.data, *needles) == []
