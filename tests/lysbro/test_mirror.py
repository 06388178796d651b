"""An exchange with a mirror in a bucket, as its operator runs it: followed, lost, brought back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from casework.errors import Invalid
from lysbro.backing_up import WORKER
from lysbro.settings import load
from lysbro.wiring import Parts, open_parts
from storage.erasure_steps import Eraser
from storage.tombstones import Erasure
from tests.flows.waiting import until
from tests.lysbro.calling import Desk
from tests.lysbro.test_cli_calls import worker
from tests.storage.s3.fault_proxy import FaultProxy, serve
from tests.storage.s3.servers import Server

peers = pytest.mark.peers
slow = pytest.mark.slow


@pytest.fixture
def proxy(rclone: Server) -> Iterator[FaultProxy]:
    with serve(rclone.port) as running:
        yield running


@pytest.fixture
def mirrored(desk: Desk, rclone: Server, proxy: FaultProxy, tmp_path: Path) -> Desk:
    """Return the desk of an exchange whose mirror is a bucket."""
    secret = tmp_path / "secret"
    secret.write_text(rclone.secret_key + "\n")
    place = rclone.place(port=proxy.port)
    return replace(
        desk,
        variables={
            "LYSBRO_MIRROR": f"s3://{place.bucket}",
            "LYSBRO_MIRROR_S3_ENDPOINT": place.endpoint,
            "LYSBRO_MIRROR_S3_ACCESS_KEY": place.access_key,
            "LYSBRO_MIRROR_S3_SECRET_KEY_FILE": str(secret),
            "LYSBRO_S3_DEADLINE": "1",
            "LYSBRO_QUIET_SECONDS": "0",
            "LYSBRO_SPOOL_GRACE": "0",
        },
    )


def mirror_of(desk: Desk) -> Any:
    return json.loads(desk.must("status", "--json").out)["mirror"]


@peers
@slow
def test_a_mirror_that_was_away_catches_up_and_brings_a_lost_exchange_back(
    mirrored: Desk, slices: Path, proxy: FaultProxy, rclone: Server
) -> None:
    proxy.tell("refuse")
    with worker(mirrored):
        mirrored.must("import", slices, "--site", "hammer")
        away = until(
            lambda: (
                (told := mirror_of(mirrored))["is_failing"] and told["behind_objects"] >= 2 and told
            ),
            "the status to say that nothing is mirrored",
            timeout_s=60,
        )
        assert away["behind_bytes"] > 0
        assert away["oldest_age_s"] is not None
        status = mirrored.must("status").out
        assert "ALARM       nothing is mirrored" in status
        assert rclone.secret_key not in status
        assert json.loads(mirrored.must("status", "--json").out)["spool"]["instances"] == 0
        proxy.heal()
        until(
            lambda: mirror_of(mirrored)["behind_objects"] == 0, "the mirror to catch up",
            timeout_s=60,
        )  # fmt: skip
    assert "has all that the store has" in mirrored.must("mirror").out
    mirrored.must("verify")
    (pack,) = (mirrored.data / "store" / "v1").rglob("*.zip")
    pack.write_bytes(pack.read_bytes()[:200])
    assert mirrored("verify").status == 1
    repaired = mirrored("verify", "--repair", "--json")
    assert repaired.status == 0
    assert set(repaired.json["repaired"]) >= {f"hammer 1.2.1.{i}" for i in (1, 2, 3)}
    mirrored.must("verify")
    shutil.rmtree(mirrored.data)
    answer = mirrored("rebuild", "--from", "mirror", "--json")
    assert answer.status == 0, answer
    assert (answer.json["instances"], answer.json["casebook"]) == (3, "restored")
    assert answer.json["mirror"]["objects"] >= 2
    mirrored.must("verify")
    again = mirrored.must("mirror", "--again", "--json")
    assert again.json["objects"] == 0  # a new database knows of none yet


def finished(opening: AbstractContextManager[Parts], erasure: str, *, after_s: int = 60) -> Erasure:
    """Carry an erasure on as far as it comes so long after now, and return it."""
    with opening as parts:
        later = parts.clock() + timedelta(seconds=after_s)
        done = Eraser(parts.archive, actor=WORKER).finish(erasure, later)
    assert done is not None
    return done


@peers
@slow
def test_an_erasure_waits_for_a_mirror_that_is_away_and_empties_it_then(
    mirrored: Desk, slices: Path, proxy: FaultProxy, rclone: Server
) -> None:
    bucket = mirrored.variables["LYSBRO_MIRROR"].removeprefix("s3://")

    def packs_there() -> list[str]:
        listed = rclone.client().list_objects(bucket, prefix="v1/", recursive=True)
        return [str(each.object_name) for each in listed]

    with worker(mirrored):
        mirrored.must("import", slices, "--site", "hammer")
        until(
            lambda: packs_there() and mirror_of(mirrored)["behind_objects"] == 0,
            "the mirror to have the pack",
            timeout_s=60,
        )
    proxy.tell("refuse")
    call = ("erase", "--study", "1.2.1", "--yes", "--reason", "asked for", "--json")
    told = mirrored(*call).json
    assert told["state"] == "cleaning"
    assert "It is not out of the mirror" in mirrored.must("status").out
    assert list((mirrored.data / "store" / "v1").rglob("*.zip")) == []
    assert len(packs_there()) == 1
    proxy.heal()
    done = finished(mirrored.parts(), told["id"])
    assert done.state == "cleaning"
    assert "`lysbro mirror --forget`" in done.waits_for  # these parts know of no mirror
    done = finished(open_parts(load(environment=mirrored.environment())), told["id"], after_s=240)
    assert (done.state, done.waits_for) == ("done", "")
    assert packs_there() == []
    listed = rclone.client().list_objects(bucket, prefix="erased/", recursive=True)
    assert len(list(listed)) == 1


def test_a_mirror_that_is_gone_for_good_is_forgotten_and_one_that_is_set_is_not(
    desk: Desk, tmp_path: Path
) -> None:
    assert desk.must("mirror", "--forget", "--json").json == {"objects": 0}
    assert [e.action for e in desk.audit("mirror-forgotten")] == ["mirror-forgotten"]
    with_one = replace(desk, variables={"LYSBRO_MIRROR": str(tmp_path / "mirror")})
    refused = with_one("mirror", "--forget")
    assert refused.status == 1
    assert "is the mirror" in refused.err


def test_without_a_mirror_it_is_said_so(desk: Desk) -> None:
    assert desk("mirror").status == 1
    assert desk("rebuild", "--from", "mirror").status == 1
    assert mirror_of(desk) is None


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"LYSBRO_MIRROR": "s3://packs"}, "LYSBRO_MIRROR_S3_ACCESS_KEY"),
        ({"LYSBRO_MIRROR": "/data/store", "LYSBRO_DATA": "/data"}, "LYSBRO_MIRROR: is the store"),
        ({"LYSBRO_MIRROR": "s3://"}, "LYSBRO_MIRROR"),
        (
            {
                "LYSBRO_MIRROR": "s3://packs",
                "LYSBRO_STORE": "s3://packs",
                "LYSBRO_S3_ACCESS_KEY": "a",
                "LYSBRO_S3_SECRET_KEY": "b",
                "LYSBRO_MIRROR_S3_ACCESS_KEY": "a",
                "LYSBRO_MIRROR_S3_SECRET_KEY": "b",
            },
            "LYSBRO_MIRROR: is the store",
        ),
    ],
)
def test_a_mirror_that_cannot_be_is_refused_with_its_name(
    given: dict[str, str], named: str
) -> None:
    with pytest.raises(Invalid, match=named):
        load(environment=given)


def test_a_mirror_in_a_bucket_has_its_own_server() -> None:
    settings = load(
        environment={
            "LYSBRO_MIRROR": "s3://second",
            "LYSBRO_MIRROR_S3_ENDPOINT": "https://far.example",
            "LYSBRO_MIRROR_S3_ACCESS_KEY": "a",
            "LYSBRO_MIRROR_S3_SECRET_KEY": "b",
        }
    )
    assert settings.s3 is None
    assert settings.mirror_s3 is not None
    assert (settings.mirror_s3.bucket, settings.mirror_s3.host) == ("second", "far.example")
