"""What a photograph tells of place, owner and camera's notes leaves the exchange by no way out."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from flask.testing import FlaskClient

from casework.access import scope_of
from casework.errors import Invalid
from derm_capture import jpeg
from derm_capture.photo import open_photo
from lysbro.export import export_case
from storage.mover import Mover
from tests.derm_capture import pictures, secrets
from tests.derm_capture.secrets import Planted
from tests.derm_capture.wrapping import FOREARM, wrapped
from tests.viewer.conftest import World

ALL = list(secrets.planted())
EVERYWHERE = "all of them"
PICTURES = ("image/jpeg", "image/png", "image/gif", "image/jp2")


@dataclass(frozen=True)
class Out:
    """Something that left the exchange, or lies in its folder."""

    what: str
    data: bytes


@pytest.fixture(scope="module")
def outputs(shared_world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Out]]:
    """Take the photographs in through the door of the pages; return all that comes out again."""
    with structlog.testing.capture_logs() as logged:
        case_id = shared_world.derm_case()
        client = shared_world.client("referrer@fjord")
        uids = {one.name: taken(client, case_id, one) for one in ALL}
        found = {
            name: list(served(shared_world, client, case_id, uid)) for name, uid in uids.items()
        }
        Mover(shared_world.parts.archive, quiet_s=0).run_once(shared_world.parts.clock())
        target = tmp_path_factory.mktemp("out") / "case.zip"
        actor = shared_world.actors["admin@centre"]
        export_case(shared_world.parts, case_id, target, actor=actor, watch=lambda rows: rows)
    common = [
        Out("the export", target.read_bytes()),
        Out("the logs", repr(logged).encode()),
        Out("the audit", repr(list(shared_world.parts.ledger.entries(limit=10_000))).encode()),
    ]
    for path in (f"/api/cases/{case_id}", f"/api/cases/{case_id}/photos",
                 f"/api/cases/{case_id}/manifest", f"/cases/{case_id}"):  # fmt: skip
        common.append(Out(path, client.get(path).data))
    folder = shared_world.parts.settings.data
    common += [Out(name, data) for name, data in secrets.folder_bytes(folder)]
    return found | {EVERYWHERE: common}


def taken(client: FlaskClient, case_id: str, one: Planted) -> str:
    answer = client.post(
        f"/api/cases/{case_id}/photos",
        data={
            "photo": (io.BytesIO(one.data), secrets.FILE_NAME),
            "kind": "closeup", "site_code": FOREARM, "laterality": "left", "capture_id": one.name,
        },
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["sop_instance_uid"])


def served(world: World, client: FlaskClient, case_id: str, uid: str) -> Iterator[Out]:
    """Yield the object, and what each address gives of it."""
    row = world.parts.index.instance(scope_of(world.actors["referrer@fjord"]), uid)
    yield Out("the object", world.parts.archive.read_part10(row))
    api = f"/api/instances/{uid}"
    for end in ("/photo", "/frames/1", "/frames/1/preview", "/custody"):
        yield answered(client, api + end)
    place = f"/dicom-web/studies/{row.study_uid}/series/{row.series_uid}/instances/{uid}"
    for end, kinds in (
        ("/rendered", PICTURES),
        ("/thumbnail", PICTURES[:2]),
        ("/metadata", ("application/dicom+json",)),
        ("", ('multipart/related; type="application/dicom"; transfer-syntax=*',)),
        ("/frames/1", ('multipart/related; type="application/octet-stream"',)),
    ):  # fmt: skip
        for kind in kinds:
            yield answered(client, place + end, kind)
    yield answered(client, f"{place}/rendered?iccprofile=yes", "image/png")


def answered(client: FlaskClient, address: str, kind: str = "*/*") -> Out:
    answer = client.get(address, headers={"Accept": kind})
    assert answer.status_code == 200, (address, kind, answer.text)
    told = repr(sorted(answer.headers.items())).encode()
    return Out(f"{address} as {kind}", told + answer.data)


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_photographs_when_made_then_each_secret_is_in_the_file(one):
    assert secrets.found_in(one.data, one.secrets) == list(one.secrets)


@pytest.mark.parametrize("name", [*(one.name for one in ALL), EVERYWHERE])
def test_secrets_when_a_photograph_went_through_then_none_comes_out(outputs, name):
    wanted = {"file name": b"Hemmelig_Hansen"}
    for one in ALL:
        if name in {one.name, EVERYWHERE}:
            wanted |= one.secrets
    leaks = {
        out.what: places for out in outputs[name] if (places := secrets.found_in(out.data, wanted))
    }
    assert leaks == {}


def test_search_when_a_secret_is_left_in_then_it_is_found_in_each_form(outputs):
    """Shows that the search above can fail: what is in the object is found in what comes of it."""
    told = {"camera": b"Fjellfone 9", "another": b"Bergfone 8"}
    for name, what in (("upright", "the object"), (EVERYWHERE, "the export")):
        data = next(out.data for out in outputs[name] if out.what == what)
        assert secrets.found_in(data, told) == ["camera"]
    for hidden in (
        base64.b64encode(b"in a text: Fjellfone 9 and more"),
        zlib.compress(b"in a stream: Fjellfone 9" * 3),
        "Fjellfone 9".encode("utf-16-le"),
    ):
        assert secrets.found_in(b"before" + hidden + b"behind", told) == ["camera"]
    place = {"place": b"69.6492 N"}
    raw = jpeg.without_metadata(jpeg.read_jpeg(pictures.jpeg(pictures.skin())))
    assert secrets.found_in(raw, place) == []
    assert secrets.found_in(pictures.jpeg(pictures.skin()), place) == ["place"]


def test_segments_when_reserved_then_they_are_not_kept():
    data = secrets.with_reserved_segment(pictures.jpeg(pictures.skin()))
    hidden = {"reserved": secrets.secret("reserved").encode()}
    assert secrets.found_in(data, hidden) == ["reserved"]
    stream = jpeg.read_jpeg(data)
    assert "FFF0" in jpeg.foreign_segments(stream)
    assert secrets.found_in(jpeg.clean(stream), hidden) == []


@pytest.mark.fixtures
def test_heic_when_items_hold_secrets_then_none_is_in_the_object(fixtures_dir: Path):
    file = (fixtures_dir / "photo_exif_icc/pillow/avif/hopper.heif").read_bytes()
    one = next(one for one in secrets.planted(file) if one.name == "heic")
    assert secrets.found_in(one.data, one.secrets) == list(one.secrets)
    assert secrets.found_in(wrapped(one.data).part10, one.secrets) == []


def test_refusals_when_a_photograph_is_damaged_then_they_tell_nothing_of_it():
    one = ALL[0]
    with pytest.raises(Invalid) as refused:
        open_photo(one.data[: len(one.data) // 6])
    assert secrets.found_in(refused.value.message.encode(), one.secrets) == []
