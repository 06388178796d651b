"""Modalities that send small studies over DICOM, and the list of what was acknowledged."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from pacs_bridge import dimse
from storage.part10 import EXPLICIT_LE
from tests.crash.senders import request, sha256_of
from tests.pacs_bridge.wire import CT, Peer, associate_request, connected, p_data
from tests.storage.building import dataset

STUDIES_AN_ASSOCIATION = 5
_ACCEPT = 2


@dataclass(frozen=True)
class Sending:
    """How much is sent, and in what shape."""

    instances: int
    series_instances: int = 250
    study_series: int = 4
    side: int = 64  # pixels of 16 bit: 8 kB
    senders: int = 2


@dataclass(frozen=True)
class Study:
    """One study to send."""

    number: int
    site: str
    calling: str
    series: tuple[tuple[str, tuple[str, ...]], ...]  # series UID, instance UIDs

    @property
    def uid(self) -> str:
        return f"1.2.826.7.{self.number}"


@dataclass
class Acknowledged:
    """What was answered with success, with its hash: what must never be missing."""

    sha256: dict[tuple[str, str], str] = field(default_factory=dict)  # by site and UID
    sent_bytes: int = 0
    refused: list[tuple[str, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def studies(sending: Sending) -> Iterator[Study]:
    """Yield the studies that make up so many instances, from two sites in turn."""
    left, number = sending.instances, 0
    while left > 0:
        number += 1
        series = []
        for s in range(1, sending.study_series + 1):
            count = min(left, sending.series_instances)
            if count:
                uid = f"1.2.826.7.{number}.{s}"
                series.append((uid, tuple(f"{uid}.{i}" for i in range(1, count + 1))))
            left -= count
        site = ("hammer", "utsira")[number % 2]
        yield Study(number, site, f"{site.upper()}_CT", tuple(series))


def send_all(port: int, sending: Sending) -> Acknowledged:
    """Send everything and return what was acknowledged."""
    acknowledged = Acknowledged()
    waiting = list(studies(sending))
    groups: list[list[Study]] = []
    for site in ("hammer", "utsira"):
        of_site = [study for study in waiting if study.site == site]
        groups += [
            of_site[i : i + STUDIES_AN_ASSOCIATION]
            for i in range(0, len(of_site), STUDIES_AN_ASSOCIATION)
        ]
    with ThreadPoolExecutor(sending.senders) as pool:
        for done in [pool.submit(_send, port, group, sending, acknowledged) for group in groups]:
            done.result()
    return acknowledged


def _send(port: int, group: list[Study], sending: Sending, acknowledged: Acknowledged) -> None:
    noise = random.Random(group[0].number).randbytes(sending.side**2 * 2)
    with connected(port, timeout_s=60) as peer:
        peer.send(associate_request([(CT, EXPLICIT_LE)], calling=group[0].calling))
        kind, body = peer.read_pdu()
        if kind != _ACCEPT:
            raise ConnectionError(f"{group[0].calling} was not let in: {kind} {body!r}")
        for study in group:
            for series_uid, uids in study.series:
                for number, uid in enumerate(uids, start=1):
                    content = _content(study, series_uid, uid, number, noise, sending.side)
                    _store(peer, study.site, uid, content, acknowledged)


def _content(
    study: Study, series_uid: str, uid: str, number: int, noise: bytes, side: int
) -> bytes:
    pixels = number.to_bytes(4, "little") + noise[4:]
    patient = f"LO\x06\x00{study.number:06}".encode()
    return dataset(
        uid,
        study=study.uid,
        series=series_uid,
        number=number,
        name=f"REHEARSAL^{study.number}",
        rows=side,
        columns=side,
        pixels=pixels,
    ).replace(b"LO\x06\x0012345 ", patient)


def _store(peer: Peer, site: str, uid: str, content: bytes, acknowledged: Acknowledged) -> None:
    peer.send(request(uid) + p_data(1, 2, content))
    kind, body = peer.read_pdu()
    if kind != 4:
        raise ConnectionError(f"no answer for {uid}: {kind} {body!r}")
    status = int.from_bytes(dimse.read_command(body[6:]).elements[0x0900], "little")
    with acknowledged.lock:
        if status == 0:
            acknowledged.sha256[site, uid] = sha256_of(content)
            acknowledged.sent_bytes += len(content)
        else:
            acknowledged.refused.append((uid, status))
