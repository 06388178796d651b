"""Looks after what is kept: hashes every object again, compares store and index both ways.

Decides nothing of how things are put right, which is `care_repair`, and deletes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import SystemRandom
from typing import Protocol

import structlog
from sqlalchemy import select

from casework.errors import LysbroError
from storage import care_repair, quotas, tombstones
from storage.archive import Archive
from storage.belonging import is_ours
from storage.care_packs import Compared, compare_packs
from storage.care_repair import Repaired
from storage.neighbours import read_together
from storage.rows import InstanceRow, instance_row
from storage.soundness import CORRUPT, MISSING, UNREADABLE, fault_of
from storage.tables import instances

__all__ = [
    "CORRUPT", "MISSING", "UNREADABLE", "Fault", "Progress", "VerifyReport", "fault_of", "verify",
]  # fmt: skip

log = structlog.get_logger()

_PAGE = 500


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, for a machine."""

    name: str  # as in the lists of the report
    fault: str  # missing | corrupt | unreadable
    site: str = ""
    study_uid: str = ""
    sop_instance_uid: str = ""
    place: str = ""  # the pack, the segment or the backup
    repaired_from: str = ""  # empty: it is as bad as it was


@dataclass(frozen=True)
class VerifyReport:
    """What is wrong between the index, the spool and the store. Names are for an operator."""

    checked: int = 0
    missing: tuple[str, ...] = ()  # in the index, but the bytes are not there
    corrupt: tuple[str, ...] = ()  # the bytes are there and do not have their hash
    orphaned: tuple[str, ...] = ()  # in the store, but not in the index
    repaired: tuple[str, ...] = ()  # of the missing and corrupt, found whole elsewhere
    set_aside: tuple[str, ...] = ()  # where what was damaged is kept since the repair
    miscounted: tuple[str, ...] = ()  # sites whose use was not the sum over their objects
    packs_checked: int = field(default=0, compare=False)  # hashed as a whole
    faults: tuple[Fault, ...] = ()
    foreign: tuple[str, ...] = ()  # in the store, and nothing that Lysbro puts there

    @property
    def is_clean(self) -> bool:
        """Tell whether every object that is promised is there and whole."""
        return not self.missing and not self.corrupt

    @property
    def left(self) -> tuple[str, ...]:
        """Return what is still missing or corrupt."""
        mended = set(self.repaired)
        return tuple(name for name in (*self.missing, *self.corrupt) if name not in mended)


class Progress(Protocol):
    """Hears how far a verification is."""

    def __call__(self, *, done: int, total: int) -> None:
        """Hear that `done` of `total` instances are checked."""
        ...


def verify(
    archive: Archive,
    *,
    study_uid: str | None = None,
    sample: int | None = None,
    repair: bool = False,
    progress: Progress | None = None,
) -> VerifyReport:
    """Hash every object again against the index, and the store against it; one study or all.

    Of a sample, so many objects by chance are hashed, and the store is compared by its listing.
    """
    checked = 0
    bad: list[tuple[InstanceRow, str]] = []
    keys = _keys(archive, study_uid)
    is_sample = sample is not None and sample < len(keys)
    if sample is not None and is_sample:
        keys = [keys[i] for i in sorted(SystemRandom().sample(range(len(keys)), sample))]
    for instance, is_sound in read_together(archive.store, _instances(archive, keys)):
        fault = "" if is_sound else fault_of(archive, instance)
        checked += 1
        if fault:
            bad.append((instance, fault))
        if progress is not None:
            progress(done=checked, total=len(keys))
    faulty = Counter(i.location.container for i, _ in bad)
    compared = compare_packs(archive, faulty, hashes=sample is None, study_uid=study_uid)
    done = _put_right(archive, bad, compared) if repair else Repaired()
    if repair:
        _bury_again(archive)
    miscounted = _miscounted(archive, repair=repair) if study_uid is None and not sample else []
    foreign = _foreign(archive) if study_uid is None else ()
    report = _report(checked, bad, compared, done, miscounted, foreign)
    log.info(
        "verified",
        checked=checked,
        missing=len(report.missing),
        corrupt=len(report.corrupt),
        orphaned=len(report.orphaned),
        foreign=len(report.foreign),
        repaired=len(report.repaired),
    )
    return report


def _put_right(
    archive: Archive, bad: Sequence[tuple[InstanceRow, str]], compared: Compared
) -> Repaired:
    if not bad and not compared.faults and not compared.backups:
        return Repaired()
    return care_repair.repair(
        archive,
        bad=[instance for instance, _ in bad],
        bad_packs=compared.faults,
        bad_backups=compared.backups,
    )


def _bury_again(archive: Archive) -> None:
    """Let a store that was lost know again what was erased; a rebuild asks it, not the database."""
    try:
        with archive.database.read() as conn:
            tombstones.bury_missing(archive.store, conn)
    except LysbroError as error:
        log.error("tombstones_not_put_back", reason=error.code, message=error.message)


def _miscounted(archive: Archive, *, repair: bool) -> list[str]:
    if repair:
        with archive.database.begin() as conn:
            return quotas.recount(conn)
    with archive.database.read() as conn:
        return sorted(quotas.differing(conn))


def _foreign(archive: Archive) -> list[str]:
    return sorted(o.key for o in archive.store.list() if not is_ours(o.key))


def _report(
    checked: int,
    bad: Sequence[tuple[InstanceRow, str]],
    compared: Compared,
    done: Repaired,
    miscounted: Sequence[str],
    foreign: Sequence[str],
) -> VerifyReport:
    faults = [
        Fault(
            name=_name(i),
            fault=fault,
            site=i.site,
            study_uid=i.study_uid,
            sop_instance_uid=i.sop_instance_uid,
            place=i.location.container,
            repaired_from=done.instances.get(i.pk, ""),
        )
        for i, fault in bad
    ]
    faults += [
        Fault(f"pack {key}", fault, place=key, repaired_from=done.packs.get(key, ""))
        for key, fault in compared.faults.items()
    ]
    faults += [
        Fault(f"backup {key}", CORRUPT, place=key, repaired_from=done.backups.get(key, ""))
        for key in compared.backups
    ]
    return VerifyReport(
        checked=checked,
        missing=tuple(f.name for f in faults if f.fault == MISSING),
        corrupt=tuple(f.name for f in faults if f.fault != MISSING),
        orphaned=tuple(compared.orphaned),
        repaired=tuple(f.name for f in faults if f.repaired_from),
        set_aside=tuple(done.set_aside),
        miscounted=tuple(miscounted),
        foreign=tuple(foreign),
        packs_checked=compared.checked,
        faults=tuple(faults),
    )


def _keys(archive: Archive, study_uid: str | None) -> list[int]:
    """Return the instances in the order in which their bytes lie."""
    statement = select(instances.c.pk).order_by(
        instances.c.location, instances.c.container, instances.c.offset
    )
    if study_uid is not None:
        statement = statement.where(instances.c.study_uid == study_uid)
    with archive.database.read() as conn:
        return list(conn.execute(statement).scalars())


def _instances(archive: Archive, keys: Sequence[int]) -> Iterator[InstanceRow]:
    for start in range(0, len(keys), _PAGE):
        page = keys[start : start + _PAGE]
        with archive.database.read() as conn:
            rows = conn.execute(select(instances).where(instances.c.pk.in_(page)))
            by_pk = {row.pk: instance_row(row) for row in rows}
        yield from (by_pk[pk] for pk in page if pk in by_pk)


def _name(instance: InstanceRow) -> str:
    return f"{instance.site} {instance.sop_instance_uid}"
