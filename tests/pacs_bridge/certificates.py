"""A small authority, made with the `openssl` program: certificates good, old, revoked, foreign."""

from __future__ import annotations

import atexit
import functools
import hashlib
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pacs_bridge.tls import BCP195, TlsFiles
from tests.pacs_bridge.wire import Peer

_CONFIG = """
[ca]
default_ca = own
[own]
dir = .
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
default_md = sha256
default_crl_days = 30
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
organizationName = optional
[req]
distinguished_name = subject
prompt = no
[subject]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth,clientAuth
subjectAltName = IP:127.0.0.1,DNS:localhost
[client]
basicConstraints = CA:FALSE
extendedKeyUsage = clientAuth
"""


@dataclass(frozen=True)
class Paper:
    """A certificate with its key."""

    cert: Path
    key: Path

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.cert.read_text("ascii"))).hexdigest()


@dataclass(frozen=True)
class Authority:
    """A certificate authority in a folder of its own."""

    folder: Path

    @property
    def cert(self) -> Path:
        return self.folder / "ca.pem"

    @classmethod
    def found(cls, folder: Path, name: str = "Test authority") -> Authority:
        """Make the authority's own key and certificate."""
        folder.mkdir(parents=True)
        (folder / "openssl.cnf").write_text(_CONFIG)
        (folder / "index.txt").touch()
        (folder / "serial").write_text("1000\n")
        (folder / "crlnumber").write_text("01\n")
        made = cls(folder)
        made.openssl(
            "req", "-x509", "-config", "openssl.cnf", "-extensions", "authority", "-newkey", "ec",
            "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
            "-days", "3650", "-subj", f"/CN={name}",
        )  # fmt: skip
        return made

    def issue(
        self, name: str, *, kind: str = "client", expired: bool = False, rsa: int = 0
    ) -> Paper:
        """Issue a certificate: of a `client` or a `server`; long expired; RSA of so many bits."""
        stem = name.replace(" ", "-")
        key = ("rsa", "-pkeyopt", f"rsa_keygen_bits:{rsa}") if rsa else (
            "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        )  # fmt: skip
        self.openssl(
            "req", "-config", "openssl.cnf", "-newkey", *key, "-nodes", "-keyout", f"{stem}.key",
            "-out", f"{stem}.csr", "-subj", f"/O=Lysbro tests/CN={name}",
        )  # fmt: skip
        times = ("-startdate", "20200101000000Z", "-enddate", "20200201000000Z")
        self.openssl(
            "ca", "-batch", "-config", "openssl.cnf", "-extensions", kind, "-in", f"{stem}.csr",
            "-cert", "ca.pem", "-keyfile", "ca.key", "-out", f"{stem}.pem", "-notext",
            *(times if expired else ("-days", "365")),
        )  # fmt: skip
        return Paper(self.folder / f"{stem}.pem", self.folder / f"{stem}.key")

    def revoke(self, paper: Paper) -> None:
        """Put a certificate on the next revocation list."""
        self.openssl(
            "ca", "-config", "openssl.cnf", "-cert", "ca.pem", "-keyfile", "ca.key",
            "-revoke", paper.cert.name,
        )  # fmt: skip

    def write_crl(self) -> Path:
        """Write the revocation list as it is now."""
        self.openssl(
            "ca", "-config", "openssl.cnf", "-cert", "ca.pem", "-keyfile", "ca.key",
            "-gencrl", "-out", "crl.pem",
        )  # fmt: skip
        return self.folder / "crl.pem"

    def openssl(self, *words: str) -> None:
        done = subprocess.run(
            ["openssl", *words],
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Wallet:
    """Everything that a test of mutual TLS needs."""

    authority: Authority
    crl: Path
    server: Paper
    hammer: Paper
    utsira: Paper
    unknown: Paper  # signed by our authority, bound to no site
    revoked: Paper  # on the revocation list
    expired: Paper
    foreign: Paper  # of another authority


@functools.cache
def wallet() -> Wallet:
    """Return the certificates of this test run; made once, since keys take a moment."""
    folder = Path(tempfile.mkdtemp(prefix="lysbro-certificates-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    ours, other = Authority.found(folder / "ours"), Authority.found(folder / "other", "Stranger")
    revoked = ours.issue("was lost")
    ours.revoke(revoked)
    return Wallet(
        authority=ours,
        crl=ours.write_crl(),
        server=ours.issue("lysbro", kind="server", rsa=2048),
        hammer=ours.issue("hammer-ct"),
        utsira=ours.issue("utsira-ct"),
        unknown=ours.issue("nobody"),
        revoked=revoked,
        expired=ours.issue("long ago", expired=True),
        foreign=other.issue("hammer-ct"),
    )


def tls_files(*, crl: bool = True, profile: str = BCP195) -> TlsFiles:
    """Return what a bridge is given, with our revocation list or without."""
    w = wallet()
    return TlsFiles(w.server.cert, w.server.key, w.authority.cert, w.crl if crl else None, profile)


def caller_context(paper: Paper | None) -> ssl.SSLContext:
    """Return the context of a caller that trusts us and shows a certificate, or none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(wallet().authority.cert)
    if paper is not None:
        context.load_cert_chain(paper.cert, paper.key)
    return context


@contextmanager
def secured(port: int, context: ssl.SSLContext, *, timeout_s: float = 10.0) -> Iterator[Peer]:
    """Give a TLS connection to a port on this machine."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        yield Peer(connection)
