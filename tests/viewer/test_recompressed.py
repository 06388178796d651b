"""What is kept in another lossless form, as the web gives it out and says so."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import numpy as np
import pydicom
import pytest
from werkzeug.http import parse_options_header

from casework.access import Scope
from storage.mover import Mover
from tests.viewer.images import attributes_of, gradient
from viewer.dicomweb.multipart import read_parts

pytestmark = pytest.mark.slow

EVERYTHING = Scope(sites=None, specialties=None, own_site="")
UID, STUDY = "1.2.826.0.1.7.1", "1.2.826.0.1.7"
BASE = f"/dicom-web/studies/{STUDY}/series/{STUDY}.0/instances/{UID}"
EXPLICIT, HTJ2K = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.201"
JPEG_LS = "1.2.840.10008.1.2.4.80"
PIXELS = "application/vnd.lysbro.pixels"
FORMS = [
    ("htj2k", HTJ2K, "image/jphc", gradient(64, 48, "int16")),
    ("jpeg-ls", JPEG_LS, "image/jls", gradient(64, 48, "int16")),
    ("htj2k", HTJ2K, "image/jphc", np.stack([gradient(64, 48, "uint8")] * 3, axis=-1)),
]


def pack(world: Any, codec: str) -> None:
    world.parts.people.set_recompression("hammer", codec)
    soon = world.parts.clock() + timedelta(seconds=60)
    done = Mover(world.parts.archive, quiet_s=0).run_once(soon)
    assert done.packed == 1


def stored(world: Any, pixels: np.ndarray) -> bytes:
    """Take an image in and return its data set."""
    world.store(
        "hammer",
        **{
            **attributes_of(pixels),
            "SOPInstanceUID": UID,
            "StudyInstanceUID": STUDY,
            "SeriesInstanceUID": STUDY + ".0",
            "PixelData": pixels.tobytes(),
        },
    )
    row = world.parts.index.instance(EVERYTHING, UID)
    return bytes(world.parts.archive.read_dataset(row))


def get(client: Any, path: str, accept: str) -> Any:
    answer = client.get(path, headers={"Accept": accept, "Accept-Encoding": "identity"})
    assert answer.status_code == 200, answer.text
    return answer


def only_part(answer: Any) -> bytes:
    _, options = parse_options_header(answer.headers["Content-Type"])
    (part,) = read_parts(io.BytesIO(answer.get_data()), options["boundary"])
    part.file.seek(0)
    return part.file.read()


@pytest.mark.parametrize(("codec", "syntax", "media", "pixels"), FORMS)
def test_a_recompressed_image_looks_and_reads_as_before(
    world: Any, codec: str, syntax: str, media: str, pixels: np.ndarray
) -> None:
    content = stored(world, pixels)
    client = world.client("radiologist@centre")
    frame = f"/api/instances/{UID}/frames/1"
    seen, decoded = (
        get(client, frame, how).get_data()
        for how in (PIXELS, f"application/octet-stream; transfer-syntax={EXPLICIT}")
    )
    pack(world, codec)
    assert get(client, frame, PIXELS).get_data() == seen
    how = f"application/octet-stream; transfer-syntax={EXPLICIT}"
    assert get(client, frame, how).get_data() == decoded
    assert get(client, frame, "*/*").content_type == f"{media}; transfer-syntax={syntax}"

    for how in ("application/dicom", f"application/dicom; transfer-syntax={EXPLICIT}"):
        whole = get(client, BASE, how)
        assert whole.content_type == f"application/dicom; transfer-syntax={EXPLICIT}"
        assert whole.get_data().endswith(content)
    kept = get(client, BASE, "application/dicom; transfer-syntax=*")
    assert kept.content_type == f"application/dicom; transfer-syntax={syntax}"
    assert pydicom.dcmread(io.BytesIO(kept.get_data())).file_meta.TransferSyntaxUID == syntax
    parts = get(
        client, f"/dicom-web/studies/{STUDY}", 'multipart/related; type="application/dicom"'
    )
    _, options = parse_options_header(parts.headers["Content-Type"])
    found = list(read_parts(io.BytesIO(parts.get_data()), options["boundary"]))
    assert [part.media_type for part in found] == ["application/dicom"]

    native = get(client, BASE + "/frames/1", "application/octet-stream")
    assert native.get_data() == pixels.tobytes()
    assert native.content_type == f"application/octet-stream; transfer-syntax={EXPLICIT}"
    coded = get(client, BASE + "/frames/1", media)
    assert coded.content_type == f"{media}; transfer-syntax={syntax}"
    assert len(coded.get_data()) < pixels.nbytes
    assert (
        client.get(BASE, headers={"Accept": "application/dicom; transfer-syntax=1.2.3"}).status_code
        == 406
    )


def test_the_ledger_and_the_pages_say_in_which_form_it_came_and_is_kept(world: Any) -> None:
    stored(world, FORMS[0][3])
    came = world.parts.index.instance(EVERYTHING, UID)
    pack(world, "htj2k")
    client = world.client("referrer@hammer")
    told = client.get(f"/api/instances/{UID}/custody").get_json()
    assert (told["sha256"], told["size_bytes"]) == (came.sha256, came.size_bytes)
    assert (told["transfer_syntax_uid"], told["kept_in"]) == (EXPLICIT, HTJ2K)
    assert told["kept_sha256"] != told["sha256"]
    events = [line["event"] for line in told["custody"]]
    assert events.index("recompressed") < events.index("packed")
    case_id = world.case_of("hammer", STUDY)
    page = client.get(f"/cases/{case_id}/custody", headers={"Accept": "text/html"})
    assert "kept as HTJ2K" in page.text
    people = world.client("admin@centre").get("/admin/people", headers={"Accept": "text/html"})
    assert "1 object, " in people.text


def test_an_administrator_sets_it_on_the_page_and_it_is_audited(world: Any) -> None:
    client = world.client("admin@centre")
    given = {"slug": "hammer", "codec": "jpeg-ls"}
    assert client.post("/admin/sites/recompress", data=given).status_code == 302
    assert world.parts.people.site("hammer").recompress == "jpeg-ls"
    (entry,) = world.audit("site-recompression-set")
    assert (entry.subject, entry.detail) == ("hammer", {"codec": "jpeg-ls"})
    client.post("/admin/sites/recompress", data={**given, "codec": "off"})
    assert world.parts.people.site("hammer").recompress == ""
    wrong = client.post("/admin/sites/recompress", data={**given, "codec": "jpeg"})
    assert wrong.status_code == 422
    refused = world.client("radiologist@centre").post("/admin/sites/recompress", data=given)
    assert refused.status_code == 403
