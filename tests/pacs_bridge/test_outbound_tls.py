"""Sending to nodes that are called over TLS only: with our certificate, and never in the clear."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from casework.access import Scope
from casework.errors import Invalid, Unavailable
from casework.model import ApplicationEntity, SiteKind
from pacs_bridge import scu
from pacs_bridge.scu import Wait
from pacs_bridge.tls import TlsFiles
from tests.pacs_bridge.certificates import Paper, wallet
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.making import ORIGIN, ct, part10
from tests.pacs_bridge.outgoing import as_us, send_stored
from tests.pacs_bridge.test_mutual_tls import bind, on_tls

pytestmark = [pytest.mark.peers, pytest.mark.slow]

ALL = Scope(sites=None, specialties=None, own_site="")
QUICK = Wait(connect_s=2.0, association_s=3.0, answer_s=3.0)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Return a house that is called over TLS; it answers to the title LYSBRO."""
    with open_house(tmp_path_factory.mktemp("called"), **on_tls(tls_host="0.0.0.0")) as opened:
        bind(opened)
        yield opened


def node(port: int, host: str = "127.0.0.1") -> ApplicationEntity:
    return ApplicationEntity(
        "LYSBRO", "utsira", SiteKind.HOSPITAL, host=host, port=port, tls_only=True
    )


def ours(paper: Paper | None = None) -> TlsFiles:
    paper = paper or wallet().hammer
    return TlsFiles(paper.cert, paper.key, wallet().authority.cert)


def test_study_goes_over_tls_with_our_certificate(house: House, tmp_path: Path) -> None:
    with open_house(tmp_path / "from") as sender:
        for n in range(3):
            sender.archive.receive_part10(
                BytesIO(part10(ct(f"1.2.3.{n}", PixelData=bytes(200_000)))), ORIGIN
            )
        sender.archive.settle()

        outcomes = send_stored(sender, node(house.bridge.tls_port), as_us("HAMMER_TLS", tls=ours()))

    assert [o.has_arrived for o in outcomes] == [True] * 3
    house.archive.settle()
    (first, *_) = house.index.custody(ALL, "1.2.3.0")
    assert first.detail["peer"].endswith(f"sha256:{wallet().hammer.fingerprint}")


def test_node_called_over_tls_gets_nothing_in_the_clear_without_our_certificate(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, open_house(tmp_path) as sender:
        sender.archive.receive_part10(BytesIO(part10(ct("1.2.3.1"))), ORIGIN)
        sender.archive.settle()
        listening.settimeout(0.2)

        (outcome,) = send_stored(sender, node(listening.getsockname()[1]), as_us("HAMMER_TLS"))

        assert (outcome.status, outcome.code) == (None, "no-certificate")
        with pytest.raises(TimeoutError):
            listening.accept()


def test_node_that_is_found_by_name_is_checked_by_name(house: House) -> None:
    by_name = node(house.bridge.tls_port, "localhost")

    scu.echo(by_name, calling="HAMMER_CT", wait=QUICK, tls=ours())


def test_without_our_certificate_nothing_is_sent_in_the_clear() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(0.2)

        with pytest.raises(Unavailable, match="LYSBRO_DICOM_TLS_CERT") as failed:
            scu.echo(node(listening.getsockname()[1]), calling="HAMMER_CT", wait=QUICK)

        assert failed.value.code == "no-certificate"
        with pytest.raises(TimeoutError):
            listening.accept()


def test_node_under_another_name_than_its_certificate_says_is_not_trusted(house: House) -> None:
    elsewhere = node(house.bridge.tls_port, "127.0.0.2")

    with pytest.raises(Unavailable, match="IP address mismatch") as failed:
        scu.echo(elsewhere, calling="HAMMER_CT", wait=QUICK, tls=ours())
    assert failed.value.code == "no-tls"


def test_node_of_another_authority_is_not_trusted(house: House) -> None:
    stranger = wallet().foreign
    trusting = replace(ours(), ca=stranger.cert.parent / "ca.pem")

    with pytest.raises(Unavailable, match="self-signed certificate") as failed:
        scu.echo(node(house.bridge.tls_port), calling="HAMMER_CT", wait=QUICK, tls=trusting)
    assert failed.value.code == "no-tls"


def test_plain_node_gives_no_tls(house: House) -> None:
    with pytest.raises(Unavailable):
        scu.echo(node(house.port), calling="HAMMER_CT", wait=QUICK, tls=ours())


def test_node_that_does_not_trust_us_gives_no_association(house: House) -> None:
    with pytest.raises(Unavailable):
        scu.echo(
            node(house.bridge.tls_port), calling="HAMMER_CT", wait=QUICK, tls=ours(wallet().foreign)
        )


def test_faulty_files_are_told_by_their_setting(house: House, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="LYSBRO_DICOM_TLS_CA"):
        scu.echo(
            node(house.bridge.tls_port), calling="HAMMER_CT", wait=QUICK,
            tls=replace(ours(), ca=tmp_path / "gone.pem"),
        )  # fmt: skip
