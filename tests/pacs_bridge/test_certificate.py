"""What is read of a certificate is what OpenSSL reads, and what is none is refused."""

from __future__ import annotations

import contextlib
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.errors import Invalid
from pacs_bridge.certificate import parse_certificate, read_certificate
from tests.pacs_bridge.certificates import Paper, wallet

pytestmark = pytest.mark.peers

BEGIN, END = b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"


def told_by_openssl(path: Path) -> tuple[str, str, datetime]:
    command = ["openssl", "x509", "-in", str(path), "-noout", "-fingerprint", "-sha256"]
    command += ["-subject", "-nameopt", "sep_comma_plus_space,utf8", "-enddate"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = dict(line.split("=", 1) for line in said.splitlines())
    end = datetime.strptime(lines["notAfter"], "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    return lines["sha256 Fingerprint"].replace(":", "").lower(), lines["subject"].strip(), end


@pytest.mark.parametrize("name", ["hammer", "server", "expired", "foreign"])
def test_fields_are_those_that_openssl_reads(name: str) -> None:
    paper: Paper = getattr(wallet(), name)

    read = read_certificate(paper.cert)

    assert (read.fingerprint, read.subject, read.not_after) == told_by_openssl(paper.cert)


def test_name_in_other_letters_and_a_time_after_2050_are_read(tmp_path: Path) -> None:
    paper = tmp_path / "own.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-keyout", str(tmp_path / "own.key"), "-out", str(paper), "-utf8"]
    command += ["-days", "18000", "-subj", "/C=NO/O=Sárá sjúkrahús/OU=Rønt\\/gen/CN=ct.example"]
    subprocess.run(command, check=True, capture_output=True)

    read = read_certificate(paper)

    assert read.subject == "C=NO, O=Sárá sjúkrahús, OU=Rønt/gen, CN=ct.example"
    assert (read.fingerprint, read.not_after) == told_by_openssl(paper)[::2]
    assert read.not_after.year > 2050


def test_first_certificate_of_a_chain_is_the_one() -> None:
    w = wallet()
    chain = w.hammer.cert.read_bytes() + w.authority.cert.read_bytes()

    assert parse_certificate(chain, name="chain").fingerprint == w.hammer.fingerprint


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "no-certificate"),
        (BEGIN, "no-certificate"),
        (BEGIN + b"no base64 at all!\n" + END, "bad-certificate"),
        (BEGIN + b"MAMCAQE=\n" + END, "bad-certificate"),
    ],
)
def test_what_is_no_certificate_is_refused_by_name(content: bytes, code: str) -> None:
    with pytest.raises(Invalid, match="the file") as refused:
        parse_certificate(content, name="the file")
    assert refused.value.code == code


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        read_certificate(tmp_path / "missing.pem")


@given(position=st.integers(0, 600), byte=st.integers(0, 255))
def test_a_damaged_certificate_is_read_or_refused_and_nothing_else(
    position: int, byte: int
) -> None:
    pem = bytearray(wallet().hammer.cert.read_bytes())
    pem[position % len(pem)] = byte
    with contextlib.suppress(Invalid):
        assert len(parse_certificate(bytes(pem), name="damaged").fingerprint) == 64
