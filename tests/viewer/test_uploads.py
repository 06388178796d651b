"""Photographs in pieces: whatever is lost, repeated or mixed up on the way, one whole object."""

import errno
import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import generate_frames

from casework.access import scope_of
from storage.uploads import Uploads

URL = "/api/uploads/"


@cache
def jpeg(seed=0):
    file = io.BytesIO()
    picture = Image.linear_gradient("L").rotate(seed).resize((320, 240)).convert("RGB")
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


def announcement(data, capture_id="c1", **changes):
    return {
        "kind": "closeup", "site_code": "36141000", "laterality": "left", "capture_id": capture_id,
        "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), **changes,
    }  # fmt: skip


def announce(world, case_id, data, who="referrer@fjord", **changes):
    body = announcement(data, **changes)
    return world.client(who).post(f"/api/cases/{case_id}/uploads", json=body)


def piece(world, upload_id, data, offset, who="referrer@fjord"):
    return world.client(who).patch(URL + upload_id, data=data, headers={"Upload-Offset": offset})


def sent_whole(world, case_id, data, **changes):
    begun = announce(world, case_id, data, **changes)
    assert begun.status_code == 201, begun.text
    return piece(world, begun.get_json()["upload_id"], data, 0)


def kept_frames(world, case_id):
    """Return the encoded bytes of every photograph of a case, as the archive gives them back."""
    client = world.client("referrer@fjord")
    listed = client.get(f"/api/cases/{case_id}/photos").get_json()["photos"]
    scope, found = scope_of(world.actors["referrer@fjord"]), []
    for photo in listed:
        row = world.parts.index.instance(scope, photo["sop_instance_uid"])
        ds = dcmread(io.BytesIO(world.parts.archive.read_part10(row)))
        found.append(next(generate_frames(ds.PixelData, number_of_frames=1)))
    return found


def as_post_keeps(world, data):
    """Return the bytes that the photo call keeps of a photograph, for another case."""
    case_id = world.derm_case()
    form = {"kind": "closeup", "site_code": "36141000", "laterality": "left"}
    taken = world.client("referrer@fjord").post(
        f"/api/cases/{case_id}/photos", data={**form, "photo": (io.BytesIO(data), "p.jpg")}
    )
    assert taken.status_code == 201, taken.text
    (kept,) = kept_frames(world, case_id)
    return kept, taken.get_json()


def test_a_photograph_in_pieces_is_the_object_that_a_whole_one_is(shared_world):
    data, case_id = jpeg(), shared_world.derm_case()
    begun = announce(shared_world, case_id, data)
    assert (begun.status_code, begun.headers["Upload-Offset"]) == (201, "0")
    upload_id, half = begun.get_json()["upload_id"], len(data) // 2
    first = piece(shared_world, upload_id, data[:half], 0)
    assert (first.status_code, first.headers["Upload-Complete"]) == (200, "?0")
    looked = shared_world.client("referrer@fjord").get(URL + upload_id)
    assert (looked.get_json()["offset"], looked.headers["Upload-Length"]) == (half, str(len(data)))
    done = shared_world.client("referrer@fjord").put(
        f"{URL}{upload_id}?offset={half}", data=data[half:]
    )
    assert (done.status_code, done.headers["Upload-Complete"]) == (201, "?1")
    kept, whole = as_post_keeps(shared_world, data)
    assert done.get_json().keys() == whole.keys()
    assert done.get_json()["advice"] == whole["advice"]
    assert kept_frames(shared_world, case_id) == [kept]


def test_a_lost_last_answer_is_given_again_by_every_call(shared_world):
    data, case_id = jpeg(), shared_world.derm_case()
    first = sent_whole(shared_world, case_id, data)
    uid = first.get_json()["sop_instance_uid"]
    again = announce(shared_world, case_id, data)
    assert (again.status_code, again.get_json()["complete"]) == (200, True)
    assert again.get_json()["photo"]["sop_instance_uid"] == uid
    upload_id = again.get_json()["upload_id"]
    assert piece(shared_world, upload_id, data, 0).get_json() == first.get_json()
    assert shared_world.client("referrer@fjord").get(URL + upload_id).get_json()["complete"]
    assert len(kept_frames(shared_world, case_id)) == 1


def test_a_piece_beyond_what_is_here_is_told_where_to_begin(shared_world):
    data, case_id = jpeg(), shared_world.derm_case()
    upload_id = announce(shared_world, case_id, data).get_json()["upload_id"]
    piece(shared_world, upload_id, data[:100], 0)
    wrong = piece(shared_world, upload_id, data[200:], 200)
    assert (wrong.status_code, wrong.get_json()["code"]) == (409, "upload-offset")
    assert wrong.headers["Upload-Offset"] == "100"
    other = piece(shared_world, upload_id, b"x" * 50, 10)
    assert (other.status_code, other.get_json()["code"]) == (409, "upload-differs")
    missing = shared_world.client("referrer@fjord").patch(URL + upload_id, data=b"x")
    assert missing.status_code == 400
    assert piece(shared_world, upload_id, data[100:], 100).status_code == 201


def test_other_bytes_than_announced_are_sent_again_from_the_beginning(shared_world):
    data, case_id = jpeg(), shared_world.derm_case()
    upload_id = announce(shared_world, case_id, data).get_json()["upload_id"]
    spoilt = piece(shared_world, upload_id, data[:-1] + b"\0", 0)
    assert (spoilt.status_code, spoilt.get_json()["code"]) == (409, "upload-hash")
    assert spoilt.headers["Upload-Offset"] == "0"
    assert kept_frames(shared_world, case_id) == []
    assert piece(shared_world, upload_id, data, 0).status_code == 201


def test_what_is_too_large_is_refused_before_and_while_it_comes(shared_world):
    data, case_id = jpeg(), shared_world.derm_case()
    assert announce(shared_world, case_id, data, bytes=1 << 40).status_code == 413
    small = announce(shared_world, case_id, data, bytes=10).get_json()["upload_id"]
    assert piece(shared_world, small, data[:11], 0).get_json()["code"] == "upload-past-end"
    limit = shared_world.parts.settings.upload_chunk_bytes
    huge = piece(shared_world, small, bytes(limit + 1), 0)
    assert (huge.status_code, huge.get_json()["code"]) == (413, "piece-too-large")


def test_a_film_may_be_as_large_as_films_may_and_no_larger(shared_world):
    data, case_id = jpeg(), shared_world.derm_case()
    limits = shared_world.parts.settings
    assert limits.max_clip_bytes > limits.max_photo_bytes
    more = {"bytes": limits.max_photo_bytes + 1}
    assert announce(shared_world, case_id, data, **more).status_code == 413
    assert announce(shared_world, case_id, data, kind="clip", **more).status_code == 201
    more = {"bytes": limits.max_clip_bytes + 1, "capture_id": "film-2"}
    assert announce(shared_world, case_id, data, kind="clip", **more).status_code == 413


def test_another_picture_under_the_same_press_is_a_conflict(shared_world):
    case_id = shared_world.derm_case()
    assert announce(shared_world, case_id, jpeg()).status_code == 201
    other = announce(shared_world, case_id, jpeg(9))
    assert (other.status_code, other.get_json()["code"]) == (409, "upload-differs")


@pytest.mark.parametrize("who", ["referrer@vik", "dermatologist@centre", "admin@fjord"])
def test_others_learn_nothing_of_an_upload_and_cannot_go_on_with_it(shared_world, who):
    data, case_id = jpeg(), shared_world.derm_case()
    upload_id = announce(shared_world, case_id, data).get_json()["upload_id"]
    client = shared_world.client(who)
    assert announce(shared_world, case_id, data, who=who).status_code in {403, 404}
    assert client.get(URL + upload_id).status_code == 404
    assert piece(shared_world, upload_id, data, 0, who=who).status_code == 404
    assert client.delete(URL + upload_id).status_code == 404
    assert client.get(URL + "absent").status_code == 404
    assert piece(shared_world, upload_id, data, 0).status_code == 201


def test_a_case_that_is_closed_takes_no_further_piece(shared_world):
    data, case_id = jpeg(), shared_world.derm_case()
    upload_id = announce(shared_world, case_id, data).get_json()["upload_id"]
    piece(shared_world, upload_id, data[:100], 0)
    client = shared_world.client("referrer@fjord")
    assert client.post(f"/api/cases/{case_id}/withdraw", json={"reason": "x"}).status_code == 200
    late = piece(shared_world, upload_id, data[100:], 100)
    assert (late.status_code, late.get_json()["state"]) == (409, "withdrawn")
    assert announce(shared_world, case_id, data, capture_id="c2").status_code == 409
    shared_world.parts.uploads.sweep(shared_world.parts.casebook.photographable)
    assert client.get(URL + upload_id).status_code == 404


def test_what_is_no_photograph_is_said_at_the_end_and_not_kept(shared_world):
    case_id = shared_world.derm_case()
    refused = sent_whole(shared_world, case_id, b"this is not a picture")
    assert refused.status_code == 422
    assert kept_frames(shared_world, case_id) == []
    assert shared_world.parts.uploads.standing().bytes_here >= 0
    assert announce(shared_world, case_id, b"this is not a picture").status_code == 201


def test_a_dropped_upload_is_gone(shared_world):
    data, case_id = jpeg(), shared_world.derm_case()
    upload_id = announce(shared_world, case_id, data).get_json()["upload_id"]
    client = shared_world.client("referrer@fjord")
    assert client.delete(URL + upload_id).status_code == 204
    assert client.get(URL + upload_id).status_code == 404


def test_a_full_disk_loses_nothing_that_was_answered(shared_world, monkeypatch):
    data, case_id = jpeg(), shared_world.derm_case()
    upload_id = announce(shared_world, case_id, data).get_json()["upload_id"]
    piece(shared_world, upload_id, data[:1000], 0)

    def half_then_full(descriptor, buffers, offset):
        os.pwrite(descriptor, buffers[0][:50], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("storage.uploads.write_all_at", half_then_full)
        refused = piece(shared_world, upload_id, data[1000:], 1000)
    assert (refused.status_code, refused.get_json()["code"]) == (507, "uploads-no-room")
    assert refused.headers["Retry-After"]
    looked = shared_world.client("referrer@fjord").get(URL + upload_id)
    assert looked.get_json()["offset"] == 1000
    assert piece(shared_world, upload_id, data[1000:], 1000).status_code == 201


def test_one_person_cannot_fill_the_room_of_all(world):
    data, case_id = jpeg(), world.derm_case()
    tight = Uploads(
        world.parts.settings.data, world.parts.clock, syncs=False, chunk_bytes=1 << 20,
        room_bytes=len(data) * 8, keep_s=3600,
    )  # fmt: skip
    app_services = world.app.extensions["lysbro"]
    world.app.extensions["lysbro"] = replace(app_services, uploads=tight)
    for n in range(2):
        assert announce(world, case_id, data, capture_id=f"c{n}").status_code == 201
    third = announce(world, case_id, data, capture_id="c3")
    assert (third.status_code, third.get_json()["code"]) == (507, "uploads-full")
    other = world.derm_case("vik")
    assert announce(world, other, data, who="referrer@vik").status_code == 201
    first = announce(world, case_id, data, capture_id="c0").get_json()["upload_id"]
    assert piece(world, first, data, 0).status_code == 201
    assert announce(world, case_id, data, capture_id="c3").status_code == 201


def test_two_that_send_the_last_piece_at_once_make_one_object(shared_world):
    data, case_id = jpeg(3), shared_world.derm_case()
    upload_id = announce(shared_world, case_id, data).get_json()["upload_id"]
    token = {"Authorization": f"Bearer {shared_world.tokens['referrer@fjord']}"}

    def send(_):
        client = shared_world.app.test_client()
        return client.patch(f"{URL}{upload_id}?offset=0", data=data, headers=token)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(4)))
    assert [a.status_code for a in answers] == [201] * 4
    assert len({a.get_json()["sop_instance_uid"] for a in answers}) == 1
    assert len(kept_frames(shared_world, case_id)) == 1


def test_an_upload_goes_on_after_the_process_was_replaced(shared_world):
    data, case_id = jpeg(), shared_world.derm_case()
    upload_id = announce(shared_world, case_id, data).get_json()["upload_id"]
    piece(shared_world, upload_id, data[:1000], 0)
    parts, actor_id = shared_world.parts, shared_world.actors["referrer@fjord"].id
    kept = {"syncs": True, "chunk_bytes": 1 << 20, "room_bytes": 1 << 30}
    other = Uploads(parts.settings.data, parts.clock, **kept, keep_s=60)
    assert other.find(upload_id, actor_id).offset_bytes == 1000
    later = Uploads(
        parts.settings.data, lambda: parts.clock() + timedelta(seconds=90), **kept, keep_s=60
    )
    assert later.standing().bytes_here >= 1000
    assert later.sweep(parts.casebook.photographable) > 0
    assert shared_world.client("referrer@fjord").get(URL + upload_id).status_code == 404
    again = announce(shared_world, case_id, data)
    assert (again.status_code, again.get_json()["offset"]) == (201, 0)


def test_the_same_draft_key_gives_the_same_case(shared_world):
    body = {"specialty": "dermatology", "patient": {"id": "77"}, "draft_key": "d-1"}
    client = shared_world.client("referrer@fjord")
    first = client.post("/api/referrals", json=body)
    again = client.post("/api/referrals", json={**body, "question": "later"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.get_json()["case_id"] == first.get_json()["case_id"]
    other = shared_world.client("referrer@vik").post("/api/referrals", json=body)
    assert other.get_json()["case_id"] != first.get_json()["case_id"]
    without = {key: value for key, value in body.items() if key != "draft_key"}
    fresh = {client.post("/api/referrals", json=without).get_json()["case_id"] for _ in range(2)}
    assert len(fresh) == 2


def test_a_draft_key_that_two_use_at_once_starts_one_case(shared_world):
    token = {"Authorization": f"Bearer {shared_world.tokens['referrer@fjord']}"}
    body = {"specialty": "dermatology", "patient": {"id": "78"}, "draft_key": "d-2"}

    def start(_):
        client = shared_world.app.test_client()
        return client.post("/api/referrals", json=body, headers=token).get_json()["case_id"]

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(start, range(4)))) == 1


def test_a_submit_that_is_repeated_is_answered_as_done(shared_world):
    data, case_id = jpeg(), shared_world.derm_case()
    assert sent_whole(shared_world, case_id, data).status_code == 201
    client, url = shared_world.client("referrer@fjord"), f"/api/cases/{case_id}/submit"
    assert client.post(url, json={}).get_json()["state"] == "submitted"
    before = len(shared_world.audit("submitted"))
    assert client.post(url, json={}).get_json()["state"] == "submitted"
    assert len(shared_world.audit("submitted")) == before
    shared_world.client("dermatologist@centre").post(f"/api/cases/{case_id}/claim", json={})
    again = client.post(url, json={})
    assert (again.status_code, again.get_json()["state"]) == (200, "claimed")
    assert shared_world.client("referrer@vik").post(url, json={}).status_code == 404
    client.post(f"/api/cases/{case_id}/withdraw", json={"reason": "x"})
    assert client.post(url, json={}).status_code == 409


def test_the_page_that_a_browser_keeps_names_nobody(shared_world):
    blank = shared_world.client("referrer@fjord").get("/capture/shell")
    assert blank.status_code == 200
    assert shared_world.anonymous().get("/capture/shell").text == blank.text
    assert "referrer fjord" not in blank.text
    assert 'name="csrf-token" content=""' in blank.text
    assert "Set-Cookie" not in blank.headers


def test_the_worker_is_given_for_the_capture_page_alone(shared_world):
    answer = shared_world.anonymous().get("/capture/worker.js")
    assert answer.status_code == 200
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Service-Worker-Allowed"] == "/capture"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "/static/dist/assets/capture-" in answer.text


def test_the_session_tells_each_who_refers_their_own_secret(shared_world):
    def told(who):
        return shared_world.client(who).get("/capture/session")

    first, again = told("referrer@fjord").get_json(), told("referrer@fjord").get_json()
    assert first["secret"] == again["secret"]
    assert len(first["secret"]) == 64
    assert told("referrer@vik").get_json()["secret"] != first["secret"]
    assert told("radiologist@centre").status_code == 403
    unknown = shared_world.anonymous().get(
        "/capture/session", headers={"Accept": "application/json"}
    )
    assert unknown.status_code == 401
