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
    due_words,
    erasure,
    fhir,
    fitness,
    health,
    i18n,
    lesions,
    metrics,
    orders,
    outgoing,
    prior_rules,
    priors,
    referral_news,
    referral_words,
    replies,
    reply_images,
    reply_trail,
    routing,
    statistics,
    template_admin,
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
from viewer.api import claims as api_claims
from viewer.api import devices as api_devices
from viewer.api import diagnoses as api_diagnoses
from viewer.api import lesions as api_lesions
from viewer.api import orders as api_orders
from viewer.api import papers as api_papers
from viewer.api import phrases as api_phrases
from viewer.api import priors as api_priors
from viewer.api import reading as api_reading
from viewer.api import second_readings as api_second_readings
from viewer.api import templates as api_templates
from viewer.api import uploads as api_uploads
from viewer.api import worklists as api_worklists


def blueprints() -> Sequence[Blueprint]:
    """Return every blueprint of the application."""
    return (
        assets.bp,
        i18n.bp,
        words.bp,
        due_words.bp,
        referral_words.bp,
        referral_news.bp,
        auth.bp,
        worklist.bp,
        replies.bp,
        reply_images.bp,
        reply_trail.bp,
        custody.bp,
        fitness.bp,
        admin.bp,
        erasure.bp,
        outgoing.bp,
        channels.bp,
        routing.bp,
        priors.bp,
        lesions.bp,
        prior_rules.bp,
        template_admin.bp,
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
        api_claims.bp,
        api_second_readings.bp,
        api_worklists.bp,
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
        api_templates.bp,
        api_phrases.bp,
        api_diagnoses.bp,
        instances.bp,
        frames.bp,
        layers.bp,
        api_papers.bp,
        films.bp,
        vocabulary.bp,
        dicomweb.bp,
        fhir.bp,
    )
