"""Names that are paths, markup or control characters: refused where they stand, and never used."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pacs_bridge import dimse
from storage.part10 import IMPLICIT_LE
from tests.hostile.bridge import Bridge
from tests.hostile.sending import EXPLICIT, fresh_uid, sender
from tests.pacs_bridge.wire import CT, Peer, associate_request, connected, p_data
from tests.storage.building import dataset, element

pytestmark = pytest.mark.slow

EVIL = {
    "up": b"../../../../tmp/lysbro-was-here",
    "absolute": b"/tmp/lysbro-was-here",
    "windows": rb"C:\Windows\lysbro-was-here",
    "backslash": rb"1.2.3\1.2.4",
    "nul": b"1.2.3\0.4/x.5",
    "line": b"1.2.3\r\nstored sop=1.2.3.4",
    "latin": "1.2.æøå".encode("latin-1"),
    "utf-8": "1.2.\N{ARABIC-INDIC DIGIT THREE}".encode(),
    "long": b"1." * 32 + b"1",
    "very long": b"1.2" * 10_000,
    "markup": b"<script>alert(1)</script>",
    "format": b"%s%s%n{0}{{7*7}}",
    "sql": b"1.2.3' OR '1'='1",
    "space": b"1.2 .3",
    "letter": b"1.2.x",
    "dots": b"..",
    "tilde": b"~root/.ssh/authorized_keys",
}
HARMLESS = {"dots"}  # digits and dots: taken as a UID, and nothing is named by it
LISTED = sorted(EVIL)


def even(value: bytes) -> bytes:
    return value + b"\0" * (len(value) % 2)


def store_announced(peer: Peer, uid: bytes, data: bytes, *, sop_class: bytes = CT.encode()) -> int:
    """Store under any announced names; return the status, or 0xFFFF when it is cut off."""
    request = {
        0x0002: even(sop_class),
        0x0100: struct.pack("<H", dimse.C_STORE_RQ),
        0x0110: b"\1\0",
        0x0700: b"\0\0",
        0x0800: b"\1\0",
        0x1000: even(uid),
    }
    peer.send(p_data(1, 3, dimse.write_elements(request)) + p_data(1, 2, data))
    kind, body = peer.read_pdu()
    if kind != 4:
        return 0xFFFF
    return int.from_bytes(dimse.read_command(body[6:]).elements[0x0900], "little")


def files_in(folder: Path) -> set[str]:
    """Return all files but journal segments, whose names are times and chance."""
    return {str(path) for path in folder.rglob("*") if path.suffix not in {".seg", ".log"}}


@pytest.fixture(autouse=True)
def no_file_is_named_by_anyone(attacked: Bridge) -> object:
    roots = (attacked.exchange.data.parent, Path("/tmp"))
    before = files_in(roots[0])
    yield
    new = {name for name in files_in(roots[0]) - before if "lysbro.db" not in name}
    assert new == set()
    assert not list(Path("/tmp").glob("*was-here*"))
    assert not list(Path.cwd().glob("*was-here*"))


@pytest.mark.parametrize("name", LISTED)
def test_instance_that_is_announced_so_is_refused(attacked: Bridge, name: str) -> None:
    with connected(attacked.port) as peer:
        peer.associate([(CT, EXPLICIT)])
        status = store_announced(peer, EVIL[name], dataset())

    expected = 0xA900 if name in HARMLESS else 0x0117
    assert status == expected


@pytest.mark.parametrize("name", LISTED)
def test_class_that_is_announced_so_is_refused(attacked: Bridge, name: str) -> None:
    with connected(attacked.port) as peer:
        peer.associate([(CT, EXPLICIT)])
        status = store_announced(peer, b"1.2.3.4", dataset(), sop_class=EVIL[name])
    assert status == 0x0122


@pytest.mark.parametrize("tag", [0x00080016, 0x00080018, 0x0020000D, 0x0020000E])
@pytest.mark.parametrize("name", LISTED)
def test_uid_that_stands_so_in_the_data_set_is_refused(
    attacked: Bridge, name: str, tag: int
) -> None:
    found = {0x00080016: CT, 0x00080018: "1.2.3.4", 0x0020000D: "1.2.3", 0x0020000E: "1.2.3.1"}
    sound = element(tag, "UI", found[tag], implicit=True)
    data = dataset(implicit=True)
    assert data.count(sound) == 1
    bad = data.replace(sound, element(tag, "UI", EVIL[name].decode("latin-1"), implicit=True))

    with sender(attacked, syntax=IMPLICIT_LE) as sending:
        status = sending.store("1.2.3.4", bad)

    if name in HARMLESS and tag in (0x0020000D, 0x0020000E):
        assert status == 0x0000  # only a name of digits and dots
    else:
        assert status in (0x0117, 0xA900), f"{status:04X}"


@pytest.mark.parametrize("name", LISTED)
def test_both_names_alike_are_refused_all_the_same(attacked: Bridge, name: str) -> None:
    if name in HARMLESS:
        return
    value = EVIL[name].decode("latin-1")
    data = dataset(implicit=True).replace(
        element(0x00080018, "UI", "1.2.3.4", implicit=True),
        element(0x00080018, "UI", value, implicit=True),
    )
    with connected(attacked.port) as peer:
        peer.associate([(CT, IMPLICIT_LE)])
        assert store_announced(peer, EVIL[name], data) == 0x0117


@pytest.mark.parametrize("name", LISTED)
@pytest.mark.parametrize("which", ["calling", "called"])
def test_title_that_is_so_is_rejected(attacked: Bridge, name: str, which: str) -> None:
    sound = associate_request([(CT, EXPLICIT)])
    at = {"called": 10, "calling": 26}[which]
    request = sound[:at] + EVIL[name][:16].ljust(16) + sound[at + 16 :]
    with connected(attacked.port) as peer:
        peer.send(request)
        kind, body = peer.read_pdu()
    assert (kind, body) == (3, b"\0\1\1" + (b"\7" if which == "called" else b"\3"))
    assert not any(line.startswith("stored sop=") for line in attacked.exchange.log().splitlines())


@pytest.mark.parametrize("name", LISTED)
def test_syntax_that_is_proposed_so_is_not_accepted(attacked: Bridge, name: str) -> None:
    value = EVIL[name][:64]
    plain = associate_request([(CT, "9" * len(value))])
    with connected(attacked.port) as peer:
        peer.send(plain.replace(b"9" * len(value), value))
        kind, body = peer.read_pdu()
    assert kind in (2, 7)
    if kind == 2:
        at = body.index(b"\x21\0", 68)
        assert body[at + 6] == 4


def test_object_of_a_patient_whose_name_is_markup_is_kept_as_it_is(attacked: Bridge) -> None:
    uid = fresh_uid()
    with sender(attacked) as sending:
        assert sending.store(uid, dataset(uid, name="<b>^'; DROP TABLE patients; --")) == 0x0000
