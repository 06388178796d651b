"""What a retrieve costs in memory, a thousand objects or one large one; and that TLS is kept."""

from __future__ import annotations

import resource
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pynetdicom import evt

from casework.access import Scope
from casework.model import AePermission
from pacs_bridge.tls import TlsFiles
from tests.flows.waiting import until
from tests.pacs_bridge.certificates import caller_context, wallet
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.making import ORIGIN, ct, part10
from tests.pacs_bridge.retrieving import (
    RETRIEVER,
    associated,
    fill,
    get,
    identifier,
    know,
    move,
    slices,
)
from tests.pacs_bridge.test_mutual_tls import bind, on_tls
from tests.ports import free_port

pytestmark = pytest.mark.slow

ALL = Scope(sites=None, specialties=None, own_site="")
STUDY = identifier("STUDY", StudyInstanceUID="1.2.1")
SLICES = 2000
GROWTH = 48 << 20  # of all that is kept in memory of a retrieve, whatever its size
"""More than what is read ahead (5 x 4 MiB), a row for each instance, and some slack."""


def resident() -> int:
    """Return how much of this process is in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@contextmanager
def watched() -> Iterator[list[int]]:
    """Give a list whose last value is the most that this process had grown by."""
    done, most, before = threading.Event(), [0], resident()

    def watch() -> None:
        while not done.wait(0.02):
            most[0] = max(most[0], resident() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        done.set()
        watcher.join()


@contextmanager
def storescp(house: House, *options: str) -> Iterator[None]:
    """Run DCMTK's storescp in a process of its own, which keeps nothing."""
    port = free_port()
    know(house, "PACS", "hammer", port)
    with subprocess.Popen(
        ["storescp", "--ignore", "--max-pdu", "131072", *options, "-aet", "PACS", str(port)]
    ) as process:
        try:
            until(lambda: _answers(port), "storescp")
            yield
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.peers
def test_study_of_two_thousand_slices_is_moved_without_memory_growth(tmp_path: Path) -> None:
    template = part10(ct("1.2.3.1000000", Rows=256, Columns=256, PixelData=bytes(131072)))
    with open_house(tmp_path) as house:
        for number in range(SLICES):
            content = template.replace(b"1.2.3.1000000", b"1.2.3.1%06d" % number)
            house.archive.receive_part10(content, ORIGIN)
        house.archive.settle(timeout_s=60)
        know(house, RETRIEVER, "hammer", 0)
        with storescp(house), associated(house) as association:
            first = identifier(
                "IMAGE", StudyInstanceUID="1.2.1", SeriesInstanceUID="1.2.2",
                SOPInstanceUID="1.2.3.1000000",
            )  # fmt: skip
            assert move(association, first)[-1].status == 0  # code is loaded, pools are made
            with watched() as grown:
                last = move(association, STUDY)[-1]

    assert (last.status, last.counts) == (0x0000, (None, SLICES, 0, 0))
    assert grown[0] < GROWTH


@pytest.mark.peers
def test_large_object_is_streamed(tmp_path: Path) -> None:
    rows, columns, frames = 1024, 1024, 100
    ds = ct("1.2.3.1", Rows=rows, Columns=columns, NumberOfFrames=frames, PixelData=b"\0\0")
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7.3"
    whole = part10(ds)
    pixels = rows * columns * 2 * frames
    head = whole[: whole.rindex(b"\x02\0\0\0\0\0")] + pixels.to_bytes(4, "little")
    file = tmp_path / "large.dcm"
    with file.open("wb") as out:
        out.write(head)
        out.truncate(len(head) + pixels)
    with open_house(tmp_path / "house") as house:
        house.archive.receive_part10(file, ORIGIN)
        house.archive.settle()
        know(house, RETRIEVER, "hammer", 0)
        with storescp(house), associated(house) as association, watched() as grown:
            last = move(association, STUDY)[-1]

    assert (last.status, last.counts) == (0x0000, (None, 1, 0, 0))
    assert grown[0] < GROWTH


@pytest.mark.peers
@pytest.mark.parametrize("has_certificate", [True, False])
def test_destination_that_is_tls_only_is_called_over_tls_or_not_at_all(
    tmp_path: Path, has_certificate: bool
) -> None:
    paper = wallet().hammer
    ours = TlsFiles(paper.cert, paper.key, wallet().authority.cert) if has_certificate else None
    with (
        open_house(tmp_path / "to", **on_tls()) as other,
        open_house(tmp_path / "from", tls_files=ours) as house,
    ):
        bind(other)
        know(other, "LYSBRO", "hammer", 0, AePermission.STORE)
        fill(house, *slices(3, PixelData=bytes(300_000), Rows=300, Columns=500))
        know(house, RETRIEVER, "hammer", 0)
        know(house, "LYSBRO", "hammer", other.bridge.tls_port, tls_only=True)
        with associated(house) as association:
            last = move(association, STUDY, "LYSBRO")[-1]
        other.archive.settle()
        kept = other.index.instances_of(ALL, "1.2.1")

    assert last.status == (0x0000 if has_certificate else 0xA702)
    assert len(kept) == (3 if has_certificate else 0)


@pytest.mark.peers
def test_get_over_tls_brings_everything(tmp_path: Path) -> None:
    with open_house(tmp_path, **on_tls()) as house:
        bind(house)
        fill(house, *slices(4, PixelData=bytes(300_000), Rows=300, Columns=500))
        know(house, RETRIEVER, "hammer", 0)
        taken: list[int] = []

        def take(event: evt.Event) -> int:
            taken.append(len(event.request.DataSet.getvalue()))
            return 0

        context = caller_context(wallet().hammer)
        with associated(
            house, port=house.bridge.tls_port, tls_args=(context, "127.0.0.1"), take=take
        ) as association:
            last = get(association, STUDY)[-1]

    assert (last.status, last.counts) == (0x0000, (None, 4, 0, 0))
    assert min(taken) > 300_000
