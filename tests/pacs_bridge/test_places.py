"""Open associations are counted over all processes, and those of a killed one are forgotten."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from pacs_bridge.places import Counts, Places

HOLDER = """
import sys
from pathlib import Path
from pacs_bridge.places import Places
places = Places(Path(sys.argv[1]))
with places.judging("10.0.0.1"):
    places.enter("theirs-1", "10.0.0.1")
    places.enter("theirs-2", "10.0.0.2")
print("in", flush=True)
sys.stdin.read()
"""


def counts(places: Places, host: str) -> Counts:
    with places.judging(host) as found:
        return found


def test_a_process_alone_counts_its_own() -> None:
    places = Places()
    with places.judging("10.0.0.1"):
        places.enter("a", "10.0.0.1")
        places.enter("b", "10.0.0.1")

    assert counts(places, "10.0.0.1") == Counts(2, 2)
    assert places.leave("a") == 1
    assert counts(places, "10.0.0.1") == Counts(1, 1)
    assert places.leave("never") == 1


def test_associations_of_another_process_count_while_it_lives(tmp_path: Path) -> None:
    table = tmp_path / "places"
    mine = Places(table)
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(table)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert other.stdout is not None
    assert other.stdout.readline() == "in\n"
    with mine.judging("10.0.0.1"):
        mine.enter("mine", "10.0.0.1")

    assert counts(mine, "10.0.0.1") == Counts(3, 2)

    other.send_signal(signal.SIGKILL)
    other.communicate()
    assert counts(mine, "10.0.0.1") == Counts(1, 1)
    mine.close()


def test_the_block_of_a_dead_process_is_taken_over_empty(tmp_path: Path) -> None:
    table = tmp_path / "places"
    first = Places(table)
    with first.judging("10.0.0.1"):
        first.enter("a", "10.0.0.1")
    first.close()

    second = Places(table)
    assert counts(second, "10.0.0.1") == Counts(0, 0)
    second.close()
