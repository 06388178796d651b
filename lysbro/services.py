"""Wires the web application: its settings out of ours, the photograph intake, the status, the
readiness checks.
"""

from __future__ import annotations

from lysbro.photographs import PhotoIntake
from lysbro.status import gather
from lysbro.wiring import Parts
from viewer.services import Erasing, Prefetching, Services, WebSettings


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
            metrics_public=settings.metrics_public,
            language=settings.language,
            timezone=settings.timezone,
            cache=settings.data.resolve() / "cache",
            cache_bytes=settings.cache_bytes,
        ),
        clock=parts.clock,
        photos=PhotoIntake(parts),
        erasing=Erasing(parts.erasures, parts.holds, parts.retention),
        prefetching=Prefetching(
            parts.priors, parts.prior_rules, parts.prior_queue, parts.prior_standings
        ),
        status=lambda: gather(parts),
        checks={"store": parts.store.describe},
    )
