"""`lysbro erase`, `lysbro hold` and `lysbro retention`, and the worker that applies the rules."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from casework.model import CaseState
from lysbro.erasing import Finisher, Keeper
from lysbro.wiring import Parts, utc_now
from storage.casebook_tables import cases
from storage.mover import Mover
from tests.lysbro.calling import Desk

pytestmark = pytest.mark.slow

STUDY = "1.2.1"


@pytest.fixture
def packed(desk: Desk, slices: Path) -> Desk:
    """Return a desk with three slices of hammer in a pack, and the casebook backed up."""
    desk.must("import", slices, "--site", "hammer")
    with desk.parts() as parts:
        assert Mover(parts.archive, quiet_s=0).run_once(utc_now()).packed == 3
    desk.must("backup")
    return desk


def settle_cases(parts: Parts) -> None:
    with parts.database.begin() as conn:
        conn.execute(update(cases).values(state=CaseState.WITHDRAWN))


def test_without_yes_it_is_only_shown(packed: Desk) -> None:
    answer = packed.must("erase", "--study", STUDY)
    assert f"hammer {STUDY}: 3 objects" in answer.out
    assert "Nothing was erased: --yes." in answer.out
    told = packed.must("erase", "--study", STUDY, "--json").json
    assert (told["instances"], told["packs"], told["erased"]) == (3, 1, False)
    assert packed.must("verify", "--json").json["checked"] == 3


def test_a_study_is_erased_for_a_reason_and_a_rebuild_does_not_bring_it_back(packed: Desk) -> None:
    assert packed("erase", "--study", STUDY, "--yes").status == 1  # no reason
    told = packed.must("erase", "--study", STUDY, "--yes", "--reason", "asked for", "--json").json
    assert (told["instances"], told["state"], told["erased"]) == (3, "done", True)
    assert list((packed.data / "store" / "v1").rglob("*.zip")) == []
    assert packed("erase", "--study", STUDY, "--yes", "--reason", "again").status == 1
    (listed,) = packed.must("erase", "--list", "--json").json
    assert (listed["id"], listed["reason"]) == (told["id"], "asked for")
    assert [e.action for e in packed.audit("erasure-finished")] == ["erasure-finished"]
    for path in packed.data.glob("lysbro.db*"):
        path.unlink()
    again = packed.must("rebuild", "--json").json
    assert (again["casebook"], again["instances"], again["erased"]) == ("restored", 0, 0)
    (listed,) = packed.must("erase", "--list", "--json").json
    assert listed["id"] == told["id"]


def test_a_hold_stands_in_the_way_until_it_is_removed(packed: Desk) -> None:
    held = packed.must("hold", "add", "--study", STUDY, "--reason", "court", "--json").json["id"]
    assert [h["id"] for h in packed.must("hold", "list", "--json").json] == [held]
    answer = packed("erase", "--study", STUDY, "--yes", "--reason", "asked for")
    assert answer.status == 1
    assert f"lysbro hold remove {held}" in answer.err
    assert "HELD" in packed.must("erase", "--study", STUDY).out
    packed.must("hold", "remove", held, "--reason", "over")
    packed.must("erase", "--study", STUDY, "--yes", "--reason", "asked for")


def test_rules_are_set_shown_tried_and_applied_by_hand(packed: Desk) -> None:
    rule = packed.must("retention", "set", "hammer", "--keep", "10y", "--json").json
    assert rule["keep_days"] == 3660
    assert packed("retention", "set", "hammer", "--keep", "soon").status == 1
    assert packed.must("retention", "run", "--dry-run", "--json").json == []
    packed.must("retention", "set", "hammer", "--keep", "1", "--modality", "ct")
    later = utc_now() + timedelta(days=2)
    with packed.parts() as parts:
        settle_cases(parts)
        object.__setattr__(parts.retention, "_clock", lambda: later)
        (due,) = parts.retention.due(limit=5)
        assert (due.study_uid, due.rule.modality) == (STUDY, "CT")
    rules = packed.must("retention", "list", "--json").json
    assert [r["modality"] for r in rules] == ["", "CT"]
    packed.must("retention", "remove", rules[1]["id"])
    assert packed.must("retention", "run", "--json").json == []


def test_the_worker_applies_the_rules_in_bounded_steps(packed: Desk) -> None:
    packed.must("retention", "set", "hammer", "--keep", "1")
    later = utc_now() + timedelta(days=2)
    with packed.parts() as parts:
        settle_cases(parts)
        for part in (parts.retention, parts.erasures):
            object.__setattr__(part, "_clock", lambda: later)
        object.__setattr__(parts, "clock", lambda: later)
        limited = parts.settings.model_copy(update={"retention_daily_studies": 0})
        settings = parts.settings
        object.__setattr__(parts, "settings", limited)
        Keeper(parts).run_once()
        assert parts.erasures.listed() == []
        object.__setattr__(parts, "settings", settings)
        keeper = Keeper(parts)
        assert keeper.run_once() is False
        (erasure,) = parts.erasures.listed()
        assert (erasure.stone.kind, erasure.stone.actor_id) == ("retention", "system:worker")
        assert "1 days after the last object came" in erasure.stone.reason
        keeper.run_once()  # once a day
        worker = Finisher(parts)
        assert worker.run_once()
        assert not worker.run_once()  # its traces are cleaned up with those of others
        object.__setattr__(parts, "clock", lambda: later + timedelta(minutes=11))
        assert worker.run_once()
        (erasure,) = parts.erasures.listed()
        assert erasure.state == "done"
    assert list((packed.data / "store" / "v1").rglob("*.zip")) == []


def test_a_patient_of_whom_nothing_is_here_is_said_not_to_be(packed: Desk) -> None:
    answer = packed("erase", "--patient", "none", "--yes", "--reason", "asked for")
    assert (answer.status, "no such study or patient" in answer.err) == (1, True)
    assert packed("erase").status == 1
    assert packed.must("erase", "--without-node", "gone", "--json").json == {"erasures": 0}
