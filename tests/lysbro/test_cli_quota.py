"""`lysbro site quota`: sets, shows and takes away what a site may keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lysbro.calling import Desk

pytestmark = pytest.mark.slow


def test_a_quota_is_set_shown_met_and_taken_away(desk: Desk, slices: Path) -> None:
    set_to = desk.must("site", "quota", "hammer", "--bytes", "1.5GB", "--instances", "2", "--json")
    assert (set_to.json["most_bytes"], set_to.json["most_instances"]) == (1_500_000_000, 2)
    refused = desk("import", slices, "--site", "hammer")
    assert refused.status == 1
    assert "The quota of site hammer is used up (2 objects)" in refused.out
    told = desk.must("status").out.splitlines()
    assert told[0].startswith("ALARM       the quota of hammer is used up")
    assert any("in 2 objects, 100 % of its 1.5 GB and 2 objects" in line for line in told)
    assert "100 % of 1.5 GB and 2 objects." in desk.must("site", "quota", "hammer").out
    desk.must("site", "quota", "hammer", "--instances", "none", "--bytes", "none")
    assert "it has no quota" in desk.must("site", "quota", "hammer").out
    desk.must("import", slices, "--site", "hammer")
    assert [e.detail["instances"] for e in desk.audit("quota-set")] == [None, 2]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("nobody", "--bytes", "1GB"), 1),
        (("hammer", "--bytes", "much"), 2),
        (("hammer", "--instances", "1GB"), 2),
    ],
)
def test_a_quota_that_cannot_be_is_refused(desk: Desk, words: tuple[str, ...], status: int) -> None:
    assert desk("site", "quota", *words).status == status
