"""`lysbro prior-rule` and `prior-replay`: rules are kept, tried out on a case, and taken away."""

from __future__ import annotations

import pytest

from casework.access import Scope
from casework.custody import Door, Origin
from tests.lysbro.calling import Desk
from tests.lysbro.pacs import serving
from tests.lysbro.test_prefetching import study
from tests.pacs_bridge.making import part10

pytestmark = pytest.mark.slow

ALL = Scope(sites=None, specialties=None, own_site="nordlys")


def case_of(desk: Desk) -> str:
    """Let the hospital send a study; return its case."""
    with desk.parts(intake=True) as parts:
        (ds,) = study("1.2.50", 1, StudyDate="20260302")
        origin = Origin(site="hammer", door=Door.DICOM, calling_ae="HAMMER_CT")
        parts.archive.receive_part10(part10(ds), origin)
        parts.archive.settle()
        (row,) = parts.index.studies(ALL, study_uid="1.2.50")
    return row.case_id or ""


def test_a_rule_is_added_tried_out_listed_and_removed(desk: Desk) -> None:
    many = [
        *study("1.2.7"),
        *study("1.2.8", StudyDate="19990101"),
        *study("1.2.9", PatientID="hammer-2"),
    ]
    with serving(many, ignores_number=True) as pacs:
        address = ("--host", "127.0.0.1", "--port", pacs.port, "--allow", "fetch")
        desk.must("ae", "add", "PACS", "--site", "hammer", *address)
        words = ("--ask", "PACS", "--fetch", "ct,mr", "--megabytes", "500", "--large-images", "1")
        hours = ("--from-hour", "22", "--to-hour", "5")
        added = desk.must("prior-rule", "add", *words, *hours, "--json").json
        assert (added["modalities"], added["bytes"], added["hours"]) == ("CT,MR", "500 MB", "22-5")
        case = case_of(desk)
        told = desk.must("prior-rule", "test", case, "--json").json
    assert [(each["date"], each["fetched"], each["why"]) for each in told] == [
        ("2025-01-10", "later", ""),
        ("2025-01-10", "no", "it is of another patient"),
        ("1999-01-01", "no", "it is older than the rule looks back"),
    ]
    assert pacs.given == []
    status = desk.must("status").out
    assert "priors      1 questions to nodes wait, 0 studies are to be fetched" in status
    assert "PACS" in desk.must("prior-rule", "list").out
    desk.must("prior-rule", "remove", added["id"])
    assert desk.must("prior-rule", "list", "--json").json == []
    assert [len(desk.audit(f"prior-rule-{done}")) for done in ("added", "removed")] == [1, 1]


@pytest.mark.parametrize(
    "words",
    [
        ("prior-rule", "add", "--ask", "NOBODY"),
        ("prior-rule", "remove", "7"),
        ("prior-rule", "test", "AAAA-AAAA"),
        ("prior-replay", "fetch", "7"),
    ],
)
def test_what_cannot_be_is_said_so(desk: Desk, words: tuple[str, ...]) -> None:
    assert desk(*words).status == 1


def test_a_node_that_is_fetched_from_needs_an_address(desk: Desk) -> None:
    refused = desk("ae", "add", "PACS", "--site", "hammer", "--allow", "fetch")
    assert (refused.status, "need --host and --port" in refused.err) == (2, True)
