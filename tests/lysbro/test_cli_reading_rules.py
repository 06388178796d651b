"""`lysbro second-reading`: which cases are read by two is kept and shown."""

from __future__ import annotations

from tests.lysbro.calling import Desk


def test_rules_are_kept_shown_and_taken_away(desk: Desk) -> None:
    assert "No case is read by two." in desk.must("second-reading").out
    desk.must("second-reading", "radiology", "--need", "urgent", "--open")
    desk.must("second-reading", "radiology", "--site", "hammer", "--need", "never")
    assert desk.must("second-reading", "radiology", "--json").json == [
        {"specialty": "radiology", "site": "all", "need": "urgent", "how": "open"},
        {"specialty": "radiology", "site": "hammer", "need": "never", "how": "blinded"},
    ]
    desk.must("second-reading", "radiology", "--need", "never")
    assert len(desk.must("second-reading", "--json").json) == 1
    assert desk("second-reading", "--need", "always").status == 2
    assert desk("second-reading", "radiology", "--site", "x", "--need", "always").status == 1
