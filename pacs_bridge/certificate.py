"""Reads an X.509 certificate as far as a person recognises it: subject and end. Verifies nothing.

The standard library shows a certificate's fields only after a handshake; these few lines of DER
(ITU-T X.690, RFC 5280 section 4.1) show them before one.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from casework.errors import Invalid

MAX_FILE_BYTES = 1 << 20
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_CONTEXT_0, _UTC_TIME, _UTF8_STRING, _BMP_STRING = 0xA0, 0x17, 0x0C, 0x1E  # tags
_SHORT_NAMES = {
    "2.5.4.3": "CN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
    "2.5.4.10": "O", "2.5.4.11": "OU", "1.2.840.113549.1.9.1": "emailAddress",
}  # fmt: skip


@dataclass(frozen=True)
class Certificate:
    """What names a certificate, and until when it holds."""

    fingerprint: str
    subject: str
    not_after: datetime


def fingerprint_of(der: bytes) -> str:
    """Return the SHA-256 of a certificate's DER form, in hex."""
    return hashlib.sha256(der).hexdigest()


def read_certificate(path: Path) -> Certificate:
    """Return the first certificate of a PEM file; raise Invalid when there is none."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES)
    except OSError as error:
        raise Invalid(f"{path} cannot be read ({error.strerror}).", code="unreadable") from error
    return parse_certificate(content, name=str(path))


def parse_certificate(pem: bytes, *, name: str) -> Certificate:
    """Return the first certificate of PEM text; raise Invalid when there is none."""
    found = _PEM.search(pem)
    if found is None:
        raise Invalid(
            f"{name} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----).",
            code="no-certificate",
        )
    try:
        der = ssl.PEM_cert_to_DER_cert(found[0].decode("ascii"))
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)
        return _read(der)
    except (ValueError, IndexError, ssl.SSLError) as error:
        raise Invalid(
            f"{name} holds no certificate that can be read.", code="bad-certificate"
        ) from error


def _read(der: bytes) -> Certificate:
    """RFC 5280 4.1: a version that may be missing, number, signature, issuer, validity, subject."""
    ((_, outer),) = _elements(der)
    fields = list(_elements(next(_elements(outer))[1]))
    if fields[0][0] == _CONTEXT_0:
        fields = fields[1:]
    (_, not_after), subject = _elements(fields[3][1]), fields[4][1]
    return Certificate(fingerprint_of(der), _name(subject), _time(*not_after))


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Give tag and content of each element, in turn; ValueError where the bytes are not DER."""
    position = 0
    while position < len(der):
        tag, length = der[position], der[position + 1]
        position += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(der[position : position + count], "big")
            position += count
        if position + length > len(der):
            raise ValueError("an element is longer than what holds it")
        yield tag, der[position : position + length]
        position += length


def _name(der: bytes) -> str:
    """Return a distinguished name as text, in its own order: `C=NO, O=Hammer, CN=hammer-ct`."""
    parts = []
    for _, relative in _elements(der):
        for _, pair in _elements(relative):
            (_, oid), (kind, value) = _elements(pair)
            dotted = _dotted(oid)
            parts.append(f"{_SHORT_NAMES.get(dotted, dotted)}={_text(kind, value)}")
    return ", ".join(parts)


def _dotted(oid: bytes) -> str:
    """X.690 8.19: the first two arcs share a number; the top bit says that a number goes on."""
    numbers, number = [], 0
    for byte in oid:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def _text(kind: int, value: bytes) -> str:
    encoding = {_UTF8_STRING: "utf-8", _BMP_STRING: "utf-16-be"}.get(kind, "latin-1")
    text = value.decode(encoding, "replace")
    return "".join(c if c.isprintable() else "?" for c in text)  # it is shown on terminals


def _time(kind: int, value: bytes) -> datetime:
    """RFC 5280 4.1.2.5: UTCTime has two digits of the year, from 1950 to 2049."""
    text = value.decode("ascii")
    if kind == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
