"""Metadata that are kept are what would be derived now, and go with an erasure."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pydicom
import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from casework.access import scope_of
from casework.custody import Door, Origin
from casework.erasure import Target
from casework.errors import LysbroError
from lysbro.services import web_services
from storage.casebook_tables import cases
from storage.erasure_steps import Eraser
from storage.mover import Mover
from tests.viewer.conftest import World, ct_slice, part10
from tests.viewer.images import attributes_of, gradient
from viewer.app import create_app
from viewer.dicomweb import kept
from viewer.dicomweb.kept import Address, Conditions
from viewer.dicomweb.metadata import kept_metadata

STUDY, SERIES = "1.2.826.0.1.9", "1.2.826.0.1.9.0"
OF_STUDY = f"/dicom-web/studies/{STUDY}/metadata"
OF_SERIES = f"/dicom-web/studies/{STUDY}/series/{SERIES}/metadata"
READER = "radiologist@centre"


def store(world: World, *numbers: int, site: str = "hammer", **attributes: Any) -> None:
    for number in numbers:
        uids = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES}
        uid = f"{STUDY}.{number}"
        given = {**uids, "SOPInstanceUID": uid, "InstanceNumber": number, **attributes}
        world.store(site, **given)


def files(world: World) -> list[Path]:
    """Return what is kept."""
    return sorted((world.parts.settings.data / "cache" / "metadata").glob("*/*"))


@pytest.fixture
def plain(world: World) -> FlaskClient:
    """Return a client of an application over the same exchange that keeps nothing."""
    services = web_services(world.parts)
    settings = replace(services.settings, metadata_cache_bytes=0)
    client = create_app(replace(services, settings=settings)).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {world.tokens[READER]}"
    return client


def same_as_derived(world: World, plain: FlaskClient, *paths: str) -> None:
    """Compare what comes first, what comes from what is kept, and what is derived."""
    for path in paths or (OF_SERIES, OF_STUDY):
        derived = plain.get(path)
        assert derived.status_code == 200
        for _ in range(2):
            given = world.client(READER).get(path)
            assert (given.status_code, given.data) == (200, derived.data)
            packed = world.client(READER).get(path, headers={"Accept-Encoding": "gzip"})
            assert gzip.decompress(packed.data) == derived.data


def numbers_in(answer: Any) -> list[int]:
    return [header["00200013"]["Value"][0] for header in json.loads(answer.data)]


def test_what_is_kept_is_what_is_derived_after_every_change(
    world: World, plain: FlaskClient
) -> None:
    store(world, 3, 1)
    same_as_derived(world, plain)
    assert len(files(world)) == 1  # the study has no other series
    store(world, 2)
    assert numbers_in(world.client(READER).get(OF_SERIES)) == [1, 2, 3]
    same_as_derived(world, plain)
    store(world, 7, SeriesInstanceUID=SERIES + ".2", SeriesNumber=2)
    same_as_derived(world, plain)
    assert len(files(world)) == 3

    version = world.client(READER).get(OF_STUDY).headers["ETag"]
    assert Mover(world.parts.archive, quiet_s=0).run_once(later(world)).packed == 4
    same_as_derived(world, plain)
    assert world.client(READER).get(OF_STUDY).headers["ETag"] == version  # it only lies elsewhere
    assert len(files(world)) == 3


def later(world: World) -> Any:
    return world.parts.clock() + timedelta(seconds=60)


def test_what_is_recompressed_gets_its_new_metadata(world: World, plain: FlaskClient) -> None:
    pixels = gradient(16, 16, "int16")
    store(world, 1, **attributes_of(pixels), PixelData=pixels.tobytes())
    same_as_derived(world, plain)
    world.parts.people.set_recompression("hammer", "jpeg-ls")
    Mover(world.parts.archive, quiet_s=0).run_once(later(world))
    same_as_derived(world, plain)
    assert len(files(world)) == 2


def test_a_conflict_that_is_settled_changes_what_is_given(world: World, plain: FlaskClient) -> None:
    store(world, 1, StudyDescription="the first")
    store(world, 1, StudyDescription="the second")
    same_as_derived(world, plain)
    assert b"the first" in world.client(READER).get(OF_SERIES).data
    (conflict,) = world.parts.index.conflicts()
    world.parts.index.settle_conflict(
        conflict.pk, keep="second", actor=world.actors["admin@centre"], now=world.parts.clock()
    )
    same_as_derived(world, plain)
    assert b"the second" in world.client(READER).get(OF_SERIES).data


def test_each_is_given_the_copy_within_their_own_sight(world: World) -> None:
    store(world, 1, 2, StudyDescription="from hammer")
    store(world, 1, site="berg", StudyDescription="from berg", PatientID="berg-1")
    for _ in range(2):
        for who, said, other in (
            (READER, b"from hammer", b"from berg"),
            ("referrer@hammer", b"from hammer", b"from berg"),
            ("referrer@berg", b"from berg", b"from hammer"),
        ):
            data = world.client(who).get(OF_SERIES).data
            assert (said in data, other in data) == (True, False)
        assert world.client("referrer@fjord").get(OF_SERIES).status_code == 404
        assert world.anonymous().get(OF_SERIES).status_code == 401
    version = world.client(READER).get(OF_SERIES).headers["ETag"]
    for who, status in ((READER, 304), ("referrer@berg", 200), ("referrer@fjord", 404)):
        answer = world.client(who).get(OF_SERIES, headers={"If-None-Match": version})
        assert answer.status_code == status


def test_a_client_that_has_it_is_told_so_by_either_way(world: World) -> None:
    store(world, 1)
    client = world.client(READER)
    first = client.get(OF_SERIES)
    assert first.headers["Cache-Control"] == "private, no-cache"
    packed = client.get(OF_SERIES, headers={"Accept-Encoding": "gzip, deflate, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["ETag"] != first.headers["ETag"]
    for query in ("", "?x=1"):
        for how, one in (("", first), ("gzip", packed)):
            about = {"Accept-Encoding": how, "If-None-Match": f'"x", {one.headers["ETag"]}'}
            answer = client.get(OF_SERIES + query, headers=about)
            assert (answer.status_code, answer.data) == (304, b"")
            assert answer.headers["ETag"] == one.headers["ETag"]
    of_one = OF_SERIES.replace("/metadata", f"/instances/{STUDY}.1/metadata")
    version = client.get(of_one).headers["ETag"]
    assert client.get(of_one, headers={"If-None-Match": version}).status_code == 304
    store(world, 2)
    about = {"If-None-Match": first.headers["ETag"]}
    assert numbers_in(client.get(OF_SERIES, headers=about)) == [1, 2]
    assert client.head(OF_SERIES).headers["Content-Length"] == str(len(client.get(OF_SERIES).data))


def test_a_revoked_token_and_a_case_out_of_sight_end_it_at_once(world: World) -> None:
    store(world, 1)
    token = world.parts.people.add_token(world.actors[READER].email)
    client = world.anonymous()
    bearer = {"Authorization": f"Bearer {token}"}
    for _ in range(2):
        assert client.get(OF_SERIES, headers=bearer).status_code == 200
    (token_id,) = [t.id for t in world.parts.people.tokens() if t.name != "test"]
    world.parts.people.revoke_token(token_id)
    assert client.get(OF_SERIES, headers=bearer).status_code == 401
    assert world.client(READER).get(OF_SERIES).status_code == 200
    with world.parts.database.begin() as conn:
        conn.execute(update(cases).values(state="draft"))
    assert world.client(READER).get(OF_SERIES).status_code == 404


@pytest.mark.parametrize("how", ["", "gzip"])
def test_both_ways_answer_alike(world: World, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    store(world, 1, 2)
    client = world.client(READER)
    about = {"Accept-Encoding": how}
    first = client.get(OF_SERIES, headers=about)
    long = client.get(OF_SERIES + "?x=1", headers=about)
    monkeypatch.setattr(world.app.wsgi_app, "_long_way", None)
    short = client.get(OF_SERIES, headers=about)
    assert short.data == long.data == first.data
    assert dict(short.headers) == dict(long.headers) == dict(first.headers)
    about["If-None-Match"] = short.headers["ETag"]
    unchanged = client.get(OF_SERIES, headers=about)
    monkeypatch.undo()
    assert dict(unchanged.headers) == dict(client.get(OF_SERIES + "?x=1", headers=about).headers)
    assert len([e for e in world.audit("metadata-retrieved") if e.subject == STUDY]) == 1
    assert client.get(OF_SERIES, headers={"Accept": "text/html"}).status_code == 406


def test_what_cannot_be_read_is_told_and_not_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(world, 1, 2)
    archive, read = type(world.parts.archive), type(world.parts.archive).read_stretch

    def missing(self: Any, ref: Any, *stretch: int) -> Any:
        if ref.number == 2:
            raise LysbroError("It is away.", code="store-down")
        return read(self, ref, *stretch)

    with monkeypatch.context() as broken:
        broken.setattr(archive, "read_stretch", missing)
        assert world.client(READER).get(OF_SERIES).status_code >= 500
        broken.setattr(archive, "read_stretch", lambda *_: b"\xff" * 2000)
        answer = world.client(READER).get(OF_SERIES)
        assert (answer.status_code, numbers_in(answer)) == (200, [1, 2])  # what the index knows
        assert "ETag" not in answer.headers
    assert files(world) == []
    assert world.client(READER).get(OF_SERIES).status_code == 200
    assert len(files(world)) == 1


def test_headers_from_afar_come_in_their_order_and_errors_are_told(
    world: World, plain: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(world, *range(1, 6))
    near = plain.get(OF_SERIES).data
    monkeypatch.setattr("viewer.dicomweb.metadata.is_local", lambda _: False)
    monkeypatch.setattr("viewer.dicomweb.metadata._AHEAD", 2)
    assert plain.get(OF_SERIES).data == near
    for path in (world.parts.settings.data / "spool").glob("*.seg"):
        path.unlink()
    assert world.client(READER).get(OF_SERIES).status_code >= 400
    assert files(world) == []


def test_a_file_that_is_not_whole_is_made_anew(world: World, plain: FlaskClient) -> None:
    store(world, 1)
    same_as_derived(world, plain)
    (file,) = files(world)
    for data in (b"", bytes(len(file.read_bytes())), file.read_bytes()[:-1]):
        file.write_bytes(data)
        same_as_derived(world, plain)


def test_what_is_too_long_to_be_held_is_sent_as_it_is_derived(
    world: World, plain: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(world, 1, 2, 3)
    whole = world.client(READER).get(OF_SERIES).data
    (kept_file,) = files(world)
    kept_file.unlink()
    monkeypatch.setattr("viewer.dicomweb.metadata._HELD_CHARS", len(whole) // 2)
    answer = world.client(READER).get(OF_SERIES)
    assert (answer.data, "ETag" in answer.headers, files(world)) == (whole, False, [])


def test_what_is_kept_stays_within_its_bound(world: World) -> None:
    services = web_services(world.parts)
    settings = replace(services.settings, metadata_cache_bytes=8000)
    app = create_app(replace(services, settings=settings))
    store(world, *range(1, 4))
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {world.tokens[READER]}"
    assert client.get(OF_SERIES).status_code == 200
    assert len(files(world)) == 1
    with app.app_context():
        many = kept_metadata()
        for number in range(20):
            many._files.put(str(number), bytes(900))
    assert 0 < sum(file.stat().st_size for file in files(world)) <= 8000


def test_nothing_of_what_is_erased_stays_or_comes_in_afterwards(world: World) -> None:
    store(world, 1, 2)
    reader = world.actors[READER]
    client = world.client(READER)
    begun = world.parts.index.fingerprint(scope_of(reader), STUDY)
    body = client.get(OF_STUDY).data
    assert files(world)
    admin = world.actors["admin@centre"]
    stone = world.parts.erasures.erase(
        Target(study_uid=STUDY), actor=admin, reason="asked for by the patient"
    )
    assert client.get(OF_STUDY).status_code == 404
    done = Eraser(world.parts.archive, actor=admin).finish(stone.id, world.parts.clock())
    assert done is not None
    assert files(world) == []
    with world.app.app_context():  # one who had begun to read before
        answer = kept_metadata().keep(Address(scope_of(reader), STUDY), Conditions(), begun, body)
    assert answer.body == body
    assert files(world) == []


@pytest.mark.fixtures
@pytest.mark.slow
def test_what_is_kept_of_real_files_is_what_is_derived(
    world: World, plain: FlaskClient, fixtures_dir: Path
) -> None:
    origin = Origin(site="hammer", door=Door.IMPORT, association="test")
    taken = 0
    for path in sorted(fixtures_dir.rglob("*.dcm"))[::3]:
        try:
            world.parts.archive.receive_part10(path, origin)
        except LysbroError:
            continue
        taken += 1
    world.parts.archive.settle()
    assert taken > 100
    found = world.client(READER).get("/dicom-web/studies?limit=1000").get_json()
    studies = {match["0020000D"]["Value"][0] for match in found}
    for study in studies:
        same_as_derived(world, plain, f"/dicom-web/studies/{study}/metadata")


def test_a_change_of_what_is_derived_has_another_number(world: World) -> None:
    """When this fails, the JSON of the same bytes has changed: raise `FORM`, and note it here."""
    dataset = ct_slice(WindowCenter=[40, 400], ReferringPhysicianName="")
    dataset.RequestAttributesSequence = [pydicom.Dataset()]
    dataset.RequestAttributesSequence[0].ScheduledProcedureStepID = "1"
    origin = Origin(site="hammer", door=Door.IMPORT, association="test")
    world.parts.archive.receive_part10(part10(dataset), origin)
    world.parts.archive.settle()
    body = world.client(READER).get("/dicom-web/studies/1.2.826.0.1/metadata").data
    assert (kept.FORM, hashlib.sha256(body).hexdigest()[:16]) == (2, "6af52cd2b22bf995")


def test_metadata_that_are_asked_for_under_two_hosts_name_each_its_own_addresses(
    world: World,
) -> None:
    store(world, 1)
    client = world.client(READER)
    path = f"/dicom-web/studies/{STUDY}/metadata"

    hosts = ("one.example", "two.example", "one.example")
    bodies = [client.get(path, base_url=f"http://{host}").data for host in hosts]

    assert b"http://one.example/dicom-web/studies/" in bodies[0]
    assert b"one.example" not in bodies[1]
    assert bodies[2] == bodies[0]
