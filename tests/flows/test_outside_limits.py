"""From outside: an exchange that is full, one that finds its ports taken, one that is told to stop
while it receives.
"""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.conftest import Exchange, can_connect, make_exchange
from tests.flows.waiting import until

SERIES = Path(__file__).resolve().parents[2] / "lysbro" / "samples" / "ct"
GP = "gp@fjordgata.example"
LIMIT = 3_000_000

pytestmark = [pytest.mark.peers, pytest.mark.slow]


def dcmtk(tool: str, exchange: Exchange, *words: object) -> subprocess.CompletedProcess[str]:
    to = ("-v", "-aet", "HAMMER_CT", "-aec", "LYSBRO", "127.0.0.1", exchange.dicom_port)
    command = list(map(str, (tool, *to, *words)))
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


def test_full_spool_refuses_with_a700_keeps_what_it_has_and_still_answers(tmp_path: Path) -> None:
    exchange = make_exchange(
        tmp_path / "data", LYSBRO_SPOOL_LIMIT=str(LIMIT), LYSBRO_QUIET_SECONDS="3600"
    )
    exchange.start(only="bridge")
    try:
        done = dcmtk("storescu", exchange, "--no-halt", *sorted(SERIES.glob("*.dcm")))
        said = done.stdout + done.stderr
        kept = said.count("Received Store Response (Success)")
        full = dcmtk("storescu", exchange, next(SERIES.glob("*.dcm")))
        assert "OutOfResources" in said + full.stdout + full.stderr
        assert 0 < kept < len(list(SERIES.glob("*.dcm")))
        assert dcmtk("echoscu", exchange).returncode == 0
    finally:
        assert exchange.stop() == 0
    assert f"{kept} objects checked." in exchange.must("verify")


def test_second_exchange_on_the_same_ports_says_so_and_ends(
    exchange: Exchange, tmp_path: Path
) -> None:
    for words, port, name in (
        ((), exchange.dicom_port, "LYSBRO_DICOM_PORT"),
        (("--only", "web"), exchange.web_port, "LYSBRO_WEB_PORT"),
    ):
        other = subprocess.run(
            [sys.executable, "-m", "lysbro", "serve", *words],
            env=exchange.environment | {"LYSBRO_DATA": str(tmp_path / "other")},
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert other.returncode == 1
        assert f"Something listens on 127.0.0.1:{port}" in other.stderr
        assert name in other.stderr
    assert exchange.ready()


def test_upload_that_is_far_too_large_is_told_so_before_it_has_all_been_sent(
    exchange: Exchange,
) -> None:
    sender = http.client.HTTPConnection("127.0.0.1", exchange.web_port, timeout=20)
    sender.putrequest("POST", "/api/photos/assess")
    sender.putheader("Authorization", f"Bearer {exchange.token(GP)}")
    sender.putheader("Content-Type", "multipart/form-data; boundary=x")
    sender.putheader("Content-Length", str(200 << 20))
    sender.endheaders(b'--x\r\nContent-Disposition: form-data; name="photo"; filename="p"\r\n\r\n')
    answer = sender.getresponse()
    assert (answer.status, answer.getheader("Content-Type")) == (413, "application/problem+json")
    assert b"larger than" in answer.read()
    sender.close()


def test_sigterm_lets_the_study_that_is_coming_in_arrive_and_frees_the_ports(
    tmp_path: Path,
) -> None:
    exchange = make_exchange(tmp_path / "data", LYSBRO_QUIET_SECONDS="3600")
    exchange.start(only="bridge,worker")
    files = sorted(SERIES.glob("*.dcm"))
    with subprocess.Popen(
        ["storescu", "-v", "-aet", "HAMMER_CT", "-aec", "LYSBRO", "127.0.0.1",
         str(exchange.dicom_port), *map(str, files * 4)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as storescu:  # fmt: skip
        until(lambda: "stored" in exchange.log(), "the first object", alive=exchange.alive)
        assert exchange.stop(signal.SIGTERM) == 0
        said, _ = storescu.communicate(timeout=60)
    assert said.count("Received Store Response (Success)") > 0
    assert not can_connect(exchange.dicom_port)
    distinct = min(said.count("Received Store Response (Success)"), len(files))
    exchange.start(only="bridge,worker")
    assert exchange.stop() == 0
    assert f"{distinct} objects checked." in exchange.must("verify")
