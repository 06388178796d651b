"""The services of docker-compose.yml as plain processes: the same commands, variables, secrets and
health checks, over a real PostgreSQL, a real S3 server and, where it is installed, the real front.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from lysbro import pool
from lysbro.supervise import die_with_parent
from storage.testing import empty_url
from tests.deploy.composed import HOST, ROOT, Machine
from tests.flows.waiting import until
from tests.pacs_bridge.making import ct
from tests.ports import free_port
from tests.postgres import Server
from tests.storage.s3 import servers

pytestmark = [pytest.mark.peers, pytest.mark.slow]

VERIFICATION = "1.2.840.10008.1.1"
HAPROXY = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def machine(tmp_path: Path, postgres: Server, rclone: servers.Server) -> Iterator[Machine]:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "s3-access-key").write_text(rclone.access_key + "\n")
    (folder / "s3-secret-key").write_text(rclone.secret_key + "\n")
    subprocess.run(
        [ROOT / "deploy" / "secrets.sh", folder],
        check=True,
        capture_output=True,
        env={"LYSBRO_HOST": HOST, "PATH": "/usr/bin:/bin"},
    )
    with empty_url(tmp_path, server=postgres.url("postgres")) as url:
        machine = Machine(tmp_path, url, rclone.port)
        try:
            yield machine
        finally:
            for process in machine.running.values():
                process.kill()
                process.wait()


def ports(**more: object) -> dict[str, object]:
    """Return ports of this machine for a replica, where each container would have its own."""
    return {"node_port": free_port(), "dicom_port": free_port(), "web_port": free_port(), **more}


@contextmanager
def front(
    machine: Machine, program: str, *, web: int, events: int, bridges: list[int]
) -> Iterator[tuple[int, int]]:
    """Run the front on ports of this machine; give those of HTTPS and of DICOM."""
    text = (ROOT / "deploy" / "haproxy.cfg").read_text()
    text = re.sub(r"(?ms)^resolvers docker.*?\n\n", "", text).replace(" resolvers docker", "")
    replicas = {
        "web 1-16 web:8080": [web], "events 1-16 web:8083": [events],
        "bridge 1-16 bridge:11112": bridges,
        "bridge 1-16 bridge:2762 port 11112": bridges,
    }  # fmt: skip
    for template, at in replicas.items():
        lines = [f"    server s{n} 127.0.0.1:{port}" for n, port in enumerate(at)]
        text = text.replace(f"    server-template {template}\n", "\n".join(lines) + "\n")
    told = {number: free_port() for number in ("8443", "8080", "11112", "2762")}
    for number, port in told.items():
        text = text.replace(f"bind :{number}", f"bind 127.0.0.1:{port}")
    health = free_port()
    text = text.replace("127.0.0.1:8404", f"127.0.0.1:{health}")
    text = text.replace("/run/secrets/web-pem", str(machine.folder / "secrets" / "web.pem"))
    config = machine.folder / "haproxy.cfg"
    config.write_text(text)
    environment = {"LYSBRO_HOST": HOST}
    checked = subprocess.run(
        [program, "-c", "-f", str(config)],
        check=False, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    with (machine.folder / "front.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-db", "-f", str(config)],
            env=environment, stdout=log, stderr=log,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - prctl only
        )  # fmt: skip
    try:
        until(lambda: answers(f"http://127.0.0.1:{health}/health"), "the front's health check")
        yield told["8443"], told["11112"]
    finally:
        process.terminate()
        process.wait(20)


def answers(address: str, **how: Any) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5, **how) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def store_through(port: int, uid: str) -> int:
    """Store an object through the front as a site's modality would; return the status."""
    entity = AE(ae_title="HAMMER_CT")
    entity.add_requested_context(VERIFICATION)
    entity.add_requested_context(CT, "1.2.840.10008.1.2.1")
    link = entity.associate("127.0.0.1", port, ae_title="LYSBRO")
    if not link.is_established:
        return -1
    try:
        assert link.send_c_echo().Status == 0x0000
        ds = ct(uid)
        ds.ensure_file_meta()
        ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        return int(link.send_c_store(ds).Status)
    finally:
        link.release()


def status_of_channel(port: int, trust: ssl.SSLContext) -> int:
    """Return what a stranger is answered who asks for an event channel through the front."""
    address = f"wss://{HOST}/dicom-web/subscribers/WATCH"
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        try:
            with connect(address, sock=sock, ssl=trust, proxy=None):
                return 101
        except InvalidStatus as error:
            return error.response.status_code


def go_through_the_front(
    machine: Machine, program: str, web: int, events: int, bridges: list[int]
) -> None:
    with front(machine, program, web=web, events=events, bridges=bridges) as (https, dicom):
        trust = ssl.create_default_context(cafile=str(machine.folder / "secrets" / "web.pem"))
        trust.check_hostname = False  # it is reached by its address here
        page = urllib.request.Request(f"https://127.0.0.1:{https}/login", headers={"Host": HOST})
        until(lambda: answers(page, context=trust), "the sign-in page through the front")
        until(lambda: status_of_channel(https, trust) == 401, "the event channel to ask who it is")
        until(lambda: store_through(dicom, "1.2.1.1") == 0x0000, "a store through the front")
        until(lambda: store_through(dicom, "1.2.1.2") == 0x0000, "another, to the other bridge")


def test_the_services_start_are_healthy_and_lose_nothing_when_one_is_taken_away(
    machine: Machine,
) -> None:
    assert "made" in machine.must("prepare")
    assert "there" in machine.must("prepare")
    places = {
        "bridge": ports(), "second": ports(), "web": ports(events_port=free_port()),
        "worker": ports(), "drain": ports(),
    }  # fmt: skip
    machine.must("lysbro", "site", "add", "hammer", "--name", "Hammer", "--kind", "hospital")
    machine.must("lysbro", "ae", "add", "HAMMER_CT", "--site", "hammer")
    for name, where in places.items():
        assert not machine.running.get(name)
        machine.start(name, {"second": "bridge"}.get(name, name), **where)
    for name in ("bridge", "web", "worker", "drain"):
        until(
            lambda n=name: machine.is_healthy(n, **places[n]),
            f"the health check of {name}",
            timeout_s=120,
            alive=lambda n=name: machine.running[n].poll() is None,
        )
    bridges = [int(str(places[name]["dicom_port"])) for name in ("bridge", "second")]
    web, events = (int(str(places["web"][f"{name}_port"])) for name in ("web", "events"))
    if HAPROXY is None:
        assert [store_through(port, f"1.2.1.{n}") for n, port in enumerate(bridges, 1)] == [0, 0]
    else:
        go_through_the_front(machine, HAPROXY, web, events, bridges)
    assert {p.name for p in machine.pool.iterdir() if p.is_dir()} >= {
        "bridge-1", "bridge-2", "web-1", "worker-1", "tools-1",
    }  # fmt: skip
    assert set(machine.stop().values()) == {0}
    holding = [p.name for p in machine.pool.iterdir() if p.is_dir() and pool.has_spool(p)]
    assert holding  # what was acknowledged has not been quiet for long enough
    assert "0 are not" in machine.must("drain", "drain", **ports())
    assert not [p for p in machine.pool.iterdir() if p.is_dir() and pool.has_spool(p)]
    told = machine.must("lysbro", "verify", "--json")
    assert '"missing": []' in told
    assert "are in backup/casebook/" in machine.must("lysbro", "backup")
