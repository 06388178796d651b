"""Replicas take data folders of a pool; what one leaves behind is packed all the same."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from casework.custody import Door, Origin
from casework.erasure import Target
from casework.errors import Unavailable
from casework.model import Site, SiteKind
from lysbro import pool
from lysbro.backing_up import WORKER
from lysbro.health import failing
from lysbro.settings import Settings, load, with_password
from lysbro.wiring import open_parts
from storage.erasing_rows import note_work
from storage.tables import IN_PACK, instances
from storage.tombstones import nodes_owing
from tests.flows.waiting import until
from tests.lysbro.calling import Desk
from tests.pacs_bridge.making import ct, part10


def test_each_process_takes_a_folder_of_its_own(tmp_path: Path) -> None:
    with pool.taken(tmp_path, "bridge") as one, pool.taken(tmp_path, "bridge") as two:
        assert (one.node, two.node) == ("bridge-1", "bridge-2")
        with pool.taken(tmp_path, "web") as three:
            assert three.data == tmp_path / "web-1"
    with pool.taken(tmp_path, "bridge") as again:
        assert again.node == "bridge-1"


def test_a_folder_with_a_spool_is_taken_before_an_empty_one(tmp_path: Path) -> None:
    with pool.taken(tmp_path, "bridge"), pool.taken(tmp_path, "bridge") as two:
        (two.data / "spool").mkdir()
        (two.data / "spool" / "one.seg").touch()
    with pool.taken(tmp_path, "bridge") as next_one:
        assert next_one.node == "bridge-2"


def test_a_folder_is_free_as_soon_as_its_process_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from lysbro import pool; "
        "print(pool.take(Path(sys.argv[1]), 'bridge').node, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "bridge-1\n"
        with pool.taken(tmp_path, "bridge") as other:
            assert other.node == "bridge-2"
        process.send_signal(signal.SIGKILL)
        process.wait()
    with pool.taken(tmp_path, "bridge") as after:
        assert after.node == "bridge-1"


def test_a_pool_says_when_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_MOST", 1)
    with pool.taken(tmp_path, "bridge"), pytest.raises(Unavailable, match="bridge") as caught:
        pool.take(tmp_path, "bridge")
    assert caught.value.code == "pool-full"


@pytest.mark.slow
def test_what_a_replica_left_behind_is_drained(tmp_path: Path, empty_desk: Desk) -> None:
    folder, store = tmp_path / "pool", tmp_path / "store"
    address = f"sqlite:///{tmp_path / 'lysbro.db'}"
    with pool.taken(folder, "bridge") as held:
        settings = Settings(data=held.data, node=held.node, store=str(store), database_url=address)
        with open_parts(settings, intake=True) as parts:
            parts.people.add_site(Site("hammer", "Hammer", SiteKind.HOSPITAL))
            for number in (1, 2):
                parts.archive.receive_part10(
                    part10(ct(f"1.2.1.{number}")), Origin("hammer", Door.DICOM)
                )
            parts.archive.settle()
        empty_desk.variables.update(
            LYSBRO_DATA_POOL=str(folder), LYSBRO_DATABASE_URL=address, LYSBRO_STORE=str(store)
        )
        del empty_desk.variables["LYSBRO_DATA_POOL"]
        assert empty_desk("drain").status == 2
        empty_desk.variables["LYSBRO_DATA_POOL"] = str(folder)
        assert empty_desk.must("drain").out.startswith("0 data folders")  # it is held
        assert pool.has_spool(held.data)
    assert empty_desk.must("drain").out == "1 data folders are empty now, 0 are not.\n"
    assert not pool.has_spool(folder / "bridge-1")
    settings = Settings(data=tmp_path, store=str(store), database_url=address)
    with open_parts(settings) as parts, parts.database.read() as conn:
        rows = conn.execute(select(instances.c.location)).scalars().all()
    assert rows == [IN_PACK, IN_PACK]


@pytest.mark.slow
def test_a_command_takes_a_folder_of_the_pool_and_its_name(
    empty_desk: Desk, tmp_path: Path
) -> None:
    folder = tmp_path / "pool"
    variables = {"LYSBRO_DATA_POOL": str(folder), "LYSBRO_NODE": "tools"}
    done = empty_desk.process("status", "--json", **variables)
    assert done.returncode == 0, done.stderr
    assert str(folder / "tools-1" / "store") in json.loads(done.stdout)["store"]["place"]


@pytest.mark.slow
def test_the_health_of_a_process_is_told_by_its_data_folder(
    empty_desk: Desk, tmp_path: Path
) -> None:
    folder = tmp_path / "pool"
    variables = {"LYSBRO_DATA_POOL": str(folder), "LYSBRO_NODE": "worker"}
    settings = load(environment=variables)
    assert failing(settings, ["worker"])
    process = subprocess.Popen(
        [sys.executable, "-m", "lysbro", "serve", "--only", "worker"],
        env=empty_desk.environment(**variables),
    )
    try:
        until(lambda: not failing(settings, ["worker"]), "the worker", timeout_s=60)
        assert failing(settings, ["packer"]) == ["The packer does not go on."]
        assert (
            "does not answer at 127.0.0.1:11112"
            in failing(load(environment=variables | {"LYSBRO_DICOM_PORT": "11112"}), ["bridge"])[0]
        )
    finally:
        process.terminate()
        assert process.wait(60) == 0
    assert failing(settings, ["worker"])


def test_a_kind_that_is_unknown_is_named(empty_desk: Desk) -> None:
    answer = empty_desk("health", "bridge,teapot")
    assert (answer.status, "bridge, web, worker, packer, drain" in answer.err) == (2, True)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql+psycopg://lysbro@db/lysbro",
            "postgresql+psycopg://lysbro:a%2Fb%40c@db/lysbro",
        ),
        ("postgresql://lysbro:own@db/lysbro", "postgresql://lysbro:own@db/lysbro"),
        ("postgresql://db/lysbro", "postgresql://db/lysbro"),
        ("sqlite:////tmp/a@b.db", "sqlite:////tmp/a@b.db"),
    ],
)
def test_the_password_is_put_into_an_address_that_names_a_user_alone(
    url: str, expected: str
) -> None:
    assert with_password(url, "a/b@c") == expected


def test_every_secret_may_come_from_a_file_and_none_is_shown(tmp_path: Path) -> None:
    secrets = {
        "database_url": "postgresql+psycopg://lysbro@db/lysbro",
        "database_password": "the password of the database",
        "s3_access_key": "the key of the store",
        "s3_secret_key": "the secret of the store",
        "node_secret": "the secret of all nodes",
    }
    environment = {}
    for name, value in secrets.items():
        (tmp_path / name).write_text(value + "\n")
        environment[f"LYSBRO_{name.upper()}_FILE"] = str(tmp_path / name)
    settings = load(environment=environment)
    assert {name: getattr(settings, name) for name in secrets} == secrets
    for name in ("database_url", "database_password", "s3_secret_key", "node_secret"):
        assert secrets[name] not in repr(settings)


@pytest.mark.slow
def test_a_folder_that_an_erasure_waits_for_is_emptied_though_no_replica_takes_it(
    tmp_path: Path, empty_desk: Desk
) -> None:
    folder, store = tmp_path / "pool", tmp_path / "store"
    address = f"sqlite:///{tmp_path / 'lysbro.db'}"
    empty_desk.variables.update(
        LYSBRO_DATA_POOL=str(folder), LYSBRO_DATABASE_URL=address, LYSBRO_STORE=str(store)
    )
    with pool.taken(folder, "web") as held:
        made = held.data / "cache" / "metadata" / "made.json"
        settings = Settings(data=held.data, node=held.node, store=str(store), database_url=address)
        with open_parts(settings, intake=True) as parts:
            parts.people.add_site(Site("hammer", "Hammer", SiteKind.HOSPITAL))
            parts.archive.receive_part10(part10(ct("1.2.1.1")), Origin("hammer", Door.DICOM))
            parts.archive.settle()
    empty_desk.must("drain")
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text("what a viewer was told of the patient")
    other = Settings(data=tmp_path / "other", node="other", store=str(store), database_url=address)
    with open_parts(other, intake=True) as parts:
        target = Target(study_uid="1.2.1", site="hammer")
        stone = parts.erasures.erase(target, actor=WORKER, reason="asked for by the patient")
        with parts.database.begin() as conn:  # as nodes of one database server do
            note_work(conn, stone.id, nodes=["web-1"])
        assert not pool.has_spool(held.data)
        empty_desk.must("drain")
        assert not made.exists()
        with parts.database.read() as conn:
            assert "web-1" not in nodes_owing(conn)
