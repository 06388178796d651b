"""What `lysbro status` tells of another process on the same data folder."""

from __future__ import annotations

import json

import pytest

from lysbro.settings import Settings
from lysbro.status import in_words
from lysbro.wiring import open_parts, utc_now
from storage.notices import Notices
from storage.uploads import Announced
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


def test_status_says_why_nothing_is_packed_and_how_long_it_will_take(desk: Desk) -> None:
    told = json.loads(desk.must("status", "--json").out)
    assert (told["spool"]["waiting_bytes"], told["spool"]["drain_s"]) == (0, 0)
    assert told["store"]["tested"] is None  # a folder is no server
    worker = Notices(desk.data / "spool" / "notices")
    worker.put_up("packing", "The bucket packs does not answer.", at=utc_now())
    assert "ALARM       nothing is packed: The bucket packs does not answer." in desk("status").out
    worker.close()
    assert "ALARM" not in desk("status").out


@pytest.mark.parametrize(
    ("left_s", "failure", "words"),
    [
        (None, "", "to pack     3.0 MB, no pack has been timed yet"),
        (40.0, "", "to pack     3.0 MB, about 40 s"),
        (40.0, "away", "to pack     3.0 MB, once the store answers, about 40 s"),
        (600.0, "", "to pack     3.0 MB, about 10 min"),
        (9000.0, "", "to pack     3.0 MB, about 2.5 h"),
    ],
)
def test_status_words_what_is_left_to_pack(
    desk: Desk, left_s: float | None, failure: str, words: str
) -> None:
    told = json.loads(desk.must("status", "--json").out)
    told["spool"] |= {"waiting_bytes": 3_000_000, "drain_s": left_s}
    told["store"]["packing_failure"] = failure
    assert words in in_words(told)


def test_status_says_what_the_server_of_the_store_lacks(desk: Desk) -> None:
    told = json.loads(desk.must("status", "--json").out)
    told["store"]["tested"] = {
        "server": "AmazonS3",
        "tested_at": "2026-11-27T20:00:00+00:00",
        "versioning": "on",
        "object_lock": "compliance 30 days",
        "lacks": ["conditional writes"],
    }
    words = in_words(told)
    assert "versions on, object lock compliance 30 days; lacks conditional writes" in words


def test_status_says_how_many_photographs_are_not_whole(desk: Desk) -> None:
    assert "uploads" not in desk("status").out
    announced = Announced("AAAA-BBBB", "user:1", "c1", 2_000_000, "0" * 64, {})
    with open_parts(Settings(data=desk.data)) as parts:
        begun = parts.uploads.begin(announced)
        parts.uploads.append(begun.id, "user:1", bytes(300_000), offset_bytes=0)
    told = json.loads(desk.must("status", "--json").out)["uploads"]
    assert (told["unfinished"], told["bytes"]) == (1, 300_000)
    assert "uploads     1 photographs are not whole yet, 300" in desk("status").out
    with open_parts(Settings(data=desk.data)) as parts:
        assert parts.uploads.sweep(parts.casebook.photographable) == 1  # there is no such case
    assert "uploads" not in desk("status").out
