"""From outside: a scanner over TLS until its certificate is revoked; files that are at fault."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.flows.conftest import Exchange, can_connect, make_exchange
from tests.flows.waiting import until
from tests.pacs_bridge.certificates import Paper, wallet
from tests.ports import free_port

pytestmark = [pytest.mark.peers, pytest.mark.slow]

SLICE = min((Path(__file__).resolve().parents[2] / "lysbro" / "samples" / "ct").glob("*.dcm"))


def variables(port: int) -> dict[str, str]:
    w = wallet()
    return {
        "LYSBRO_DICOM_TLS_PORT": str(port),
        "LYSBRO_DICOM_TLS_CERT": str(w.server.cert),
        "LYSBRO_DICOM_TLS_KEY": str(w.server.key),
        "LYSBRO_DICOM_TLS_CA": str(w.authority.cert),
        "LYSBRO_DICOM_TLS_CRL": str(w.crl),
    }


def send(port: int, paper: Paper, calling: str) -> subprocess.CompletedProcess[str]:
    """Send a slice over TLS as DCMTK does."""
    command = ["storescu", "-v", "-aet", calling, "-aec", "LYSBRO"]
    command += ["+tls", str(paper.key), str(paper.cert), "+cf", str(wallet().authority.cert)]
    command += ["127.0.0.1", str(port), str(SLICE)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_scanner_is_let_in_by_its_certificate_until_that_is_revoked(tmp_path: Path) -> None:
    port, w = free_port(), wallet()
    exchange = make_exchange(tmp_path / "data", **variables(port))
    exchange.must("site", "certificate", "hammer", str(w.hammer.cert))
    exchange.must("ae", "add", "HAMMER_CT", "--site", "hammer", "--tls-only")
    exchange.start(only="bridge")
    try:
        until(lambda: can_connect(port), "the TLS port", alive=exchange.alive)
        assert send(port, w.unknown, "HAMMER_CT").returncode != 0
        assert send(port, w.hammer, "UTSIRA_CT").returncode != 0
        taken = send(port, w.hammer, "HAMMER_CT")
        assert taken.returncode == 0, taken.stdout + taken.stderr

        exchange.must("site", "certificate", "hammer", w.hammer.fingerprint, "--revoke")

        refused = send(port, w.hammer, "HAMMER_CT")
        assert "Calling AE Title Not Recognized" in refused.stdout + refused.stderr
    finally:
        assert exchange.stop() == 0
    assert "1 objects checked." in exchange.must("verify")
    for code in ("certificate-unknown", "certificate-other-site"):
        assert code in exchange.log()


@pytest.mark.parametrize("only", ["bridge", "bridge,web,worker"])
def test_faulty_files_end_the_start_with_each_ones_setting(tmp_path: Path, only: str) -> None:
    exchange: Exchange = make_exchange(tmp_path / "data", **variables(free_port()))
    exchange.environment["LYSBRO_DICOM_TLS_KEY"] = str(wallet().hammer.key)
    exchange.environment["LYSBRO_DICOM_TLS_CA"] = "/nowhere/ca.pem"

    done = exchange.lysbro("serve", "--only", only)

    assert done.returncode == 2
    for said in ("LYSBRO_DICOM_TLS_KEY: ", "LYSBRO_DICOM_TLS_CA: /nowhere/ca.pem cannot be read"):
        assert said in done.stderr
    assert not can_connect(exchange.dicom_port)
