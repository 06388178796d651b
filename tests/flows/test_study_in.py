"""Study in: a modality pushes a series over DICOM; it is in the worklist, can be asked for, and
goes on to another archive, byte for byte. DCMTK plays the modality and the archive."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from storage.part10 import BytesSource, read_file_meta
from tests.flows.conftest import Exchange, can_connect
from tests.flows.waiting import until
from tests.ports import free_port

SERIES = Path(__file__).resolve().parents[2] / "lysbro" / "samples" / "ct"
RADIOLOGIST = "radiologist@nordlys.example"

pytestmark = [pytest.mark.peers, pytest.mark.slow]


Done = subprocess.CompletedProcess[str]


def dcmtk(tool: str, exchange: Exchange, calling: str, *words: str) -> Done:
    """Run a tool of DCMTK against the exchange."""
    split = next((i for i, word in enumerate(words) if word.startswith("/")), len(words))
    to = ["-aet", calling, "-aec", "LYSBRO", *words[:split], "127.0.0.1", str(exchange.dicom_port)]
    return subprocess.run(
        [tool, "-v", *to, *words[split:]], check=False, capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def study_uid() -> str:
    return str(dcmread(next(SERIES.glob("*.dcm")), stop_before_pixels=True).StudyInstanceUID)


@pytest.fixture(scope="module")
def pushed(exchange: Exchange) -> int:
    """Push the series as a modality of a hospital does; return how many slices."""
    files = sorted(map(str, SERIES.glob("*.dcm")))
    done = dcmtk("storescu", exchange, "HAMMER_CT", *files)
    assert done.returncode == 0, done.stderr
    assert (done.stdout + done.stderr).count("Received Store Response (Success)") == len(files)
    return len(files)


@pytest.fixture(scope="module")
def archive(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of an archive of the hospital, which changes no bit."""
    folder, port = tmp_path_factory.mktemp("archive"), free_port()
    with subprocess.Popen(["storescp", "+B", "+xa", "-od", str(folder), str(port)]) as storescp:
        try:
            until(lambda: can_connect(port), "storescp")
            exchange.must(
                "ae", "add", "HAMMER_VNA", "--site", "hammer", "--host", "127.0.0.1",
                "--port", str(port), "--allow", "query",
            )  # fmt: skip
            yield folder
        finally:
            storescp.terminate()


def test_pushed_study_is_one_submitted_case_in_the_worklist(
    exchange: Exchange, pushed: int, study_uid: str
) -> None:
    def listed() -> list[dict[str, object]]:
        status, body = exchange.call(RADIOLOGIST, "GET", "/api/cases?state=submitted&site=hammer")
        assert status == 200, body
        return list(body["cases"])

    (case,) = until(listed, "the study in the worklist")

    status, dossier = exchange.call(RADIOLOGIST, "GET", f"/api/cases/{case['case_id']}")
    assert status == 200
    (study,) = dossier["studies"]
    assert study_uid in str(study)
    until(lambda: f'"instance_count": {pushed}' in _shown(exchange, str(case["case_id"])), "all")


def _shown(exchange: Exchange, case_id: str) -> str:
    _, dossier = exchange.call(RADIOLOGIST, "GET", f"/api/cases/{case_id}")
    return json.dumps(dossier)


def test_pushed_study_can_be_asked_for_by_its_own_site_and_by_no_other(
    exchange: Exchange, pushed: int, study_uid: str
) -> None:
    keys = ["-S", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study_uid}"]
    keys += ["-k", "NumberOfStudyRelatedInstances"]

    own = dcmtk("findscu", exchange, "HAMMER_CT", *keys)
    other = dcmtk("findscu", exchange, "UTSIRA_CT", *keys)

    assert f"[{pushed}]" in (own.stdout + own.stderr).replace(" ", "")
    assert "(Pending)" not in other.stdout + other.stderr
    assert "(Success)" in other.stdout + other.stderr


def test_stranger_is_rejected_with_a_reason(exchange: Exchange, pushed: int) -> None:
    done = dcmtk("echoscu", exchange, "STRANGER")

    assert done.returncode != 0
    assert "Calling AE Title Not Recognized" in done.stdout + done.stderr


def test_forwarded_study_arrives_byte_for_byte(
    exchange: Exchange, pushed: int, study_uid: str, archive: Path
) -> None:
    exchange.must("send", study_uid, "--to", "HAMMER_VNA")

    until(lambda: len(list(archive.iterdir())) == pushed, "the study at the archive", timeout_s=60)
    until(lambda: '"queued": 0' in exchange.must("status", "--json"), "the queue to be empty")
    sent = {_uid(file): _dataset(file) for file in SERIES.glob("*.dcm")}
    assert {_uid(file): _dataset(file) for file in archive.iterdir()} == sent


def _uid(file: Path) -> str:
    return read_file_meta(BytesSource(file.read_bytes())).sop_instance_uid


def _dataset(file: Path) -> bytes:
    content = file.read_bytes()
    return content[read_file_meta(BytesSource(content)).dataset_offset :]


def test_what_is_kept_is_what_was_promised(exchange: Exchange, pushed: int) -> None:
    assert exchange.lysbro("verify").returncode == 0
