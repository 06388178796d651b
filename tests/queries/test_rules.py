"""Every case of the table, over a real association and over HTTP, on each database."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from pynetdicom.association import Association

from pacs_bridge.syntaxes import EXPLICIT_LE, IMPLICIT_LE, PATIENT_ROOT_FIND, STUDY_ROOT_FIND
from tests.queries.cases import CASES, EMPTY, FUZZY, Case
from tests.queries.stored import Exchange, identifier, label

BYTES = ("relational", "combined", "fuzzy", "zone", "frames", "empty")
NAMES = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}
TAGS = {"STUDY": "0020000D", "SERIES": "0020000E", "IMAGE": "00080018"}
RESOURCES = {"STUDY": "studies", "SERIES": "series", "IMAGE": "instances"}


def test_there_are_enough_cases_and_no_two_are_the_same() -> None:
    asked = Counter((repr(c.keys), c.level, c.options, c.site) for c in CASES)
    assert len(CASES) >= 150
    assert [case for case, count in asked.items() if count > 1] == []


@pytest.mark.slow
def test_c_find_answers_every_case(exchange: Exchange) -> None:
    groups: dict[tuple[str, tuple[str, ...]], list[Case]] = defaultdict(list)
    for case in CASES:
        groups[case.site, case.options].append(case)
    wrong = []
    for number, ((site, options), cases) in enumerate(groups.items()):
        asked = bytes(name in options for name in BYTES) if options else b""
        syntax = (IMPLICIT_LE, EXPLICIT_LE)[number % 2]
        with exchange.associated(site, options=asked, syntax=syntax) as association:
            wrong += [f for case in cases if (f := _wrong(case, _found(association, case)))]
    assert wrong == []


@pytest.mark.slow
def test_qido_answers_every_case_that_it_can_be_asked(exchange: Exchange) -> None:
    wrong = []
    for case in filter(lambda c: c.is_for_web, CASES):
        answer = exchange.clients[case.site].get(_address(case))
        assert answer.status_code == 200, (case, answer.text)
        found = [label(m[TAGS[case.level]]["Value"][0]) for m in answer.get_json()]
        wrong += [f for f in [_wrong(case, found)] if f]
    assert wrong == []


def _wrong(case: Case, found: list[str]) -> Any:
    return None if sorted(found) == sorted(case.finds.split()) else (case, found)


def _found(association: Association, case: Case) -> list[str]:
    model = PATIENT_ROOT_FIND if case.level == "PATIENT" else STUDY_ROOT_FIND
    keys = {"PatientID": "", **case.keys} if case.level == "PATIENT" else case.keys
    found = []
    for status, answer in association.send_c_find(identifier(case.level, keys), model):
        assert status.Status in (0xFF00, 0x0000), (case, status)
        if answer is not None:
            assert case.level == answer.QueryRetrieveLevel
            uid = answer.PatientID if case.level == "PATIENT" else answer[NAMES[case.level]].value
            found.append(uid if case.level == "PATIENT" else label(uid))
    return found


def _address(case: Case) -> str:
    keys = dict(case.keys)
    place = ""
    if case.level != "STUDY" and "\\" not in keys.get("StudyInstanceUID", "\\"):
        place = f"/studies/{keys.pop('StudyInstanceUID')}"
        if case.level == "IMAGE" and "SeriesInstanceUID" in keys:
            place += f"/series/{keys.pop('SeriesInstanceUID')}"
    asked = list(_flat(keys))
    asked += [("fuzzymatching", "true")] if FUZZY in case.options else []
    asked += [("emptyvaluematching", "true")] if EMPTY in case.options else []
    return f"/dicom-web{place}/{RESOURCES[case.level]}?{urlencode(asked)}"


def _flat(keys: Any, before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in keys.items():
        if isinstance(value, str):
            yield before + name, value
        else:
            yield from _flat(value, f"{before}{name}.")
