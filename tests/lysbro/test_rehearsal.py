"""The rehearsal: a whole exchange is received, packed and backed up, its database is lost, and the
store alone brings it back.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from casework.access import Scope, scope_of
from casework.custody import CustodyEvent, Door, Origin
from casework.model import Actor, Patient, Priority, Referral, Role, Specialty
from casework.photo_facts import PhotoFacts
from lysbro.photographs import PhotoIntake
from lysbro.wiring import Parts, utc_now
from storage import care
from storage.backup_tables import DERIVED, IN_PART, LEFT_OUT, WHOLE
from storage.mover import Mover
from storage.tables import instances, metadata
from tests.derm_capture.pictures import jpeg, skin
from tests.lysbro.calling import Desk
from tests.pacs_bridge.making import ct, part10
from tests.rehearsal.contents import content, rows_of

pytestmark = pytest.mark.slow

EVERYTHING = Scope(sites=None, specialties=None, own_site="nordlys")
KARI = Patient("010150", "", "NESS^KARI", date(1950, 1, 1), "F")


def origin(site: str, door: Door = Door.DICOM) -> Origin:
    return Origin(site, door, calling_ae="MODALITY", called_ae="LYSBRO", peer="10.0.0.7:104")


def pack_all(parts: Parts) -> None:
    parts.archive.settle()
    mover = Mover(parts.archive, quiet_s=0)
    while mover.run_once(utc_now()).packed:
        pass


def receive(parts: Parts, site: str, study: int, series_no: int, numbers: range) -> None:
    for i in numbers:
        ds = ct(
            f"1.2.{study}.{series_no}.{i}",
            study=f"1.2.{study}",
            series=f"1.2.{study}.{series_no}",
            InstanceNumber=i,
            SeriesNumber=series_no,
            PatientID=f"{site}-{study}",
            SeriesDescription=f"Series {series_no}" if i > 1 else "",
        )
        parts.archive.receive_part10(part10(ds), origin(site))


def fill(parts: Parts) -> None:
    """Have studies of two sites, a conflict left open and one settled, and a signed case."""
    parts.people.add_user(
        "gp@fjord.example", site="fjord", role=Role.REFERRER, name="Dr Per", password_hash="$h"
    )
    parts.people.add_user(
        "elle@nordlys.example",
        site="nordlys",
        role=Role.DERMATOLOGIST,
        name="Dr Elle",
        password_hash="$h",
    )
    for study in (1, 2):
        for series_no in (1, 2, 3):
            receive(parts, "hammer", study, series_no, range(1, 31))
    receive(parts, "fjord", 1, 1, range(1, 31))  # the same UIDs, of another site
    pack_all(parts)
    receive(parts, "hammer", 1, 1, range(31, 41))  # late ones
    for uid in ("1.2.1.1.5", "1.2.1.1.6"):
        other = ct(uid, study="1.2.1", series="1.2.1.1", PixelData=b"\1" * 8)
        parts.archive.receive_part10(part10(other), origin("hammer"))
    parts.archive.settle()
    pack_all(parts)
    conflict = parts.index.conflicts()[0]
    parts.index.settle_conflict(
        conflict.pk, keep="second", actor=who(parts, "elle@"), now=utc_now()
    )
    write_a_case(parts)
    pack_all(parts)
    row = parts.index.instance(EVERYTHING, "1.2.1.1.1", "hammer")
    detail = {"actor": "user:1", "name": "Dr Elle"}
    parts.index.note_first([row.pk], CustodyEvent.OPENED, utc_now(), detail, key="reader")
    parts.index.note(row.pk, CustodyEvent.EXPORTED, utc_now(), {"to": "file"})
    parts.index.presume_complete(utc_now() + timedelta(hours=1), 0)


def who(parts: Parts, beginning: str) -> Actor:
    site = "fjord" if beginning == "gp@" else "nordlys"
    row = parts.people.user_by_email(f"{beginning}{site}.example")
    assert row is not None
    return row.actor


def write_a_case(parts: Parts) -> None:
    gp, elle = who(parts, "gp@"), who(parts, "elle@")
    case = parts.casebook.create_referral(
        gp,
        specialty=Specialty.DERMATOLOGY,
        priority=Priority.ROUTINE,
        patient=KARI,
        referral=Referral("Is this a melanoma?", {"category": "mole"}, {"care": True}),
    )
    PhotoIntake(parts).take(
        gp,
        case,
        jpeg(skin(800, 600)),
        PhotoFacts(kind="closeup", site_code="244111001", lesion="A", capture_id="photo-1"),
    )
    parts.casebook.submit(gp, case.id)
    parts.casebook.claim(elle, case.id)
    parts.casebook.save_findings(elle, case.id, {"impression": "Benign.", "findings": "A mole."})
    parts.casebook.sign(elle, case.id, displayed={"zoom": 2})
    assert [s.case.id for s in parts.casebook.list_cases(scope_of(elle))[0]] == [case.id]


def lose_the_database(desk: Desk) -> None:
    for path in desk.data.iterdir():
        if path.name != "store":
            if path.is_dir():
                remove(path)
            else:
                path.unlink()


def remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def test_every_table_is_in_the_backup_or_derived_or_left_out_on_purpose() -> None:
    lists = [table.name for table in (*WHOLE, *IN_PART, *DERIVED, *LEFT_OUT)]
    assert sorted(lists) == sorted(metadata.tables)


def test_a_lost_database_comes_back_from_the_store_alone(desk: Desk) -> None:
    with desk.parts(intake=True) as parts:
        fill(parts)
    backed_up = desk.must("backup", "--json").json
    with desk.parts() as parts:
        before = content(parts.database)
        written = len(before["audit"])
    lose_the_database(desk)
    told = desk.must("rebuild", "--json").json
    assert (told["casebook"], told["backup"]) == ("restored", backed_up["key"])
    assert (told["broken"], told["lost"], told["conflicts"]) == ([], [], 1)
    assert told["registered"] == told["instances"] == len(before["instances"])
    with desk.parts() as parts:
        after = dict(content(parts.database))
        # the backup itself is noted after it was made, the rebuild after it was done
        assert [e["action"] for e in after["audit"][written - 1 :]] == ["rebuilt"]
        assert before["audit"][: written - 1] == after["audit"][: written - 1]
        for name in before.keys() - {"audit", "audit_head"}:
            assert before[name] == after[name], name
        assert parts.ledger.verify() is None
        rows = rows_of(parts.database, instances)
        for row in parts.index.instances_of(EVERYTHING, "1.2.1", site="hammer"):
            assert parts.archive.read_part10(row)
            assert parts.archive.read_frame(row, 1).data
        report = care.verify(parts.archive)
        assert (report.checked, report.is_clean, report.orphaned) == (len(rows), True, ())
        assert len(parts.index.conflicts()) == 1
    verified = desk.must("verify", "--json").json
    assert verified["missing"] == verified["corrupt"] == verified["orphaned"] == []
