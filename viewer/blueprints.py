"""The list of blueprints that the application is made of.

A module that is written adds its line here.
"""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint

from viewer import (
    admin,
    assets,
    auth,
    capture,
    capture_offline,
    channels,
    consents,
    custody,
    devices,
    dicomweb,
    erasure,
    fhir,
    health,
    i18n,
    lesions,
    metrics,
    orders,
    outgoing,
    prior_rules,
    priors,
    referral_words,
    replies,
    routing,
    statistics,
    words,
    worklist,
)
from viewer.api import (
    attachments,
    cases,
    drafts,
    films,
    frames,
    instances,
    layers,
    openapi,
    referrals,
    studies,
    vocabulary,
)
from viewer.api import devices as api_devices
from viewer.api import lesions as api_lesions
from viewer.api import orders as api_orders
from viewer.api import priors as api_priors
from viewer.api import reading as api_reading
from viewer.api import uploads as api_uploads


def blueprints() -> Sequence[Blueprint]:
    """Return every blueprint of the application."""
    return (
        assets.bp,
        i18n.bp,
        words.bp,
        referral_words.bp,
        auth.bp,
        worklist.bp,
        replies.bp,
        custody.bp,
        admin.bp,
        erasure.bp,
        outgoing.bp,
        channels.bp,
        routing.bp,
        priors.bp,
        lesions.bp,
        prior_rules.bp,
        statistics.bp,
        capture_offline.bp,
        capture.bp,
        consents.bp,
        devices.bp,
        orders.bp,
        health.bp,
        metrics.bp,
        openapi.bp,
        cases.bp,
        referrals.bp,
        attachments.bp,
        drafts.bp,
        studies.bp,
        api_devices.bp,
        api_orders.bp,
        api_priors.bp,
        api_reading.bp,
        api_lesions.bp,
        api_uploads.bp,
        instances.bp,
        frames.bp,
        layers.bp,
        films.bp,
        vocabulary.bp,
        dicomweb.bp,
        fhir.bp,
    )
