"""Whether who signs must prove anew who they are."""

from datetime import UTC, datetime, timedelta

import pytest

from casework.signing_again import sign_again

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "minutes_ago", "due"),
    [
        ("never", 600, False), ("always", 0, True), ("after 15", 14, False), ("after 15", 15, True),
        ("15", 16, True), (" After  15 ", 16, True),
    ],
)  # fmt: skip
def test_a_proof_is_asked_for_as_the_rule_says(said, minutes_ago, due):
    proved_at = NOW - timedelta(minutes=minutes_ago)
    assert sign_again(said).is_due(proved_at=proved_at, now=NOW) is due


@pytest.mark.parametrize("said", ["", "sometimes", "after 0", "0", "-5", "after x", "99999"])
def test_what_is_no_rule_is_refused(said):
    with pytest.raises(ValueError, match="after 15"):
        sign_again(said)
