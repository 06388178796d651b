"""The supervisor: children are restarted, a wrong call ends everything, a signal drains all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.waiting import until

pytestmark = pytest.mark.slow

SCRIPT = """
import sys
from lysbro import logs
from lysbro.supervise import Child, Supervisor
logs.configure(level="error", as_json=True)
commands = [[sys.executable, "-c", text] for text in sys.argv[1:]]
sys.exit(Supervisor([Child(f"c{i}", c) for i, c in enumerate(commands)], drain_s=10).run())
"""


def start(*children: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *children],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


# each line in one write: two children share the pipe, and a print may write its newline apart
WAITS = """
import os, signal, threading
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
os.write(1, b"up\\n")
stop.wait()
os.write(1, b"drained\\n")
"""
FALLS_ONCE = """
import os, pathlib, signal
mark = pathlib.Path(MARK)
if not mark.exists():
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_signal_drains_every_child() -> None:
    supervisor = start(WAITS, WAITS)
    assert supervisor.stdout is not None
    assert [supervisor.stdout.readline().strip() for _ in range(2)] == ["up", "up"]
    supervisor.send_signal(signal.SIGTERM)
    rest, _ = supervisor.communicate(timeout=20)
    assert (rest.split(), supervisor.returncode) == (["drained", "drained"], 0)


def test_a_child_that_falls_is_started_again(tmp_path: Path) -> None:
    mark = tmp_path / "fell"
    supervisor = start(FALLS_ONCE.replace("MARK", repr(str(mark))) + WAITS)
    assert supervisor.stdout is not None
    assert supervisor.stdout.readline().strip() == "up"
    supervisor.send_signal(signal.SIGTERM)
    supervisor.communicate(timeout=20)
    assert supervisor.returncode == 0


def test_a_child_whose_call_is_wrong_ends_the_others() -> None:
    supervisor = start(WAITS, "import sys; sys.exit(2)")
    supervisor.communicate(timeout=20)
    assert supervisor.returncode == 2


def test_children_end_with_a_supervisor_that_is_killed() -> None:
    supervisor = start("import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    assert supervisor.stdout is not None
    pid = int(supervisor.stdout.readline())
    supervisor.kill()
    supervisor.communicate(timeout=20)
    until(lambda: is_gone(pid), "the child to end with its supervisor")


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1].startswith("Z")
    except OSError:
        return True
