"""Rounds of life and death of a bridge: each is killed, some lose their disk's power, and what the
next start makes of it is compared with what the senders were told.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from casework.errors import LysbroError
from casework.model import AePermission, Site, SiteKind
from storage import care
from storage.archive import Archive
from storage.database import Database
from storage.mover import Mover
from storage.people import People
from storage.rows import instance_row
from storage.tables import custody, instances
from storage.testing import fresh_database
from tests.crash.bridge import Plan, make_archive
from tests.crash.nursery import Life, Nursery, nursery
from tests.crash.platter import Platter
from tests.crash.points import BY_NAME, POINTS, RANDOM, Fate
from tests.crash.score import Score, Verdict
from tests.crash.senders import SENDERS, Ledger, Sender, sha256_of

FOLDER_ROUNDS = 30  # then a new data folder: what is kept is looked at whole, and grows
START_TAKES_S = 5.0
LONGEST_S = 0.8  # of a life that is killed at a random moment
PATIENCE_S = 5.0  # for a point that is not passed as often as was wished
ATTEMPTS = 3  # to reach a point
OLDER_OBJECTS = 20


@dataclass(frozen=True)
class Round:
    """How one bridge is to die."""

    point: str
    count: int = 1
    cut: bool = False
    sync: str = "honest"
    failing_sync: int = 0
    early: bool = False
    follows: bool = False


def rounds(number: int, *, seed: int) -> list[Round]:
    """Return so many rounds: each point in turn, a random moment every fourth, every other cut."""
    chosen = random.Random(seed)
    points = [*POINTS]
    chosen.shuffle(points)
    planned = []
    at = 0
    for i in range(number):
        is_random = i % 4 == 3
        point = None if is_random else points[at % len(points)]
        if point is not None:
            at += 1
        planned.append(
            Round(
                point=RANDOM if point is None else point.name,
                count=1 if point is None else chosen.randint(1, point.passes),
                cut=chosen.random() < 0.5,
            )
        )
    return planned


class Campaign:
    """One data folder, lived on by bridge after bridge."""

    def __init__(self, folder: Path, database: Database, nursery: Nursery, *, seed: int) -> None:
        self._data = folder / "data"
        self._told = folder / "told"
        self._platter_folder = folder / "platter"
        self._database = database
        self._nursery = nursery
        self._chosen = random.Random(seed)
        self._seed = seed
        self._lives = 0
        self._waiting: list[dict[str, bytes]] = [{} for _ in range(SENDERS)]
        self._visible: set[str] = set()
        self.ledger = Ledger()
        self.score = Score()
        people = People(database, lambda: datetime.now(UTC))
        people.add_site(Site("hammer", "Hammer sykehus", SiteKind.HOSPITAL))
        people.add_ae("HAMMER_CT", "hammer", permissions=frozenset({AePermission.STORE}))

    def play(self, planned: Round) -> Verdict:
        """Play one round, and return what is wrong after it."""
        point = BY_NAME.get(planned.point)
        count = self.score.of(planned.point)
        count.rounds += 1
        before = len(self.ledger.acknowledged)
        verdict = Verdict()
        if point is not None and point.of_start:  # first there must be something to recover
            first = self._chosen.choice(("header-written", "bytes-written", "answered"))
            passes = BY_NAME[first].passes
            made = replace(planned, point=first, count=self._chosen.randint(1, passes))
            self._live(made)
            if planned.cut:
                self.cut_power()
        uid = self._live(planned)
        if uid is not None:
            count.reached += 1
            if point is not None and point.trace and not any(self._data.glob(point.trace)):
                verdict.traces.append(f"{point.name}: {point.trace}")
        if planned.cut:
            count.cuts += 1
            self.cut_power()
        adopted, torn = self.look(verdict, planned, uid or "")
        count.acknowledged += len(self.ledger.acknowledged) - before
        count.adopted += adopted
        count.torn += torn
        count.lost += len(verdict.lost)
        self.score.verdict.add(verdict)
        return verdict

    def play_until_reached(self, planned: Round) -> Verdict:
        """Play a round, and again when its point was not passed as often as was wished."""
        count = self.score.of(planned.point)
        verdict = Verdict()
        for _ in range(ATTEMPTS):
            before = count.reached
            verdict.add(self.play(planned))
            if planned.point == RANDOM or count.reached > before:
                break
            planned = replace(planned, count=1)
        return verdict

    def end(self) -> Verdict:
        """Look at everything that was ever acknowledged."""
        verdict = Verdict()
        archive = make_archive(self._data, self._database)
        archive.start()
        report = care.verify(archive)
        verdict.lost += [*report.missing, *report.corrupt]
        verdict.alarms += self._database.faults()
        archive.close()
        self.score.verdict.add(verdict)
        return verdict

    def begin(self, planned: Round) -> tuple[Life, int]:
        """Start a bridge on the folder, and return it with its port; 0 when it died first."""
        self._lives += 1
        self._told.unlink(missing_ok=True)
        self._platter = Platter(self._data, self._platter_folder)
        self._platter.begin()
        life = self._nursery.bear(
            Plan(
                str(self._data),
                str(self._platter_folder),
                str(self._told),
                planned.point,
                planned.count,
                planned.sync,
                planned.failing_sync,
                planned.early,
                planned.follows,
            )
        )
        return life, self._nursery.wait_listening(life)

    @contextmanager
    def senders(self, port: int, *, limit: int = 1 << 30) -> Iterator[list[Sender]]:
        """Let modalities send to a port, each so many new objects at most, and wait for them."""
        sending = [
            Sender(f"{self._seed}.{self._lives}.{i}", self.ledger, self._waiting[i], limit=limit)
            for i in range(SENDERS)
        ]
        threads = [threading.Thread(target=s.run, args=(port,)) for s in sending if port]
        for thread in threads:
            thread.start()
        try:
            yield sending
        finally:
            for thread in threads:
                thread.join()

    def cut_power(self) -> None:
        """Leave of the data folder what a disk may hold after a power cut."""
        self._platter.cut_power(self._chosen)

    def _live(self, planned: Round) -> str | None:
        """Let a bridge live and die; return the object it died at, or None for a random moment."""
        life, port = self.begin(planned)
        with self.senders(port):
            is_random = planned.point == RANDOM
            if not life.wait(self._chosen.uniform(0.02, LONGEST_S) if is_random else PATIENCE_S):
                life.kill()
            life.bury()
        self.score.kills += 1
        return self._told.read_text() if self._told.exists() else None

    def look(self, verdict: Verdict, planned: Round, uid: str = "") -> tuple[int, int]:
        """Start, and compare what there is with what was told."""
        began = time.monotonic()
        archive = make_archive(self._data, self._database)
        report = archive.start()
        took_s = time.monotonic() - began
        if took_s > START_TAKES_S:
            verdict.slow.append(f"the start took {took_s:.1f} s")
        if report.is_alarming:
            verdict.alarms.append(f"{planned}: {report}")
        archive.require_sound()  # what a dead process had to tell counts no more
        archive.settle(timeout_s=30)
        found = self._hashes(verdict)
        for known, sha256 in found.items():
            if self.ledger.sent_whole.get(known) != sha256:
                verdict.strangers.append(known)
        verdict.lost += [u for u, h in self.ledger.acknowledged.items() if found.get(u) != h]
        self._judge_fate(verdict, planned, uid, found)
        fresh = [u for u in self.ledger.acknowledged if u not in self._visible]
        older = [*(self._visible & self.ledger.acknowledged.keys())]
        older = self._chosen.sample(sorted(older), min(OLDER_OBJECTS, len(older)))
        adopted_now = [u for u in found if u not in self._visible]
        self._read(archive, verdict, {*fresh, *older, *adopted_now})
        self._visible = set(found)
        self._tidy(archive, verdict)
        archive.close()
        return report.adopted, report.torn

    def _hashes(self, verdict: Verdict) -> dict[str, str]:
        uid = instances.c.sop_instance_uid
        with self._database.read() as conn:
            rows = conn.execute(select(uid, instances.c.sha256)).all()
            received = func.count().label("received")
            again = conn.execute(
                select(custody.c.instance_pk, received)
                .where(custody.c.event == "received")
                .group_by(custody.c.instance_pk)
                .having(received > 1)
            ).all()
        verdict.twice += [u for u, times in Counter(row[0] for row in rows).items() if times > 1]
        verdict.twice += [f"custody of {row[0]}" for row in again]
        return {str(row[0]): str(row[1]) for row in rows}

    def _judge_fate(
        self, verdict: Verdict, planned: Round, uid: str, found: dict[str, str]
    ) -> None:
        """Compare what became of the object that the bridge died at with the table of points."""
        point = BY_NAME.get(planned.point)
        if point is None or not uid or planned.sync != "honest" or planned.early:
            return
        fate = point.fate[planned.cut]
        was_there = uid in self._visible or uid in self.ledger.acknowledged
        if (fate is Fate.KEPT and uid not in found) or (
            fate is Fate.GONE and uid in found and not was_there
        ):
            verdict.fates.append(f"{planned}: {uid} is not {fate.value}")

    def _read(self, archive: Archive, verdict: Verdict, wanted: set[str]) -> None:
        keys = sorted(wanted)
        rows = []
        with self._database.read() as conn:
            for start in range(0, len(keys), 500):
                some = instances.c.sop_instance_uid.in_(keys[start : start + 500])
                rows += [instance_row(r) for r in conn.execute(instances.select().where(some))]
        for row in rows:
            try:
                is_whole = sha256_of(archive.read_dataset(row)) == row.sha256
            except (LysbroError, OSError):
                is_whole = False
            if not is_whole:
                verdict.lost.append(row.sop_instance_uid)

    def _tidy(self, archive: Archive, verdict: Verdict) -> None:
        """Let a mover tidy and pack nothing, and see that no temporary file is left."""
        never_s = 1e8
        Mover(archive, quiet_s=never_s, grace_s=never_s, large_bytes=1 << 50).run_once(
            datetime.now(UTC)
        )
        for pattern in (
            "packing/.*",
            "store/.putting/*",
            "store/v1/**/.*",
            "spool/*.seg-new",
            "spool/notices/*",
        ):
            verdict.leftovers += [str(path) for path in self._data.glob(pattern)]


@contextmanager
def campaign(folder: Path, bridges: Nursery, *, seed: int) -> Iterator[Campaign]:
    """Give a campaign on a new data folder."""
    (folder / "data").mkdir(parents=True)
    with fresh_database(folder / "data") as database:
        yield Campaign(folder, database, bridges, seed=seed)


def run(
    folder: Path, *, number: int, seed: int, tell: Callable[[str], None] = lambda _: None
) -> Score:
    """Play so many rounds over as many data folders as they need, and return the score."""
    score = Score()
    planned = rounds(number, seed=seed)
    with nursery(folder / "bridges.log") as bridges:
        for start in range(0, number, FOLDER_ROUNDS):
            with (
                tempfile.TemporaryDirectory(dir=folder, prefix="rounds-") as within,
                campaign(Path(within), bridges, seed=seed * 1000 + start) as played,
            ):
                for one in planned[start : start + FOLDER_ROUNDS]:
                    if faults := played.play_until_reached(one).faults:
                        tell(f"{one}: {faults}")
                if faults := played.end().faults:
                    tell(f"at the end: {faults}")
                score.add(played.score)
            tell(f"{score.kills} kills")
    return score
