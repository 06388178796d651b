"""Wires the DICOM face: its settings out of ours, the parts it needs, started and drained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lysbro.settings import Settings
from lysbro.wiring import Parts
from pacs_bridge.service import Bridge, BridgeSettings


@contextmanager
def open_bridge(parts: Parts) -> Iterator[int]:
    """Listen for associations; give the port; drain at the end."""
    bridge = Bridge(
        bridge_settings(parts.settings), parts.archive, parts.index, parts.people, parts.ledger
    )
    bridge.start()
    try:
        yield bridge.port
    finally:
        bridge.stop()


def bridge_settings(settings: Settings) -> BridgeSettings:
    """Return the part of the settings that the DICOM face is handed."""
    return BridgeSettings(
        ae_title=settings.ae_title,
        host=settings.dicom_host,
        port=settings.dicom_port,
        check_host=settings.dicom_check_host,
        max_pdu=settings.dicom_max_pdu,
        maximum_associations=settings.dicom_max_associations,
        maximum_per_peer=settings.dicom_max_associations_per_peer,
        request_timeout_s=settings.dicom_request_timeout,
        pdu_timeout_s=settings.dicom_pdu_timeout,
        idle_timeout_s=settings.dicom_idle_timeout,
        max_object_bytes=settings.dicom_max_object_bytes,
        maximum_matches=settings.dicom_max_matches,
        private_classes=settings.dicom_private_classes,
        commitment_wait_s=settings.commitment_wait,
    )
