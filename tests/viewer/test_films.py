"""Short films over the API: handed in, listed, played by parts, shown as a preview, hung."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from derm_capture.clip import open_clip
from tests.derm_capture.films import BROWSER, SECRETS, phone_film

SITE = "36141000"


def form(data: bytes, **fields: str) -> dict[str, Any]:
    told = {"kind": "clip", "site_code": SITE, "laterality": "left", **fields}
    return {**told, "photo": (io.BytesIO(data), "Kari Nordmann.mov")}


def taken(world: Any, data: bytes, **fields: str) -> tuple[str, str]:
    """Return the case and the object that a film has become."""
    case_id = world.derm_case()
    answer = world.client("referrer@fjord").post(
        f"/api/cases/{case_id}/photos", data=form(data, **fields)
    )
    assert answer.status_code == 201, answer.text
    return case_id, answer.get_json()["sop_instance_uid"]


def test_film_is_judged_kept_listed_and_played(world: Any) -> None:
    asker = world.client("referrer@fjord")
    source = phone_film(turn=90)
    judged = asker.post(
        "/api/photos/assess", data={"kind": "clip", "photo": (io.BytesIO(source), "x.mov")}
    )
    assert {a["check"] for a in judged.get_json()["advice"]} == {"focus", "motion", "exposure"}
    case_id, uid = taken(world, source, capture_id="c1", lesion="A")
    again = asker.post(f"/api/cases/{case_id}/photos", data=form(source, capture_id="c1"))
    assert again.get_json()["sop_instance_uid"] == uid
    (photo,) = asker.get(f"/api/cases/{case_id}/photos").get_json()["photos"]
    assert (photo["kind"], photo["rows"], photo["columns"]) == ("clip", 360, 480)
    stream = b"".join(open_clip(source).file.pieces)
    whole = asker.get(f"/api/instances/{uid}/video")
    assert (whole.status_code, whole.mimetype) == (200, "video/mp4")
    assert whole.data == stream
    assert not [secret for secret in SECRETS if secret in whole.data]
    assert whole.headers["Cache-Control"] == "no-store"
    part = asker.get(f"/api/instances/{uid}/video", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.data) == (206, stream[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(stream)}"


def test_film_has_an_upright_preview_and_hangs_as_a_film(world: Any) -> None:
    case_id, uid = taken(world, phone_film(turn=90))
    asker = world.client("referrer@fjord")
    manifest = asker.get(f"/api/cases/{case_id}/manifest").get_json()
    (series,) = manifest["series"]
    assert (series["kind"], series["frames"]) == ("video", 1)
    poster = series["common"]["poster"]
    assert 1 < poster <= 16
    preview = asker.get(f"/api/instances/{uid}/frames/{poster}/preview")
    picture = np.asarray(Image.open(io.BytesIO(preview.data)))
    assert picture.shape[:2] == (480, 360)
    assert picture.std() > 5


def test_film_is_played_to_nobody_who_may_not_see_the_case(world: Any) -> None:
    case_id, uid = taken(world, BROWSER)
    for who in ("referrer@vik", "dermatologist@berg", "radiologist@centre"):
        assert world.client(who).get(f"/api/instances/{uid}/video").status_code == 404
    assert world.anonymous().get(f"/api/instances/{uid}/video").status_code == 401
    world.client("referrer@fjord").post(f"/api/cases/{case_id}/submit", json={})
    reader = world.client("dermatologist@centre")
    assert reader.get(f"/api/instances/{uid}/video").status_code == 200
    page = reader.get(f"/cases/{case_id}")
    assert "media-src 'self'" in page.headers["Content-Security-Policy"]


def test_object_that_is_no_film_is_not_played(shared_world: Any) -> None:
    dataset = shared_world.store("hammer")
    url = f"/api/instances/{dataset.SOPInstanceUID}/video"
    answer = shared_world.client("referrer@hammer").get(url)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "no-video")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (phone_film(coding=b"hvc1"), "clip-coding"),
        (BROWSER[:-4000], "truncated-clip"),
        (b"\xff\xd8\xff\xe0", "not-a-clip"),
    ],
)
def test_film_that_cannot_be_used_is_refused_with_what_to_do(
    shared_world: Any, data: bytes, code: str
) -> None:
    case_id = shared_world.derm_case()
    url = f"/api/cases/{case_id}/photos"
    answer = shared_world.client("referrer@fjord").post(url, data=form(data))
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)
    listed = shared_world.client("referrer@fjord").get(url).get_json()
    assert listed["photos"] == []
