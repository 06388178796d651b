"""Writes one case whole into a ZIP: images, referral, conversation, reports, and both ledgers.

Streams; hashes every object again on its way out; leaves no file behind when something fails. What
a reader has drafted and not signed stays inside.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO

from casework.access import Scope
from casework.custody import CustodyEvent
from casework.errors import Conflict, NotFound, Unavailable
from casework.model import Actor, Case, CaseDossier
from lysbro.reply_pdf import pdf_of
from lysbro.wiring import Parts
from storage.cases import case_or_none
from storage.journal import new_digest
from storage.rows import InstanceRow

FORMAT = "lysbro-case/1"

_CHUNK = 1 << 20
_TO_GROUP_LENGTH = 144
_UNSIGNED = ("draft", "draft_version")

Watch = Callable[[Sequence[InstanceRow]], Iterable[InstanceRow]]


@dataclass(frozen=True)
class Exported:
    """What lies in the file by now."""

    file: Path
    case_id: str
    images: int
    reports: int
    size_bytes: int


@dataclass(frozen=True)
class _Form:
    """The form in which an object is exported: that in which it was received, as far as kept."""

    transfer_syntax_uid: str
    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, instance: InstanceRow) -> _Form:
        """Return the form that `Archive.open_as_received` gives an instance."""
        known = instance.received
        if known is None:
            return cls(instance.transfer_syntax_uid, instance.sha256, instance.size_bytes)
        return cls(known.restored_syntax, known.restored_sha256, known.restored_bytes)


@dataclass
class _Package:
    """The open ZIP and the list of what was put into it."""

    archive: zipfile.ZipFile
    at: datetime
    files: list[dict[str, Any]] = field(default_factory=list)

    def put(self, name: str, content: bytes) -> None:
        """Add a document."""
        self.archive.writestr(self._entry(name, zipfile.ZIP_DEFLATED), content)
        self._list(name, hashlib.sha256(content).hexdigest(), len(content))

    def put_json(self, name: str, value: Any) -> None:
        """Add a document of JSON."""
        text = json.dumps(value, ensure_ascii=False, indent=2, default=_plain)
        self.put(name, text.encode() + b"\n")

    def pour(self, name: str, source: BinaryIO, instance: InstanceRow) -> None:
        """Add a Part 10 file; raise Unavailable when its data set no longer has its hash."""
        form = _Form.of(instance)
        whole, dataset = hashlib.sha256(), new_digest(form.transfer_syntax_uid)
        size = 0
        with source, self.archive.open(self._entry(name), "w", force_zip64=True) as target:
            meta = _file_meta(source)
            whole.update(meta)
            target.write(meta)
            while chunk := source.read(_CHUNK):
                whole.update(chunk)
                dataset.update(chunk)
                target.write(chunk)
                size += len(chunk)
        if dataset.hexdigest() != form.sha256 or size != form.size_bytes:
            raise Unavailable(
                f"The object {instance.sop_instance_uid} of {instance.site} no longer has its "
                "hash; nothing was exported. Run 'lysbro verify --repair'.",
                code="corrupt",
            )
        self._list(
            name,
            whole.hexdigest(),
            len(meta) + size,
            site=instance.site,
            study_uid=instance.study_uid,
            series_uid=instance.series_uid,
            sop_class_uid=instance.sop_class_uid,
            sop_instance_uid=instance.sop_instance_uid,
            transfer_syntax_uid=form.transfer_syntax_uid,
            received_sha256=instance.sha256,
        )

    def _list(self, name: str, sha256: str, size_bytes: int, **more: str) -> None:
        self.files.append({"name": name, "sha256": sha256, "size_bytes": size_bytes, **more})

    def _entry(self, name: str, compression: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
        entry = zipfile.ZipInfo(name, self.at.timetuple()[:6])
        entry.compress_type = compression
        entry.external_attr = 0o600 << 16
        return entry


def export_case(
    parts: Parts, case_id: str, target: Path, *, actor: Actor, watch: Watch = iter
) -> Exported:
    """Write a case into a new file, and note it in the audit and in the custody of each object.

    `watch` hands the instances through as they are written.
    """
    dossier, scope = _dossier(parts, case_id)
    instances = [
        row
        for study in dossier.studies
        for row in parts.index.instances_of(scope, study.study_uid, site=study.site)
    ]
    stream = _new_file(target)
    try:
        with stream:
            with zipfile.ZipFile(stream, "w", allowZip64=True) as archive:
                package = _Package(archive, parts.clock())
                _write(parts, dossier, scope, instances, package, watch)
            stream.flush()
            os.fsync(stream.fileno())
            size_bytes = stream.tell()
        _note(parts, dossier.case, instances, actor)
    except OSError as error:
        _remove(target)
        raise Unavailable(
            f"{target} cannot be written ({error.strerror}). Choose another place with --output."
        ) from error
    except BaseException:
        _remove(target)
        raise
    return Exported(target, dossier.case.id, len(instances), len(dossier.reports), size_bytes)


def _dossier(parts: Parts, case_id: str) -> tuple[CaseDossier, Scope]:
    """Return the case whatever its state, and the scope of one who sees all of it."""
    with parts.database.read() as conn:
        case = case_or_none(conn, case_id.strip().upper())
    if case is None:
        raise NotFound(f"There is no case {case_id}.", code="no-such-case")
    scope = Scope(sites=None, specialties=None, own_site=case.site)
    return parts.casebook.dossier(scope, case.id), scope


def _new_file(target: Path) -> BinaryIO:
    try:
        # patient data: for the one who exports, and for nobody else on the machine
        return os.fdopen(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")
    except FileExistsError as error:
        raise Conflict(
            f"{target} is there already and is left as it is. Choose another name with --output.",
            code="file-exists",
        ) from error
    except OSError as error:
        raise Unavailable(
            f"{target} cannot be written ({error.strerror}). Choose another place with --output."
        ) from error


def _remove(target: Path) -> None:
    with suppress(OSError):
        target.unlink()


def _write(
    parts: Parts,
    dossier: CaseDossier,
    scope: Scope,
    instances: Sequence[InstanceRow],
    package: _Package,
    watch: Watch,
) -> None:
    case = dossier.case
    package.put_json("case.json", _case(dossier))
    package.put_json("referral.json", _referral(case))
    package.put_json("conversation.json", [asdict(message) for message in dossier.messages])
    for report in dossier.reports:
        name = f"reports/{report.version:02}-{report.kind}"
        package.put_json(f"{name}.json", asdict(report))
        package.put(f"{name}.pdf", pdf_of(parts, dossier, report, scope=scope))
    custody = []
    series: dict[tuple[str, str], int] = {}
    contents = parts.archive.open_each(instances, as_received=lambda _: True)
    for number, row in enumerate(watch(instances), start=1):
        folder = series.setdefault((row.site, row.series_uid), len(series) + 1)
        name = f"images/series-{folder:03}/{number:05}.dcm"
        package.pour(name, next(contents), row)
        events = parts.index.custody(scope, row.sop_instance_uid, row.site)
        custody.append(
            {
                "site": row.site,
                "sop_instance_uid": row.sop_instance_uid,
                "sha256": row.sha256,
                "events": [asdict(event) for event in events],
            }
        )
    package.put_json("ledger/custody.json", custody)
    package.put_json("ledger/audit.json", [asdict(e) for e in parts.ledger.of_case(case.id)])
    told = {"format": FORMAT, "case_id": case.id, "exported_at": package.at}
    package.put_json("manifest.json", {**told, "files": list(package.files)})


def _case(dossier: CaseDossier) -> Mapping[str, Any]:
    case = asdict(dossier.case)
    for name in ("patient", "referral", *_UNSIGNED):
        del case[name]
    studies = [asdict(study) for study in dossier.studies]
    return {**case, "studies": studies, "deliveries": [asdict(d) for d in dossier.deliveries]}


def _referral(case: Case) -> Mapping[str, Any]:
    return {
        "case_id": case.id,
        "specialty": case.specialty,
        "priority": case.priority,
        "site": case.site,
        "site_name": case.site_name,
        "patient": asdict(case.patient),
        **asdict(case.referral),
    }


def _note(parts: Parts, case: Case, instances: Sequence[InstanceRow], actor: Actor) -> None:
    parts.ledger.append(
        None,
        actor=actor,
        action="exported",
        subject=case.id,
        case_id=case.id,
        site=case.site,
        detail={"instances": len(instances), "format": FORMAT},
    )
    pks = [row.pk for row in instances]
    by = {"actor": actor.id, "case": case.id}
    parts.index.note_each(pks, CustodyEvent.EXPORTED, parts.clock(), by)


def _file_meta(source: BinaryIO) -> bytes:
    """Read preamble, prefix and group 0002, which tells its length (PS3.10 section 7.1)."""
    head = source.read(_TO_GROUP_LENGTH)
    (length,) = struct.unpack_from("<L", head, _TO_GROUP_LENGTH - 4)
    return head + source.read(length)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
