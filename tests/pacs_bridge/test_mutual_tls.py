"""A bridge with a TLS port: whose certificate brings whom in, what the audit says, who waits."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from casework.access import Scope
from casework.errors import Invalid, Unavailable
from pacs_bridge import dimse
from pacs_bridge.admission import Rejection
from pacs_bridge.front import Request
from pacs_bridge.pace import Floor as _Floor
from storage.archive import SpoolLimits
from tests.flows.waiting import until
from tests.pacs_bridge.certificates import Paper, caller_context, secured, tls_files, wallet
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.making import ct, part10
from tests.pacs_bridge.test_wire import ABORT, REJECT, dataset, echo_request, echo_s, store
from tests.pacs_bridge.wire import CT, ECHO, IMPLICIT, Peer, associate_request, connected, p_data

pytestmark = [pytest.mark.peers, pytest.mark.slow]

ALL = Scope(sites=None, specialties=None, own_site="")
STORE = [(CT, IMPLICIT)]
NOT_RECOGNISED = (REJECT, b"\0\x01\x01\x03")
SITES = {"hammer": "hammer", "utsira": "utsira", "revoked": "hammer"}


def bind(house: House) -> None:
    """Bind the certificates of the two hospitals, and one that is on the revocation list."""
    for name, site in SITES.items():
        paper: Paper = getattr(wallet(), name)
        end = datetime(2030, 1, 1, tzinfo=UTC)
        house.people.add_certificate(paper.fingerprint, site, subject=name, not_after=end)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path, **on_tls()) as opened:
        bind(opened)
        yield opened


def on_tls(**settings: object) -> dict[str, object]:
    wanted: dict[str, object] = {"tls_port": 0, "tls_host": "127.0.0.1", "tls_files": tls_files()}
    return wanted | settings


def ask(
    house: House, paper: Paper | None, calling: str, called: str = "LYSBRO"
) -> tuple[int, bytes]:
    """Ask for an association over TLS and return the answer."""
    with secured(house.bridge.tls_port, caller_context(paper)) as peer:
        peer.send(associate_request(STORE, calling=calling, called=called))
        return peer.read_pdu()


def secure_echo_s(house: House, paper: Paper | None = None) -> float:
    started = time.monotonic()
    with secured(house.bridge.tls_port, caller_context(paper or wallet().hammer)) as peer:
        peer.associate([(ECHO, IMPLICIT)])
        peer.send(p_data(1, 3, echo_request()))
        assert peer.response().Status == 0x0000
    return time.monotonic() - started


def test_certificate_of_its_site_lets_an_entity_in_and_is_in_the_custody(house: House) -> None:
    with secured(house.bridge.tls_port, caller_context(wallet().hammer)) as peer:
        host, port = peer.socket.getsockname()
        peer.associate(STORE, calling="HAMMER_TLS")
        data = dataset(instance="1.2.42", study="1.2.40")

        assert store(peer, data, instance="1.2.42") == 0x0000

    house.archive.settle()
    assert house.archive.read_dataset(house.index.instance(ALL, "1.2.42")) == data
    (received, *_) = house.index.custody(ALL, "1.2.42")
    assert received.detail["peer"] == f"{host}:{port} sha256:{wallet().hammer.fingerprint}"


@pytest.mark.parametrize(
    ("name", "calling", "called", "answer", "code"),
    [
        ("hammer", "UTSIRA_CT", "LYSBRO", (1, 1, 3), "certificate-other-site"),
        ("utsira", "HAMMER_CT", "LYSBRO", (1, 1, 3), "certificate-other-site"),
        ("unknown", "HAMMER_CT", "LYSBRO", (1, 1, 3), "certificate-unknown"),
        ("unknown", "HAMMER_CT", "OTHER", (1, 1, 3), "certificate-unknown"),
        ("hammer", "NOBODY", "LYSBRO", (1, 1, 3), "calling-unknown"),
        ("hammer", "HAMMER_CT", "OTHER", (1, 1, 7), "called-unknown"),
    ],
)
def test_certificate_that_does_not_speak_for_the_caller_is_rejected_and_audited(
    house: House, name: str, calling: str, called: str, answer: tuple[int, int, int], code: str
) -> None:
    paper: Paper = getattr(wallet(), name)

    assert ask(house, paper, calling, called) == (REJECT, bytes((0, *answer)))
    (entry,) = house.ledger.entries(q="association-rejected")
    assert (entry.subject, entry.outcome) == (calling, "refused")
    assert (entry.detail["reason"], entry.detail["certificate"]) == (code, paper.fingerprint)
    assert entry.detail["answer"] == "/".join(map(str, answer))
    assert house.meter.rejections == [code]


def test_binding_that_is_ended_ends_at_once(house: House) -> None:
    assert secure_echo_s(house) < 2.0
    house.people.revoke_certificate(wallet().hammer.fingerprint, "hammer")

    assert ask(house, wallet().hammer, "HAMMER_CT") == NOT_RECOGNISED
    (entry,) = house.ledger.entries(q="association-rejected")
    assert entry.detail["reason"] == "certificate-unknown"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("revoked", "certificate-refused"),
        ("expired", "certificate-refused"),
        ("foreign", "certificate-refused"),
        (None, "certificate-missing"),
    ],
)
def test_certificate_that_is_not_genuine_gets_no_association_and_is_audited(
    house: House, name: str | None, code: str
) -> None:
    paper: Paper | None = getattr(wallet(), name) if name else None
    try:
        answered = ask(house, paper, "HAMMER_CT")[0]
    except OSError:  # with TLS 1.3 the alert comes after the caller's own handshake
        answered = 0

    assert answered == 0
    (entry,) = until(lambda: house.ledger.entries(q="association-rejected"), "the audit")
    assert (entry.subject, entry.outcome) == ("127.0.0.1", "refused")
    assert (entry.detail["reason"], entry.detail["answer"]) == (code, "tls")
    assert house.meter.rejections == [code]
    assert secure_echo_s(house) < 2.0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("version", "suites", "code"),
    [
        ("TLSv1", "ALL", "tls-version"),
        ("TLSv1_1", "ALL", "tls-version"),
        ("TLSv1_2", "AES128-SHA", "tls-cipher"),
        ("TLSv1_2", "ECDHE-RSA-AES256-SHA", "tls-cipher"),
    ],
)
def test_old_tls_and_weak_suites_get_no_association_and_are_audited(
    house: House, version: str, suites: str, code: str
) -> None:
    context = caller_context(wallet().hammer)
    context.set_ciphers(f"{suites}:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]

    with pytest.raises(ssl.SSLError), secured(house.bridge.tls_port, context):
        pass

    (entry,) = until(lambda: house.ledger.entries(q="association-rejected"), "the audit")
    assert entry.detail["reason"] == code


def test_noise_on_the_tls_port_is_logged_and_not_audited(house: House) -> None:
    for noise in (b"GET / HTTP/1.1\r\n\r\n", associate_request(STORE), b""):
        with connected(house.bridge.tls_port) as peer:
            peer.send(noise)
            with contextlib.suppress(OSError):  # it may have hung up on us already
                peer.socket.shutdown(socket.SHUT_WR)
            assert peer.read_pdu()[0] != 2
    until(lambda: len(house.meter.rejections) == 3, "three refusals")
    assert set(house.meter.rejections) == {"handshake-broken"}
    assert house.ledger.entries(q="association-rejected") == ()


def test_plain_port_goes_on_as_before(house: House) -> None:
    assert echo_s(house.port) < 2.0
    with connected(house.port) as peer:
        peer.send(associate_request(STORE, calling="HAMMER_TLS"))
        assert peer.read_pdu() == NOT_RECOGNISED


@pytest.mark.parametrize("silent", [1, 200])
def test_silent_connections_on_the_tls_port_keep_nobody_out(house: House, silent: int) -> None:
    with ExitStack() as held:
        for _ in range(silent):  # from an address of their own: it may have only so many
            plain = socket.socket()
            held.enter_context(plain)
            plain.bind(("127.0.0.2", 0))
            plain.settimeout(5)
            plain.connect(("127.0.0.1", house.bridge.tls_port))
        assert secure_echo_s(house) < 1.0
        assert secure_echo_s(house, wallet().hammer) < 1.0
        assert echo_s(house.port) < 1.0


def test_silent_connection_is_closed_at_the_deadline(tmp_path: Path) -> None:
    with open_house(tmp_path, **on_tls(handshake_timeout_s=0.3)) as hasty:
        started = time.monotonic()
        with connected(hasty.bridge.tls_port) as peer:
            assert peer.read_pdu()[0] == 0
        assert time.monotonic() - started < 2.0
        until(lambda: hasty.meter.rejections == ["handshake-timeout"], "the refusal")
        assert hasty.ledger.entries(q="association-rejected") == ()


def test_silence_after_the_handshake_is_closed_at_the_deadline(tmp_path: Path) -> None:
    with open_house(tmp_path, **on_tls(request_timeout_s=0.4)) as hasty:
        started = time.monotonic()
        with secured(hasty.bridge.tls_port, caller_context(wallet().hammer)) as peer:
            assert peer.read_pdu()[0] in (0, ABORT)
        assert time.monotonic() - started < 2.0


@pytest.mark.parametrize(("places", "idle", "served"), [(8, 0, 8), (200, 50, 60)])
def test_hundred_at_once_are_served_or_told_that_it_is_full(
    tmp_path: Path, places: int, idle: int, served: int
) -> None:
    context = caller_context(wallet().hammer)
    answers: list[str] = []
    lock = threading.Lock()

    def call(port: int) -> None:
        try:
            with secured(port, context, timeout_s=20) as peer:
                peer.send(associate_request([(ECHO, IMPLICIT)]))
                kind, body = peer.read_pdu()
                if kind == 2:
                    peer.send(p_data(1, 3, echo_request()))
                    kind = 2 if peer.response().Status == 0 else 99
                said = {2: "served", REJECT: f"rejected {body[1:].hex()}"}.get(kind, "closed")
        except OSError:
            said = "closed"
        with lock:
            answers.append(said)

    limits = {"maximum_associations": places, "maximum_per_peer": places}
    with open_house(tmp_path, **on_tls(**limits, handshake_timeout_s=20)) as house:
        bind(house)
        threads_before = threading.active_count()
        with ExitStack() as held:
            for _ in range(idle):
                quiet = held.enter_context(secured(house.bridge.tls_port, context))
                quiet.associate([(ECHO, IMPLICIT)])
            callers = [
                threading.Thread(target=call, args=(house.bridge.tls_port,)) for _ in range(100)
            ]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join(30)
        assert len(answers) == 100
        assert set(answers) <= {"served", "rejected 020302", "closed"}
        assert answers.count("served") >= served
        assert secure_echo_s(house) < 2.0
        until(lambda: house.meter.open_now == 0, "all associations to end")
        until(lambda: threading.active_count() <= threads_before, "the threads to end")


def test_secure_request_without_a_certificate_is_nobodys(house: House) -> None:
    request = Request(
        called="LYSBRO", calling="HAMMER_CT", peer_host="127.0.0.1", peer_port=1, is_secure=True,
        proposed=(), service_classes={},
    )  # fmt: skip

    decision = house.bridge._front.decide(request)

    assert isinstance(decision, Rejection)
    assert decision.code == "certificate-unknown"


def test_spool_that_is_nearly_full_turns_new_senders_away_and_serves_those_there(
    tmp_path: Path,
) -> None:
    with open_house(tmp_path) as house, connected(house.port) as early:
        early.associate([(CT, IMPLICIT), (ECHO, IMPLICIT)])
        assert store(early, dataset(instance="1.2.51", study="1.2.50"), instance="1.2.51") == 0
        depth = house.archive.spool.depth_bytes()
        house.archive.spool.limits = SpoolLimits(spool_bytes=depth * 5 // 4, reserve_bytes=0)

        with connected(house.port) as late:
            late.send(associate_request([*STORE, (ECHO, IMPLICIT)]))
            assert late.read_pdu() == (REJECT, b"\0\x02\x03\x01")
        assert house.meter.rejections == ["spool-congested"]
        assert echo_s(house.port) < 2.0
        assert store(early, dataset(instance="1.2.52", study="1.2.50"), instance="1.2.52") == 0
        with connected(house.port) as asking:  # it may not store, so it cannot fill the spool
            asking.send(associate_request(STORE, calling="HAMMER_ASK"))
            assert asking.read_pdu()[0] == 2

        house.archive.spool.limits = SpoolLimits(spool_bytes=depth, reserve_bytes=0)
        assert store(early, dataset(instance="1.2.53", study="1.2.50"), instance="1.2.53") == 0xA700
        early.send(p_data(3, 3, echo_request()))
        assert early.response().Status == 0x0000
        (entry,) = house.ledger.entries(q="association-rejected")
        assert (entry.detail["reason"], entry.detail["answer"]) == ("spool-congested", "2/3/1")


def test_index_far_behind_turns_new_senders_away(tmp_path: Path) -> None:
    with open_house(tmp_path, congestion_backlog=2) as house:
        with connected(house.port) as early:
            early.associate(STORE)
            rename(house, "instances", "gone")
            for n in range(3):
                data = dataset(instance=f"1.2.6.{n}", study="1.2.60")
                assert store(early, data, instance=f"1.2.6.{n}") == 0x0000
        with connected(house.port) as late:
            late.send(associate_request(STORE))
            assert late.read_pdu() == (REJECT, b"\0\x02\x03\x01")
        assert house.meter.rejections == ["index-behind"]
        assert echo_s(house.port) < 2.0

        rename(house, "gone", "instances")
        until(lambda: house.archive.load().index_backlog == 0, "the index to catch up")
        with connected(house.port) as later:
            later.associate(STORE)


def rename(house: House, old: str, new: str) -> None:
    with house.database.begin() as conn:
        conn.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


@pytest.mark.parametrize(
    ("settings", "fragments"),
    [
        ({"max_command_bytes": 2000}, [p_data(1, 1, bytes(1500)), p_data(1, 1, bytes(1500))]),
        ({"max_request_bytes": 4096}, [b"\x01\x00" + (5000).to_bytes(4, "big") + bytes(100)]),
    ],
)
def test_size_limits_are_those_that_were_set(
    tmp_path: Path, settings: dict[str, int], fragments: list[bytes]
) -> None:
    with open_house(tmp_path, **settings) as house, connected(house.port) as peer:
        if "max_command_bytes" in settings:
            peer.associate(STORE)
        for fragment in fragments:
            peer.send(fragment)
        assert peer.read_pdu()[0] == ABORT
        assert echo_s(house.port) < 2.0


def test_trickle_within_a_message_is_aborted_by_the_floor_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pacs_bridge.service.Floor", lambda rate, grace_s: _Floor(rate, 0.2))
    with open_house(tmp_path, floor_rate=1e6) as house, connected(house.port) as peer:
        peer.associate(STORE)
        peer.send(p_data(1, 3, dimse.write_store_request(1, CT, "1.2.3")))
        with pytest.raises(OSError):
            trickle(peer)
        assert echo_s(house.port) < 2.0


def trickle(peer: Peer) -> None:
    """Send a data set of a few bytes at a time until the connection is gone."""
    pause = threading.Event()
    for _ in range(100):
        peer.send(p_data(1, 0, b"\0\0"))
        pause.wait(0.05)


def test_tls_without_files_or_with_bad_ones_does_not_start(tmp_path: Path) -> None:
    for settings, said in (
        (on_tls(tls_files=None), "LYSBRO_DICOM_TLS_PORT"),
        (on_tls(tls_files=replace(tls_files(), key=tmp_path / "gone")), "LYSBRO_DICOM_TLS_KEY"),
    ):
        with pytest.raises(Invalid, match=said), open_house(tmp_path / "x", **settings):
            pass


def test_tls_port_that_is_taken_stops_the_plain_one_too(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(Unavailable, match=f"127.0.0.1:{port}"),
            open_house(tmp_path, **on_tls(tls_port=port)),
        ):
            pass


@pytest.mark.parametrize("tool", ["echoscu", "storescu"])
@pytest.mark.parametrize(
    ("name", "calling", "succeeds"),
    [
        ("hammer", "HAMMER_TLS", True),
        ("hammer", "UTSIRA_CT", False),
        ("unknown", "HAMMER_TLS", False),
        ("revoked", "HAMMER_TLS", False),
        ("foreign", "HAMMER_TLS", False),
    ],
)
def test_dcmtk_is_let_in_with_the_certificate_of_its_site_only(
    house: House, tmp_path: Path, tool: str, name: str, calling: str, succeeds: bool
) -> None:
    paper: Paper = getattr(wallet(), name)
    file = tmp_path / "slice.dcm"
    file.write_bytes(part10(ct("1.2.77", study="1.2.70")))
    command = [tool, "-v", "-aet", calling, "-aec", "LYSBRO"]
    command += ["+tls", str(paper.key), str(paper.cert), "+cf", str(wallet().authority.cert)]
    command += [
        "127.0.0.1",
        str(house.bridge.tls_port),
        *([str(file)] if tool == "storescu" else []),
    ]

    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    assert (done.returncode == 0) is succeeds, done.stdout + done.stderr
    if not succeeds:
        assert until(lambda: house.ledger.entries(q="association-rejected"), "the audit")
