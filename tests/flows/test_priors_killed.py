"""A worker is killed in the middle of an earlier study; the next one fetches the rest alone."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from casework.access import Scope
from lysbro.settings import load
from lysbro.wiring import open_parts
from tests.flows.conftest import make_exchange
from tests.flows.waiting import until
from tests.lysbro.pacs import serving
from tests.lysbro.test_prefetching import study
from tests.pacs_bridge.making import part10

pytestmark = pytest.mark.slow

ALL = Scope(sites=None, specialties=None, own_site="nordlys")


def test_after_a_killed_worker_only_the_rest_is_fetched(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path / "data", LYSBRO_LEASE_SECONDS="5")
    (new,) = study("1.2.50", 1, StudyDate="20260302")
    (tmp_path / "new.dcm").write_bytes(part10(new))
    with serving(study("1.2.7", 5), offers=("get",)) as pacs:
        exchange.must(
            "ae", "add", "PACS", "--site", "hammer", "--host", "127.0.0.1", "--port",
            str(pacs.port), "--allow", "fetch",
        )  # fmt: skip
        exchange.must("prior-rule", "add", "--ask", "PACS")
        exchange.must("import", str(tmp_path / "new.dcm"), "--site", "hammer")
        killed = subprocess.run(
            [sys.executable, "-m", "tests.flows.dying_fetcher", "2"],
            env=exchange.environment,
            check=False,
            capture_output=True,
            timeout=60,
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
        until(lambda: len(pacs.given) >= 2, "the first objects")
        before = [f"1.2.7.1.{number}" for number in (1, 2)]  # they were durable, if not answered
        pacs.given.clear()
        exchange.start(only="worker")
        try:
            with open_parts(load(environment=exchange.environment)) as parts:

                def fetched() -> bool:
                    found = parts.index.studies(ALL, study_uid="1.2.7")
                    return bool(found) and found[0].completeness == "complete"

                until(fetched, "the rest of the study", alive=exchange.alive, timeout_s=60)
                (row,) = parts.index.studies(ALL, study_uid="1.2.7")
                assert (row.instance_count, row.case_id) == (5, None)
                assert parts.casebook.counts()["total"] == 1
        finally:
            exchange.stop()
    assert not set(before) & set(pacs.given)
    assert sorted(set(pacs.given)) == [f"1.2.7.1.{number}" for number in (3, 4, 5)]
