"""Bodies that are cut, slow, huge, encoded, mislabelled or made of rubbish: bounded, told, kept."""

from __future__ import annotations

import gzip
import io
import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casework.errors import Invalid
from tests.viewer.conftest import ct_slice, part10
from tests.viewer.stow_bodies import (
    BOUNDARY,
    INSTANCE,
    JSON,
    XML,
    body,
    content_type,
    empty_again,
    metadata,
    metadata_part,
    part,
    send,
    streams,
    with_pixels,
)
from viewer.app import create_app
from viewer.dicomweb import native_xml
from viewer.dicomweb.silence import Body, SilenceWatch
from viewer.dicomweb.steady import SteadyStream
from viewer.problems import TooSlow
from viewer.services import services

DICOM = "application/dicom"
GZIPPED = gzip.compress(b"x" * 1000, mtime=0)  # the same in every process
URL = "/dicom-web/studies"


@pytest.fixture
def world(shared_world: Any) -> Iterator[Any]:
    """Return the world of the module, with nothing in it."""
    yield shared_world
    empty_again(shared_world)


def stream(client: Any, file: Any, kind: str, *, length: int | None = None) -> Any:
    """Send a body as it comes, as the web server hands it out; without a length it is chunked."""
    environ = {
        "wsgi.input": file,
        "wsgi.input_terminated": True,
        "CONTENT_LENGTH": "" if length is None else str(length),
        **({"HTTP_TRANSFER_ENCODING": "chunked"} if length is None else {}),
    }
    return client.open(URL, method="POST", content_type=kind, environ_overrides=environ)


def slice_of(number: int) -> bytes:
    return part10(ct_slice(SOPInstanceUID=f"1.2.826.0.1.{number}", InstanceNumber=number))


def post(client: Any, data: bytes, kind: str = DICOM, **headers: str) -> Any:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return client.post(URL, data=data, content_type=content_type(kind), headers=named)


def stored(answer: Any) -> list[str]:
    found = answer.get_json(force=True).get("00081199", {"Value": []})["Value"]
    return [each["00081155"]["Value"][0] for each in found]


def kept(world: Any) -> list[str]:
    found = world.client("referrer@hammer").get("/dicom-web/instances").get_json()
    return sorted(each["00080018"]["Value"][0] for each in found)


def test_what_was_whole_before_the_break_is_kept_and_told(world: Any) -> None:
    whole = body([part(DICOM, slice_of(n)) for n in (1, 2)], end=False)
    cut = whole + body([part(DICOM, slice_of(3))], end=False)[:-200]
    answer = post(world.client("referrer@hammer"), cut)
    assert answer.status_code == 202
    assert stored(answer) == ["1.2.826.0.1.1", "1.2.826.0.1.2"]
    assert len(answer.get_json(force=True)["0008119A"]["Value"]) == 1
    assert "ends before its closing boundary" in answer.headers["Warning"]
    assert kept(world) == ["1.2.826.0.1.1", "1.2.826.0.1.2"]


def test_object_of_which_all_parts_came_before_the_break_is_kept(world: Any) -> None:
    media_type, stream, _, _ = streams()["jpeg"]
    sets = [with_pixels("one"), with_pixels("two", SOPInstanceUID="1.2.826.0.7.2")]
    parts = [metadata_part(sets), part(media_type, stream, "one"), part(media_type, stream, "two")]
    answer = post(world.client("referrer@hammer"), body(parts, end=False)[:-50], JSON)
    assert answer.status_code == 202
    assert stored(answer) == [INSTANCE]
    failed = answer.get_json(force=True)["00081198"]["Value"]
    assert [each["00081155"]["Value"][0] for each in failed] == ["1.2.826.0.7.2"]
    assert kept(world) == [INSTANCE]


def test_body_that_is_shorter_than_announced_is_not_taken_for_whole(world: Any) -> None:
    data = slice_of(1)
    file = io.BytesIO(data[:-34])  # the end of an element: what is left would pass for an object
    answer = stream(world.client("referrer@hammer"), file, DICOM, length=len(data))
    assert answer.status_code == 400
    assert kept(world) == []


@pytest.mark.parametrize(
    ("data", "kind", "headers", "status"),
    [
        (b"", DICOM, {}, 400),
        (b"--other\r\n\r\nx\r\n--other--\r\n", DICOM, {}, 400),  # another boundary
        (body([]), DICOM, {}, 400),
        (b"--" + BOUNDARY.encode() + b"\r\n" + b"x: y\r\n" * 20_000, DICOM, {}, 400),
        (GZIPPED, DICOM, {"Content_Encoding": "gzip"}, 415),
        (body([part(DICOM, b"x")]), DICOM, {"Content_Encoding": "br"}, 415),
        (body([part(DICOM, b"x")]), "image/jpeg", {}, 415),
        (body([part(DICOM, b"x")]), DICOM, {"Accept": "image/png"}, 406),
        (body([part(DICOM, GZIPPED, Content_Encoding="gzip")]), DICOM, {}, 409),
        (body([part("image/jpeg", b"x")]), DICOM, {}, 409),  # mislabelled
        (body([part(DICOM, b"PK\3\4" + bytes(200))]), DICOM, {}, 409),
        (body([metadata_part(metadata())]), XML, {}, 400),  # of another kind than was said
        (body([part(JSON, json.dumps([metadata()]).encode(), Content_Encoding="gzip")]), JSON, {},
         400),
    ],
)  # fmt: skip
def test_body_that_cannot_be_taken_has_its_status_and_leaves_nothing(
    shared_world: Any, data: bytes, kind: str, headers: dict[str, str], status: int
) -> None:
    answer = post(shared_world.client("referrer@hammer"), data, kind, **headers)
    assert answer.status_code == status, answer.text
    assert kept(shared_world) == []


def test_single_object_needs_its_length(shared_world: Any) -> None:
    answer = stream(shared_world.client("referrer@hammer"), io.BytesIO(slice_of(1)), DICOM)
    assert answer.status_code == 411


def small_client(world: Any, **limits: Any) -> Any:
    with world.app.app_context():
        known = services()
    app = create_app(replace(known, settings=replace(known.settings, **limits)))
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {world.tokens['referrer@hammer']}"
    return client


def test_body_over_the_limit_is_413_before_anything_is_read(shared_world: Any) -> None:
    client = small_client(shared_world, max_stow_bytes=1000)
    answer = post(client, body([part(DICOM, bytes(2000))]))
    assert answer.status_code == 413
    assert kept(shared_world) == []


def test_body_of_no_length_is_stopped_at_the_limit_and_what_came_is_told(world: Any) -> None:
    first = body([part(DICOM, slice_of(1))], end=False)
    client = small_client(world, max_stow_bytes=len(first) + 500)
    data = first + body([part(DICOM, slice_of(2)), part(DICOM, bytes(1 << 20))])
    answer = stream(client, io.BytesIO(data), content_type(DICOM))
    assert answer.status_code == 202
    assert stored(answer) == kept(world) == ["1.2.826.0.1.1"]
    assert answer.headers["Warning"].endswith('"The body is too large."')
    alone = io.BytesIO(body([part(DICOM, bytes(1 << 20))]))
    assert stream(client, alone, content_type(DICOM)).status_code == 413


def test_metadata_that_is_huge_is_413(shared_world: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("viewer.dicomweb.stow_model.MAX_METADATA_BYTES", 100)
    answer = send(shared_world.client("referrer@hammer"), [metadata_part(metadata())])
    assert answer.status_code == 413


def test_parts_without_number_are_refused(shared_world: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("viewer.dicomweb.bulk.MAX_PARTS", 10)
    parts = [part("application/octet-stream", b"", str(n)) for n in range(20)]
    assert send(shared_world.client("referrer@hammer"), parts).status_code == 400


class Drip:
    """A body that comes a byte at a time."""

    def read(self, _size: int = -1) -> bytes:
        return b"x"


def body_of(*, may_be_ended: bool = False) -> Body:
    return Body("127.0.0.1", 1, pause_s=5, floor_rate=1000, may_be_ended=may_be_ended)


def test_body_that_trickles_is_given_up() -> None:
    at = iter(range(10_000))
    drip = SteadyStream(Drip(), body_of(), clock=lambda: float(next(at)))
    with pytest.raises(TooSlow):
        b"".join(iter(drip.read, b""))
    assert next(at) < 20


def test_body_that_ends_too_soon_is_cut_short() -> None:
    cut = SteadyStream(io.BytesIO(b"abc"), body_of(), length=4)
    assert cut.read() == b"abc"
    with pytest.raises(Invalid):
        cut.read()
    ended = SteadyStream(io.BytesIO(b""), body_of(may_be_ended=True), length=4)
    with pytest.raises(TooSlow):
        ended.read()


def test_body_that_has_come_whole_is_whole_though_another_from_there_was_ended() -> None:
    stream = SteadyStream(io.BytesIO(b"abc"), body_of(may_be_ended=True), length=3)
    assert (stream.read(), stream.read()) == (b"abc", b"")


def test_connection_on_which_nothing_comes_is_ended_and_a_lively_one_is_not() -> None:
    """Two real connections from one address: the one that keeps sending keeps its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        silent, lively = (socket.create_connection(("127.0.0.1", port)) for _ in range(2))
        (one, _), (two, _) = server.accept(), server.accept()
        waiting = Body("127.0.0.1", port, pause_s=0.3, floor_rate=1000)
        waiting.waits_since = time.monotonic()
        ended: list[bytes] = []
        reader = threading.Thread(target=lambda: ended.append(one.recv(10)))
        with silent, lively, one, two, SilenceWatch().over(waiting):
            reader.start()
            for _ in range(200):
                lively.sendall(bytes(1000))
                assert two.recv(1000)
                reader.join(0.02)
                if not reader.is_alive():
                    break
            assert ended == [b""]
            assert waiting.may_be_ended
            one.sendall(b"an answer")
            assert silent.recv(20) == b"an answer"
            lively.sendall(b"still here")
            assert two.recv(2000)[-10:] == b"still here"


SAMPLES = (
    (body([part(DICOM, slice_of(1)), part(DICOM, slice_of(2))]), DICOM),
    (body([metadata_part(with_pixels()), part("image/jpeg", streams()["jpeg"][1], "pixels")]),
     JSON),
    (body([metadata_part(with_pixels()), part("image/jp2", streams()["jp2 file"][1], "pixels")]),
     JSON),
    (body([metadata_part(with_pixels(), XML), part("image/jls", streams()["jls"][1], "pixels")]),
     XML),
)  # fmt: skip


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(which=st.integers(0, len(SAMPLES) - 1), seed=st.integers(0, 1 << 32), cuts=st.booleans())
def test_mutated_bodies_are_answered_and_what_is_told_as_stored_is_there(
    shared_world: Any, which: int, seed: int, cuts: bool
) -> None:
    """Bytes are changed, doubled, taken out, cut off: never a 5xx, and never a word too much."""
    data, kind = SAMPLES[which]
    chance = random.Random(seed)
    mutated = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(mutated))
        how = chance.randrange(3)
        if how == 0:
            mutated[at] = chance.randrange(256)
        elif how == 1:
            del mutated[at : at + chance.randint(1, 40)]
        else:
            mutated[at:at] = mutated[at : at + chance.randint(1, 40)]
    if cuts:
        del mutated[chance.randrange(1, len(mutated)) :]
    client = shared_world.client("referrer@hammer")
    answer = post(client, bytes(mutated), kind)
    assert answer.status_code in {200, 202, 400, 409, 413, 415}, answer.text
    if answer.status_code in {200, 202}:
        for item in answer.get_json(force=True)["00081199"]["Value"]:
            where = item["00081190"].get("Value")
            if where:
                path = "/dicom-web/" + where[0].partition("/dicom-web/")[2]
                assert client.get(path, headers={"Accept": DICOM}).status_code == 200


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_xml_reader_answers_or_refuses(data: bytes) -> None:
    with suppress(Invalid):
        native_xml.read_xml(b"<NativeDicomModel>" + data + b"</NativeDicomModel>")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["Value", "vr", "BulkDataURI", "InlineBinary", "00100010",
                                       "7FE00010", "Alphabetic"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    tag=st.sampled_from(["00100010", "7FE00010", "00420011", "00080016", "00280010", "00081140"]),
    vr=st.sampled_from(["PN", "US", "SQ", "OB", "OW", "DS", "IS", "AT", "UI", "FD", "LT", "zz"]),
    value=VALUES,
    key=st.sampled_from(["Value", "InlineBinary", "BulkDataURI"]),
)
def test_any_json_is_stored_or_refused(
    shared_world: Any, tag: str, vr: str, value: Any, key: str
) -> None:
    dataset = metadata(SOPInstanceUID="1.2.826.0.7.9") | {tag: {"vr": vr, key: value}}
    answer = send(shared_world.client("referrer@hammer"), [metadata_part(dataset)])
    assert answer.status_code in {200, 202, 409}, answer.text
