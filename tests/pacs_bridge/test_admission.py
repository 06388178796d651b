"""Who is let in: every way to be rejected, and the way in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from casework.model import AePermission, ApplicationEntity, SiteKind
from pacs_bridge.admission import Knock, Limits, Rejection, decide

CT = ApplicationEntity(
    "HAMMER_CT", "hammer", SiteKind.HOSPITAL, host="10.0.0.7", permissions=frozenset(AePermission)
)
KNOCK = Knock(
    called="LYSBRO", calling="HAMMER_CT", peer_host="10.0.0.7", is_secure=False,
    open_total=0, open_of_peer=0,
)  # fmt: skip
LIMITS = Limits(total=10, per_peer=4)


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


def test_tls_only_entity_is_let_in_over_tls() -> None:
    secure = replace(CT, tls_only=True)

    assert (
        decide(replace(KNOCK, is_secure=True), secure, own_title="LYSBRO", limits=LIMITS) == secure
    )


@pytest.mark.parametrize("host", ["", "pacs.hammer.example", "10.0.0.7"])
def test_host_restricts_only_when_it_is_an_address(host: str) -> None:
    entity = replace(CT, host=host)

    assert decide(KNOCK, entity, own_title="LYSBRO", limits=LIMITS, check_host=True) == entity
