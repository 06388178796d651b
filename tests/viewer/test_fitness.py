"""Whether images are fit to be read, as the reading room and the sender's page say it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from casework.completeness import Evidence, EvidenceKind
from casework.fitness import Remark, Weight
from tests.viewer.conftest import World
from viewer.fitness_words import words_of

STUDY = "1.2.826.0.1"
AXIAL = [1, 0, 0, 0, 1, 0]


def said(world: World, who: str, case_id: str) -> str:
    page = world.client(who).get(f"/cases/{case_id}", headers={"Accept": "text/html"}).text
    found = re.search(r'<(?:details|span) class="[^"]*fitness.*?</(?:details|span)>', page, re.S)
    assert found is not None
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[0])).strip()


def expect(world: World, count: int) -> None:
    """Let somebody have said how many images there are."""
    evidence = Evidence(EvidenceKind.COUNTS, datetime.now(UTC), expected_instances=count)
    world.parts.index.note_evidence("hammer", STUDY, evidence)


def slices(world: World, places: list[float], **attributes: Any) -> str:
    for number, place in enumerate(places, 1):
        world.store(
            "hammer",
            SOPInstanceUID=f"{STUDY}.1.{number}",
            InstanceNumber=number,
            ImagePositionPatient=[0, 0, place],
            ImageOrientationPatient=AXIAL,
            PixelSpacing=[0.5, 0.5],
            SeriesDescription="CT Thorax",
            **attributes,
        )
    return world.case_of("hammer", STUDY)


def test_a_case_whose_images_are_well_is_fit_to_read(world: World) -> None:
    case_id = slices(world, [0, 2, 4, 6, 8])
    expect(world, 5)
    for who in ("radiologist@centre", "referrer@hammer"):
        assert said(world, who, case_id).startswith("Images: fit to read")


def test_a_missing_slice_is_said_to_the_reader_and_to_the_sender(world: World) -> None:
    case_id = slices(
        world, [0, 2, 4, 8, 10], LossyImageCompression="01", LossyImageCompressionRatio=[4, 2.5],
        LossyImageCompressionMethod="ISO_10918_1",
    )  # fmt: skip
    expect(world, 6)
    for who in ("radiologist@centre", "referrer@hammer"):
        told = said(world, who, case_id)
        assert told.startswith("Images: 1 image missing, and 2 more remarks")
        assert "CT Thorax: 1 slice missing after 3" in told
        assert "5 images were compressed with loss (JPEG 10:1)" in told


def test_an_image_of_somebody_else_and_a_conflict_are_said(world: World) -> None:
    case_id = slices(world, [0, 2, 4, 6])
    world.store("hammer", SOPInstanceUID=f"{STUDY}.1.9", PatientName="Somebody^Else",
                SeriesDescription="CT Thorax", PixelSpacing=[0.5, 0.5])  # fmt: skip
    world.store("hammer", SOPInstanceUID=f"{STUDY}.1.1", SeriesDescription="Changed")
    told = said(world, "radiologist@centre", case_id)
    assert "an object or the order has another name" in told
    assert "1 object came twice, with different contents" in told


def test_the_side_that_an_order_asks_about_is_held_to_the_images(world: World) -> None:
    body = {
        "patient": {"id": "hammer-1", "name": "Nordmann^Kari"}, "question": "Fracture?",
        "accession_number": "A1", "clinical": {"laterality": "L"}, "steps": [{"modality": "DX"}],
    }  # fmt: skip
    assert world.client("referrer@hammer").post("/api/orders", json=body).status_code == 201
    world.store("hammer", Modality="DX", ImageLaterality="R", PixelSpacing=[0.1, 0.1],
                PatientName="Nordmann^Kari")  # fmt: skip
    told = said(world, "radiologist@centre", world.case_of("hammer", STUDY))
    assert "asked about the left side, images of the right one" in told


def test_a_photograph_without_an_overview_is_remarked_in_the_readers_words(world: World) -> None:
    remark = Remark("no-overview", Weight.NOTE)
    with world.app.test_request_context("/"):
        words = words_of([remark])
    assert (words.tone, len(words.lines)) == ("", 1)
    assert "overview" in words.short.lower()


@pytest.mark.parametrize(("is_empty", "short"), [(True, "no images yet"), (False, "fit to read")])
def test_nothing_to_remark_is_said_too(world: World, is_empty: bool, short: str) -> None:
    with world.app.test_request_context("/"):
        assert words_of([], is_empty=is_empty).short == short
