"""The whole collection of real files over real associations: kept byte for byte, or refused with a
reason; as they lie there, and as DCMTK sends them."""

from __future__ import annotations

import re
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from casework.access import Scope
from casework.model import AePermission, ApplicationEntity, Site, SiteKind
from pacs_bridge.syntaxes import TRANSFER_SYNTAXES, syntax_name
from pacs_bridge.tally import Outcome
from storage.part10 import BytesSource, read_file_meta
from tests.flows.waiting import until
from tests.pacs_bridge.collection import Sample, identity, rounds, samples
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.outgoing import as_us, send_made
from tests.ports import free_port

pytestmark = [
    pytest.mark.fixtures,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Invalid value for VR UI"),  # broken on purpose
]

ALL = Scope(sites=None, specialties=None, own_site="")
TABLE = Path(__file__).resolve().parents[2] / "docs" / "received-fixtures.md"
REFUSALS = {
    "A900": "the data set lacks a UID, or names another object than the command",
    "0117": "a UID is not made of digits and dots, 64 at most",
    "C000": "the data set is cut off",
    "C001": "the structure is broken, too deep, or the pixel data too short",
    "A700": "too large",
    "class": "SOP class not of a patient, or no storage class: no context accepted",
    "syntax": "transfer syntax not one of DICOM: no context accepted",
}


@dataclass(frozen=True)
class Sent:
    """A sample, where it went and what was answered."""

    sample: Sample
    site: str
    outcome: Outcome

    @property
    def refusal(self) -> str:
        """Return the reason for which it was refused, empty when it was kept."""
        if self.outcome.has_arrived:
            return ""
        if self.outcome.status is not None:
            return f"{self.outcome.status:04X}"
        return "class" if self.sample.transfer_syntax_uid in TRANSFER_SYNTAXES else "syntax"


@pytest.fixture(scope="module")
def cut(fixtures_dir: Path) -> list[list[Sample]]:
    return rounds(list(samples(fixtures_dir)))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("collection")) as opened:
        yield opened


def open_site(house: House, slug: str) -> str:
    """Add a site with one node that may store; return the node's title."""
    title = slug.upper().replace("-", "_")
    house.people.add_site(Site(slug, slug, SiteKind.HOSPITAL))
    house.people.add_ae(title, slug, permissions=frozenset({AePermission.STORE}))
    return title


@pytest.fixture(scope="module")
def sent(house: House, cut: list[list[Sample]]) -> list[Sent]:
    """Send every file as it lies there; each round is a site of its own."""
    us = ApplicationEntity("LYSBRO", "", SiteKind.CENTRE, host="127.0.0.1", port=house.port)
    done: list[Sent] = []
    for number, batch in enumerate(cut):
        site = f"raw-{number}"
        outcomes = send_made(batch, us, as_us(open_site(house, site)))
        done += [Sent(s, site, o) for s, o in zip(batch, outcomes, strict=True)]
    house.archive.settle()
    return done


def test_every_file_is_kept_byte_for_byte_or_refused_with_a_reason(
    house: House, sent: list[Sent]
) -> None:
    assert len(sent) > 800
    differing = [
        one.sample.name
        for one in sent
        if one.outcome.has_arrived and as_kept(house, one.sample, one.site) != one.sample.dataset
    ]
    assert differing == []
    assert {one.refusal for one in sent} <= {"", *REFUSALS}
    assert all(one.outcome.comment for one in sent if one.refusal)
    assert {one.sample.name for one in sent if one.refusal and is_sound(one.sample)} == set()
    assert house.index.conflicts() == []


def as_kept(house: House, sample: Sample, site: str) -> bytes:
    """Return the data set as it was kept."""
    row = house.index.instance(ALL, sample.sop_instance_uid, site=site)
    return house.archive.read_dataset(row)


def is_sound(sample: Sample) -> bool:
    """Tell whether a file is an object of a patient with all its UIDs, so that it must be kept."""
    odd = ("malformed/", "dicom_dicomdir/", "dicom_seg_pm_pr/pydicom/palettes/")
    lacks_uids = ("JLSL_", "JPEGLSNearLossless_", "jls_lossy", "HTJ2KLossless_08", "chrSQEncoding")
    other = ("weasis-dicom-tools/hp/",)
    if sample.name.startswith("dicom_dicomdir/") and "DICOMDIR" not in sample.name:
        return True
    return not sample.name.startswith(odd) and not any(n in sample.name for n in lacks_uids + other)


def test_document_shows_what_comes_of_the_collection(sent: list[Sent]) -> None:
    assert TABLE.read_text("utf-8") == in_a_table(sent)


def in_a_table(sent: list[Sent]) -> str:
    """Return the document that says what was kept and what was not."""
    lines = [
        "# What comes of a large collection of files",
        "",
        f"{len(sent)} Part 10 files, among them several hundred broken on purpose, sent over DICOM "
        "as they lie on disk and read",
        "back: every kept data set is byte-identical. `tests/pacs_bridge/test_collection.py` "
        "does this and keeps this page true.",
        "",
        "| transfer syntax | sent | kept | of these with B007 | refused |",
        "|---|---|---|---|---|",
    ]
    syntaxes = Counter(one.sample.transfer_syntax_uid for one in sent)
    for uid, count in sorted(syntaxes.items()):
        of_it = [one for one in sent if one.sample.transfer_syntax_uid == uid]
        kept = [one for one in of_it if not one.refusal]
        warned = sum(one.outcome.status != 0 for one in kept)
        name = syntax_name(uid)
        lines.append(f"| {name} | {count} | {len(kept)} | {warned} | {count - len(kept)} |")
    lines += ["", "| refused with | files | because |", "|---|---|---|"]
    refusals = Counter(one.refusal for one in sent if one.refusal)
    for code in sorted(refusals):
        shown = code if code.isupper() or code.isdigit() else "not sent"
        lines.append(f"| {shown} | {refusals[code]} | {REFUSALS[code]} |")
    return "\n".join([*lines, ""])


@pytest.mark.peers
def test_what_dcmtk_sends_is_what_dcmtk_itself_receives(
    house: House, cut: list[list[Sample]], tmp_path: Path
) -> None:
    """DCMTK writes sequences in its own way before it sends, so its own receiver is the measure."""
    kept, rewritten = 0, 0
    statuses: Counter[str] = Counter()
    for number, batch in enumerate(cut):
        site = f"dcmtk-{number}"
        ours = dcmsend(batch, open_site(house, site), house.port, tmp_path / f"ours-{number}")
        house.archive.settle()
        statuses.update(ours.values())
        arrived = [s for s in batch if ours.get(s.sop_instance_uid) in ("0000", "B007")]
        changed = [s for s in arrived if as_kept(house, s, site) != s.dataset]
        theirs = received_by_storescp(changed, tmp_path / f"theirs-{number}") if changed else {}
        for sample in changed:
            assert as_kept(house, sample, site) == theirs[sample.sop_instance_uid], sample.name
        kept, rewritten = kept + len(arrived), rewritten + len(changed)
    assert kept > 700
    assert rewritten < kept / 4
    assert set(statuses) <= {"0000", "B007", "A900", "0117", "0122", "C000", "C001"}


def dcmsend(batch: list[Sample], title: str, port: int, report: Path) -> dict[str, str]:
    """Send files with DCMTK, each in its transfer syntax; return the status of each by its UID."""
    command = ["dcmsend", "-dn", "-nh", "-nuc", "+crf", str(report), "-aet", title]
    command += ["-aec", "LYSBRO", "127.0.0.1", str(port), *(str(s.path) for s in batch)]
    subprocess.run(command, check=False, capture_output=True, timeout=120)
    if not report.exists():  # nothing of it could be sent
        return {}
    blocks = report.read_text("latin-1").split("\nNumber  ")[1:]
    told = [dict(re.findall(r"(Filename|DIMSE Status) +: (?:0x)?([^<\s]\S+)", b)) for b in blocks]
    said = {t["Filename"]: t.get("DIMSE Status", "").upper() for t in told}
    return {s.sop_instance_uid: said[str(s.path)] for s in batch if said.get(str(s.path))}


def received_by_storescp(batch: list[Sample], folder: Path) -> dict[str, bytes]:
    """Return the data sets by UID that DCMTK's receiver writes when it changes no bit."""
    folder.mkdir()
    port = free_port()
    with subprocess.Popen(
        ["storescp", "+B", "+xa", "+uf", "-od", str(folder), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as storescp:
        try:
            until(lambda: can_connect(port), "storescp")
            dcmsend(batch, "ANY", port, folder.with_suffix(".report"))
        finally:
            storescp.terminate()
    return dict(read_back(file) for file in folder.iterdir())


def read_back(file: Path) -> tuple[str, bytes]:
    content = file.read_bytes()
    meta = read_file_meta(BytesSource(content))
    dataset = content[meta.dataset_offset :]
    return identity(dataset, meta.transfer_syntax_uid)[1], dataset


def can_connect(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
