"""A whole exchange as its operator starts it: `lysbro serve` in processes of its own, on free
ports.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from casework.model import AePermission, Role, Site, SiteKind
from lysbro.settings import load
from lysbro.wiring import open_parts
from tests.flows.waiting import until
from tests.ports import free_port
from viewer import passwords

PASSWORD = "nordlys over fjorden"
PEOPLE = (
    ("gp@fjordgata.example", "fjordgata", "referrer", "Dr. Ingrid Solbakken"),
    ("ward@hammer.example", "hammer", "referrer", "Dr. Jonas Bjørnsen"),
    ("ward@utsira.example", "utsira", "referrer", "Dr. Siv Utsira"),
    ("radiologist@nordlys.example", "nordlys", "radiologist", "Dr. Kari Nordmann"),
    ("second@nordlys.example", "nordlys", "radiologist", "Dr. Per Ås"),
    ("dermatologist@nordlys.example", "nordlys", "dermatologist", "Dr. Elle Sárá"),
    ("coordinator@nordlys.example", "nordlys", "coordinator", "Marit Lund"),
    ("admin@nordlys.example", "nordlys", "admin", "Ola Drift"),
)


SITES = (
    Site("nordlys", "Nordlys sentralsykehus", SiteKind.CENTRE),
    Site("hammer", "Hammer sykehus", SiteKind.HOSPITAL),
    Site("utsira", "Utsira sykehus", SiteKind.HOSPITAL),
    Site("fjordgata", "Fjordgata legekontor", SiteKind.GP),
)
NODES = (("HAMMER_CT", "hammer"), ("UTSIRA_CT", "utsira"), ("NORDLYS_PACS", "nordlys"))


@dataclass
class Exchange:
    """A running exchange and how to talk to it."""

    data: Path
    dicom_port: int
    web_port: int
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    def lysbro(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command on this exchange's data folder."""
        return subprocess.run(
            [sys.executable, "-m", "lysbro", *words],
            check=False,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def must(self, *words: str, given: str = "") -> str:
        """Run a command that has to succeed; return what it printed."""
        done = self.lysbro(*words, given=given)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def start(self, *, only: str = "bridge,web,worker") -> None:
        """Start the processes and wait until their doors are open."""
        log = (self.data / "serve.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lysbro", "serve", "--only", only],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if "web" in only:
            until(self.ready, "the web to be ready", alive=self.alive, timeout_s=60)
        if "bridge" in only:
            until(
                lambda: can_connect(self.dicom_port),
                "the DICOM port",
                alive=self.alive,
                timeout_s=60,
            )

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.address + "/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the processes with a signal; return the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(60)
        self.process = None
        if number is signal.SIGKILL:  # its children are ended by the kernel, a moment later
            until(self._is_silent, "the doors of what was killed to close")
        return status

    def _is_silent(self) -> bool:
        return not can_connect(self.web_port) and not can_connect(self.dicom_port)

    def token(self, email: str) -> str:
        if email not in self.tokens:
            self.tokens[email] = self.must("token", "add", "--user", email).strip()
        return self.tokens[email]

    def call(
        self, email: str, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """Call the API as a person; return the status and the JSON."""
        request = urllib.request.Request(
            self.address + path,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "Authorization": f"Bearer {self.token(email)}",
                **({"Content-Type": "application/json"} if body is not None else {}),
                **headers,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")

    def log(self) -> str:
        return (self.data / "serve.log").read_text("utf-8", "replace")


def can_connect(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def make_exchange(data: Path, **settings: str) -> Exchange:
    """Return an exchange on a data folder, with the sample sites, nodes and people, not yet
    started.
    """
    dicom_port, web_port = free_port(), free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LYSBRO_")} | {
        "LYSBRO_DATA": str(data),
        "LYSBRO_DICOM_PORT": str(dicom_port),
        "LYSBRO_WEB_PORT": str(web_port),
        "LYSBRO_QUIET_SECONDS": "2",
        **settings,
    }
    exchange = Exchange(data, dicom_port, web_port, environment)
    data.mkdir(parents=True, exist_ok=True)
    _register(exchange)
    return exchange


def _register(exchange: Exchange) -> None:
    hashed = passwords.hash_password(PASSWORD)
    called = {AePermission.REPLY, AePermission.ASK, AePermission.FETCH}  # with an address
    allowed = frozenset(AePermission) - called
    with open_parts(load(environment=exchange.environment)) as parts:
        for site in SITES:
            parts.people.add_site(site)
        for title, slug in NODES:
            parts.people.add_ae(
                title, site=slug, host="", port=0, permissions=allowed, tls_only=False
            )
        for email, slug, role, name in PEOPLE:
            parts.people.add_user(
                email, site=slug, role=Role(role), name=name, password_hash=hashed
            )
            exchange.tokens[email] = parts.people.add_token(email, days=1, name="flows")


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Return a running exchange with the sample sites, nodes and people."""
    exchange = make_exchange(tmp_path_factory.mktemp("exchange") / "data")
    exchange.start()
    try:
        yield exchange
    finally:
        if exchange.alive():
            exchange.stop()


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Return a running exchange of which only the web is needed."""
    exchange = make_exchange(tmp_path_factory.mktemp("web") / "data")
    exchange.start(only="web")
    try:
        yield exchange
    finally:
        if exchange.alive():
            exchange.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a Chromium for all tests of a module; each makes a context of its own."""
    from tests.flows.browsing import chromium  # noqa: PLC0415  # it needs the people of above

    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def wait() -> Callable[..., Any]:
    """Return the one way in which the flows wait: for a condition, up to a deadline."""
    return until
