"""A real bridge process under attack, watched from outside: memory, threads, descriptors, files.

Memory is the receiver's own, since nothing else runs in that process.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lysbro.settings import load
from lysbro.wiring import open_parts
from pacs_bridge import dimse
from storage.part10 import EXPLICIT_LE
from storage.rows import InstanceRow, instance_row
from storage.segments import SUFFIX
from storage.tables import instances
from tests.flows.conftest import Exchange, can_connect, make_exchange
from tests.flows.waiting import until
from tests.hostile.ledger import Kept, Ledger
from tests.hostile.watch import Watch
from tests.pacs_bridge.wire import CT, ECHO, IMPLICIT, associate_request, connected, p_data
from tests.storage.building import dataset

MIB = 1 << 20
_HELD = frozenset({"01", "08"})  # states of TCP: established, and closed by the peer alone
SLACK_BYTES = 24 * MIB  # what an allocator keeps of threads that are gone; beside the 20 %
ANSWERS_WITHIN_S = 2.0


@dataclass
class Bridge:
    """The process and what its clients know of it."""

    exchange: Exchange
    temporary: Path
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def port(self) -> int:
        return self.exchange.dicom_port

    @property
    def pid(self) -> int:
        assert self.exchange.process is not None
        return self.exchange.process.pid

    def rss_bytes(self) -> int:
        """Return the memory of the bridge, and of processes that it has started."""
        return sum(_status(pid, "VmRSS") for pid in self._pids()) * 1024

    def peak_bytes(self) -> int:
        """Return the most memory since `forget_peak`."""
        return sum(_status(pid, "VmHWM") for pid in self._pids()) * 1024

    def largest_peak_bytes(self) -> int:
        """Return the most memory that any one process of the bridge has had since `forget_peak`."""
        return max(_status(pid, "VmHWM") for pid in self._pids()) * 1024

    def forget_peak(self) -> None:
        for pid in self._pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def threads(self) -> int:
        return sum(_status(pid, "Threads") for pid in self._pids())

    def descriptors(self) -> int:
        """Return how many are open but for the spool and the database, which keep theirs."""
        return sum(not name.startswith(str(self.exchange.data)) for name in self._open())

    def sockets(self) -> int:
        """Return how many connections to its port are open."""
        port = f":{self.port:04X}"
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(words[1].endswith(port) and words[3] in _HELD for words in lines)

    def _pids(self) -> list[int]:
        """Return the process and its descendants."""
        found = [self.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(FileNotFoundError):
                    found += map(int, (task / "children").read_text().split())
        return found

    def _open(self) -> list[str]:
        found = []
        for pid in self._pids():
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):
                    found.append(os.readlink(link))
        return found

    def all_are_gone(self, *, timeout_s: float = 30.0) -> None:
        """Wait until no association is left: a stuck one would stay."""
        until(
            lambda: self.sockets() == 0,
            "every association to end",
            alive=self.exchange.alive,
            timeout_s=timeout_s,
        )

    def rows(self) -> list[tuple[InstanceRow, bytes]]:
        """Return every instance in the index with its data set as it is read back."""
        with open_parts(load(environment=self.exchange.environment)) as parts:
            with parts.database.read() as conn:
                rows = [instance_row(row) for row in conn.execute(instances.select())]
            return [(row, parts.archive.read_dataset(row)) for row in rows]

    def settled(self) -> list[Kept]:
        """Return what is there, once all is that was acknowledged or after a while."""
        found: list[Kept] = []

        def all_is_there() -> bool:
            found[:] = [
                Kept(row.sop_instance_uid, hashlib.sha256(data).hexdigest(), row.state)
                for row, data in self.rows()
            ]
            return not self.ledger.missing(found)

        with contextlib.suppress(AssertionError):  # the comparison says what is missing
            until(all_is_there, "what was acknowledged", timeout_s=10)
        return found

    def strange_files(self) -> list[str]:
        """Return files that no bridge should leave: temporary ones, and any that are no segment."""
        left = [str(path) for path in self.temporary.rglob("*") if path.is_file()]
        spool = self.exchange.data / "spool"
        left += [
            str(path)
            for path in spool.rglob("*")
            if path.is_file() and path.suffix != SUFFIX and path.parent == spool
        ]
        known = {
            "lysbro.db",
            "lysbro.db.lock",
            "lysbro.db-wal",
            "lysbro.db-shm",
            "bridge.lock",
            "serve.log",
            "node-id",
            "mirror-self-test.json",
            "data-format",
            "clock",
            "worker.alive",
            "packer.alive",
            "events.open",
        }
        left += [
            str(path)
            for path in self.exchange.data.iterdir()
            if path.is_file() and path.name not in known
        ]
        return left


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(name + ":")), 0)


@contextmanager
def running(
    folder: Path,
    *,
    held_open: Sequence[int] = (),
    preload: str = "",
    clock: Path | None = None,
    **settings: object,
) -> Iterator[Bridge]:
    """Give a bridge that runs alone in a process; `held_open` are descriptors that it inherits."""
    temporary = folder / "temporary"
    temporary.mkdir(parents=True)
    exchange = make_exchange(
        folder / "data",
        TMPDIR=str(temporary),
        LYSBRO_QUIET_SECONDS="3600",
        LYSBRO_LOG_LEVEL="warning",
        **{f"LYSBRO_{name.upper()}": str(value) for name, value in settings.items()},
    )
    if preload:
        exchange.environment |= {"LD_PRELOAD": preload, "CLOCK_OFFSET": str(clock)}
    bridge = Bridge(exchange, temporary)
    with (exchange.data / "serve.log").open("ab") as log:
        exchange.process = subprocess.Popen(
            [sys.executable, "-m", "lysbro", "serve", "--only", "bridge"],
            env=exchange.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=tuple(held_open),
        )
    try:
        until(
            lambda: can_connect(exchange.dicom_port),
            "the DICOM port",
            alive=exchange.alive,
            timeout_s=60,
        )
        _warm(bridge)
        yield bridge
    finally:
        if exchange.alive():
            exchange.stop()


def _warm(bridge: Bridge) -> None:
    """Store one object and see it indexed, so that all that works in the bridge is at work."""
    uid = "1.2.826.0.1.3680043.9.7433.0"
    data = dataset(uid)
    with connected(bridge.port) as peer:
        peer.associate([(CT, EXPLICIT_LE)])
        bridge.ledger.sent_whole(uid, data)
        peer.send(p_data(1, 3, dimse.write_store_request(1, CT, uid)) + p_data(1, 2, data))
        bridge.ledger.answered(uid, data, int(peer.response().Status))
    until(bridge.rows, "the first object to be indexed", alive=bridge.exchange.alive)


@contextmanager
def watched(
    bridge: Bridge, *, may_be_refused: bool = False, slack_bytes: int = SLACK_BYTES
) -> Iterator[Watch]:
    """Hold the oracle to what is done inside: it goes on answering, and nothing is left of it."""
    bridge.all_are_gone()
    before_bytes, descriptors, threads = (
        bridge.rss_bytes(), bridge.descriptors(), bridge.threads(),
    )  # fmt: skip
    bridge.forget_peak()
    request = associate_request([(ECHO, IMPLICIT)], calling="NORDLYS_PACS")
    with Watch.over(bridge.port, request) as watch:
        yield watch
    assert bridge.exchange.alive(), "the bridge has fallen"
    watch.must_have_answered(ANSWERS_WITHIN_S, may_be_refused=may_be_refused)
    bridge.all_are_gone()
    until(lambda: bridge.threads() <= threads, "the threads to end")
    until(lambda: bridge.descriptors() <= descriptors, "the descriptors to close")
    most = before_bytes * 1.2 + slack_bytes
    until(
        lambda: bridge.rss_bytes() <= most,
        f"memory to come back from {bridge.rss_bytes() // MIB} to {most / MIB:.0f} MiB",
        timeout_s=5,
    )
    assert (left := bridge.strange_files()) == [], left
    assert "Traceback" not in bridge.exchange.log()


def must_be_true_of_the_ledger(bridge: Bridge) -> None:
    """What was acknowledged is there with its bytes; what is there was sent whole."""
    found = bridge.settled()
    assert (missing := bridge.ledger.missing(found)) == [], missing
    assert (strange := bridge.ledger.never_sent(found)) == [], strange
