"""Wires the web application: its settings out of ours, the photograph intake, the status, the
readiness checks.
"""

from __future__ import annotations

from derm_capture.photo import PhotoLimits
from lysbro.hl7 import replay
from lysbro.lesion_eye import PhotoComparing
from lysbro.photographs import PhotoIntake
from lysbro.status import gather
from lysbro.wiring import Parts
from storage.queue_keys import QueueKeys
from storage.remade import CACHE
from viewer.lesion_door import LesionDesk
from viewer.services import Erasing, Outgoing, Prefetching, Services, WebSettings


def web_services(parts: Parts) -> Services:
    """Return what the web application is handed."""
    settings = parts.settings
    return Services(
        people=parts.people,
        casebook=parts.casebook,
        index=parts.index,
        archive=parts.archive,
        ledger=parts.ledger,
        outbox=parts.outbox,
        settings=WebSettings(
            https=settings.web_https,
            trusted_hosts=settings.web_trusted_hosts,
            trusted_proxies=settings.web_trusted_proxies,
            max_stow_bytes=settings.max_stow_bytes,
            max_upload_bytes=settings.max_upload_bytes,
            max_photo_bytes=settings.max_photo_bytes,
            max_clip_bytes=settings.max_clip_bytes,
            max_clip_seconds=settings.max_clip_seconds,
            viewer_cache_mb=settings.viewer_cache_mb,
            max_document_bytes=settings.max_document_bytes,
            metrics_public=settings.metrics_public,
            cors_origins=settings.cors_origins,
            dicomweb_delete=settings.dicomweb_delete,
            stow_pause_s=settings.stow_pause,
            stow_floor_rate=settings.stow_floor_rate,
            commitment_wait_s=settings.commitment_wait,
            language=settings.language,
            timezone=settings.timezone,
            clocks=settings.clocks,
            cache=settings.data.resolve() / CACHE,
            cache_bytes=settings.cache_bytes,
            ae_title=settings.ae_title,
            events_port=settings.events_port,
            metadata_cache_bytes=settings.metadata_cache_bytes,
        ),
        clock=parts.clock,
        photos=PhotoIntake(parts),
        devices=parts.devices,
        subscriptions=parts.subscriptions,
        outgoing=Outgoing(parts.destinations, parts.routing),
        erasing=Erasing(parts.erasures, parts.holds, parts.retention),
        commitments=parts.commitments,
        orders=parts.orders,
        hl7_inbox=parts.hl7_inbox,
        replay_hl7=lambda message_id: replay(parts, message_id),
        prefetching=Prefetching(
            parts.priors, parts.prior_rules, parts.prior_queue, parts.prior_standings
        ),
        reply_channels=parts.reply_channels,
        uploads=parts.uploads,
        queue_key=QueueKeys(parts.database).secret_of,
        lesions=LesionDesk(
            parts.lesions,
            PhotoComparing(PhotoLimits(settings.max_photo_bytes, settings.max_photo_pixels)),
        ),
        status=lambda: gather(parts),
        checks={"store": parts.store.describe},
    )
