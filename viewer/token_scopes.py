"""Which scope a bearer token needs for which route: one table, by the beginning of the path.

What the scopes mean stands in `casework.token_scopes`. A path that no row covers is for people: a
token that is limited to scopes is refused there. A test walks every route that there is.
"""

from __future__ import annotations

from dataclasses import dataclass

from casework.errors import Refused

ANY_TOKEN = ""
"""Nothing of anybody's is told there: every token will do."""

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Row:
    """What is needed below a path, by what is done; None: no scope covers it."""

    path: str
    read: str | None
    write: str | None
    delete: str | None

    def needed(self, method: str) -> str | None:
        """Return the scope that a method needs."""
        if method in _READS:
            return self.read
        return self.delete if method == "DELETE" else self.write

    def holds(self, path: str) -> bool:
        """Tell whether a path is this one or below it."""
        return path == self.path or path.startswith(self.path.rstrip("/") + "/")


def _free(path: str) -> Row:
    return Row(path, ANY_TOKEN, None, None)


def _people(path: str) -> Row:
    return Row(path, None, None, None)


TABLE: tuple[Row, ...] = (
    Row("/dicom-web/workitems", "workitems.read", "workitems.write", "workitems.write"),
    Row("/dicom-web/subscribers", "workitems.read", None, None),
    Row("/dicom-web", "dicomweb.read", "dicomweb.write", "dicomweb.delete"),
    _free("/fhir/metadata"),
    Row("/fhir", "fhir.read", "fhir.write", "fhir.write"),
    _free("/api/openapi.json"),
    Row("/api/orders", "orders.read", "orders.write", "orders.write"),
    Row("/api", "cases.read", "cases.write", "cases.write"),
    Row("/metrics", "metrics.read", None, None),
    _free("/healthz"),
    _free("/readyz"),
    _free("/static"),
    _people("/admin"),
    _people("/capture"),
    _people("/cases"),
    _people("/language"),
    _people("/login"),
    _people("/logout"),
    _people("/orders"),
    _people("/worklist"),
)
"""Of two rows that hold a path, the first counts."""

FRONT_PAGE = _people("/")


def row_of(path: str) -> Row | None:
    """Return the row of the path, or rule, of a route; None: nobody has thought of it."""
    if path == FRONT_PAGE.path:
        return FRONT_PAGE
    return next((row for row in TABLE if row.holds(path)), None)


def needed_for(path: str, method: str) -> str | None:
    """Return the scope that a request needs, None when no scope covers it."""
    row = row_of(path)
    return None if row is None else row.needed(method)


class InsufficientScope(Refused):
    """The token is limited to other things (RFC 6750 section 3.1)."""

    def __init__(self, needed: str | None) -> None:
        said = f"This token lacks the scope {needed}." if needed else "No scope covers this."
        super().__init__(f"{said} Ask for another token.", code="insufficient-scope")
        self.needed = needed

    @property
    def challenge(self) -> str:
        """Return the value of WWW-Authenticate."""
        told = 'Bearer realm="lysbro", error="insufficient_scope"'
        return f'{told}, scope="{self.needed}"' if self.needed else told
