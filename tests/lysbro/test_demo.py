"""The demonstration as a newcomer runs it: samples by the real doors, found again, stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.waiting import until
from tests.ports import free_port

pytestmark = pytest.mark.slow


def surroundings(data: Path) -> dict[str, str]:
    clean = {name: text for name, text in os.environ.items() if not name.startswith("LYSBRO_")}
    return clean | {
        "LYSBRO_DATA": str(data),
        "LYSBRO_DICOM_PORT": str(free_port()),
        "LYSBRO_WEB_PORT": str(free_port()),
    }


def lysbro(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lysbro", *words],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=150,
    )


def runs(demo: subprocess.Popen[bytes], said: Path) -> bool:
    assert demo.poll() is None, said.read_text("utf-8")
    return True


def test_the_samples_come_in_once_and_are_found_again(tmp_path: Path) -> None:
    environment = surroundings(tmp_path / "data")
    first = lysbro(environment, "demo", "--exit")
    assert first.returncode == 0, first.stderr
    assert "radiologist@nordlys.example" in first.stdout
    assert environment["LYSBRO_WEB_PORT"] in first.stdout
    second = lysbro(environment, "demo", "--exit")
    assert second.returncode == 0, second.stderr
    assert "are here already" in second.stderr
    status = json.loads(lysbro(environment, "status", "--json").stdout)
    assert status["index"]["studies"] == 3
    assert status["index"]["instances"] == 44
    assert status["conflicts"] == 0


def test_a_first_run_that_was_stopped_half_way_is_finished_by_the_next(tmp_path: Path) -> None:
    environment = surroundings(tmp_path / "data")
    said = tmp_path / "said.txt"
    with said.open("wb") as output:
        demo = subprocess.Popen(
            [sys.executable, "-m", "lysbro", "demo"], env=environment, stdout=output, stderr=output
        )
        until(
            lambda: "CT images over DICOM" in said.read_text("utf-8"),
            "the first sample to be in",
            timeout_s=120,
            alive=lambda: runs(demo, said),
        )
        demo.terminate()
        demo.wait(60)
    second = lysbro(environment, "demo", "--exit")
    assert second.returncode == 0, second.stderr
    status = json.loads(lysbro(environment, "status", "--json").stdout)
    assert (status["cases"]["submitted"], status["conflicts"]) == (3, 0)


def test_ctrl_c_stops_every_process(tmp_path: Path) -> None:
    environment = surroundings(tmp_path / "data")
    said = tmp_path / "said.txt"
    with said.open("wb") as output:
        demo = subprocess.Popen(
            [sys.executable, "-m", "lysbro", "demo"], env=environment, stdout=output, stderr=output
        )
        until(
            lambda: "Ctrl-C stops it" in said.read_text("utf-8"),
            "the demonstration to say how it is stopped",
            timeout_s=120,
            alive=lambda: runs(demo, said),
        )
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 0
    for name in ("LYSBRO_DICOM_PORT", "LYSBRO_WEB_PORT"):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(environment[name]))) != 0


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    environment = surroundings(tmp_path / "data")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(environment["LYSBRO_WEB_PORT"])))
        taken.listen()
        done = lysbro(environment, "demo", "--exit")
    assert done.returncode == 1
    assert "LYSBRO_WEB_PORT" in done.stderr
