"""What `lysbro status` tells of another process on the same data folder."""

from __future__ import annotations

import json

from lysbro.wiring import utc_now
from storage.notices import Notices
from tests.lysbro.calling import Desk

REASON = "syncing a.seg failed (Input/output error)"


def test_status_says_that_a_process_takes_nothing_in_and_why(desk: Desk) -> None:
    assert "ALARM" not in desk("status").out
    bridge = Notices(desk.data / "spool" / "notices")
    bridge.put_up("read-only", REASON, at=utc_now())
    bridge.put_up("fallback", "the store does not answer", at=utc_now())
    told = json.loads(desk.must("status", "--json").out)
    assert told["spool"]["read_only"] == REASON
    assert told["spool"]["fallback"] == "the store does not answer"
    words = desk("status").out
    assert f"ALARM       nothing is taken in: {REASON}" in words
    assert "ALARM       success is answered after the spool: the store does not answer" in words
    bridge.close()
    assert "ALARM" not in desk("status").out


def test_what_a_dead_process_had_to_tell_is_forgotten(desk: Desk) -> None:
    desk("status")
    folder = desk.data / "spool" / "notices"
    folder.mkdir(exist_ok=True)
    (folder / "read-only-1-00.notice").write_text("{}")
    assert "ALARM" not in desk("status").out
    assert list(folder.iterdir()) == []
