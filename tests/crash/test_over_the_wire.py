"""A bridge that is killed at any step, on a disk that loses what was not synced: what it had
answered for over DICOM is there and whole at the next start, and nothing else is.
"""

from __future__ import annotations

import itertools
import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from storage.part10 import EXPLICIT_LE
from tests.crash.campaign import Round, campaign, run
from tests.crash.nursery import nursery
from tests.crash.points import POINTS, RANDOM
from tests.crash.score import Verdict
from tests.crash.senders import KEPT, request, status_of
from tests.pacs_bridge.test_wire import echo_request, echo_s
from tests.pacs_bridge.wire import CT, ECHO, IMPLICIT, connected, p_data
from tests.storage.building import dataset

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("LYSBRO_CRASH_ROUNDS", "20"))
OUT_OF_RESOURCES = 0xA700


@pytest.mark.timeout(300 + 10 * ROUNDS)
def test_what_was_acknowledged_over_dicom_outlives_every_kill_and_power_cut(
    tmp_path: Path,
) -> None:
    score = run(tmp_path, number=ROUNDS, seed=1)
    logging.getLogger(__name__).info("crash rounds\n%s", score.table())
    assert score.verdict.faults == {}
    assert score.kills >= ROUNDS
    planned = {name: count for name, count in score.points.items() if name != RANDOM}
    assert [name for name, count in planned.items() if not count.reached] == []
    if score.kills >= 2 * len(POINTS):
        assert planned.keys() == {point.name for point in POINTS}
    assert sum(count.acknowledged for count in score.points.values()) >= ROUNDS


@pytest.mark.parametrize("is_cut", [False, True])
def test_nothing_is_lost_where_another_process_indexes(tmp_path: Path, is_cut: bool) -> None:
    moments = [Round("header-written", 20), Round("synced", 20), Round(RANDOM), Round(RANDOM)]
    with (
        nursery(tmp_path / "bridges.log") as bridges,
        campaign(tmp_path / "x", bridges, seed=4) as played,
    ):
        for planned in moments:
            verdict = played.play(replace(planned, cut=is_cut, follows=True))
            assert verdict.faults == {}
        assert played.ledger.acknowledged


def found_by(tmp_path: Path, *broken: Round) -> Verdict:
    """Play rounds of a bridge that is broken on purpose, until something is found."""
    verdict = Verdict()
    with (
        nursery(tmp_path / "bridges.log") as bridges,
        campaign(tmp_path / "x", bridges, seed=2) as played,
    ):
        for planned in itertools.islice(itertools.cycle(broken), 8):
            verdict.add(played.play(planned))
            if verdict.lost:
                break
    return verdict


def test_the_harness_finds_a_bridge_that_does_not_sync(tmp_path: Path) -> None:
    broken = Round(RANDOM, cut=True, sync="none"), Round("answered", 30, cut=True, sync="none")
    assert found_by(tmp_path, *broken).lost


@pytest.mark.parametrize("point", ["whole-not-judged", "header-written"])
def test_the_harness_finds_a_bridge_that_answers_before_it_commits(
    tmp_path: Path, point: str
) -> None:
    assert found_by(tmp_path, Round(point, 5, cut=point == "header-written", early=True)).lost


@pytest.mark.parametrize("is_cut", [False, True])
def test_a_sync_that_fails_ends_all_success_and_loses_nothing(tmp_path: Path, is_cut: bool) -> None:
    with (
        nursery(tmp_path / "bridges.log") as bridges,
        campaign(tmp_path / "x", bridges, seed=3) as played,
    ):
        life, port = played.begin(Round(RANDOM, sync="eio", failing_sync=40))
        with played.senders(port, limit=40):
            pass
        assert played.ledger.acknowledged
        for _, answers in itertools.groupby(sorted(played.ledger.answers, key=_sender), _sender):
            statuses = [status for _, status in answers]
            first = next(i for i, status in enumerate(statuses) if status not in KEPT)
            assert set(statuses[first:]) == {OUT_OF_RESOURCES}
        with connected(port) as peer:
            peer.associate([(CT, EXPLICIT_LE), (ECHO, IMPLICIT)])
            peer.send(request("2.25.1") + p_data(1, 2, dataset("2.25.1")))
            assert status_of(peer) == OUT_OF_RESOURCES
            peer.send(p_data(3, 3, echo_request()))
            assert status_of(peer) == 0x0000
        assert echo_s(port) < 2
        life.kill()
        life.bury()
        if is_cut:
            played.cut_power()
        verdict = Verdict()
        played.look(verdict, Round(RANDOM))
        verdict.add(played.end())
        assert verdict.faults == {}


def _sender(answer: tuple[str, int]) -> str:
    return answer[0]
