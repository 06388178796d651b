"""The addresses of what can be retrieved (PS3.18 section 10.4.1), and who may see what is there.

Notes in the audit and the ledger what was given out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flask import current_app, request
from werkzeug.wsgi import get_current_url

from casework.custody import CustodyEvent
from casework.errors import NotFound
from storage.rows import InstanceRow
from viewer.dicomweb.noting import note, note_once
from viewer.guard import current_actor, current_scope
from viewer.services import services

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

STUDY = "/studies/<study>"
SERIES = STUDY + "/series/<series>"
INSTANCE = SERIES + "/instances/<instance>"
LEVELS = (("study", STUDY), ("series", SERIES), ("instance", INSTANCE))

FRAMES_NOTED = "frames-retrieved"


def root_address() -> str:
    """Return the root of the service, as the client that asks names its host."""
    return root_in(request.environ)


def root_in(environ: WSGIEnvironment) -> str:
    """Return the same of a request that Flask has not seen."""
    return f"{get_current_url(environ, root_only=True).rstrip('/')}/dicom-web"


def rows_of(study: str, series: str | None, instance: str | None) -> Sequence[InstanceRow]:
    """Return the instances of an address within sight, or raise NotFound."""
    index, scope = services().index, current_scope()
    rows = index.instances_of(scope, study, series, sop_instance_uid=instance)
    _require_some(rows)
    return rows


def light_rows_of(study: str, series: str | None, instance: str | None) -> Sequence[InstanceRow]:
    """Return the same without what their headers say: enough to send what is kept."""
    rows = services().index.light_instances_of(current_scope(), study, series, instance)
    _require_some(rows)
    return rows


def _require_some(rows: Sequence[InstanceRow]) -> None:
    if not rows:
        raise NotFound("There are no such images.", code="no-such-images")


def note_retrieved(action: str, study: str, series: str | None, **detail: Any) -> None:
    """Note in the audit that somebody has fetched something; a look at its headers is none."""
    if request.method != "HEAD":
        note(services(), current_actor(), action, study, series, **detail)


def note_retrieved_once(action: str, study: str, series: str | None) -> None:
    """Note the same, of what is read part by part once in a while."""
    if request.method != "HEAD":
        known, actor = services(), current_actor()
        note_once(current_app.extensions, known, actor, action, study, series or "")


def note_exported(rows: Sequence[InstanceRow]) -> None:
    """Note in the custody of each instance who has fetched it, once for each caller."""
    if request.method == "HEAD":
        return
    actor = current_actor()
    services().index.note_first(
        [row.pk for row in rows],
        CustodyEvent.EXPORTED,
        services().clock(),
        {"actor": actor.id, "name": actor.name, "door": "dicomweb"},
        key=actor.id,
    )
