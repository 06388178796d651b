"""The TLS contexts: what they take and refuse, which faults they tell; the handshake's limits."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from casework.errors import Invalid, Refused
from pacs_bridge.certificate import read_certificate
from pacs_bridge.tls import (
    BCP195,
    MODIFIED,
    Fresh,
    client_context,
    expiry_warning,
    fingerprint_of_peer,
    handshake,
    server_context,
)
from tests.pacs_bridge.certificates import Paper, caller_context, tls_files, wallet

pytestmark = pytest.mark.peers

Meet = Callable[..., "ssl.SSLSocket | Refused"]


@pytest.fixture
def meet() -> Iterator[Meet]:
    """Return what lets a caller shake hands with us, and gives what we make of it."""
    sockets: list[socket.socket] = []

    def shake(
        caller: ssl.SSLContext | Callable[[socket.socket], object],
        context: ssl.SSLContext | None = None,
        *,
        deadline_s: float = 5.0,
    ) -> ssl.SSLSocket | Refused:
        ours, theirs = socket.socketpair()
        sockets.extend((ours, theirs))

        def call() -> None:
            theirs.settimeout(5)
            try:
                if isinstance(caller, ssl.SSLContext):
                    line = caller.wrap_socket(theirs, server_hostname="127.0.0.1")
                    sockets.append(line)
                    line.recv(1)  # TLS 1.3 tells a refused certificate after the handshake
                else:
                    caller(theirs)
            except OSError:
                pass

        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        try:
            line = handshake(ours, context or server_context(tls_files()), deadline_s)
        except Refused as refusal:
            thread.join(5)
            return refusal
        sockets.append(line)
        line.sendall(b"!")
        thread.join(5)
        return line

    yield shake
    for each in sockets:
        each.close()


def code(answer: ssl.SSLSocket | Refused) -> str:
    return answer.code if isinstance(answer, Refused) else "admitted"


@pytest.mark.parametrize(
    ("name", "expected", "said"),
    [
        ("hammer", "admitted", ""),
        ("unknown", "admitted", ""),  # genuine; whom it speaks for is not decided here
        ("expired", "certificate-refused", "certificate has expired"),
        ("revoked", "certificate-refused", "certificate revoked"),
        ("foreign", "certificate-refused", "unable to get local issuer certificate"),
        (None, "certificate-missing", "no certificate"),
    ],
)
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_certificate_that_is_not_genuine_now_is_refused(
    meet: Meet, name: str | None, expected: str, said: str, version: str
) -> None:
    paper: Paper | None = getattr(wallet(), name) if name else None
    caller = caller_context(paper)
    caller.minimum_version = caller.maximum_version = ssl.TLSVersion[version]

    answer = meet(caller)

    assert code(answer) == expected
    if isinstance(answer, Refused):
        assert said in answer.message
    else:
        assert paper is not None
        assert answer.version() == version.replace("_", ".")
        assert fingerprint_of_peer(answer) == paper.fingerprint


def test_without_a_revocation_list_nothing_is_revoked(meet: Meet) -> None:
    answer = meet(caller_context(wallet().revoked), server_context(tls_files(crl=False)))

    assert code(answer) == "admitted"


def test_newest_version_is_preferred(meet: Meet) -> None:
    answer = meet(caller_context(wallet().hammer))

    assert isinstance(answer, ssl.SSLSocket)
    assert answer.version() == "TLSv1.3"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_older_tls_is_refused(meet: Meet, version: str) -> None:
    caller = caller_context(wallet().hammer)
    caller.set_ciphers("ALL:@SECLEVEL=0")
    caller.minimum_version = caller.maximum_version = ssl.TLSVersion[version]

    assert code(meet(caller)) == "tls-version"


@pytest.mark.parametrize(
    "suites",
    [
        "AES256-GCM-SHA384",  # RSA key transport
        "ECDHE-RSA-AES128-SHA",  # CBC with SHA-1
        "ECDHE-RSA-AES256-SHA384",  # CBC
        "DHE-RSA-AES256-GCM-SHA384",
        "NULL-SHA256",
        "ADH-AES256-GCM-SHA384",  # anonymous
        "ECDHE-ARIA256-GCM-SHA384",
    ],
)
@pytest.mark.parametrize("profile", [BCP195, MODIFIED])
def test_suite_outside_of_the_profile_is_refused(meet: Meet, suites: str, profile: str) -> None:
    caller = caller_context(wallet().hammer)
    caller.maximum_version = ssl.TLSVersion.TLSv1_2
    caller.set_ciphers(f"{suites}:@SECLEVEL=0")

    answer = meet(caller, server_context(tls_files(profile=profile)))

    assert code(answer) == "tls-cipher"


@pytest.mark.parametrize("profile", [BCP195, MODIFIED])
@pytest.mark.parametrize(
    "suite",
    ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"],
)
def test_suite_of_the_profile_is_taken(meet: Meet, suite: str, profile: str) -> None:
    caller = caller_context(wallet().hammer)
    caller.maximum_version = ssl.TLSVersion.TLSv1_2
    caller.set_ciphers(suite)

    answer = meet(caller, server_context(tls_files(profile=profile)))

    assert isinstance(answer, ssl.SSLSocket)
    assert answer.cipher()[0] == suite  # type: ignore[index]
    assert answer.compression() is None


def test_profiles_offer_ephemeral_authenticated_suites_only() -> None:
    def names(profile: str) -> set[str]:
        return {c["name"] for c in server_context(tls_files(profile=profile)).get_ciphers()}

    assert names(BCP195) < names(MODIFIED)
    assert all(n.startswith(("ECDHE-", "TLS_")) for n in names(MODIFIED))
    assert all(c["aead"] for c in server_context(tls_files(profile=MODIFIED)).get_ciphers())


def test_weak_key_of_a_caller_is_refused(meet: Meet) -> None:
    weak = wallet().authority.issue("weak", rsa=1024)
    caller = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    caller.set_ciphers("ALL:@SECLEVEL=0")
    caller.load_verify_locations(wallet().authority.cert)
    caller.load_cert_chain(weak.cert, weak.key)

    assert code(meet(caller)) == "certificate-refused"


def test_certificate_of_a_server_only_is_no_certificate_of_a_caller(meet: Meet) -> None:
    authority = wallet().authority
    config = authority.folder / "openssl.cnf"
    config.write_text(config.read_text().replace("= serverAuth,clientAuth", "= serverAuth"))
    only = authority.issue("server-only", kind="server")

    answer = meet(caller_context(only))

    assert code(answer) == "certificate-refused"


@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "handshake-broken"),
        (b"\x01\x00\x00\x00\x00\xcd\x00\x01\x00\x00LYSBRO", "handshake-broken"),  # plain DICOM
        (b"\x16\x03\x01\xff\xff" + bytes(100), "handshake-broken"),
    ],
)
def test_what_is_no_tls_is_refused_at_once(meet: Meet, noise: bytes, expected: str) -> None:
    started = time.monotonic()

    answer = meet(lambda line: (line.sendall(noise), line.shutdown(socket.SHUT_WR)))

    assert code(answer) == expected
    assert time.monotonic() - started < 2.0


def test_silent_caller_is_given_up_at_the_deadline(meet: Meet) -> None:
    started = time.monotonic()

    answer = meet(lambda line: line.recv(1), deadline_s=0.3)

    assert code(answer) == "handshake-timeout"
    assert time.monotonic() - started < 2.0


def test_caller_that_trickles_is_given_up_at_the_same_deadline(meet: Meet) -> None:
    def trickle(line: socket.socket) -> None:
        pause = threading.Event()
        for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200):
            line.send(bytes([byte]))
            pause.wait(0.05)

    started = time.monotonic()

    assert code(meet(trickle, deadline_s=0.4)) == "handshake-timeout"
    assert time.monotonic() - started < 2.0


def test_all_faults_are_told_at_once_each_with_its_setting(tmp_path: Path) -> None:
    files = replace(
        tls_files(),
        cert=tmp_path / "cert.pem",
        key=tmp_path / "key.pem",
        ca=wallet().hammer.cert,
        crl=wallet().hammer.cert,
    )

    with pytest.raises(Invalid) as refused:
        server_context(files)

    assert refused.value.code == "settings"
    for said in (
        f"LYSBRO_DICOM_TLS_CERT: {tmp_path}/cert.pem cannot be read",
        f"LYSBRO_DICOM_TLS_KEY: {tmp_path}/key.pem cannot be read",
        f"LYSBRO_DICOM_TLS_CA: {wallet().hammer.cert} holds no certificate of an authority",
        f"LYSBRO_DICOM_TLS_CRL: {wallet().hammer.cert} holds no revocation list",
    ):
        assert said in refused.value.message


def test_key_of_another_certificate_or_with_a_passphrase_is_a_fault(tmp_path: Path) -> None:
    locked = tmp_path / "locked.key"
    command = ("pkcs8", "-topk8", "-in", str(wallet().server.key), "-out", str(locked))
    wallet().authority.openssl(*command, "-passout", "pass:secret")
    for key, said in (
        (wallet().hammer.key, "does not belong to the certificate"),
        (locked, "asks for a passphrase"),
        (wallet().server.cert, "LYSBRO_DICOM_TLS_KEY"),
    ):
        with pytest.raises(Invalid, match=said):
            server_context(replace(tls_files(), key=key))


def test_we_are_warned_before_our_own_certificate_ends() -> None:
    end = read_certificate(wallet().server.cert).not_after
    for before, said in ((timedelta(0), "ended on"), (timedelta(days=29), "ends on")):
        assert said in expiry_warning(tls_files(), now=end - before)
    assert expiry_warning(tls_files(), now=end - timedelta(days=31)) == ""
    assert read_certificate(wallet().expired.cert).not_after < datetime.now(UTC)


def test_renewed_revocation_list_counts_within_a_minute_without_a_restart(
    meet: Meet, tmp_path: Path
) -> None:
    now = 0.0
    authority, paper = wallet().authority, wallet().authority.issue("soon lost")
    crl = tmp_path / "crl.pem"
    crl.write_bytes(wallet().crl.read_bytes())
    files = replace(tls_files(), crl=crl)
    fresh = Fresh(lambda: server_context(files), timer=lambda: now)
    assert code(meet(caller_context(paper), fresh.context())) == "admitted"
    authority.revoke(paper)
    crl.write_bytes(authority.write_crl().read_bytes())

    now = 59.0
    assert code(meet(caller_context(paper), fresh.context())) == "admitted"
    now = 60.0
    assert code(meet(caller_context(paper), fresh.context())) == "certificate-refused"


def test_files_that_broke_meanwhile_leave_the_last_good_ones_in_use(
    meet: Meet, tmp_path: Path
) -> None:
    now = 0.0
    crl = tmp_path / "crl.pem"
    crl.write_bytes(wallet().crl.read_bytes())
    files = replace(tls_files(), crl=crl)
    fresh = Fresh(lambda: server_context(files), timer=lambda: now)
    crl.write_bytes(b"")

    now = 61.0
    assert code(meet(caller_context(wallet().hammer), fresh.context())) == "admitted"
    assert code(meet(caller_context(wallet().revoked), fresh.context())) == "certificate-refused"


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_session_is_not_resumed_with_the_context_of_the_next_minute(
    meet: Meet, version: str
) -> None:
    now = 0.0
    fresh = Fresh(lambda: server_context(tls_files()), timer=lambda: now)
    caller = caller_context(wallet().hammer)
    caller.minimum_version = caller.maximum_version = ssl.TLSVersion[version]
    sessions: list[ssl.SSLSession | None] = [None]

    def resume(plain: socket.socket) -> None:
        with caller.wrap_socket(plain, server_hostname="127.0.0.1", session=sessions[-1]) as line:
            line.recv(1)
            sessions.append(line.session)

    meet(resume, fresh.context())
    now = 60.0
    answer = meet(resume, fresh.context())

    assert isinstance(answer, ssl.SSLSocket)
    assert not answer.session_reused


def test_our_own_calls_ask_for_the_host_in_the_certificate() -> None:
    context = client_context(tls_files())

    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_handshake_leaves_no_descriptor_behind(meet: Meet) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        ours, theirs = socket.socketpair()
        theirs.close()
        with pytest.raises(Refused):
            handshake(ours, server_context(tls_files()), 1.0)
    assert len(os.listdir("/proc/self/fd")) == before
