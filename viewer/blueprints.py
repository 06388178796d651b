"""The list of blueprints that the application is made of.

A module that is written adds its line here.
"""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint

from viewer import auth, dicomweb, fhir, health, metrics
from viewer.api import cases, instances, openapi, referrals, vocabulary


def blueprints() -> Sequence[Blueprint]:
    """Return every blueprint of the application."""
    return (
        auth.bp,
        health.bp,
        metrics.bp,
        openapi.bp,
        cases.bp,
        referrals.bp,
        instances.bp,
        vocabulary.bp,
        dicomweb.bp,
        fhir.bp,
    )
