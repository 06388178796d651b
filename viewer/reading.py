"""The reading room: one case for the one who reads it, with all that its page needs inlined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flask import render_template, request
from jinja2.utils import htmlsafe_json_dumps

from casework import access
from casework.claims import LEASED, Colleague
from casework.clinical import REASON_CODES
from casework.custody import CustodyEvent
from casework.identifiers import derived_uid
from casework.lesions import KnownLesion
from casework.lifecycle import Event
from casework.model import Actor, Case, CaseDossier, Role
from casework.report_changes import findings_of
from casework.saved_filters import Wanted
from casework.second_readings import first_answer, latest, writes
from storage.index import InstanceRow
from storage.priors import Prior
from viewer import board, headers, referral_news, reply_view
from viewer.custody import passages_of
from viewer.findings_form import form_parts
from viewer.first_picture import first_preview
from viewer.fitness import fitness_of
from viewer.guard import current_actor, current_scope
from viewer.imaging import imaging
from viewer.lesion_pictures import lesions_over_time
from viewer.manifest import build_manifest
from viewer.prior_told import beside
from viewer.prior_words import notes_of
from viewer.second_sight import may_of, own_draft
from viewer.services import prefetching, services
from viewer.words import reason_name

_STYLE_OF_OPENSEADRAGON = "'sha256-9xTiqzfwFaL2SGb1rmr8gysEwVVjIvqWAgmZgqFqpEE='"
"""The one inline style that the photograph viewer (6.1.1) sets."""


_REPLY_KINDS = ((), ("sr",), ("measured",), ("key",))
"""The series in which a signed answer lies beside the images: as PDF, report, and so on."""


def reading_room(dossier: CaseDossier) -> str:
    """Return the page on which a specialist reads a case; its opening is noted in custody."""
    actor, case = current_actor(), dossier.case
    reading = latest(dossier.readings)
    reads_second = writes(reading, actor)
    instances = _instances(dossier)
    note_opened(actor, case, instances)
    reply = None if reads_second else reply_view.reply_of(dossier.reports)
    own, draft_version = own_draft(actor, dossier)
    draft = dict(own or {})
    may = may_of(actor, dossier)
    is_correcting = reply is not None and "correct" in may and request.args.get("correct") == "1"
    if reply is not None:
        draft = {key: reply.content.get(key, []) for key in ("measurements", "key_images")}
        draft["anchors"] = reply_view.anchors_of_reply(reply)
    if reply is not None and is_correcting:
        draft = findings_of(reply.content)
    priors = prefetching().priors.of_case(current_scope(), case.id)
    lesions = lesions_over_time(case)
    versions = referral_news.versions_in_words(dossier, instances)
    manifest = _manifest(dossier, instances, priors, lesions)
    let_photographs_be_shown(manifest)
    if services().settings.dictation:
        headers.allow_microphone()
    return render_template(
        "reading.html",
        dossier=dossier,
        is_correcting=is_correcting,
        case=replace(case, draft_version=draft_version),
        may=may,
        reading=reading,
        reads_second=reads_second,
        first_said=_first_said(actor, dossier),
        needs_second=reading is None and _needs_second(actor, case),
        second_rule=services().casebook.reading_rule_of(current_scope(), case.id),
        colleagues=_colleagues(case) if Event.ASK_SECOND.value in may else (),
        is_mine=case.holder_id == actor.id,
        reply=reply,
        news=referral_news.news_in(dossier, versions),
        versions=versions,
        may_note_outcome=access.may_note_outcome(actor),
        next_case=board.next_case(Wanted(), actor, after=case.id) if reply is not None else None,
        priors=priors,
        prior_notes=notes_of(prefetching().standings.of_case(case.id)),
        passages=passages_of(dossier),
        fitness=fitness_of(dossier, instances),
        lesions=lesions,
        reason_codes=[(each.value, reason_name(each.value)) for each in REASON_CODES],
        manifest=htmlsafe_json_dumps(manifest),
        first_preview=first_preview(manifest),
        draft=draft,
        draft_block=htmlsafe_json_dumps(draft),
        timezone=services().settings.timezone,
        strings=("reading", "marks", "form"),
        **(form_parts(dossier, draft, instances) if reply is None or is_correcting else {}),
    )


def let_photographs_be_shown(manifest: Mapping[str, Any]) -> None:
    """Let this page use the one style that the photograph viewer needs, when it has photographs,
    play films, and open documents, when it has some.
    """
    if any(series["kind"] == "video" for series in manifest["series"]):
        headers.widen_csp("media-src", "'self'")
    if any(series["kind"] == "document" for series in manifest["series"]):
        headers.widen_csp("frame-src", "'self'")
    if any(series["kind"] == "photo" for series in manifest["series"]):
        headers.widen_csp("style-src", "'unsafe-hashes'", _STYLE_OF_OPENSEADRAGON)


def manifest_of(dossier: CaseDossier) -> dict[str, Any]:
    """Return the manifest of a case within sight of the one who asks."""
    priors = prefetching().priors.of_case(current_scope(), dossier.case.id)
    return _manifest(dossier, _instances(dossier), priors, lesions_over_time(dossier.case))


def _manifest(
    dossier: CaseDossier,
    instances: list[InstanceRow],
    priors: Sequence[Prior],
    lesions: Sequence[KnownLesion],
) -> dict[str, Any]:
    """Return a case's manifest as its reader hangs such cases, with what lies beside it."""
    manifest = build_manifest(
        dossier,
        instances,
        tables=imaging().tables.table,
        kept=_preferences(current_actor()),
        has_prior=bool(priors),
        has_lesion_before=bool(lesions),
    )
    manifest["beside"] = beside(dossier.case, priors, lesions)
    return manifest


def _preferences(actor: Actor) -> Mapping[str, Mapping[str, Any]]:
    """Return how the reader hangs cases, by kind."""
    kept = services().reading_preferences
    return {} if kept is None else kept.of_person(actor.id)


def _instances(dossier: CaseDossier) -> list[InstanceRow]:
    """Return the instances of a case; those of its answer are left out where that is hidden."""
    scope, index = current_scope(), services().index
    found = [
        row
        for study in dossier.studies
        for row in index.instances_of(scope, study.study_uid, site=study.site)
    ]
    if not dossier.is_blinded:
        return found
    hidden = {
        derived_uid("reply-series", study.study_uid, dossier.case.id, *kind)
        for study in dossier.studies
        for kind in _REPLY_KINDS
    }
    return [row for row in found if row.series_uid not in hidden]


def _first_said(actor: Actor, dossier: CaseDossier) -> Mapping[str, Any] | None:
    """Return what the first reader says, for the second reader and a coordinator."""
    reading = latest(dossier.readings)
    is_told = reading is not None and (
        reading.reader_id == actor.id or actor.role is Role.COORDINATOR
    )
    return first_answer(dossier.case, dossier) if is_told else None


def _needs_second(actor: Actor, case: Case) -> bool:
    is_writing = case.holder_id == actor.id and case.state in LEASED
    return is_writing and services().casebook.needs_second(case)


def _colleagues(case: Case) -> Sequence[Colleague]:
    return services().casebook.colleagues(current_scope(), case.id)


def note_opened(actor: Actor, case: Case, instances: list[InstanceRow]) -> None:
    """Note the first opening of each instance; every opening of the case is in the audit."""
    services().index.note_first(
        [row.pk for row in instances],
        CustodyEvent.OPENED,
        services().clock(),
        {"actor": actor.id, "name": actor.name, "case": case.id},
    )
