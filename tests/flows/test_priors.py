"""A study comes; the site's own PACS is asked for the patient's earlier ones; they lie beside it.

Orthanc and DCMTK's dcmqrscp as the PACS, each by C-GET and by C-MOVE, and a reader at the browser.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.flows import phantoms
from tests.flows.browsing import DESK, PHONE, chromium, keep_picture, signed_in
from tests.flows.conftest import Exchange, can_connect, make_exchange
from tests.flows.waiting import until
from tests.ports import free_port

pytestmark = [pytest.mark.peers, pytest.mark.slow]

RADIOLOGIST, WARD = "radiologist@nordlys.example", "ward@hammer.example"
ELSEWHERE = "ward@utsira.example"
ORTHANC = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
ROOT = "1.2.826.0.1.3680043.10.18"
PICTURES = os.environ.get("LYSBRO_TEST_PICTURES")


@contextmanager
def running(*command: str, port: int) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: can_connect(port), command[0], alive=lambda: process.poll() is None)
            yield
        finally:
            process.terminate()


@contextmanager
def orthanc(folder: Path, exchange: Exchange, *, gives: bool) -> Iterator[int]:
    """Run Orthanc, which knows us; it gives by C-GET, or only sends by C-MOVE."""
    if ORTHANC is None:
        pytest.skip("Orthanc is not on this machine")
    port = free_port()
    us = {"AET": "LYSBRO", "Host": "127.0.0.1", "Port": exchange.dicom_port, "AllowGet": gives}
    settings = {
        "StorageDirectory": str(folder / "orthanc"), "IndexDirectory": str(folder / "orthanc"),
        "DicomAet": "PACS", "DicomPort": port, "HttpServerEnabled": False, "Plugins": [],
        "DicomAlwaysAllowGet": False, "DicomAlwaysAllowFind": True, "DicomAlwaysAllowMove": True,
        "DicomAlwaysAllowStore": True, "DicomModalities": {"lysbro": us},
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with running(ORTHANC, str(folder / "orthanc.json"), port=port):
        yield port


@contextmanager
def dcmqrscp(folder: Path, exchange: Exchange, *, gives: bool) -> Iterator[int]:
    """Run DCMTK's archive, which knows us."""
    port = free_port()
    (folder / "db").mkdir()
    (folder / "qr.cfg").write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\nus = (LYSBRO, 127.0.0.1, {exchange.dicom_port})\nHostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nPACS {folder / 'db'} RW (200, 1024mb) ANY\nAETable END\n"
    )
    words = () if gives else ("--disable-get",)
    with running("dcmqrscp", "-c", str(folder / "qr.cfg"), *words, port=port):
        yield port


PEERS = {"orthanc": orthanc, "dcmqrscp": dcmqrscp}


def send(port: int, title: str, *files: Path, calling: str) -> None:
    command = ("dcmsend", "-aet", calling, "-aec", title, "127.0.0.1", str(port), *map(str, files))
    done = subprocess.run(command, check=False, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    exchange = make_exchange(tmp_path_factory.mktemp("priors") / "data")
    exchange.start()
    try:
        yield exchange
    finally:
        exchange.stop()


def fill(folder: Path, number: str) -> tuple[list[Path], list[Path], list[Path]]:
    """Write a patient's new study, two earlier ones of one kind, and one of a knee."""
    person = {"PatientID": f"p-{number}"}
    new, head, knee = f"{ROOT}.{number}.1", f"{ROOT}.{number}.2", f"{ROOT}.{number}.3"
    phantoms.write_series(folder / "new", new, StudyDescription="CT caput", **person)
    phantoms.write_series(
        folder / "head", head, StudyDescription="CT caput", StudyDate="20250401", **person
    )
    phantoms.write_series(
        folder / "knee", knee, StudyDescription="CT kne", StudyDate="20260801", **person
    )
    phantoms.write_series(
        folder / "other", f"{ROOT}.{number}.4", StudyDate="20260101", PatientID="p-other"
    )
    return (
        sorted((folder / "new").iterdir())[:1],
        sorted((folder / "head").iterdir()),
        sorted([*(folder / "knee").iterdir(), *(folder / "other").iterdir()]),
    )


@pytest.mark.parametrize("gives", [True, False], ids=["get", "move"])
@pytest.mark.parametrize("peer", sorted(PEERS))
def test_an_earlier_study_is_fetched_from_the_sites_pacs_and_can_be_read(
    hospital: Exchange, tmp_path: Path, peer: str, gives: bool, wait: Any
) -> None:
    exchange = hospital
    number = f"{sorted(PEERS).index(peer)}{int(gives)}"
    new, head, rest = fill(tmp_path, f"1{number}")
    with PEERS[peer](tmp_path, exchange, gives=gives) as port:
        send(port, "PACS", *head, *rest, calling="HAMMER_CT")
        exchange.must(
            "ae", "add", "PACS", "--site", "hammer", "--host", "127.0.0.1", "--port", str(port),
            "--allow", "fetch,store",
        )  # fmt: skip
        rules = json.loads(exchange.must("prior-rule", "list", "--json"))
        if not rules:
            exchange.must("prior-rule", "add", "--ask", "PACS", "--studies", "2", "--years", "3")
        before = exchange.call(RADIOLOGIST, "GET", "/api/cases")[1]["cases"]
        send(exchange.dicom_port, "LYSBRO", *new, calling="HAMMER_CT")

        def case() -> Any:
            found = exchange.call(RADIOLOGIST, "GET", "/api/cases")[1]["cases"]
            fresh = [
                each for each in found if each["case_id"] not in {b["case_id"] for b in before}
            ]
            return fresh[0] if fresh else None

        case_id = wait(case, "the case")["case_id"]

        def priors() -> Any:
            told = exchange.call(RADIOLOGIST, "GET", f"/api/cases/{case_id}/priors")[1]
            whole = [each for each in told["priors"] if each["instance_count"] == phantoms.SLICES]
            return told if len(whole) == 2 else None

        told = wait(priors, "the earlier studies")
        asked = wait(
            lambda: next(
                (each for each in (priors() or {"asked": []})["asked"]
                 if {s["state"] for s in each["studies"]} == {"done"}), None),
            "the fetches to be over",
        )  # fmt: skip

    assert [(each["description"], each["site"], each["case_id"]) for each in told["priors"]] == [
        ("CT caput", "hammer", ""),  # the same part of the body is before the newer knee
        ("CT kne", "hammer", ""),
    ]
    assert (asked["node"], asked["state"], asked["mismatched"]) == ("PACS", "done", 0)
    after = exchange.call(RADIOLOGIST, "GET", "/api/cases")[1]["cases"]
    assert len(after) == len(before) + 1
    # how it came is in its custody, and its pixels can be read by whom may see the case
    uid = f"{ROOT}.1{number}.2.1.1"
    status, trail = exchange.call(RADIOLOGIST, "GET", f"/api/instances/{uid}/custody")
    assert (status, trail["trail"]["door"]) == (200, "prior")
    assert exchange.call(ELSEWHERE, "GET", f"/api/instances/{uid}/custody")[0] == 404
    assert exchange.call(ELSEWHERE, "GET", f"/api/cases/{case_id}/priors")[0] == 404
    log = exchange.log()
    assert ("fetched by C-GET" if gives else "fetched by C-MOVE") in log


@pytest.mark.browser
def test_a_reader_opens_an_earlier_study_beside_the_case(hospital: Exchange) -> None:
    exchange = hospital
    rows = exchange.call(RADIOLOGIST, "GET", "/api/cases")[1]["cases"]
    assert [row["prior_count"] for row in rows] == [2] * len(rows)
    case_id = rows[0]["case_id"]
    folder = Path(PICTURES) if PICTURES else None
    with chromium() as browser:
        for size, name in ((DESK, "desk"), (PHONE, "phone")):
            with signed_in(browser, exchange, RADIOLOGIST, size) as person:
                page = person.page
                page.goto(f"{exchange.address}/?lang=en")
                expect(page.get_by_text("2 earlier studies").first).to_be_visible()
                person.go(f"/cases/{case_id}")
                page.wait_for_selector("html[data-viewer] #preview-mark[hidden]", state="attached")
                links = page.locator(".strip-priors a")
                expect(links).to_have_count(2)
                expect(links.first).to_contain_text(re.compile("CT caput.*12 images"))
                keep_picture(page, f"priors-{name}.png", folder)
                links.first.click()
                second = page.locator(".pane:not([hidden])").last
                expect(second.locator(".earlier-mark")).to_contain_text("Earlier: CT caput")
                expect(second.locator(".slider")).to_have_attribute("max", "12")
                expect(second.locator(".then")).to_contain_text("never sent to be read")
                keep_picture(page, f"prior-beside-{name}.png", folder)
                assert person.axe_violations() == []
                person.go(str(links.first.get_attribute("href")))
                page.wait_for_selector("html[data-viewer] #preview-mark[hidden]", state="attached")
                expect(page.locator("h1")).to_have_text("Earlier: CT caput")
                expect(page.get_by_text("never sent to be read")).to_be_visible()
                keep_picture(page, f"prior-{name}.png", folder)
                assert person.complaints == []
