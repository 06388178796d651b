"""Sending: as stored, resumed where it stopped, each outcome told; to ourselves and to DCMTK."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import UID
from pynetdicom.dsutils import encode
from pynetdicom.pdu import A_ASSOCIATE_AC
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context

from casework.errors import NotFound, Refused, Unavailable
from pacs_bridge import plan, scu
from pacs_bridge.outbound import Went, run_send, send_object
from pacs_bridge.reply_objects import ReplyObject
from pacs_bridge.syntaxes import (
    DEFLATED_LE,
    ENCAPSULATED,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    TRANSFER_SYNTAXES,
)
from storage.mover import Mover
from storage.outbox import Arrived, Outbox
from tests.flows.waiting import until
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.making import ORIGIN, ct, part10
from tests.pacs_bridge.outgoing import ALL, as_us, node, send_made, send_stored, stored
from tests.ports import free_port
from tests.storage.pictures import Picture

pytestmark = pytest.mark.slow

JPEG_LS = "1.2.840.10008.1.2.4.80"
PIXELS = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)


def jpeg_ls(instance: str) -> bytes:
    ds = ct(
        instance, Rows=64, Columns=64, PixelData=encapsulate([imagecodecs.jpegls_encode(PIXELS)])
    )
    ds["PixelData"].is_undefined_length = True
    ds["PixelData"].VR = "OB"
    return part10(ds, JPEG_LS)


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[House]:
    """Return a house with a study of three slices, one of them compressed."""
    with open_house(tmp_path / "from") as house:
        for n in range(2):
            house.archive.receive_part10(
                BytesIO(part10(ct(f"1.2.3.{n}", InstanceNumber=n))), ORIGIN
            )
        house.archive.receive_part10(BytesIO(jpeg_ls("1.2.3.2")), ORIGIN)
        house.archive.settle()
        yield house


@pytest.fixture
def other(tmp_path: Path) -> Iterator[House]:
    """Return another exchange, which knows ours as HAMMER_CT."""
    with open_house(tmp_path / "to") as house:
        yield house


def test_study_arrives_byte_for_byte_in_the_syntaxes_it_is_stored_in(
    filled: House, other: House
) -> None:
    outcomes = send_stored(filled, node(other.port), as_us("HAMMER_CT"))

    assert [o.status for o in outcomes] == [0, 0, 0]
    other.archive.settle()
    for sent in stored(filled):
        got = other.index.instance(ALL, sent.sop_instance_uid)
        assert got.transfer_syntax_uid == sent.transfer_syntax_uid
        assert other.archive.read_dataset(got) == filled.archive.read_dataset(sent)


def test_every_transfer_syntax_is_taken_as_it_is(other: House) -> None:
    made = [
        in_syntax(uid, f"1.2.55.{number}")
        for number, uid in enumerate(sorted(TRANSFER_SYNTAXES - {DEFLATED_LE, EXPLICIT_BE}))
    ]

    outcomes = send_made(made, node(other.port), as_us("HAMMER_CT"))

    assert len(made) == 43
    assert {o.has_arrived for o in outcomes} == {True}
    other.archive.settle()
    for sent in made:
        row = other.index.instance(ALL, sent.sop_instance_uid)
        assert row.transfer_syntax_uid == sent.transfer_syntax_uid
        assert other.archive.read_dataset(row) == sent.dataset


def in_syntax(uid: str, instance: str) -> ReplyObject:
    """Return an object encoded for a transfer syntax; its compressed pixels are a stand-in."""
    ds = ct(instance)
    if uid in ENCAPSULATED:
        ds.PixelData = encapsulate([b"not really an image of this kind"])
        ds["PixelData"].is_undefined_length = True
        ds["PixelData"].VR = "OB"
    content = encode(ds, uid == IMPLICIT_LE, True)
    assert content is not None
    return ReplyObject(content, ds.SOPClassUID, instance, "1.2.1", "1.2.2", uid)


def test_job_goes_on_after_what_has_arrived(filled: House, other: House) -> None:
    outbox = Outbox(filled.database, lambda: datetime.now(UTC))
    filled.people.add_ae("LYSBRO", "utsira", "127.0.0.1", other.port)
    number = outbox.enqueue_send("1.2.1", "hammer", "LYSBRO")
    outbox.note_arrived(number, [Arrived("1.2.3.0")])
    job = outbox.lease_send(lease_s=60)
    assert job is not None

    went = run_send(
        job, archive=filled.archive, index=filled.index, people=filled.people, outbox=outbox,
        sending=as_us("HAMMER_CT"),
    )  # fmt: skip

    assert went == Went(2)
    other.archive.settle()
    found = {row.sop_instance_uid for row in other.index.instances_of(ALL, "1.2.1")}
    assert found == {"1.2.3.1", "1.2.3.2"}


def test_job_to_a_node_that_does_not_take_it_says_what_was_left(
    filled: House, other: House
) -> None:
    outbox = Outbox(filled.database, lambda: datetime.now(UTC))
    filled.people.add_ae("LYSBRO", "utsira", "127.0.0.1", other.port)
    outbox.enqueue_send("1.2.1", "hammer", "LYSBRO")
    job = outbox.lease_send(lease_s=60)
    assert job is not None

    with pytest.raises(
        Unavailable, match="does not take this kind of object.*; 0 of 3 have arrived"
    ):
        run_send(
            job, archive=filled.archive, index=filled.index, people=filled.people, outbox=outbox,
            sending=as_us("HAMMER_ASK"),
        )  # fmt: skip


def test_job_without_an_address_or_a_study_says_so(filled: House) -> None:
    outbox = Outbox(filled.database, lambda: datetime.now(UTC))
    for study, to in (("1.2.1", "HAMMER_CT"), ("1.2.404", "LYSBRO")):
        filled.people.add_ae("LYSBRO", "utsira", "127.0.0.1", 11)
        outbox.enqueue_send(study, "hammer", to)
        job = outbox.lease_send(lease_s=60)
        assert job is not None
        with pytest.raises(NotFound):
            run_send(
                job, archive=filled.archive, index=filled.index, people=filled.people,
                outbox=outbox, sending=as_us("HAMMER_CT"),
            )  # fmt: skip


def test_rejection_names_its_reason(other: House) -> None:
    with pytest.raises(Refused, match="Calling AE title not recognised"):
        scu.echo(node(other.port), calling="NOBODY")
    scu.echo(node(other.port), calling="HAMMER_CT")


def test_node_that_is_not_there_does_not_answer() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable, match="does not answer"):
            scu.echo(node(free.getsockname()[1]), calling="LYSBRO")


def test_made_object_is_sent_once_and_again_without_harm(other: House) -> None:
    ds = dcmread(BytesIO(part10(ct("1.2.88"))))
    content = part10(ds)
    made = ReplyObject(
        dataset=content[content.index(b"\x08\x00\x05\x00CS") :], sop_class_uid=ds.SOPClassUID,
        sop_instance_uid="1.2.88", study_uid="1.2.1", series_uid="1.2.2",
        transfer_syntax_uid=str(ds.file_meta.TransferSyntaxUID),
    )  # fmt: skip

    send_object(made, node(other.port), as_us("HAMMER_CT"))
    send_object(made, node(other.port), as_us("HAMMER_CT"))

    other.archive.settle()
    assert other.archive.read_dataset(other.index.instance(ALL, "1.2.88")) == made.dataset


def test_associations_hold_no_more_than_their_contexts() -> None:
    many = [
        ReplyObject(b"", f"1.2.840.10008.5.1.4.1.1.{n}", f"1.2.{n}", "1", "2", JPEG_LS)
        for n in range(100)
    ]

    batches = list(plan.batches(many))

    assert [len(contexts) for _, contexts in batches] == [126, 126, 48]
    assert sum(len(batch) for batch, _ in batches) == 100


Listen = Callable[..., int]


@pytest.fixture
def dcmtk_node(tmp_path: Path) -> Iterator[Listen]:
    """Return a way to start DCMTK's storescp into a folder."""
    running: list[subprocess.Popen[bytes]] = []

    def listening(folder: Path, *options: str) -> int:
        folder.mkdir()
        port = free_port()
        storescp = shutil.which("storescp")
        assert storescp is not None
        running.append(
            subprocess.Popen([storescp, *options, "-aet", "PACS", "-od", str(folder), str(port)])
        )
        until(lambda: _can_connect(port), "storescp")
        return port

    yield listening
    for process in running:
        process.terminate()
        process.wait(10)


def _can_connect(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.peers
def test_dcmtk_takes_what_is_stored(filled: House, dcmtk_node: Listen, tmp_path: Path) -> None:
    port = dcmtk_node(tmp_path / "pacs", "+xa", "+B")

    outcomes = send_stored(filled, node(port, "PACS"), as_us("LYSBRO"))

    assert [o.has_arrived for o in outcomes] == [True, True, True]
    assert outcomes[2].sent_in == JPEG_LS
    files = sorted((tmp_path / "pacs").iterdir())
    for sent, file in zip(stored(filled), files, strict=True):
        assert file.read_bytes().endswith(filled.archive.read_dataset(sent))


@pytest.mark.peers
def test_dcmtk_that_takes_only_implicit_gets_the_same_pixels(
    filled: House, dcmtk_node: Listen, tmp_path: Path
) -> None:
    port = dcmtk_node(tmp_path / "pacs", "+xi")

    outcomes = send_stored(filled, node(port, "PACS"), as_us("LYSBRO"))

    assert [o.sent_in for o in outcomes] == ["1.2.840.10008.1.2"] * 3
    assert all(o.has_arrived for o in outcomes)
    read = {ds.SOPInstanceUID: ds for ds in map(dcmread, (tmp_path / "pacs").iterdir())}
    assert read["1.2.3.2"].PixelData == PIXELS.tobytes()
    assert str(read["1.2.3.0"].PatientName) == "Bjørnson^Åse"


class GoneAfter:
    """A node that accepts, takes so many bytes of data and goes away."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, self._listener:
            connection.recv(1 << 16)
            connection.sendall(accept_all(3))
            left = self._size
            while left > 0 and (piece := connection.recv(left)):
                left -= len(piece)


def accept_all(count: int) -> bytes:
    """Return an A-ASSOCIATE-AC that accepts explicit VR little endian in so many contexts."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID("1.2.840.10008.3.1.1.1")
    primitive.calling_ae_title, primitive.called_ae_title = "LYSBRO", "GONE"
    primitive.result, primitive.result_source = 0, 1
    contexts = []
    for number in range(count):
        context = build_context(UID("1.2.840.10008.5.1.4.1.1.2"), [UID("1.2.840.10008.1.2.1")])
        context.context_id, context.result = 2 * number + 1, 0
        contexts.append(context)
    primitive.presentation_context_definition_results_list = contexts
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = 16384
    implementation.implementation_class_uid = UID("1.2.3.4")
    primitive.user_information = [length, implementation]
    return bytes(A_ASSOCIATE_AC(primitive).encode())


def test_node_that_goes_away_in_the_middle_is_told_soon(filled: House) -> None:
    gone = GoneAfter(100)
    started = time.monotonic()

    outcomes = send_stored(filled, node(gone.port, "GONE"), as_us("LYSBRO"))

    assert [(o.status, o.code) for o in outcomes] == [(None, "gone")] * 3

    assert time.monotonic() - started < 10


@pytest.mark.peers
@pytest.mark.parametrize(
    ("takes", "syntax"),
    [("+xe", EXPLICIT_LE), ("+xi", IMPLICIT_LE), ("+xa", "1.2.840.10008.1.2.4.201")],
)
def test_what_is_kept_in_another_form_goes_as_it_came_to_a_node_that_takes_no_other(
    filled: House, dcmtk_node: Listen, tmp_path: Path, takes: str, syntax: str
) -> None:
    content = Picture().dataset("1.2.9.1", study="1.2.9")
    filled.archive.receive(
        content,
        ORIGIN,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        sop_instance_uid="1.2.9.1",
        transfer_syntax_uid=EXPLICIT_LE,
    )
    filled.archive.settle()
    filled.people.set_recompression("hammer", "htj2k")
    Mover(filled.archive, quiet_s=0).run_once(datetime.now(UTC) + timedelta(seconds=60))
    row = filled.index.instance(ALL, "1.2.9.1")
    assert row.received is not None
    port = dcmtk_node(tmp_path / "pacs", takes, "+B")

    (outcome,) = send_stored(filled, node(port, "PACS"), as_us("LYSBRO"), study="1.2.9")

    known = syntax if takes != "+xa" else outcome.sent_in  # this DCMTK knows no HTJ2K
    assert (outcome.has_arrived, outcome.sent_in) == (True, known)
    (file,) = (tmp_path / "pacs").iterdir()
    if outcome.sent_in == EXPLICIT_LE:
        assert file.read_bytes().endswith(content)
    assert dcmread(file).PixelData == Picture().pixels
