"""Writes backups of the casebook anew without what was erased since they were made.

The new one has the old one's time and everything else that is in it; it is put and read back before
the old one goes. Doing it again changes nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from typing import Any

import structlog

from casework.erasure import Tombstone
from casework.errors import NotFound, Unavailable
from storage import backup as keeping
from storage.backup_file import BackupReader, BackupWriter
from storage.copies import ObjectKey
from storage.objects import ObjectStore, sha256_of_object

log = structlog.get_logger()

_TEMPORARY = ".backup-erased-"
_Row = Mapping[str, Any]


def clear_backups(
    store: ObjectStore,
    folder: Path,
    stones: Sequence[Tombstone],
    objects: Collection[ObjectKey],
    *,
    before: Callable[[str], None] = lambda _key: None,
) -> int:
    """Take what is erased out of every backup that is older; return how many were written anew.

    `before` hears the key of each before it goes.
    """
    newest = max((stone.at for stone in stones), default=None)
    count = 0
    for kept in keeping.backups(store):
        if newest is not None and kept.at <= newest:
            count += _clear(store, folder, kept.key, stones, objects, before)
    return count


def _clear(
    store: ObjectStore,
    folder: Path,
    key: str,
    stones: Sequence[Tombstone],
    objects: Collection[ObjectKey],
    before: Callable[[str], None],
) -> bool:
    path = folder / (_TEMPORARY + secrets.token_hex(8))
    try:
        with keeping.opened(store, key, folder) as reader:
            at = reader.manifest.at
            later = [stone for stone in stones if stone.at >= at]
            if not later or not _write(reader, path, _Filter(later, objects, reader)):
                return False
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        new = f"{keeping.PREFIX}{at.astimezone(UTC):%Y%m%dt%H%M%Sz}-{sha256}.zip"
        store.put(new, path, sha256=sha256)
        if sha256_of_object(store, new) != sha256:
            raise Unavailable(
                f"The store gives other bytes back for {new} than were put. Look at the store.",
                code="store-differs",
            )
    except Unavailable as error:
        with suppress(NotFound):
            store.size(key)
            if error.code == "backup-unreadable":
                raise _unreadable(key, store) from error
            raise
        return False  # another worker has been here
    except OSError as error:
        raise Unavailable(
            f"The backup {key} cannot be written anew in {folder} ({error.strerror or error}). "
            "Look at that disk.",
            code="backup-failed",
        ) from error
    finally:
        path.unlink(missing_ok=True)
    before(key)
    store.erase(key)
    log.info("backup_written_anew", key=new, instead_of=key)
    return True


def _write(reader: BackupReader, path: Path, filter_: _Filter) -> bool:
    """Write a backup without what goes, and tell whether anything of it did."""
    writer = BackupWriter(path)
    for name, part in reader.manifest.parts.items():
        writer.add(name, part.columns, filter_.staying(name, reader.rows(name)))
    told = reader.manifest
    writer.close(at=told.at, schema=told.schema, written_by=told.written_by)
    return filter_.gone > 0


class _Filter:
    """Knows what of a backup goes."""

    def __init__(
        self,
        stones: Sequence[Tombstone],
        objects: Collection[ObjectKey],
        reader: BackupReader,
    ) -> None:
        self.gone = 0
        self._objects = objects
        self._stones = stones
        self._cases = {case_id for stone in stones for case_id in stone.case_ids}
        self._jobs = {row["id"] for row in reader.rows("jobs") if self._job(row)}
        self._orders = {row["id"] for row in reader.rows("orders") if self._order(row)}
        asked = reader.rows("prior_questions")
        self._questions = {row["id"] for row in asked if self._case(row)}
        self._goes: Mapping[str, Callable[[_Row], bool]] = {
            "cases": lambda row: row["id"] in self._cases,
            "case_studies": lambda row: self._case(row) or self._study(row),
            "messages": self._case,
            "reports": self._case,
            "captures": self._case,
            "outcomes": self._case,
            "readings": self._case,
            "photographs": self._case,
            "draft_keys": self._case,
            "workitems": self._case,
            "workitem_subscriptions": self._case,
            "jobs": lambda row: row["id"] in self._jobs,
            "sent_instances": lambda row: row["job_id"] in self._jobs,
            "promises": lambda row: row["job_id"] in self._jobs,
            "lesions": self._person,
            "orders": lambda row: row["id"] in self._orders,
            "order_steps": lambda row: row["order_id"] in self._orders,
            "order_stations": lambda row: row["order_id"] in self._orders,
            "completeness_evidence": self._study,
            "sender_questions": self._study,
            "prior_questions": self._case,
            "prior_answers": lambda row: row["question_id"] in self._questions or self._study(row),
            "prior_fetches": lambda row: self._study(row) or self._person(row),
            "performed_steps": self._step,
            "studies": self._study,
            "packs": self._study,
            "instances": self._object,
            "custody": self._object,
        }

    def staying(self, name: str, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table that stay."""
        goes = self._goes.get(name)
        for row in rows:
            if goes is not None and goes(row):
                self.gone += 1
            else:
                yield row

    def _case(self, row: _Row) -> bool:
        return row["case_id"] in self._cases

    def _study(self, row: _Row) -> bool:
        return any(stone.has_study(row["site"], row["study_uid"]) for stone in self._stones)

    def _object(self, row: _Row) -> bool:
        return (row["site"], row["sop_instance_uid"], row["sha256"]) in self._objects

    def _job(self, row: _Row) -> bool:
        return self._case(row) or (row["kind"] == "send" and self._study(row))

    def _person(self, row: _Row) -> bool:
        key = row["site"], row["patient_issuer"], row["patient_id"]
        return any(stone.has_patient(*key) for stone in self._stones)

    def _order(self, row: _Row) -> bool:
        return self._study(row) or self._person(row)

    def _step(self, row: _Row) -> bool:
        uids = row["study_uids"]
        return bool(uids) and all(
            any(stone.has_study(row["site"], uid) for stone in self._stones) for uid in uids
        )


def _unreadable(key: str, store: ObjectStore) -> Unavailable:
    return Unavailable(
        f"The backup {key} in {store.describe()} cannot be read, so that nobody can take out of it "
        "what is erased. Run `lysbro verify --repair`, or remove that object there: it is of no "
        "use to a rebuild either.",
        code="backup-unreadable",
    )
