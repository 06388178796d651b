"""Reading over real HTTP: large objects in little memory, kept connections, no short answers."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.costs import cost_of
from casework.custody import Door, Origin
from lysbro.settings import load
from lysbro.wiring import open_parts
from storage.mover import Mover
from storage.part10 import EXPLICIT_LE
from tests.flows.conftest import Exchange, make_exchange
from tests.storage.building import CT, element, us

pytestmark = pytest.mark.slow

FRAMES, FRAME = 240, 1 << 20  # 240 MB
STUDY, SERIES, UID = "1.2.3", "1.2.3.1", "1.2.3.4"
INSTANCE = f"/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{UID}"
GROWTH = 100 << 20
READER = "radiologist@nordlys.example"


def frame_of(number: int) -> bytes:
    return bytes([number % 251]) * FRAME


def header() -> bytes:
    return b"".join(
        [
            element(0x00080016, "UI", CT),
            element(0x00080018, "UI", UID),
            element(0x00080060, "CS", "CT"),
            element(0x00100020, "LO", "12345"),
            element(0x0020000D, "UI", STUDY),
            element(0x0020000E, "UI", SERIES),
            element(0x00200013, "IS", "1"),
            us(0x00280002, 1),
            element(0x00280008, "IS", str(FRAMES)),
            us(0x00280010, 1024),
            us(0x00280011, 1024),
            us(0x00280100, 8),
            element(0x7FE00010, "OB", b"", length=FRAMES * FRAME),
        ]
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Run the web over one packed object of 240 MB, which is made as it is taken in."""
    exchange = make_exchange(tmp_path_factory.mktemp("large") / "data")
    with open_parts(load(environment=exchange.environment), intake=True) as parts:
        origin = Origin(site="hammer", door=Door.IMPORT, association="test")
        with parts.archive.begin(
            origin, sop_class_uid=CT, sop_instance_uid=UID, transfer_syntax_uid=EXPLICIT_LE
        ) as intake:
            intake.write(header())
            for number in range(FRAMES):
                intake.write(frame_of(number))
            intake.commit()
        parts.archive.settle()
        assert Mover(parts.archive, quiet_s=0).run_once(parts.clock()).packed == 1
    exchange.start(only="web")
    yield exchange
    exchange.stop()


@pytest.fixture
def connection(server: Exchange) -> Iterator[http.client.HTTPConnection]:
    opened = http.client.HTTPConnection("127.0.0.1", server.web_port, timeout=60)
    yield opened
    opened.close()


def ask(
    server: Exchange, connection: http.client.HTTPConnection, path: str, **headers: str
) -> http.client.HTTPResponse:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    bearer = {"Authorization": f"Bearer {server.token(READER)}"}
    connection.request("GET", path, headers=bearer | told)
    return connection.getresponse()


def whole_hash(server: Exchange) -> str:
    digest = hashlib.sha256(header())
    for number in range(FRAMES):
        digest.update(frame_of(number))
    return digest.hexdigest()


def peak_of(server: Exchange) -> int:
    assert server.process is not None
    return cost_of(server.process.pid).peak_bytes


def test_a_large_object_comes_whole_in_little_memory(
    server: Exchange, connection: http.client.HTTPConnection
) -> None:
    ask(server, connection, INSTANCE + "/frames/1", Accept="*/*").read()
    before = peak_of(server)
    answer = ask(server, connection, INSTANCE, Accept="application/dicom")
    length = int(answer.headers["Content-Length"])
    meta_bytes = length - len(header()) - FRAMES * FRAME
    answer.read(meta_bytes)
    digest = hashlib.sha256()  # slower than the server: it must wait for its reader
    while piece := answer.read(1 << 18):
        digest.update(piece)
    assert digest.hexdigest() == whole_hash(server)
    assert peak_of(server) - before < GROWTH


@pytest.mark.parametrize(
    ("path", "kind"),
    [(INSTANCE, "application/dicom"), (INSTANCE + "/frames/", "application/octet-stream")],
)
def test_multipart_of_a_large_object_comes_whole_in_little_memory(
    server: Exchange, connection: http.client.HTTPConnection, path: str, kind: str
) -> None:
    before = peak_of(server)
    if path.endswith("/"):
        path += ",".join(str(n) for n in range(1, FRAMES + 1))
    answer = ask(server, connection, path, Accept=f'multipart/related; type="{kind}"')
    assert answer.status == 200
    length, got = int(answer.headers["Content-Length"]), 0
    while piece := answer.read(1 << 18):
        got += len(piece)
        assert len(piece) > 0
    assert got == length > FRAMES * FRAME
    assert peak_of(server) - before < GROWTH


def test_exporting_a_large_case_needs_little_memory(server: Exchange, tmp_path: Path) -> None:
    def peak(*words: str) -> int:
        process = subprocess.Popen(
            [sys.executable, "-m", "lysbro", *words],
            env=server.environment,
            stdout=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return used.ru_maxrss * 1024

    _, cases = server.call(READER, "GET", "/api/cases")
    (case,) = cases["cases"]
    target = tmp_path / "case.zip"
    usual = peak("status")
    assert peak("export", case["case_id"], "-o", str(target)) - usual < GROWTH
    assert target.stat().st_size > FRAMES * FRAME


def test_frames_come_one_after_the_other_over_one_connection(
    server: Exchange, connection: http.client.HTTPConnection
) -> None:
    ask(server, connection, INSTANCE + "/frames/1", Accept="application/octet-stream").read()
    kept = connection.sock
    for number in (FRAMES, 1, 77, 78, 79):
        answer = ask(
            server, connection, f"{INSTANCE}/frames/{number}", Accept="application/octet-stream"
        )
        assert answer.version == 11
        assert answer.read() == frame_of(number - 1)
        assert connection.sock is kept


def test_many_readers_at_once_get_their_own_frames(server: Exchange) -> None:
    def read(start: int) -> bool:
        opened = http.client.HTTPConnection("127.0.0.1", server.web_port, timeout=60)
        try:
            return all(
                frame_of(n - 1) in ask(server, opened, f"{INSTANCE}/frames/{n}").read()
                for n in range(start, FRAMES + 1, 40)
            )
        finally:
            opened.close()

    with ThreadPoolExecutor(4) as readers:
        assert all(readers.map(read, range(1, 9)))


def test_a_part_of_a_frame_is_that_of_the_same_frame_only(
    server: Exchange, connection: http.client.HTTPConnection
) -> None:
    path = f"/api/instances/{UID}/frames/5"
    whole = ask(server, connection, path)
    tag, content = whole.headers["ETag"], whole.read()
    assert content == frame_of(4)
    part = ask(server, connection, path, Range="bytes=100-299", If_Range=tag)
    assert (part.status, part.headers["Content-Range"]) == (206, f"bytes 100-299/{FRAME}")
    assert part.read() == content[100:300]
    last = ask(server, connection, path, Range="bytes=-7")
    assert (last.status, last.read()) == (206, content[-7:])
    other = ask(server, connection, path, Range="bytes=100-299", If_Range='"of another frame"')
    assert (other.status, other.read()) == (200, content)
    beyond = ask(server, connection, path, Range=f"bytes={FRAME}-")
    assert beyond.status == 416
    beyond.read()
    known = ask(server, connection, path, If_None_Match=tag)
    assert (known.status, known.read()) == (304, b"")


def test_a_pack_that_ends_too_soon_breaks_the_answer_off(
    server: Exchange, connection: http.client.HTTPConnection
) -> None:
    """The last of this module: it spoils the pack."""
    packs = [p for p in (server.data / "store").rglob("*") if p.is_file() and p.stat().st_size > 9]
    (pack,) = [p for p in packs if p.stat().st_size > FRAMES * FRAME]
    os.chmod(pack, 0o600)
    os.truncate(pack, FRAMES * FRAME // 2)
    answer = ask(server, connection, INSTANCE, Accept="application/dicom")
    assert answer.status == 200
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
    connection.close()
    last = ask(server, connection, f"{INSTANCE}/frames/{FRAMES}", Accept="*/*")
    assert last.status == 503
    assert re.search(rb"object-short", last.read())
