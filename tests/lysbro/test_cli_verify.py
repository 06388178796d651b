"""`lysbro verify`: clean when all is well; a flipped byte and a lost pack are found and named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lysbro.wiring import utc_now
from storage.mover import Mover
from tests.lysbro.calling import Desk

pytestmark = pytest.mark.slow


@pytest.fixture
def pack(desk: Desk, slices: Path) -> Path:
    """Return the pack of the slices of hammer; the spool still has its records."""
    desk.must("import", slices, "--site", "hammer")
    with desk.parts() as parts:
        assert Mover(parts.archive, quiet_s=0).run_once(utc_now()).packed == 3
    (found,) = (desk.data / "store").rglob("*.zip")
    return found


@pytest.fixture
def release(desk: Desk) -> Callable[[], None]:
    """Return what lets the spool give its records up."""

    def run() -> None:
        with desk.parts() as parts:
            mover = Mover(parts.archive, quiet_s=0)
            mover.run_once(utc_now())
            assert mover.run_once(utc_now() + timedelta(hours=1)).released

    return run


def content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def flip(path: Path, needle: bytes) -> None:
    """Flip one bit of the first byte of some bytes in a file."""
    changed = bytearray(content(path))
    changed[changed.index(needle)] ^= 1
    path.chmod(0o600)
    path.write_bytes(changed)


def test_all_is_well_in_the_spool_and_in_the_store(
    desk: Desk, slices: Path, pack: Path, release: Callable[[], None]
) -> None:
    release()
    desk.must("import", slices, "--site", "fjord")
    answer = desk.must("verify")
    assert answer.out.splitlines() == [
        "6 objects checked.", "Every object has the hash that it was received with.",
    ]  # fmt: skip
    told = desk.must("verify", "--study", "1.2.1", "--json").json
    lists = ("missing", "corrupt", "orphaned", "repaired", "set_aside", "miscounted", "faults",
             "foreign")  # fmt: skip
    nothing: dict[str, Any] = {name: [] for name in lists}
    signed = {"reports_checked": 0, "reports_broken": []}
    assert told == {"checked": 6, "packs_checked": 1, "audit_broken_at": None} | signed | nothing


def test_an_audit_entry_that_was_changed_is_found(desk: Desk) -> None:
    for slug in ("vik", "utsira"):
        desk.must("site", "add", slug, "--name", slug, "--kind", "gp")
    with desk.parts() as parts, parts.database.begin() as conn:
        conn.exec_driver_sql("DROP TRIGGER audit_refuses_update")
        conn.exec_driver_sql("UPDATE audit SET subject = 'another' WHERE seq = 1")
    answer = desk("verify")
    assert (answer.status, desk("verify", "--json").json["audit_broken_at"]) == (1, 1)
    assert "The audit log is not as it was written, from entry 1 on." in answer.out


def test_one_flipped_bit_is_found_and_named(desk: Desk, pack: Path) -> None:
    flip(pack, bytes([2] * 8))  # the pixels of the second slice
    answer = desk("verify", "--json")
    key = pack.relative_to(desk.data / "store")
    assert (answer.status, answer.json["checked"], answer.json["missing"]) == (1, 3, [])
    assert answer.json["corrupt"] == ["hammer 1.2.1.2", f"pack {key}"]
    text = desk("verify")
    assert text.status == 1
    assert "2 corrupt:\n  hammer 1.2.1.2\n" in text.out
    assert "Call it with --repair" in text.out
    (fault, whole) = answer.json["faults"]
    assert (fault["fault"], fault["place"], fault["repaired_from"]) == ("corrupt", str(key), "")
    assert (fault["study_uid"], fault["sop_instance_uid"]) == ("1.2.1", "1.2.1.2")
    assert whole["name"] == f"pack {key}"
    assert pack.exists()


def test_a_lost_pack_is_found_and_named(
    desk: Desk, pack: Path, release: Callable[[], None]
) -> None:
    release()
    pack.unlink()
    answer = desk("verify", "--repair", "--json")
    assert (answer.status, answer.json["corrupt"], answer.json["repaired"]) == (1, [], [])
    assert answer.json["missing"][:3] == [f"hammer 1.2.1.{i}" for i in (1, 2, 3)]
    assert answer.json["missing"][3].startswith("pack v1/hammer/")


def test_what_still_lies_in_the_spool_is_mended(desk: Desk, pack: Path) -> None:
    flip(pack, bytes([2] * 8))
    key = pack.relative_to(desk.data / "store")
    answer = desk.must("verify", "--repair")
    assert f"2 repaired:\n  hammer 1.2.1.2\n  pack {key}\n" in answer.out
    assert f"1 set aside:\n  quarantine/{key}." in answer.out
    assert not pack.exists()
    assert desk.must("verify", "--study", "1.2.1", "--json").json["corrupt"] == []
    desk.must("verify")
    (entry,) = desk.audit("repaired")
    assert (entry.detail["repaired"], entry.detail["left"]) == (2, 0)


def test_a_flipped_bit_in_the_spool_is_found(desk: Desk, slices: Path) -> None:
    desk.must("import", slices, "--site", "hammer")
    (segment,) = (p for p in (desk.data / "spool").rglob("*") if bytes([3] * 8) in content(p))
    flip(segment, bytes([3] * 8))
    answer = desk("verify", "--json")
    assert (answer.status, answer.json["corrupt"]) == (1, ["hammer 1.2.1.3"])


def test_a_study_that_is_not_there_is_told(desk: Desk) -> None:
    answer = desk("verify", "--study", "1.2.9")
    assert (answer.status, answer.out) == (1, "")
    assert "There is no study 1.2.9" in answer.err
