"""Fills an index as a region of hospitals and GP offices would in ten years, the same for a seed.

    python -m benchmarks.region URL --studies 30000

For each study two and a half series and ten instances, on average exactly; 400 patients for 1,000
studies, with names of Norway; cases for all, a few hundred of them open. Some keys are found as
often at every size, others grow with it. Rows go in by SQLite's prepared statements and by COPY of
PostgreSQL, instances by a statement of the database; indexes are made afterwards.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.loading import Loader
from benchmarks.region_words import ENDOSCOPY, KINDS, PHOTOGRAPH, Kind, a_name
from storage import casebook_tables as book
from storage import tables
from storage.database import Database, open_database
from storage.folding import fold_name

RARE_NAME = "SJØVÅG^ÅSE MARGRETHE"
RARE_PATIENTS = 20
"""So many patients have the rare name, at every size."""
RARE_STUDIES = 15
"""So many studies are of the rare modality, at every size."""
OPEN_CASES = 300
HOSPITALS = {"ullfjord": 40, "hammer": 22, "vardo": 12, "lofthus": 8}
OFFICES = {"gp-aker": 3, "gp-bjerke": 3, "gp-dal": 2, "gp-elvebakken": 2, "gp-fossum": 2}
CENTRE = "centre"
FIRST_DAY, DAYS = datetime(2016, 1, 1, tzinfo=UTC), 3650

_SERIES_OF = (1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 4, 4, 4, 5, 2)  # 50 of 20 studies
_INSTANCES_OF = (1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 4, 4, 6, 8, 12, 22)  # 80 of 20 series
_ARC = "1.2.826.0.1.3680043.8.498."
_BATCH = 10_000
_OPEN = ("submitted", "submitted", "claimed", "reported", "waiting")
_DONE = ("signed", "delivered", "read", "read", "closed", "closed", "closed", "declined")
_PRIORITIES = ("routine", "routine", "routine", "urgent", "asap", "stat")
_MADE = (tables.patients, tables.studies, tables.series, tables.instances, book.cases)

Values = dict[str, Any]


@dataclass(frozen=True)
class Patient:
    """A made-up patient of one site."""

    pk: int
    site: str
    number: str
    name: str
    birth_date: str
    sex: str


@dataclass(frozen=True)
class Study:
    """A study with what hangs on it, each as the values of its row."""

    patient: Patient
    values: Values
    case: Values
    series: list[Values]


def fill(
    database: Database, count: int, *, seed: int = 1, tell: Callable[[str], None] = lambda _: None
) -> None:
    """Fill a migrated, empty database with so many studies, a multiple of 1,000."""
    if count % 1000:
        raise SystemExit("A region has a multiple of 1,000 studies.")
    people = patients_of(count, seed=seed)
    with Loader(database, _MADE) as loader:
        loader.rows(book.sites, _sites())
        loader.rows(tables.patients, [_patient_values(each) for each in people])
        batch: list[Study] = []
        for number, study in enumerate(studies_of(people, count, seed=seed), start=1):
            batch.append(study)
            if number % _BATCH == 0 or number == count:
                _load(loader, batch)
                batch = []
                tell(f"{number:,} of {count:,} studies")
        tell("instances")
        loader.run(_INSTANCES[database.is_embedded])
        loader.index(tell)


def patients_of(count: int, *, seed: int = 1) -> list[Patient]:
    """Return the patients of a region with so many studies."""
    chance = random.Random(seed)
    sites = {**HOSPITALS, **OFFICES}
    total = count * 2 // 5
    made = []
    for pk in range(1, total + 1):
        (site,) = chance.choices(tuple(sites), tuple(sites.values()))
        sex = "F" if chance.random() < 0.53 else "M"
        name = a_name(chance, sex)
        if is_rare(pk, count):
            name, sex = RARE_NAME, "F"
        born = datetime(1926, 1, 1, tzinfo=UTC) + timedelta(days=chance.randrange(36_000))
        made.append(Patient(pk, site, f"{pk * 7919 % 10**9:09}", name, f"{born:%Y%m%d}", sex))
    return made


def is_rare(pk: int, count: int) -> bool:
    """Tell whether a patient has the rare name."""
    return pk % (count * 2 // 5 // RARE_PATIENTS) == 3


def studies_of(people: list[Patient], count: int, *, seed: int = 1) -> Iterator[Study]:
    """Give the studies of a region as they arrive, most of them in the order of their days."""
    chance = random.Random(seed + 1)
    series_counts, instance_counts = list(_SERIES_OF), list(_INSTANCES_OF)
    chance.shuffle(series_counts)
    chance.shuffle(instance_counts)
    referrers = [a_name(chance, "F") for _ in range(400)]
    folded = {name: fold_name(name)[0] for name in referrers}
    first_of_each = iter(people)
    series_pk = 0
    for number in range(count):
        patient = next(first_of_each) if number % 5 in (0, 2) else _someone(chance, people, count)
        day = DAYS * number // count if chance.random() < 0.95 else chance.randrange(DAYS)
        at = FIRST_DAY + timedelta(days=day, seconds=25_200 + chance.randrange(36_000))
        kind = _kind(chance, patient, number, count)
        values = _study_values(chance, patient, kind, pk=number + 1, at=at)
        referrer = chance.choice(referrers)
        values["referrer_fold"] = folded[referrer]
        values["attributes"] = json.dumps(
            values["attributes"] | {"ReferringPhysicianName": referrer}
        )
        of_series = []
        for place in range(series_counts[number % 20]):
            size = instance_counts[series_pk % 20]
            series_pk += 1
            of_series.append(_series_values(values, kind, series_pk, place=place, size=size))
        values["series_count"] = len(of_series)
        values["instance_count"] = sum(each["instance_count"] for each in of_series)
        values["modalities"] = "\\".join(sorted({each["modality"] for each in of_series}))
        case = _case_values(chance, patient, values, at=at, is_open=number >= count - OPEN_CASES)
        yield Study(patient, values, case, of_series)


def _someone(chance: random.Random, people: list[Patient], count: int) -> Patient:
    while is_rare((patient := chance.choice(people)).pk, count):
        pass
    return patient


def _kind(chance: random.Random, patient: Patient, number: int, count: int) -> Kind:
    if patient.site in OFFICES:
        return PHOTOGRAPH
    turn, place = divmod(number, count // RARE_STUDIES)
    if place == 7 and turn < RARE_STUDIES:
        return ENDOSCOPY
    return chance.choices(KINDS, _WEIGHTS)[0]


def _sites() -> list[Values]:
    kinds = dict.fromkeys(HOSPITALS, "hospital") | dict.fromkeys(OFFICES, "gp")
    kinds[CENTRE] = "centre"
    return [
        {"slug": slug, "name": slug.title(), "kind": kind, "issuer": ""}
        for slug, kind in kinds.items()
    ]


def _patient_values(patient: Patient) -> Values:
    alphabetic, ideographic, phonetic = fold_name(patient.name)
    return {
        "pk": patient.pk,
        "site": patient.site,
        "issuer": f"site:{patient.site}",
        "patient_id": patient.number,
        "name": patient.name,
        "name_fold": alphabetic,
        "ideographic_fold": ideographic,
        "phonetic_fold": phonetic,
        "birth_date": patient.birth_date,
        "sex": patient.sex,
    }


def _study_values(
    chance: random.Random, patient: Patient, kind: Kind, *, pk: int, at: datetime
) -> Values:
    uid, accession = f"{_ARC}1.{pk}", f"A{pk * 7919 % 10**8:08}"
    description = chance.choice(kind.descriptions)
    attributes = {
        "StudyInstanceUID": uid,
        "StudyDate": f"{at:%Y%m%d}",
        "StudyTime": f"{at:%H%M%S}",
        "AccessionNumber": accession,
        "StudyID": str(pk % 10**6),
        "StudyDescription": description,
        "InstitutionName": patient.site.title(),
    }
    return {
        "pk": pk,
        "site": patient.site,
        "study_uid": uid,
        "patient_pk": patient.pk,
        "case_id": f"R{pk * 7919 % 10**9:09}",
        "study_date": attributes["StudyDate"],
        "study_time": f"{at:%H%M%S}.000000",
        "accession_number": accession,
        "study_id": attributes["StudyID"],
        "description": description,
        "completeness": "presumed",
        "judged": "quiet",
        "first_received_at": _text(at),
        "last_received_at": _text(at + timedelta(minutes=3)),
        "attributes": attributes,
    }


def _series_values(study: Values, kind: Kind, pk: int, *, place: int, size: int) -> Values:
    is_report = place == 2
    attributes = {
        "SeriesInstanceUID": f"{_ARC}2.{pk}",
        "Modality": "SR" if is_report else kind.modality,
        "SeriesNumber": place + 1,
        "SeriesDescription": f"{study['description']} {place + 1}",
        "StationName": f"{kind.modality}-1",
    }
    return {
        "pk": pk,
        "site": study["site"],
        "series_uid": attributes["SeriesInstanceUID"],
        "study_pk": study["pk"],
        "modality": attributes["Modality"],
        "number": place + 1,
        "description": attributes["SeriesDescription"],
        "body_part": "",
        "laterality": "",
        "instance_count": size,
        "first_received_at": study["first_received_at"],
        "last_received_at": study["last_received_at"],
        "attributes": json.dumps(attributes),
    }


def _case_values(
    chance: random.Random, patient: Patient, study: Values, *, at: datetime, is_open: bool
) -> Values:
    state = chance.choice(_OPEN if is_open else _DONE)
    held = state not in ("submitted", "declined")
    answered = state in ("signed", "delivered", "read", "closed")
    specialty = "dermatology" if patient.site in OFFICES else "radiology"
    return {
        "id": study["case_id"],
        "state": state,
        "specialty": specialty,
        "priority": chance.choice(_PRIORITIES),
        "site": patient.site,
        "patient_id": patient.number,
        "patient_issuer": f"site:{patient.site}",
        "patient_name": patient.name,
        "patient_name_fold": fold_name(patient.name)[0],
        "patient_birth_date": f"{patient.birth_date[:4]}-{patient.birth_date[4:6]}-"
        f"{patient.birth_date[6:]}",
        "patient_sex": patient.sex,
        "clinical": "{}",
        "consent": "{}",
        "created_by": f"site:{patient.site}",
        "created_at": _text(at),
        "submitted_at": _text(at),
        "due_at": _text(at + timedelta(days=1)),
        "holder_id": f"user:{chance.randrange(1, 40)}" if held else "",
        "holder_name": "Reader" if held else "",
        "claimed_at": _text(at + timedelta(hours=1)) if held else None,
        "signed_at": _text(at + timedelta(hours=2)) if answered else None,
        "report_version": 1 if answered else 0,
    }


def _load(loader: Loader, batch: list[Study]) -> None:
    loader.rows(book.cases, [study.case for study in batch])
    loader.rows(tables.studies, [study.values for study in batch])
    names = ("site", "study_uid", "case_id")
    loader.rows(book.case_studies, [{k: s.values[k] for k in names} for s in batch])
    loader.rows(tables.series, [each for study in batch for each in study.series])


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.000000Z"


_WEIGHTS = [kind.weight for kind in KINDS]
_ATTRIBUTES = (
    """'{"InstanceNumber": ' || n.i || ', "Rows": 512, "Columns": 512, "BitsAllocated": 16}'"""
)
_INTO = """
INSERT INTO instances (
  site, sop_instance_uid, sha256, study_uid, series_uid, series_pk, state, sop_class_uid,
  transfer_syntax_uid, size_bytes, number, "rows", "columns", attributes, location, container,
  "offset", length, dataset_offset, received_at)
SELECT series.site, series.series_uid || '.' || n.i, {hash}, studies.study_uid, series.series_uid,
  series.pk, 'current', '1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.1.2.1', 526000, n.i, 512, 512,
  {attributes}, 'pack',
  'packs/' || (series.pk / 4), n.i * 526000, 526000, 400, series.last_received_at
FROM series JOIN studies ON studies.pk = series.study_pk
JOIN {numbers} ON n.i <= series.instance_count ORDER BY series.pk, n.i
"""
_INSTANCES = {
    True: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 22) "
    + _INTO.format(
        hash="printf('%064d', series.pk * 100 + n.i)", attributes=_ATTRIBUTES, numbers="n"
    ),
    False: _INTO.format(
        hash="lpad((series.pk * 100 + n.i)::text, 64, '0')",
        attributes=f"({_ATTRIBUTES})::json",
        numbers="generate_series(1, 22) AS n(i)",
    ),
}


def main(words: list[str]) -> None:
    """Fill the database of an address."""
    parser = argparse.ArgumentParser(prog="benchmarks.region", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(words)
    started = time.monotonic()

    def tell(said: str) -> None:
        print(
            f"\r{time.monotonic() - started:6.1f} s  {said:40}", end="", file=sys.stderr, flush=True
        )

    database = open_database(given.url)
    database.migrate()
    fill(database, given.studies, seed=given.seed, tell=tell)
    database.close()
    tell("done\n")


if __name__ == "__main__":
    main(sys.argv[1:])
