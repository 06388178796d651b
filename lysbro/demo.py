"""The demonstration: starts the exchange, sends samples through its real doors, says what to look
at next.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import click
from rich.console import Console

from casework.errors import Unavailable
from casework.model import AePermission, Role, Site, SiteKind
from lysbro import demo_client
from lysbro.processes import ROLES, require_free
from lysbro.settings import Settings
from lysbro.supervise import die_with_parent
from lysbro.wiring import Parts, open_parts
from viewer import passwords

PASSWORD = "nordlys over fjorden"  # noqa: S105 - printed on the screen, for samples on the loopback only

SITES = (
    Site(slug="nordlys", name="Nordlys sentralsykehus", kind=SiteKind.CENTRE),
    Site(slug="hammer", name="Hammer sykehus", kind=SiteKind.HOSPITAL),
    Site(slug="fjordgata", name="Fjordgata legekontor", kind=SiteKind.GP),
)
_SAMPLE_CASES = 3  # the CT, the MR and the mole
NODES = (("HAMMER_CT", "hammer"), ("HAMMER_MR", "hammer"))
ACCOUNTS = (
    ("gp@fjordgata.example", "fjordgata", Role.REFERRER, "Dr. Ingrid Solbakken", "GP who refers"),
    (
        "ward@hammer.example",
        "hammer",
        Role.REFERRER,
        "Dr. Jonas Bjørnsen",
        "hospital that sent the CT",
    ),
    (
        "radiologist@nordlys.example",
        "nordlys",
        Role.RADIOLOGIST,
        "Dr. Kari Nordmann",
        "reads CT and MR",
    ),
    (
        "dermatologist@nordlys.example",
        "nordlys",
        Role.DERMATOLOGIST,
        "Dr. Elle Sárá",
        "reads skin cases",
    ),
    ("coordinator@nordlys.example", "nordlys", Role.COORDINATOR, "Marit Lund", "sees what waits"),
    ("admin@nordlys.example", "nordlys", Role.ADMIN, "Ola Drift", "runs the exchange"),
)


def run_demo(settings: Settings, *, stop_when_in: bool) -> int:
    """Run the demonstration until Ctrl-C, or until the samples are in; return the exit status."""
    console = Console(stderr=True)
    require_free(settings, ROLES)
    with open_parts(settings) as parts:
        _register(parts)
        complete = _cases_in(parts) >= _SAMPLE_CASES
        token = parts.people.add_token("gp@fjordgata.example", days=1, name="demonstration")
    server = _start(settings)
    # A shell starts background jobs with SIGINT ignored; both signals stop the demonstration.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        _await_ready(settings, server)
        if complete:
            console.print("The sample cases of the last run are here already.")
        else:
            _send_samples(settings, token, console)
        with open_parts(settings) as parts:
            _await_cases(parts)
        _tell(settings)
        if stop_when_in:
            return 0
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, previous)
        _stop(server)
        console.print(
            f"Stopped. Everything is kept in {settings.data.resolve()}; run it again to go on."
        )


def _cases_in(parts: Parts) -> int:
    """Return how many cases have been sent; a run that was stopped may have left a draft."""
    counts = parts.casebook.counts()
    return counts.get("total", 0) - counts.get("draft", 0)


def _register(parts: Parts) -> None:
    """Register the sample sites, nodes and people, the first time."""
    if parts.people.site(SITES[0].slug) is not None:
        return
    for site in SITES:
        parts.people.add_site(site)
    for title, slug in NODES:
        called = {AePermission.REPLY, AePermission.ASK, AePermission.FETCH}  # with an address
        allowed = frozenset(AePermission) - called
        parts.people.add_ae(title, site=slug, host="", port=0, permissions=allowed, tls_only=False)
    hashed = passwords.hash_password(PASSWORD)
    for email, slug, role, name, _ in ACCOUNTS:
        parts.people.add_user(email, site=slug, role=role, name=name, password_hash=hashed)


def _start(settings: Settings) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "lysbro", "serve", f"--data={settings.data.resolve()}"]
    log = Path(settings.data) / "demo.log"
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509
        )


def _await_ready(settings: Settings, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        if demo_client.is_ready(settings):
            return
        time.sleep(0.1)
    log = Path(settings.data) / "demo.log"
    tail = "\n".join(log.read_text("utf-8", "replace").splitlines()[-8:])
    raise Unavailable(
        "The exchange did not start."
        f" Are the ports {settings.dicom_port} and {settings.web_port} free?"
        f" Set LYSBRO_DICOM_PORT and LYSBRO_WEB_PORT to use others. Its last lines:\n{tail}"
    )


def _send_samples(settings: Settings, token: str, console: Console) -> None:
    samples = Path(__file__).parent / "samples"
    with console.status("Hammer sykehus sends a CT over DICOM …") as shown:
        sent = demo_client.send_series(
            settings, samples / "ct", calling="HAMMER_CT", story=demo_client.CT_STORY
        )
        console.print(f"Hammer sykehus sent {sent} CT images over DICOM.")
        shown.update("Hammer sykehus sends an MR over DICOM …")
        sent = demo_client.send_series(
            settings, samples / "mr", calling="HAMMER_MR", story=demo_client.MR_STORY
        )
        console.print(f"Hammer sykehus sent {sent} MR images over DICOM.")
        shown.update("Fjordgata legekontor refers a mole over HTTP …")
        case_id, photos = demo_client.refer(settings, samples / "photos", token=token)
        console.print(
            f"Fjordgata legekontor sent {photos} photographs with a question (case {case_id})."
        )


def _await_cases(parts: Parts) -> None:
    deadline = time.monotonic() + 15
    while _cases_in(parts) < _SAMPLE_CASES:
        if time.monotonic() > deadline:
            raise Unavailable(
                "The sample cases did not appear in the casebook. See demo.log in the data folder."
            )
        time.sleep(0.1)


def _tell(settings: Settings) -> None:
    address = f"http://{settings.web_host}:{settings.web_port}/"
    lines = [
        "",
        f"Lysbro is running at {address}",
        "",
        f"Sample accounts, all with the password: {PASSWORD}",
        "",
    ]
    width = max(len(a[0]) for a in ACCOUNTS)
    lines += [f"  {email:{width}}  {role.value:14} {what}" for email, _, role, _, what in ACCOUNTS]
    lines += [
        "",
        "What to do next",
        f"  1. Open {address} and sign in as radiologist@nordlys.example.",
        "     Open the CT case, claim it, scroll, measure, write an impression, sign.",
        "  2. Sign in as ward@hammer.example: the reply is in the inbox. Read it and acknowledge.",
        "  3. Sign in as dermatologist@nordlys.example for the mole, then as gp@fjordgata.example",
        "     for its reply.",
        f"  4. Point a modality at {settings.dicom_host}:{settings.dicom_port},"
        f" AE title {settings.ae_title}, calling as HAMMER_CT:",
        f"     storescu -aet HAMMER_CT -aec {settings.ae_title}"
        f" {settings.dicom_host} {settings.dicom_port} FILE.dcm",
        "",
        "Ctrl-C stops it.",
        "",
    ]
    click.echo("\n".join(lines))


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is not None:
        return
    server.terminate()
    try:
        server.wait(40)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
