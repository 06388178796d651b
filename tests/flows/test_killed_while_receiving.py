"""An exchange killed in the middle of receiving comes up with every object that it had
acknowledged.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE

from casework.access import Scope
from casework.errors import NotFound
from lysbro.settings import load
from lysbro.wiring import open_parts
from tests.flows.conftest import Exchange, make_exchange
from tests.flows.waiting import until

ROUNDS = int(os.environ.get("LYSBRO_CRASH_ROUNDS", "2"))
CT = "1.2.840.10008.5.1.4.1.1.2"
ALL = Scope(sites=None, specialties=None, own_site="")


def slice_of(study: str, series: str, number: int) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = CT, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.PatientName, ds.PatientID, ds.Modality, ds.InstanceNumber = "Kill^Test", "K1", "CT", number
    ds.Rows = ds.Columns = 64
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.PixelData = random.Random(number).randbytes(64 * 64 * 2)
    return ds


def encoded(ds: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, ds)
    return buffer.getvalue()


@dataclass
class Sender:
    """Stores slices until the peer is gone, and keeps the ledger of what was acknowledged."""

    port: int
    acknowledged: dict[str, bytes] = field(default_factory=dict)

    def run(self) -> None:
        entity = AE(ae_title="HAMMER_CT")
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 5
        entity.add_requested_context(CT, ExplicitVRLittleEndian)
        association = entity.associate("127.0.0.1", self.port, ae_title="LYSBRO")
        line = association.dul.socket.socket  # pynetdicom forgets it when its peer is killed
        study, series, number = generate_uid(), generate_uid(), 0
        while association.is_established:
            number += 1
            ds = slice_of(study, series, number)
            data = encoded(ds)
            ds.file_meta = _meta(ds)
            try:
                status = association.send_c_store(ds)
            except (RuntimeError, ValueError):
                break
            if status and status.Status == 0x0000:
                self.acknowledged[ds.SOPInstanceUID] = data
        association.abort()
        line.close()


def _meta(ds: Dataset) -> Dataset:
    from pydicom.dataset import FileMetaDataset  # noqa: PLC0415

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        ds.SOPClassUID,
        ds.SOPInstanceUID,
    )
    return meta


def kill_while_receiving(exchange: Exchange, pause_s: float) -> dict[str, bytes]:
    """Receive over three associations, kill all after a while; return what was acknowledged."""
    senders = [Sender(exchange.dicom_port) for _ in range(3)]
    threads = [threading.Thread(target=s.run) for s in senders]
    for thread in threads:
        thread.start()
    until(
        lambda: all(s.acknowledged for s in senders),
        "each sender's first success",
        alive=exchange.alive,
    )
    threading.Event().wait(pause_s)
    assert exchange.process is not None
    os.killpg(exchange.process.pid, signal.SIGKILL)
    exchange.process.wait()
    exchange.process = None
    for thread in threads:
        thread.join()
    return {uid: data for s in senders for uid, data in s.acknowledged.items()}


@pytest.mark.slow
@pytest.mark.timeout(300 + 30 * ROUNDS)
def test_every_acknowledged_object_is_there_after_a_kill(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path / "data", LYSBRO_QUIET_SECONDS="0.5")
    acknowledged: dict[str, bytes] = {}
    chance = random.Random(20261123)
    for _ in range(ROUNDS):
        exchange.start(only="bridge,worker")
        acknowledged |= kill_while_receiving(exchange, chance.uniform(0.05, 1.5))
    exchange.start(only="bridge,worker")
    exchange.stop()
    missing = lost(exchange, acknowledged)
    assert len(acknowledged) >= ROUNDS * 3
    assert missing == []
    assert exchange.lysbro("verify").returncode == 0


def lost(exchange: Exchange, acknowledged: dict[str, bytes]) -> list[str]:
    """Return the acknowledged objects that are not there byte for byte."""
    gone = []
    with open_parts(load(environment=exchange.environment)) as parts:
        for uid, data in acknowledged.items():
            try:
                same = parts.archive.read_dataset(parts.index.instance(ALL, uid)) == data
            except NotFound:
                same = False
            if not same:
                gone.append(uid)
    return gone
