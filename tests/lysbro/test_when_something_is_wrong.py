"""What an operator is told of bad input, by the commands as they are; nothing is lost by it.

The table in `docs/operating.md` has each message, word for word.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lysbro.wiring import utc_now
from storage.belonging import FORMAT, identity
from storage.data_folder import FILE_NAME
from storage.mover import Mover
from tests.lysbro.calling import Desk
from tests.lysbro.test_cli_calls import worker
from tests.told import in_the_table, messages, rows


def test_table_says_what_the_code_says() -> None:
    assert len(rows()) > 20
    for row in rows():
        said = messages().get(row.code, set())
        assert any(text.startswith(row.message) for text in said), (row, said)
        assert len(row.do) > 10, row


def test_no_line_of_the_table_stands_twice() -> None:
    assert len({(row.code, row.message) for row in rows()}) == len(rows())


def told(err: str) -> str:
    """Return the message of a command that failed."""
    (line,) = [line for line in err.splitlines() if line.startswith("lysbro: ")]
    return line.removeprefix("lysbro: ")


def everything_in(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.name not in {"clock", "lysbro.db-wal", "lysbro.db-shm"}
    }


@pytest.fixture
def packed(desk: Desk, slices: Path) -> Desk:
    """Return a desk with three slices in a pack of a store that is ours, and a backup."""
    desk.must("import", slices, "--site", "hammer")
    with desk.parts() as parts:
        assert Mover(parts.archive, quiet_s=0).run_once(utc_now()).packed == 3
    desk.must("backup")
    return desk


@pytest.mark.slow
def test_database_newer_than_the_code_is_told_and_stays(desk: Desk) -> None:
    database = sqlite3.connect(desk.data / "lysbro.db")
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.commit()
    database.close()
    for words in (("status",), ("rebuild",), ("serve", "--only", "worker")):
        answer = desk.process(*words) if words[0] == "serve" else desk(*words)
        err = answer.stderr if isinstance(answer, subprocess.CompletedProcess) else answer.err
        in_the_table("database-newer", told(err))


def test_data_folder_newer_than_the_code_is_told_and_stays(desk: Desk) -> None:
    (desk.data / FILE_NAME).write_text("7\n")
    before = everything_in(desk.data)
    in_the_table("data-newer", told(desk("status").err))
    assert everything_in(desk.data) == before


@pytest.mark.slow
def test_store_newer_than_the_code_is_not_rebuilt_from_and_gets_no_backup(packed: Desk) -> None:
    with packed.parts() as parts:
        us = identity(parts.database)
    folder = packed.data / "store" / "exchange" / str(us)
    (folder / f"format-{FORMAT + 1}.json").write_text("{}")
    before = everything_in(packed.data / "store")
    for words in (("backup",), ("rebuild", "--into-existing")):
        in_the_table("store-newer", told(packed(*words).err))
    assert everything_in(packed.data / "store") == before


@pytest.mark.slow
def test_second_exchange_on_a_data_folder_is_told(desk: Desk) -> None:
    with worker(desk):
        for words in (("serve",), ("rebuild",)):
            answer = desk.process(*words)
            assert answer.returncode == 1
            in_the_table("already-running", told(answer.stderr))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("new folder", "data-folder"),
        ("folder", "database-file"),
        ("database", "database-file"),
    ],
)
def test_data_folder_without_the_right_to_write_is_told(desk: Desk, what: str, code: str) -> None:
    desk.must("status")
    if what == "new folder":
        shutil.rmtree(desk.data)
        desk.data.mkdir()
    path = desk.data / ("lysbro.db" if what == "database" else "")
    path.chmod(0o500)
    try:
        words = ("site", "add", "utsira", "--name", "Utsira", "--kind", "hospital")
        done = without_privilege(*words, data=desk.data)
    finally:
        path.chmod(0o700)
    assert done.returncode == 1, done
    in_the_table(code, told(done.stderr))
    assert "Traceback" not in done.stderr
    desk.must("status")


def without_privilege(*words: str, data: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to which the rights on files apply, even when it is root's."""
    return subprocess.run(
        [sys.executable, "-m", "lysbro", *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "LYSBRO_DATA": str(data)},
        preexec_fn=_drop_overrides,
    )


def _drop_overrides() -> None:
    prctl = ctypes.CDLL(None).prctl
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP; nothing to do where one has none


@pytest.mark.slow
def test_pack_with_a_broken_directory_is_named_by_verify_and_rebuild_and_stays(
    packed: Desk,
) -> None:
    (pack,) = (packed.data / "store" / "v1").rglob("*.zip")
    data = pack.read_bytes()
    start = data.index(b"PK\x01\x02")
    pack.write_bytes(data[:start] + bytes(len(data) - start))
    store = everything_in(packed.data / "store")
    answer = packed("verify")
    assert answer.status == 1
    assert pack.name in answer.out
    lose_all_but_the_store(packed)
    rebuilt = packed("rebuild", "--json")
    assert (rebuilt.status, rebuilt.json["instances"]) == (1, 3)
    (broken,) = rebuilt.json["broken"]
    assert pack.name in broken
    assert "3 objects in it are whole" in broken
    assert everything_in(packed.data / "store") == store


@pytest.mark.slow
def test_member_with_another_hash_is_named_with_its_pack_and_stays(packed: Desk) -> None:
    (pack,) = (packed.data / "store" / "v1").rglob("*.zip")
    data = bytearray(pack.read_bytes())
    with zipfile.ZipFile(pack) as members:
        entry = members.getinfo("000002.dcm")
    data[entry.header_offset + 400 + 200] ^= 1
    pack.write_bytes(data)
    store = everything_in(packed.data / "store")
    told_ = packed("verify", "--json")
    assert told_.status == 1
    assert told_.json["corrupt"] == [
        "hammer 1.2.1.2",
        f"pack v1/hammer/{pack.parent.name}/{pack.name}",
    ]
    assert everything_in(packed.data / "store") == store


@pytest.mark.slow
def test_file_of_somebody_else_in_the_store_is_named_and_stays(packed: Desk) -> None:
    path = packed.data / "store" / "v1" / "README.txt"
    path.write_text("mine")
    answer = packed.must("verify")
    assert "1 foreign:\n  v1/README.txt" in answer.out
    assert path.read_text() == "mine"


@pytest.mark.slow
def test_rebuild_without_the_casebook_goes_on_in_the_store_once_an_operator_says_so(
    packed: Desk,
) -> None:
    lose_all_but_the_store(packed)
    packed.must("site", "add", "hammer", "--name", "Hammer", "--kind", "hospital")
    with packed.parts() as parts:
        report = Mover(parts.archive, quiet_s=0).run_once(utc_now())
    in_the_table("store-of-another", report.failure)
    packed.must("backup")
    with packed.parts() as parts:
        assert Mover(parts.archive, quiet_s=0).run_once(utc_now()).failure == ""


def lose_all_but_the_store(desk: Desk) -> None:
    for path in desk.data.iterdir():
        if path.name != "store":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
