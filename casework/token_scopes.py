"""What a bearer token may be limited to. Knows the names and the rule, no route and no table.

A token without scopes may do everything that its person may; one with scopes that as well, and of
it only what its scopes cover. The role and the sight of the person decide besides, as always.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from casework.errors import Invalid

MEANS: Mapping[str, str] = {
    "dicomweb.read": "search and retrieve images (QIDO-RS, WADO-RS), ask after a commitment",
    "dicomweb.write": "store images (STOW-RS), ask for storage commitment",
    "dicomweb.delete": "erase images over DICOMweb, where that is turned on",
    "workitems.read": "search and retrieve workitems (UPS-RS), be told of them",
    "workitems.write": "make, change and subscribe to workitems (UPS-RS)",
    "fhir.read": "read FHIR resources",
    "fhir.write": "write FHIR resources",
    "orders.read": "read orders",
    "orders.write": "make and change orders",
    "cases.read": "read cases, photographs and replies over the API",
    "cases.write": "refer, take photographs in, read and sign over the API",
    "metrics.read": "read the figures for monitoring",
}
"""Every scope, and what it covers."""


def parse_scopes(texts: Iterable[str]) -> frozenset[str]:
    """Return the scopes that texts name, with commas or blanks between, or raise Invalid."""
    named = {name for text in texts for name in text.replace(",", " ").split()}
    unknown = sorted(named - MEANS.keys())
    if unknown:
        raise Invalid(
            f"There is no scope {unknown[0]!r}. Scopes are {', '.join(MEANS)}.",
            code="unknown-scope",
        )
    return frozenset(named)


def covers(scopes: Collection[str] | None, needed: str | None) -> bool:
    """Tell whether a token with these scopes covers what a route needs.

    None for scopes: the token is not limited. None for what is needed: no scope covers the route.
    """
    return scopes is None or (needed is not None and needed in scopes)
