"""The reading room: one case for the one who reads it, with all that its page needs inlined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import render_template
from jinja2.utils import htmlsafe_json_dumps

from casework import access
from casework.clinical import REASON_CODES
from casework.custody import CustodyEvent
from casework.lifecycle import Event, possible
from casework.model import Actor, Case, CaseDossier, CaseState, CaseSummary
from storage.index import InstanceRow
from viewer import headers, reply_view
from viewer.custody import passages_of
from viewer.guard import current_actor, current_scope
from viewer.imaging import imaging
from viewer.lesion_pictures import lesions_over_time
from viewer.manifest import build_manifest
from viewer.prior_told import beside
from viewer.prior_words import notes_of
from viewer.services import prefetching, services
from viewer.words import reason_name

_STYLE_OF_OPENSEADRAGON = "'sha256-9xTiqzfwFaL2SGb1rmr8gysEwVVjIvqWAgmZgqFqpEE='"
"""The one inline style that the photograph viewer (6.1.1) sets."""


def reading_room(dossier: CaseDossier) -> str:
    """Return the page on which a specialist reads a case; its opening is noted in custody."""
    actor, case = current_actor(), dossier.case
    instances = _instances(dossier)
    note_opened(actor, case, instances)
    reply = reply_view.reply_of(dossier.reports)
    draft = dict(case.draft or {}) if case.holder_id == actor.id else {}
    if reply is not None:
        draft = {key: reply.content.get(key, []) for key in ("measurements", "key_images")}
    priors = prefetching().priors.of_case(current_scope(), case.id)
    lesions = lesions_over_time(case)
    manifest = build_manifest(
        dossier,
        instances,
        tables=imaging().tables.table,
        kept=_preferences(actor),
        has_prior=bool(priors),
        has_lesion_before=bool(lesions),
    )
    manifest["beside"] = beside(case, priors, lesions)
    let_photographs_be_shown(manifest)
    return render_template(
        "reading.html",
        dossier=dossier,
        case=case,
        may={event.value for event in Event if _may(actor, event, case)},
        is_mine=case.holder_id == actor.id,
        reply=reply,
        may_note_outcome=access.may_note_outcome(actor),
        next_case=_next_case(case) if reply is not None else None,
        priors=priors,
        prior_notes=notes_of(prefetching().standings.of_case(case.id)),
        passages=passages_of(dossier),
        lesions=lesions,
        reason_codes=[(each.value, reason_name(each.value)) for each in REASON_CODES],
        manifest=htmlsafe_json_dumps(manifest),
        draft=draft,
        draft_block=htmlsafe_json_dumps(draft),
        timezone=services().settings.timezone,
        strings=("reading",),
    )


def let_photographs_be_shown(manifest: Mapping[str, Any]) -> None:
    """Let this page use the one style that the photograph viewer needs, when it has photographs,
    and play films, when it has some.
    """
    if any(series["kind"] == "video" for series in manifest["series"]):
        headers.widen_csp("media-src", "'self'")
    if any(series["kind"] == "photo" for series in manifest["series"]):
        headers.widen_csp("style-src", "'unsafe-hashes'", _STYLE_OF_OPENSEADRAGON)


def manifest_of(dossier: CaseDossier) -> dict[str, Any]:
    """Return the manifest of a case within sight of the one who asks."""
    return build_manifest(dossier, _instances(dossier), tables=imaging().tables.table)


def _preferences(actor: Actor) -> Mapping[str, Mapping[str, Any]]:
    """Return how the reader hangs cases, by kind."""
    kept = services().reading_preferences
    return {} if kept is None else kept.of_person(actor.id)


def _instances(dossier: CaseDossier) -> list[InstanceRow]:
    scope, index = current_scope(), services().index
    return [
        row
        for study in dossier.studies
        for row in index.instances_of(scope, study.study_uid, site=study.site)
    ]


def _next_case(case: Case) -> CaseSummary | None:
    """Return the case that is read next: the most pressing one that nobody holds."""
    rows, _more = services().casebook.list_cases(
        current_scope(), states=(CaseState.SUBMITTED,), limit=2
    )
    return next((row for row in rows if row.case.id != case.id), None)


def _may(actor: Actor, event: Event, case: Case) -> bool:
    """Tell whether a button for the event would do anything."""
    if actor.role not in access.MAY[event] or event not in possible(case.state):
        return False
    is_readers = event in access.BY_HOLDER and actor.role in access.MAY[Event.CLAIM]
    return not is_readers or case.holder_id == actor.id


def note_opened(actor: Actor, case: Case, instances: list[InstanceRow]) -> None:
    """Note the first opening of each instance; every opening of the case is in the audit."""
    services().index.note_first(
        [row.pk for row in instances],
        CustodyEvent.OPENED,
        services().clock(),
        {"actor": actor.id, "name": actor.name, "case": case.id},
    )
