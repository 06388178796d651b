"""FHIR R4, read only: what the one who asks may see, by the same rule as every list and page."""

from __future__ import annotations

from viewer.fhir.routes import bp

__all__ = ["bp"]
