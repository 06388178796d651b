"""Builds the TLS contexts of the DICOM profiles, and shakes hands within a deadline.

Decides which connections are confidential and whose certificate is genuine; not whom it speaks for.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from casework.errors import Invalid, LysbroError, Refused
from pacs_bridge.certificate import fingerprint_of, read_certificate

log = structlog.get_logger()

BCP195, MODIFIED = "bcp195", "modified"
SUITES: Mapping[str, str] = {
    # PS3.15 B.12 with RFC 9325 4.2: ephemeral elliptic curves and authenticated encryption only.
    BCP195: "ECDHE+AESGCM:ECDHE+CHACHA20",
    # PS3.15 B.13 lists its suites; those with DHE and Camellia it does not ask for.
    MODIFIED: "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AESCCM:ECDHE+AESCCM8",
}
"""The TLS 1.2 suites of each profile; those of TLS 1.3 are what OpenSSL offers."""

CERT, KEY, CA, CRL = (f"LYSBRO_DICOM_TLS_{name}" for name in ("CERT", "KEY", "CA", "CRL"))
FRESH_S = 60.0  # how long files, and what was checked against them, are believed
_SOON = timedelta(days=30)
_STRENGTH = "@SECLEVEL=2"  # RFC 9325 4.5: RSA of 2048 bits, curves of 224, and no SHA-1


@dataclass(frozen=True)
class TlsFiles:
    """Where our certificate lies, and whom we trust; all in PEM form."""

    cert: Path  # with its intermediates
    key: Path
    ca: Path
    crl: Path | None = None
    profile: str = BCP195


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return what callers shake hands with; raise Invalid with one line for each fault."""
    context = _context(files, ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_TICKET
    context.num_tickets = 0  # a resumed session would pass by a newer revocation list
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Return what we call other nodes with; their certificate must name the host that we call."""
    return _context(files, ssl.PROTOCOL_TLS_CLIENT)


def _context(files: TlsFiles, protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(f"{SUITES[files.profile]}:!aNULL:{_STRENGTH}")
    faults = [
        *_own_faults(context, files),
        *_trust_faults(context, files.ca, CA, "x509_ca", "certificate of an authority"),
    ]
    if files.crl is not None:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        faults += _trust_faults(context, files.crl, CRL, "crl", "revocation list")
    if faults:
        raise Invalid("TLS cannot be used:\n  " + "\n  ".join(faults), code="settings")
    return context


def _own_faults(context: ssl.SSLContext, files: TlsFiles) -> list[str]:
    """Load our certificate with its key; return what is wrong, each with its setting."""
    faults = []
    try:
        read_certificate(files.cert)
    except Invalid as error:
        faults.append(f"{CERT}: {error.message}")
    try:
        if b"ENCRYPTED" in files.key.read_bytes():
            faults.append(f"{KEY}: {files.key} asks for a passphrase; give a key without one")
    except OSError as error:
        faults.append(f"{KEY}: {files.key} cannot be read ({error.strerror})")
    if not faults:
        try:
            context.load_cert_chain(files.cert, files.key)
        except ssl.SSLError as error:
            reason = "does not belong to the certificate" if _mismatch(error) else _reason(error)
            faults.append(f"{KEY}: {files.key}: {reason}")
    return faults


def _mismatch(error: ssl.SSLError) -> bool:
    reasons = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")
    return error.reason in reasons


def _trust_faults(
    context: ssl.SSLContext, path: Path, setting: str, counted: str, what: str
) -> list[str]:
    before = context.cert_store_stats()[counted]
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        return [f"{setting}: {path}: {_reason(error)}"]
    except OSError as error:
        return [f"{setting}: {path} cannot be read ({error.strerror})"]
    if context.cert_store_stats()[counted] == before:
        return [f"{setting}: {path} holds no {what}"]
    return []


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "it cannot be used").replace("_", " ").lower()


def expiry_warning(files: TlsFiles, *, now: datetime) -> str:
    """Return a sentence when our own certificate has ended or soon will; else an empty text."""
    own = read_certificate(files.cert)
    if own.not_after <= now:
        return f"{CERT}: our certificate ended on {own.not_after:%Y-%m-%d}. Callers will refuse it."
    if own.not_after - now <= _SOON:
        return f"{CERT}: our certificate ends on {own.not_after:%Y-%m-%d}. Renew it."
    return ""


class Fresh:
    """A context that is built anew every minute, so that renewed files count without a restart.

    With the context goes its memory of sessions: what a peer has once shown is not believed longer.
    """

    def __init__(
        self,
        build: Callable[[], ssl.SSLContext],
        *,
        fresh_s: float = FRESH_S,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._build = build
        self._fresh_s = fresh_s
        self._timer = timer
        self._lock = threading.Lock()
        self._context = build()
        self._built_at = timer()

    def context(self) -> ssl.SSLContext:
        """Return the context; the one before when the files are at fault just now."""
        with self._lock:
            if self._timer() - self._built_at >= self._fresh_s:
                self._built_at = self._timer()
                try:
                    self._context = self._build()
                except LysbroError as error:
                    log.error("tls files not taken over", message=error.message)
            return self._context


def handshake(
    connection: socket.socket, context: ssl.SSLContext, deadline_s: float
) -> ssl.SSLSocket:
    """Return the secured connection, its peer's certificate verified; Refused when there is none.

    Blocks for `deadline_s` in all: never call it on the thread that accepts. `connection` must not
    be used any more, and is closed when the handshake fails.
    """
    tls: ssl.SSLSocket | None = None
    try:
        connection.settimeout(deadline_s)
        tls = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        tls.do_handshake()
    except (OSError, ValueError) as error:
        (tls or connection).close()
        raise _refusal(error, deadline_s) from error
    return tls


def fingerprint_of_peer(connection: ssl.SSLSocket) -> str:
    """Return the fingerprint of the certificate that the peer has shown."""
    return fingerprint_of(connection.getpeercert(binary_form=True) or b"")


BY_REASON: Mapping[str, tuple[str, str]] = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": ("certificate-missing", "It showed no certificate."),
    "UNSUPPORTED_PROTOCOL": ("tls-version", "It speaks TLS older than 1.2 only."),
    "NO_SHARED_CIPHER": ("tls-cipher", "It offers no cipher suite of the profile."),
}
"""What a failed handshake says of the caller, by OpenSSL's reason."""


def _refusal(error: Exception, deadline_s: float) -> Refused:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refused(f"Its certificate: {error.verify_message}.", code="certificate-refused")
    if isinstance(error, ssl.SSLError) and error.reason in BY_REASON:
        code, message = BY_REASON[error.reason]
        return Refused(message, code=code)
    if isinstance(error, TimeoutError):
        return Refused(f"No handshake came within {deadline_s:g} s.", code="handshake-timeout")
    return Refused("It broke the handshake off, or speaks no TLS.", code="handshake-broken")
