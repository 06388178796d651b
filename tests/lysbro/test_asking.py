"""The worker asks the sender of a quiet study, and the study is complete by its answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from casework.access import Scope
from casework.custody import Door, Origin
from casework.model import AePermission, Site, SiteKind
from lysbro.asking import Asker
from lysbro.settings import Settings
from lysbro.wiring import Parts, open_parts, utc_now
from tests.pacs_bridge.making import ct, part10
from tests.pacs_bridge.test_asking import peer

pytestmark = pytest.mark.slow

ORIGIN = Origin(site="hammer", door=Door.DICOM, calling_ae="PEER", association="a1")
ALL = Scope(sites=None, specialties=None, own_site="")


@pytest.fixture
def parts(tmp_path: Path):
    with open_parts(Settings(data=tmp_path), intake=True) as opened:
        opened.people.add_site(Site("hammer", "Hammer", SiteKind.HOSPITAL))
        for number in (1, 2):
            opened.archive.receive_part10(part10(ct(f"1.2.2.{number}")), ORIGIN)
        opened.archive.settle()
        yield opened


def study(parts: Parts) -> tuple[str, str, int | None, int]:
    (row,) = parts.index.studies(ALL)
    kind, missing = row.completeness_evidence, row.missing_instances
    return row.completeness, kind, row.expected_instances, missing


def ask(parts: Parts, port: int) -> None:
    """Let the worker find the study quiet, and put its questions until none is due."""
    parts.people.add_ae(
        "PEER", "hammer", "127.0.0.1", port, frozenset({AePermission.STORE, AePermission.ASK})
    )
    parts.index.presume_complete(utc_now() + timedelta(seconds=90), 60)
    for later_s in (91, 120, 200, 400, 600):
        later = replace(parts, clock=lambda later_s=later_s: utc_now() + timedelta(seconds=later_s))
        while Asker(later).run_once():
            pass


def answer(count: int) -> dict[str, list[dict[str, object]]]:
    return {"STUDY": [{"StudyInstanceUID": "1.2.1", "NumberOfStudyRelatedInstances": count}]}


@pytest.mark.parametrize(
    ("count", "expected"),
    [(2, ("complete", "sender", 2, 0)), (5, ("arriving", "sender", 5, 3))],
)
def test_the_senders_answer_is_the_evidence(parts: Parts, count, expected) -> None:
    with peer(answer(count)) as port:
        ask(parts, port)
    assert study(parts) == expected


@pytest.mark.parametrize("status", [0x0000, 0xA700])
def test_without_an_answer_the_study_is_presumed_complete(parts: Parts, status) -> None:
    nothing: dict[str, list[Dataset]] = {"STUDY": []}
    with peer(nothing, status=status) as port:
        ask(parts, port)
    assert study(parts) == ("presumed", "", None, 0)
