"""Wires the DICOM face: its settings out of ours, the parts it needs, started and drained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lysbro.secure import tls_files
from lysbro.settings import Settings
from lysbro.wiring import Parts
from pacs_bridge.service import Bridge, BridgeSettings, Shared


@contextmanager
def open_bridge(parts: Parts, shared: Shared | None = None) -> Iterator[int]:
    """Listen for associations; give the port; drain at the end."""
    bridge = Bridge(
        bridge_settings(parts.settings),
        parts.archive,
        parts.index,
        parts.people,
        parts.ledger,
        shared=shared,
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
        tls_host=settings.dicom_tls_host,
        tls_port=settings.dicom_tls_port,
        tls_files=tls_files(settings),
        handshake_timeout_s=settings.dicom_handshake_timeout,
        backlog=settings.dicom_backlog,
        check_host=settings.dicom_check_host,
        max_pdu=settings.dicom_max_pdu,
        maximum_associations=settings.dicom_max_associations,
        maximum_per_peer=settings.dicom_max_associations_per_peer,
        request_timeout_s=settings.dicom_request_timeout,
        max_request_bytes=settings.dicom_max_request_bytes,
        pdu_timeout_s=settings.dicom_pdu_timeout,
        idle_timeout_s=settings.dicom_idle_timeout,
        floor_rate=settings.dicom_floor_rate,
        max_command_bytes=settings.dicom_max_command_bytes,
        max_pending=settings.dicom_max_pending,
        congestion_spool_percent=settings.dicom_congestion_spool_percent,
        congestion_backlog=settings.dicom_congestion_backlog,
        max_object_bytes=settings.dicom_max_object_bytes,
        maximum_matches=settings.dicom_max_matches,
        private_classes=settings.dicom_private_classes,
        commitment_wait_s=settings.commitment_wait,
        timezone=settings.timezone,
        worklist_days=settings.worklist_days,
        retrieve_pending_every=settings.retrieve_pending_every,
        retrieve_pending_s=settings.retrieve_pending_seconds,
        retrieve_connect_timeout_s=settings.retrieve_connect_timeout,
        retrieve_association_timeout_s=settings.retrieve_association_timeout,
        retrieve_answer_timeout_s=settings.retrieve_answer_timeout,
    )
