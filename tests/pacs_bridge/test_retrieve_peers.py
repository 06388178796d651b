"""Real peers retrieve: DCMTK's movescu and getscu, into DCMTK's storescp, and Orthanc."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from casework.access import Scope
from casework.errors import Invalid
from pacs_bridge.syntaxes import EXPLICIT_LE, TRANSFER_SYNTAXES, UNCOMPRESSED
from pacs_bridge.transcode import CONVERTIBLE
from storage.part10 import BytesSource, read_file_meta
from storage.rows import InstanceRow
from tests.flows.waiting import until
from tests.pacs_bridge.collection import samples
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.making import ORIGIN
from tests.pacs_bridge.retrieving import RETRIEVER, fill, know, slices
from tests.ports import free_port

pytestmark = [pytest.mark.peers, pytest.mark.slow]

ALL = Scope(sites=None, specialties=None, own_site="")
EACH = 2  # samples of a transfer syntax
LARGEST = 3 << 20
DECODERS = {  # DCMTK's own, as a second opinion
    "1.2.840.10008.1.2.5": "dcmdrle",
    "1.2.840.10008.1.2.4.70": "dcmdjpeg",
    "1.2.840.10008.1.2.4.80": "dcmdjpls",
}
ORTHANC = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
needs_orthanc = pytest.mark.skipif(ORTHANC is None, reason="Orthanc is not on this machine")


def can_connect(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[None]:
    """Run a server until the block is left."""
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TCP_NODELAY": "1"},
    ) as process:
        try:
            until(lambda: can_connect(port), command[0], alive=lambda: process.poll() is None)
            yield
        finally:
            process.terminate()


@contextmanager
def storescp(house: House, folder: Path, *options: str) -> Iterator[None]:
    """Run DCMTK's storescp, known as STORESCP."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    know(house, "STORESCP", "hammer", port)
    command = ["storescp", "+B", *options, "-aet", "STORESCP", "-od", str(folder), str(port)]
    with running(command, port):
        yield


def dcmtk(tool: str, house: House, *words: str, calling: str = RETRIEVER) -> tuple[int, str]:
    """Run a tool of DCMTK against the bridge; return its status and what it said."""
    command = [tool, "-v", "-aet", calling, "-aec", "LYSBRO", *words]
    command += ["127.0.0.1", str(house.port)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def study_keys(study: str) -> list[str]:
    return ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"]


def arrived(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Return the transfer syntax and data set of each file, by SOP Instance UID."""
    found = {}
    for file in folder.iterdir():
        content = file.read_bytes()
        meta = read_file_meta(BytesSource(content))
        found[meta.sop_instance_uid] = (meta.transfer_syntax_uid, content[meta.dataset_offset :])
    return found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("peers")) as opened:
        fill(opened, *slices(12))
        know(opened, RETRIEVER, "hammer", 0)
        yield opened


def test_movescu_has_a_study_sent_to_storescp(house: House, tmp_path: Path) -> None:
    with storescp(house, tmp_path / "in"):
        status, said = dcmtk(
            "movescu", house, "-d", "-S", "-aem", "STORESCP", *study_keys("1.2.1"),

        )  # fmt: skip

    assert status == 0, said
    final = said[said.rindex("C-MOVE RSP") :]
    assert "0x0000: Success" in final
    assert re.search(r"Completed Suboperations\s*: 12", final)
    assert re.search(r"Failed Suboperations\s*: 0", final)
    for uid, (syntax, dataset) in arrived(tmp_path / "in").items():
        row = house.index.instance(ALL, uid)
        assert (syntax, dataset) == (row.transfer_syntax_uid, house.archive.read_dataset(row))
    assert len(arrived(tmp_path / "in")) == 12


def test_movescu_is_told_of_an_unknown_destination(house: House) -> None:
    status, said = dcmtk("movescu", house, "-S", "-aem", "NOWHERE", *study_keys("1.2.1"))

    assert status != 0
    assert "MoveDestinationUnknown" in said


def test_movescu_receives_over_its_own_port(house: House, tmp_path: Path) -> None:
    port = free_port()
    know(house, RETRIEVER, "hammer", port)

    status, said = dcmtk(
        "movescu", house, "-S", "-aem", RETRIEVER, "+P", str(port), "-od", str(tmp_path),
        *study_keys("1.2.1"),
    )  # fmt: skip

    assert status == 0, said
    assert len(arrived(tmp_path)) == 12


def test_getscu_gets_a_study(house: House, tmp_path: Path) -> None:
    status, said = dcmtk(
        "getscu", house, "-S", "+B", "-od", str(tmp_path), *study_keys("1.2.1"),

    )  # fmt: skip

    assert status == 0, said
    found = arrived(tmp_path)
    assert len(found) == 12
    for uid, (_, dataset) in found.items():
        assert dataset == house.archive.read_dataset(house.index.instance(ALL, uid))


def test_getscu_gets_nothing_of_another_site(house: House, tmp_path: Path) -> None:
    know(house, "UTSIRA_WS", "utsira", 0)

    dcmtk("getscu", house, "-S", "-od", str(tmp_path), *study_keys("1.2.1"), calling="UTSIRA_WS")

    assert list(tmp_path.iterdir()) == []


def test_cancelled_move_of_movescu_ends(house: House, tmp_path: Path) -> None:
    with storescp(house, tmp_path / "in", "--sleep-during", "1"):
        status, said = dcmtk(
            "movescu", house, "-S", "--cancel", "1", "-aem", "STORESCP", *study_keys("1.2.1"),

        )  # fmt: skip

    assert status in (0, 1, 69), said
    assert "Cancel" in said
    assert len(list((tmp_path / "in").iterdir())) < 12


@pytest.fixture(scope="module")
def collection(
    fixtures_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[House, list[InstanceRow]]]:
    """Return a house with some real files of every transfer syntax, each kept."""
    taken: dict[str, int] = defaultdict(int)
    seen: set[str] = set()
    with open_house(tmp_path_factory.mktemp("collection")) as opened:
        know(opened, RETRIEVER, "hammer", 0)
        for sample in samples(fixtures_dir):
            syntax = sample.transfer_syntax_uid
            if (
                syntax not in TRANSFER_SYNTAXES
                or taken[syntax] >= EACH
                or len(sample.dataset) > LARGEST
                or sample.sop_instance_uid in seen
            ):
                continue
            try:
                opened.archive.receive_part10(sample.path, ORIGIN)
            except Invalid:
                continue
            taken[syntax] += 1
            seen.add(sample.sop_instance_uid)
        opened.archive.settle()
        yield opened, [opened.index.instance(ALL, uid) for uid in sorted(seen)]


@pytest.mark.fixtures
def test_every_kind_of_transfer_syntax_arrives_byte_for_byte_where_it_is_taken(
    collection: tuple[House, list[InstanceRow]], tmp_path: Path
) -> None:
    house, rows = collection
    with storescp(house, tmp_path / "in", "+xa", "--fork"):
        for study in sorted({row.study_uid for row in rows}):
            dcmtk("movescu", house, "-S", "-aem", "STORESCP", *study_keys(study))

    found = arrived(tmp_path / "in")
    whole = [row for row in rows if row.sop_instance_uid in found]
    assert len({row.transfer_syntax_uid for row in rows}) >= 15
    assert len(whole) >= 0.8 * len(rows)
    as_stored = 0
    for row in whole:
        syntax, dataset = found[row.sop_instance_uid]
        if syntax == row.transfer_syntax_uid:
            as_stored += 1
            assert dataset == house.archive.read_dataset(row)
        else:
            assert syntax in UNCOMPRESSED
            assert row.transfer_syntax_uid in CONVERTIBLE
    assert as_stored >= 0.8 * len(whole)


@pytest.mark.fixtures
def test_node_that_takes_uncompressed_only_has_the_same_pixels(
    collection: tuple[House, list[InstanceRow]], tmp_path: Path
) -> None:
    house, rows = collection
    wanted = [row for row in rows if row.transfer_syntax_uid in DECODERS]
    with storescp(house, tmp_path / "in", "+xe", "--fork"):
        for study in sorted({row.study_uid for row in wanted}):
            dcmtk("movescu", house, "-S", "-aem", "STORESCP", *study_keys(study))
    files = {uid: syntax for uid, (syntax, _) in arrived(tmp_path / "in").items()}
    sent = [row for row in wanted if row.sop_instance_uid in files]

    assert {row.transfer_syntax_uid for row in sent} == set(DECODERS)
    for row in sent:
        (file,) = (tmp_path / "in").glob(f"*{row.sop_instance_uid}")
        coded, plain = tmp_path / "coded.dcm", tmp_path / "plain.dcm"
        coded.write_bytes(house.archive.read_part10(row))
        subprocess.run([DECODERS[row.transfer_syntax_uid], coded, plain], check=True)
        assert files[row.sop_instance_uid] == EXPLICIT_LE
        assert dcmread(file).PixelData == dcmread(plain).PixelData


Call = Callable[..., Any]


@pytest.fixture
def orthanc(house: House, tmp_path: Path) -> Iterator[Call]:
    """Run Orthanc, which knows us and is known to us; give a way to call its REST interface."""
    port, web_port = free_port(), free_port()
    settings = {
        "StorageDirectory": str(tmp_path / "orthanc"),
        "IndexDirectory": str(tmp_path / "orthanc"),
        "DicomAet": "ORTHANC", "DicomPort": port, "HttpPort": web_port,
        "AuthenticationEnabled": False, "Plugins": [], "SynchronousCMove": True,
        "DicomModalities": {"lysbro": ["LYSBRO", "127.0.0.1", house.port]},
    }  # fmt: skip
    config = tmp_path / "orthanc.json"
    config.write_text(json.dumps(settings))
    know(house, "ORTHANC", "hammer", port)

    def call(path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{web_port}{path}", data=data)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    assert ORTHANC is not None
    with running([ORTHANC, str(config)], port):
        until(lambda: can_connect(web_port), "Orthanc")
        yield call


@needs_orthanc
def test_orthanc_finds_and_moves_a_study_to_itself(house: House, orthanc: Call) -> None:
    asked = {"Level": "Study", "Query": {"StudyInstanceUID": "1.2.1"}}
    query = orthanc("/modalities/lysbro/query", asked)
    assert orthanc(query["Path"] + "/answers") == ["0"]

    orthanc(query["Path"] + "/retrieve", {"TargetAet": "ORTHANC", "Synchronous": True})

    assert orthanc("/statistics")["CountInstances"] == 12
    (line,) = house.ledger.entries(q="images-retrieved ORTHANC", limit=1)
    assert (line.subject, line.detail["images"]) == ("1.2.1", 12)
