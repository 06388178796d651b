"""Retrieving with a real client over real HTTP: dicomweb-client, and a browser's way with video."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from dicomweb_client import DICOMwebClient
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO

from benchmarks.costs import cost_of
from casework.custody import Door, Origin
from lysbro.settings import load
from lysbro.wiring import open_parts
from storage.mover import Mover
from tests.flows.conftest import Exchange, make_exchange
from tests.storage.building import ITEM_END, UNDEFINED, element, item, us
from tests.viewer import retrieving
from tests.viewer.retrieving import (
    DOCUMENT,
    EXPLICIT,
    GREY,
    H264,
    HTJ2K,
    KINDS,
    STUDY,
    decoded,
    native_of,
)

pytestmark = pytest.mark.slow

READER = "ward@hammer.example"
SERIES = f"{STUDY}.1"
MIB = 1 << 20
VIDEO_MIB, GROWTH = 160, 60 * MIB
VIDEO = f"/dicom-web/studies/{STUDY}.9/series/{STUDY}.9.1/instances/{STUDY}.9.1.1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Run the web over one object of each kind, and a video of 160 MB, all of them packed."""
    exchange = make_exchange(tmp_path_factory.mktemp("retrieving") / "data")
    with open_parts(load(environment=exchange.environment), intake=True) as parts:
        retrieving.store_all(_Parts(parts))
        _store_video(parts)
        parts.archive.settle()
        assert Mover(parts.archive, quiet_s=0).run_once(parts.clock()).packs == 2
    exchange.start(only="web")
    yield exchange
    exchange.stop()


class _Parts:
    def __init__(self, parts: Any) -> None:
        self.parts = parts


def _store_video(parts: Any) -> None:
    origin = Origin(site="hammer", door=Door.IMPORT, association="test")
    uid, sop_class = f"{STUDY}.9.1.1", retrieving.VIDEO
    with parts.archive.begin(
        origin, sop_class_uid=sop_class, sop_instance_uid=uid, transfer_syntax_uid=H264
    ) as intake:
        intake.write(
            b"".join(
                [
                    element(0x00080016, "UI", sop_class),
                    element(0x00080018, "UI", uid),
                    element(0x00080060, "CS", "ES"),
                    element(0x00100020, "LO", "12345"),
                    element(0x0020000D, "UI", f"{STUDY}.9"),
                    element(0x0020000E, "UI", f"{STUDY}.9.1"),
                    element(0x00280008, "IS", "9000"),
                    us(0x00280010, 1080),
                    us(0x00280011, 1920),
                    us(0x00280100, 8),
                    element(0x7FE00010, "OB", b"", length=UNDEFINED),
                    item(b""),
                    item(b"")[:4] + (VIDEO_MIB * MIB).to_bytes(4, "little"),
                ]
            )
        )
        for number in range(VIDEO_MIB):
            intake.write(bytes([number]) * MIB)
        intake.write(ITEM_END.replace(b"\x0d\xe0", b"\xdd\xe0"))
        intake.commit()


@pytest.fixture
def client(server: Exchange) -> DICOMwebClient:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {server.token(READER)}"
    client = DICOMwebClient(f"{server.address}/dicom-web", session=session)
    # it names the host without the port, from which the addresses in answers are made
    client.host = f"127.0.0.1:{server.web_port}"
    return client


def uid_of(name: str) -> str:
    return f"{STUDY}.1.{KINDS.index(name) + 1}"


def test_the_client_retrieves_a_study_a_series_and_an_instance(client: DICOMwebClient) -> None:
    expected = {uid_of(name) for name in KINDS}
    assert {ds.SOPInstanceUID for ds in client.retrieve_study(STUDY)} == expected
    assert {ds.SOPInstanceUID for ds in client.iter_series(STUDY, SERIES)} == expected
    one = client.retrieve_instance(STUDY, SERIES, uid_of("rle"))
    assert one.file_meta.TransferSyntaxUID == retrieving.RLE  # it asks for `*`
    plain = client.retrieve_instance(
        STUDY, SERIES, uid_of("jpegls"), media_types=(("application/dicom", EXPLICIT),)
    )
    assert plain.PixelData == native_of("jpegls")


def test_the_client_reads_metadata_and_fetches_its_bulk_data(client: DICOMwebClient) -> None:
    (found,) = (
        header
        for header in client.retrieve_study_metadata(STUDY)
        if header["00080018"]["Value"] == [uid_of("document")]
    )
    address = found["00420011"]["BulkDataURI"]
    (value,) = client.retrieve_bulkdata(address)
    assert value.removesuffix(b"\0") == DOCUMENT
    (value,) = client.retrieve_bulkdata(address, media_types=("application/octet-stream",))
    assert value.removesuffix(b"\0") == DOCUMENT
    assert len(client.retrieve_series_metadata(STUDY, SERIES)) == len(KINDS)
    assert client.retrieve_instance_metadata(STUDY, SERIES, uid_of("grey"))


def test_the_client_retrieves_frames_in_several_forms(client: DICOMwebClient) -> None:
    size = len(GREY.pixels) // GREY.frames
    expected = [GREY.pixels[:size], GREY.pixels[2 * size :]]
    for name in ("grey", "rle"):
        where = (STUDY, SERIES, uid_of(name))
        plain = (("application/octet-stream", EXPLICIT),)
        assert client.retrieve_instance_frames(*where, [1, 3], media_types=plain) == expected
        coded = (
            client.retrieve_instance_frames(*where, [1, 3], media_types=(("image/jphc", HTJ2K),))
            if _knows_htj2k(client)
            else []
        )
        assert [decoded(c, HTJ2K, GREY) for c in coded] in ([], expected)
        lossless = client.retrieve_instance_frames(
            *where, [3], media_types=(("image/jls", retrieving.JPEG_LS),)
        )
        assert [decoded(c, retrieving.JPEG_LS, GREY) for c in lossless] == expected[1:]
    assert client.retrieve_instance_frames(STUDY, SERIES, uid_of("colour"), [1])


def _knows_htj2k(client: DICOMwebClient) -> bool:
    try:
        client.retrieve_instance_frames(
            STUDY, SERIES, uid_of("grey"), [1], media_types=(("image/jphc", HTJ2K),)
        )
    except ValueError:  # a version that does not know the media type
        return False
    return True


def test_the_client_retrieves_rendered_images(client: DICOMwebClient) -> None:
    where = (STUDY, SERIES, uid_of("grey"))
    for media_type, start in (("image/jpeg", b"\xff\xd8"), ("image/png", b"\x89PNG")):
        whole = client.retrieve_instance_rendered(*where, media_types=(media_type,))
        assert whole.startswith(start)
        frame = client.retrieve_instance_frames_rendered(*where, [2], media_types=(media_type,))
        assert frame.startswith(start)


def test_what_was_encoded_for_a_client_is_what_another_decodes(
    server: Exchange, tmp_path: Path
) -> None:
    url = f"{server.address}/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{uid_of('grey')}"
    bearer = {"Authorization": f"Bearer {server.token(READER)}"}
    kept = requests.get(url, headers={**bearer, "Accept": "application/dicom"}, timeout=60)
    made = requests.get(
        url,
        headers={**bearer, "Accept": f"application/dicom; transfer-syntax={retrieving.RLE}"},
        timeout=60,
    )
    both = [dcmread(DicomBytesIO(answer.content)).pixel_array for answer in (kept, made)]
    assert np.array_equal(*both)


def test_a_browser_seeks_in_a_large_video_in_little_memory(server: Exchange) -> None:
    bearer = {"Authorization": f"Bearer {server.token(READER)}"}
    connection = http.client.HTTPConnection("127.0.0.1", server.web_port, timeout=60)

    def ask(asked: str) -> tuple[http.client.HTTPResponse, bytes]:
        connection.request("GET", VIDEO + "/rendered", headers={**bearer, "Range": asked})
        answer = connection.getresponse()
        return answer, answer.read()

    ask("bytes=0-0")
    assert server.process is not None
    before = cost_of(server.process.pid).peak_bytes
    whole = VIDEO_MIB * MIB
    answer, body = ask("bytes=0-")
    assert (answer.status, len(body), answer.headers["Content-Type"].partition(";")[0]) == (
        206, whole, "video/mp4",
    )  # fmt: skip
    assert all(body[n * MIB] == n for n in range(VIDEO_MIB))
    answer, body = ask(f"bytes={100 * MIB - 2}-{100 * MIB + 1}")
    assert (body, answer.headers["Content-Range"]) == (
        b"cc" + b"dd",
        f"bytes {100 * MIB - 2}-{100 * MIB + 1}/{whole}",
    )
    answer, body = ask("bytes=-3")
    assert body == bytes([VIDEO_MIB - 1]) * 3
    answer, body = ask(f"bytes={whole}-")
    assert answer.status == 416
    connection.close()
    assert cost_of(server.process.pid).peak_bytes - before < GROWTH
