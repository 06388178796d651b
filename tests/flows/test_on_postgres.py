"""Study in, on PostgreSQL: the whole exchange in its own processes, told by DCMTK and the API."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest
from pydicom import dcmread
from pynetdicom import AE

from storage.testing import empty_url
from tests.flows.conftest import Exchange, make_exchange
from tests.flows.test_study_in import RADIOLOGIST, SERIES, dcmtk
from tests.flows.waiting import until
from tests.postgres import Server

pytestmark = [pytest.mark.peers, pytest.mark.slow]


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory: pytest.TempPathFactory, postgres: Server) -> Iterator[Exchange]:
    folder = tmp_path_factory.mktemp("on-postgres")
    with empty_url(folder, server=postgres.url("postgres")) as url:
        exchange = make_exchange(folder / "data", LYSBRO_DATABASE_URL=url)
        exchange.start()
        try:
            yield exchange
        finally:
            if exchange.alive():
                exchange.stop()


def _spooled(exchange: Exchange) -> int:
    return int(json.loads(exchange.must("status", "--json"))["spool"]["instances"])


def _findscu(exchange: Exchange, study_uid: str) -> str:
    done = dcmtk(
        "findscu", exchange, "HAMMER_CT", "-S", "-k", "QueryRetrieveLevel=STUDY",
        "-k", f"StudyInstanceUID={study_uid}", "-k", "NumberOfStudyRelatedInstances",
    )  # fmt: skip
    return (done.stdout + done.stderr).replace(" ", "")


def test_a_pushed_study_is_found_listed_packed_and_kept_over_a_crash(
    on_postgres: Exchange,
) -> None:
    files = sorted(map(str, SERIES.glob("*.dcm")))
    study_uid = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
    assert not (on_postgres.data / "lysbro.db").exists()

    done = dcmtk("storescu", on_postgres, "HAMMER_CT", *files)
    assert (done.stdout + done.stderr).count("Received Store Response (Success)") == len(files)

    until(lambda: f"[{len(files)}]" in _findscu(on_postgres, study_uid), "all in C-FIND")
    status, body = on_postgres.call(RADIOLOGIST, "GET", "/api/cases?state=submitted&site=hammer")
    assert (status, len(body["cases"])) == (200, 1)
    until(lambda: _spooled(on_postgres) == 0, "the series in the store", timeout_s=60)

    on_postgres.stop(signal.SIGKILL)
    on_postgres.start()
    assert f"[{len(files)}]" in _findscu(on_postgres, study_uid)
    assert on_postgres.lysbro("verify").returncode == 0


def test_an_open_association_goes_on_storing_while_the_database_is_away(
    on_postgres: Exchange, postgres: Server
) -> None:
    ds = dcmread(next(SERIES.glob("*.dcm")))
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = "1.2.8", "1.2.8.1", "1.2.8.1.1"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    modality = AE("HAMMER_CT")
    modality.add_requested_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)
    association = modality.associate("127.0.0.1", on_postgres.dicom_port, ae_title="LYSBRO")
    assert association.is_established

    postgres.stop()
    try:
        stored = association.send_c_store(ds)
        status, _ = on_postgres.call(RADIOLOGIST, "GET", "/readyz")
    finally:
        postgres.start()
    association.release()

    assert (stored.Status, status) == (0x0000, 503)
    until(lambda: "[1]" in _findscu(on_postgres, "1.2.8"), "the object in the index")
