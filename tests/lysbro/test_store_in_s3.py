"""An exchange whose store is a bucket, as its operator runs it: down at the start, and drained."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.flows.waiting import until
from tests.lysbro.calling import Desk
from tests.lysbro.test_cli_calls import worker
from tests.storage.s3.fault_proxy import serve
from tests.storage.s3.servers import Server

pytestmark = [pytest.mark.peers, pytest.mark.slow]


def test_an_exchange_starts_and_receives_while_its_bucket_is_away_and_drains_by_itself(
    desk: Desk, slices: Path, rclone: Server, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(rclone.secret_key + "\n")
    with serve(rclone.port) as proxy:
        place = rclone.place(port=proxy.port)
        desk = replace(
            desk,
            variables={
                "LYSBRO_STORE": f"s3://{place.bucket}",
                "LYSBRO_S3_ENDPOINT": place.endpoint,
                "LYSBRO_S3_ACCESS_KEY": place.access_key,
                "LYSBRO_S3_SECRET_KEY_FILE": str(secret),
                "LYSBRO_S3_DEADLINE": "1",
                "LYSBRO_QUIET_SECONDS": "0",
            },
        )

        def status() -> Any:
            return json.loads(desk.must("status", "--json").out)

        proxy.tell("refuse")
        with worker(desk):
            desk.must("import", slices, "--site", "hammer")
            away = until(
                lambda: (told := status())["store"]["packing_failure"] and told,
                "the status to say that nothing is packed",
            )
            assert place.bucket in away["store"]["packing_failure"]
            assert away["spool"]["instances"] == 3
            assert away["store"]["tested"] is None
            assert "ALARM       nothing is packed" in desk("status").out
            proxy.heal()
            there = until(
                lambda: (told := status())["spool"]["instances"] == 0 and told,
                "the spool to drain",
                timeout_s=60,
            )
        assert there["store"]["packing_failure"] == ""
        assert there["store"]["tested"]["lacks"]
        assert rclone.secret_key not in json.dumps(there)
        desk.must("verify")
        (pack,) = rclone.client().list_objects(place.bucket, prefix="v1/", recursive=True)
        answer = rclone.client().get_object(place.bucket, pack.object_name or "")
        with zipfile.ZipFile(io.BytesIO(answer.read())) as members:
            assert members.testzip() is None
        answer.close()
        answer.release_conn()
