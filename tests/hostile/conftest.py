"""A bridge for each module, with short deadlines, and the oracle that each test is held to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.bridge import MIB, Bridge, must_be_true_of_the_ledger, running, watched

REQUEST_S, PDU_S, IDLE_S = 1.5, 2.0, 6.0
LARGEST_BYTES = 4 * MIB


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """Return a running bridge."""
    with running(
        tmp_path_factory.mktemp("hostile"),
        dicom_request_timeout=REQUEST_S,
        dicom_pdu_timeout=PDU_S,
        dicom_idle_timeout=IDLE_S,
        dicom_max_object_bytes=LARGEST_BYTES,
        dicom_max_associations=120,
        dicom_max_associations_per_peer=100,
    ) as opened:
        yield opened


@pytest.fixture
def attacked(bridge: Bridge) -> Iterator[Bridge]:
    """Return the bridge, and hold the oracle to it while the test runs and after it."""
    with watched(bridge):
        yield bridge
    must_be_true_of_the_ledger(bridge)
