"""A face is found in whichever way the picture lies; what was said of it goes before."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from benchmarks.laying import Head, seen_from
from derm_capture import checks, faces, quality
from derm_capture.context import Kind
from derm_capture.faces import face_score
from derm_capture.photo import open_photo
from derm_capture.quality import Verdict
from tests.derm_capture import pictures

LIMIT = checks.FACE.doubtful


@pytest.fixture(scope="module")
def head(fixtures_dir) -> Head:
    """Return the portrait of Grace Hopper (US Navy, public domain) that Pillow is tested with."""
    path = fixtures_dir / "photo_exif_icc" / "pillow" / "hopper.png"
    return Head("hopper", np.asarray(Image.open(path).convert("RGB")), 62, 51, 50)


def recognizable(data: bytes, kind: Kind = Kind.CLOSEUP) -> quality.Advice:
    found = quality.assess(open_photo(data), kind=kind)
    return next(each for each in found if each.check == "recognizable")


def test_model_when_it_ships_then_it_is_the_one_that_the_notice_names():
    notice = (faces.MODEL.parent / "NOTICE.md").read_text("utf-8")
    (told,) = re.findall(r"`([0-9a-f]{64})`", notice)
    assert hashlib.sha256(faces.MODEL.read_bytes()).hexdigest() == told


@pytest.mark.parametrize("seed", range(4))
def test_face_when_there_is_skin_alone_then_none_is_found(seed):
    assert face_score(pictures.skin(1024, 768, seed=seed)) < LIMIT


def test_face_when_the_picture_is_tiny_or_narrow_then_it_is_judged_all_the_same():
    assert face_score(pictures.skin(8, 600)) < LIMIT
    assert face_score(pictures.skin(1, 1)) < LIMIT


@pytest.mark.fixtures
@pytest.mark.parametrize("share", [0.15, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("turn", [0, 25, 90, 180])
def test_face_when_it_is_there_then_it_is_found_near_and_far_and_lying(head, share, turn):
    assert face_score(seen_from(head, share=share, turn=turn)) >= LIMIT


@pytest.mark.fixtures
def test_face_when_judged_by_many_at_once_then_each_gets_its_own_answer(head):
    shown = [seen_from(head, share=0.4), pictures.skin(1024, 768)] * 4
    with ThreadPoolExecutor(4) as pool:
        found = [score >= LIMIT for score in pool.map(face_score, shown)]
    assert found == [True, False] * 4


@pytest.mark.fixtures
def test_advice_when_a_face_is_seen_then_it_says_what_to_do_but_not_through_a_dermatoscope(head):
    data = pictures.jpeg(cv2.resize(seen_from(head, share=0.4), (1280, 960)))
    found = recognizable(data)
    assert found.verdict is Verdict.DOUBTFUL
    assert "A face may be seen in the picture" in found.message
    assert "ansikt" in found.message_nb
    assert recognizable(data, Kind.DERMOSCOPIC).verdict is Verdict.GOOD
