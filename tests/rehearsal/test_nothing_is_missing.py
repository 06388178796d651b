"""Everything that was acknowledged comes back from the store alone, with the casebook.

Over DICOM associations into a running exchange, through a rebuild that is killed on its way.
`LYSBRO_REHEARSAL_INSTANCES` says how many objects each rehearsal has.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.postgres import Server as Postgres
from tests.rehearsal.account import Account
from tests.rehearsal.modalities import Sending
from tests.rehearsal.places import embedded, on_servers
from tests.rehearsal.rehearsal import Place, rehearse
from tests.storage.s3.servers import Server as S3

pytestmark = pytest.mark.slow

INSTANCES = int(os.environ.get("LYSBRO_REHEARSAL_INSTANCES", "300"))


def rehearsed(place: Place) -> Account:
    size = max(10, min(250, INSTANCES // 30))
    sending = Sending(INSTANCES, series_instances=size, study_series=2, side=16)
    account = rehearse(place, sending)
    assert account.faults == []
    assert (account.acknowledged, account.reports, account.kills) == (INSTANCES, 3, 1)
    assert account.store_objects >= INSTANCES // size
    return account


def test_all_comes_back_into_sqlite_from_a_folder(tmp_path: Path) -> None:
    rehearsed(embedded(tmp_path))


@pytest.mark.peers
def test_all_comes_back_into_postgresql_from_a_bucket(
    tmp_path: Path, postgres: Postgres, rclone: S3
) -> None:
    with on_servers(tmp_path, postgres, rclone) as place:
        rehearsed(place)
