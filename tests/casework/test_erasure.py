"""What a tombstone knows again, and what it does not tell."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from casework.erasure import (
    Target,
    Tombstone,
    as_plain,
    digest_of,
    from_plain,
    mark,
    require_reason,
)
from casework.errors import Invalid

AT = datetime(2025, 3, 1, 12, tzinfo=UTC)
STONE = Tombstone(
    id="e1",
    kind="study",
    at=AT,
    until=AT,
    actor_id="user:1",
    actor_name="Admin",
    reason="journal 17/25",
    studies=1,
    instances=2,
    size_bytes=3,
    packs=1,
    digest=digest_of([("hammer", "1.2", "ab")]),
    case_ids=("AAAA-BBBB",),
    sites=("hammer",),
    study_marks=frozenset({mark("e1", "study", "hammer", "1.2.3")}),
    object_marks=frozenset({mark("e1", "object", "hammer", "1.2.9", "ff")}),
    patient_marks=frozenset({mark("e1", "patient", "hammer", "site:hammer", "0101")}),
)


@pytest.mark.parametrize(
    ("site", "study", "uid", "sha256", "late_s", "is_covered"),
    [
        ("hammer", "1.2.3", "1", "aa", 0, True),
        ("hammer", "1.2.3", "1", "aa", 1, False),  # came later: new
        ("vik", "1.2.3", "1", "aa", 0, False),
        ("hammer", "1.2.4", "1", "aa", 0, False),
        ("hammer", "1.2.4", "1.2.9", "ff", 0, True),
        ("hammer", "1.2.4", "1.2.9", "fe", 0, False),
    ],
)
def test_an_object_is_known_again_by_its_marks_when_it_came_in_time(
    site: str, study: str, uid: str, sha256: str, late_s: int, is_covered: bool
) -> None:
    told = STONE.covers(
        site=site,
        study_uid=study,
        sop_instance_uid=uid,
        sha256=sha256,
        received_at=AT + timedelta(seconds=late_s),
    )
    assert told == is_covered


def test_a_tombstone_comes_back_from_json_and_names_nobody() -> None:
    text = json.dumps(as_plain(STONE))
    assert from_plain(json.loads(text)) == STONE
    for name in ("1.2.3", "1.2.9", "0101"):
        assert name not in text
    assert STONE.has_patient("hammer", "site:hammer", "0101")


def test_a_target_is_one_study_or_one_patient() -> None:
    assert (Target(study_uid="1").kind, Target(patient_id="1").kind) == ("study", "patient")
    for wrong in ({}, {"study_uid": "1", "patient_id": "2"}, {"study_uid": "1", "issuer": "2"}):
        with pytest.raises(Invalid):
            Target(**wrong)


def test_a_reason_is_needed_and_bounded() -> None:
    assert require_reason("  a \n reason ") == "a reason"
    for text in ("", "  ", "x" * 501):
        with pytest.raises(Invalid):
            require_reason(text)
