"""Who is let in: every way to be rejected, in their order, and the way in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from casework.model import AePermission, ApplicationEntity, SiteKind
from pacs_bridge.admission import NO_SITE, Knock, Limits, Rejection, decide

CT = ApplicationEntity(
    "HAMMER_CT", "hammer", SiteKind.HOSPITAL, host="10.0.0.7", permissions=frozenset(AePermission)
)
KNOCK = Knock(
    called="LYSBRO", calling="HAMMER_CT", peer_host="10.0.0.7", certificate_site=None,
    open_total=0, open_of_peer=0,
)  # fmt: skip
LIMITS = Limits(total=10, per_peer=4, spool_percent=80, index_backlog=500)
STORING = {"proposes_storage": True}
FULL = {"open_total": 10, "open_of_peer": 4, "spool_percent": 100, "index_backlog": 500}


def test_known_entity_that_addresses_us_is_let_in() -> None:
    assert decide(KNOCK, CT, own_title="LYSBRO", limits=LIMITS) == CT


def test_padding_around_titles_does_not_count() -> None:
    padded = replace(KNOCK, called="LYSBRO          ", calling="  HAMMER_CT")

    assert decide(padded, CT, own_title="LYSBRO", limits=LIMITS) == CT


@pytest.mark.parametrize(
    ("knock", "entity", "triple", "code"),
    [
        ({"called": "OTHER"}, CT, (1, 1, 7), "called-unknown"),
        ({"called": "lysbro"}, CT, (1, 1, 7), "called-unknown"),
        ({"called": ""}, CT, (1, 1, 7), "called-unknown"),
        ({"calling": "NOBODY"}, None, (1, 1, 3), "calling-unknown"),
        ({"calling": "NOBODY"}, CT, (1, 1, 3), "calling-unknown"),
        ({"called": "OTHER", "calling": "NOBODY"}, None, (1, 1, 7), "called-unknown"),
        ({}, replace(CT, tls_only=True), (1, 1, 3), "tls-only"),
        ({"peer_host": "10.0.0.8"}, CT, (1, 1, 3), "other-host"),
        ({"open_total": 10}, CT, (2, 3, 2), "limit-total"),
        ({"open_of_peer": 4}, CT, (2, 3, 2), "limit-peer"),
        ({"certificate_site": NO_SITE}, CT, (1, 1, 3), "certificate-unknown"),
        ({"certificate_site": NO_SITE, "called": "OTHER"}, CT, (1, 1, 3), "certificate-unknown"),
        ({"certificate_site": NO_SITE}, None, (1, 1, 3), "certificate-unknown"),
        ({"certificate_site": "utsira"}, CT, (1, 1, 3), "certificate-other-site"),
        ({"certificate_site": "utsira", "called": "OTHER"}, CT, (1, 1, 7), "called-unknown"),
        ({"certificate_site": "utsira", "calling": "NO"}, None, (1, 1, 3), "calling-unknown"),
        ({"certificate_site": "utsira", **FULL}, CT, (1, 1, 3), "certificate-other-site"),
        ({"certificate_site": "hammer", "peer_host": "::1"}, CT, (1, 1, 3), "other-host"),
        ({**STORING, "spool_percent": 80}, CT, (2, 3, 1), "spool-congested"),
        ({**STORING, "index_backlog": 500}, CT, (2, 3, 1), "index-behind"),
        ({**STORING, **FULL}, CT, (2, 3, 2), "limit-total"),
        ({**STORING, **FULL}, None, (1, 1, 3), "calling-unknown"),
    ],
)
def test_rejection_has_the_result_source_and_reason_of_the_standard(
    knock: dict[str, object],
    entity: ApplicationEntity | None,
    triple: tuple[int, int, int],
    code: str,
) -> None:
    decision = decide(
        replace(KNOCK, **knock), entity, own_title="LYSBRO", limits=LIMITS, check_host=True
    )

    assert isinstance(decision, Rejection)
    assert (decision.result, decision.source, decision.reason) == triple
    assert decision.code == code


def test_unknown_caller_is_not_told_that_the_house_is_full() -> None:
    full = replace(KNOCK, calling="NOBODY", open_total=99)

    decision = decide(full, None, own_title="LYSBRO", limits=LIMITS)

    assert isinstance(decision, Rejection)
    assert decision.code == "calling-unknown"


@pytest.mark.parametrize("tls_only", [True, False])
def test_entity_is_let_in_with_a_certificate_of_its_site(tls_only: bool) -> None:
    entity = replace(CT, tls_only=tls_only)
    secure = replace(KNOCK, certificate_site="hammer")

    assert decide(secure, entity, own_title="LYSBRO", limits=LIMITS) == entity


@pytest.mark.parametrize(
    ("knock", "permissions"),
    [
        ({"spool_percent": 100, "index_backlog": 500}, frozenset(AePermission)),  # echo or query
        ({**STORING, "spool_percent": 100, "index_backlog": 500}, {AePermission.QUERY}),
        ({**STORING, "spool_percent": 79, "index_backlog": 499}, frozenset(AePermission)),
    ],
)
def test_congestion_keeps_out_only_who_would_store(
    knock: dict[str, object], permissions: frozenset[AePermission]
) -> None:
    entity = replace(CT, permissions=frozenset(permissions))

    assert decide(replace(KNOCK, **knock), entity, own_title="LYSBRO", limits=LIMITS) == entity


def test_no_spool_is_too_full_when_that_limit_is_off() -> None:
    limits = replace(LIMITS, spool_percent=0)
    full = replace(KNOCK, proposes_storage=True, spool_percent=100)

    assert decide(full, CT, own_title="LYSBRO", limits=limits) == CT


@pytest.mark.parametrize("host", ["", "pacs.hammer.example", "10.0.0.7"])
def test_host_restricts_only_when_it_is_an_address(host: str) -> None:
    entity = replace(CT, host=host)

    assert decide(KNOCK, entity, own_title="LYSBRO", limits=LIMITS, check_host=True) == entity
