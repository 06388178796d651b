"""`lysbro backup` and `lysbro rebuild`, and the worker that backs up by itself."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from lysbro.backing_up import Backer
from lysbro.processes import only_one
from lysbro.settings import Settings
from lysbro.wiring import utc_now
from storage.backup import backups
from storage.mover import Mover
from tests.lysbro.calling import Desk

pytestmark = pytest.mark.slow


@pytest.fixture
def packed(desk: Desk, slices: Path) -> Desk:
    """Return a desk with three slices of hammer in a pack, and the casebook backed up."""
    desk.must("import", slices, "--site", "hammer")
    with desk.parts() as parts:
        assert Mover(parts.archive, quiet_s=0).run_once(utc_now()).packed == 3
    desk.must("backup")
    return desk


def lose_all_but_the_store(desk: Desk) -> None:
    store = desk.data.with_name("store")
    shutil.move(desk.data / "store", store)
    shutil.rmtree(desk.data)
    desk.data.mkdir()
    shutil.move(store, desk.data / "store")


def test_the_store_alone_brings_all_back_in_words(packed: Desk) -> None:
    lose_all_but_the_store(packed)
    lines = packed.must("rebuild").out.splitlines()
    assert lines[0].startswith("3 objects of 1 studies in 1 packs are in the index (3 by this call")
    assert lines[0].endswith("); 0 in conflict.")  # and the pace, where it took a while
    assert lines[1].startswith("The casebook is as it was at ")
    assert packed.must("verify", "--json").json["checked"] == 3
    assert packed.audit("rebuilt")
    assert packed.must("verify", "--sample", "2", "--json").json["checked"] == 2


def test_an_index_with_something_in_it_is_refused(packed: Desk) -> None:
    answer = packed("rebuild")
    assert (answer.status, answer.out) == (1, "")
    assert "--into-existing" in answer.err
    told = packed.must("rebuild", "--into-existing", "--json").json
    assert (told["registered"], told["instances"], told["casebook"]) == (0, 3, "left")


def test_a_running_exchange_is_not_rebuilt(packed: Desk) -> None:
    with only_one(Settings(data=packed.data), "bridge"):
        answer = packed("rebuild", "--into-existing")
    assert answer.status == 1
    assert "Stop it" in answer.err


def test_a_broken_pack_is_named_and_the_status_is_1(packed: Desk) -> None:
    lose_all_but_the_store(packed)
    (pack,) = (packed.data / "store" / "v1").rglob("*.zip")
    pack.chmod(0o600)
    pack.write_bytes(b"no pack")
    answer = packed("rebuild")
    assert answer.status == 1
    assert "1 cannot be read and were passed over:\n  pack v1/hammer/" in answer.out
    assert pack.read_bytes() == b"no pack"


def test_an_older_backup_can_be_chosen_and_a_spoilt_one_is_passed_over(packed: Desk) -> None:
    packed.must("site", "add", "vik", "--name", "Vik", "--kind", "gp")
    with packed.parts() as parts:
        (first,) = backups(parts.store)
    newer = packed.must("backup", "--json").json["key"]
    listed = packed.must("backup", "--list", "--json").json
    assert {row["key"] for row in listed} == {first.key, newer}
    lose_all_but_the_store(packed)
    path = packed.data / "store" / newer
    path.chmod(0o600)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    told = packed.must("rebuild", "--json").json
    if newer == max(newer, first.key):  # both may be of one second
        assert (told["backup"], told["unreadable_backups"]) == (first.key, [newer])
    path.write_bytes(whole)
    lose_all_but_the_store(packed)
    assert packed.must("rebuild", "--backup", newer, "--json").json["backup"] == newer
    with packed.parts() as parts:
        assert parts.people.site("vik") is not None
    lose_all_but_the_store(packed)
    answer = packed("rebuild", "--backup", "backup/casebook/none")
    assert answer.status == 1
    assert "cannot be used" in answer.err


def test_nothing_is_printed_but_json_in_a_pipe(packed: Desk) -> None:
    lose_all_but_the_store(packed)
    done = packed.process("rebuild", "--json")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_worker_backs_up_as_often_as_is_set(desk: Desk) -> None:
    with desk.parts() as parts:
        now = utc_now()
        later = [now, now + timedelta(hours=1), now + timedelta(hours=25)]
        counts = []
        backer = Backer(parts)
        for at in later:
            object.__setattr__(parts, "clock", lambda at=at: at)
            backer.run_once()
            counts.append(len(backups(parts.store)))
        assert counts == [1, 1, 2]
        Backer(parts).run_once()  # as a new worker: the newest is young enough
        assert len(backups(parts.store)) == 2
    assert [e.actor_id for e in desk.audit("backed-up")] == ["system:worker"] * 2


def test_a_new_casebook_over_an_old_store_is_not_backed_up_by_itself(packed: Desk) -> None:
    lose_all_but_the_store(packed)
    packed.must("site", "add", "vik", "--name", "Vik", "--kind", "gp")
    with packed.parts() as parts:
        object.__setattr__(parts, "clock", lambda: utc_now() + timedelta(days=2))
        Backer(parts).run_once()
        assert len(backups(parts.store)) == 1
    packed.must("backup")
    with packed.parts() as parts:
        object.__setattr__(parts, "clock", lambda: utc_now() + timedelta(days=2))
        Backer(parts).run_once()
        assert len(backups(parts.store)) == 3


def test_the_status_says_how_long_ago_every_pack_was_read(packed: Desk) -> None:
    told = packed.must("status", "--json").json
    assert (told["hash_mismatch"], told["acked_missing"], told["packs_unchecked"]) == (0, 0, 0)
    assert told["scrub_oldest_age_s"] >= 0
    lose_all_but_the_store(packed)
    packed.must("rebuild")
    assert packed.must("status", "--json").json["packs_unchecked"] == 0  # the backup knew it


def test_a_rebuild_shows_how_far_it_is_on_a_terminal(packed: Desk) -> None:
    lose_all_but_the_store(packed)
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "lysbro", "rebuild"],
            env=packed.environment(TERM="xterm", COLUMNS="100"),
            stdout=subprocess.PIPE,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            shown = b""
            with suppress(OSError):  # a terminal that nobody writes to any more
                while chunk := os.read(ours, 1 << 16):
                    shown += chunk
            assert process.stdout is not None
            assert b"3 objects of 1 studies" in process.stdout.read()
        assert process.returncode == 0
    finally:
        os.close(ours)
    assert b"Rebuilding" in shown
    assert b"3/3" in shown
