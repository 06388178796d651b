"""What a row of the worklist says in words: what the case is, what came since, what is wrong."""

from __future__ import annotations

from datetime import datetime

from casework import access
from casework.claims import LEASED, WARNED_FOR
from casework.lifecycle import HELD, WAITS_FOR_SPECIALIST, Event, possible
from casework.model import CaseSummary, Role, Specialty
from casework.saved_filters import Wanted
from casework.second_readings import ReadingState, may_take
from viewer.guard import current_actor
from viewer.i18n import _, _n
from viewer.languages import language
from viewer.services import services
from viewer.words import category_name


def title_of(summary: CaseSummary) -> str:
    """Return what a case is, in its first words: kind of images and what they show."""
    if summary.case.specialty is Specialty.DERMATOLOGY:
        return category_name(summary.case.referral) or _("Skin lesion")
    kinds = "/".join(m for m in summary.modalities if m not in {"SR", "DOC", "PR", "KO"})
    if not summary.description:
        return _("{kinds} study", kinds=kinds) if kinds else _("Study")
    if kinds and not summary.description.upper().startswith(kinds):
        return f"{kinds} {summary.description}"
    return summary.description


def may_claim(summary: CaseSummary) -> bool:
    """Tell whether the one who looks could claim this case now."""
    actor, case = current_actor(), summary.case
    return actor.role in access.MAY[Event.CLAIM] and Event.CLAIM in possible(case.state)


def may_hand_over(summary: CaseSummary) -> bool:
    """Tell whether the one who looks could hand this case to a colleague now."""
    actor, case = current_actor(), summary.case
    if Event.HAND_OVER not in possible(case.state):
        return False
    is_holder = bool(case.holder_id) and case.holder_id == actor.id
    return actor.role is Role.COORDINATOR or is_holder


def change_words(summary: CaseSummary) -> str:
    """Say what came to a case after its answer; empty when nothing did."""
    if not summary.case.changed_since_report:
        return ""
    added = summary.added_since_report
    if not added:
        return _("changed since the report")
    return _n("{n} image came after the report", "{n} images came after the report", added)


def warning_words(summary: CaseSummary) -> str:
    """Say how many photographs have a warning, and the gravest one; empty without any."""
    if not summary.warned_count:
        return ""
    english, bokmaal = summary.worst_warning
    said = _n("{n} photo with a warning", "{n} photos with a warning", summary.warned_count)
    worst = bokmaal if language() == "nb" else english
    return f"{said}: {worst[:1].lower()}{worst[1:]}" if worst else said


def second_words(summary: CaseSummary) -> str:
    """Say where the second reading of a case is; empty when none is open."""
    reading = summary.reading
    if reading is None:
        return ""
    if reading.state == ReadingState.TAKEN:
        if reading.reader_id == current_actor().id:
            return _("your second reading")
        return _("{name} reads second", name=reading.reader_name)
    if reading.wanted_name:
        return _("second reading by {name}", name=reading.wanted_name)
    return _("waits for a second reading")


def is_mine_to_read_second(summary: CaseSummary) -> bool:
    """Tell whether a second reading waits for the one who looks."""
    actor, reading = current_actor(), summary.reading
    is_taken = reading is not None and reading.reader_id == actor.id
    return is_taken or may_take(reading, summary.case, actor)


def handed_words(summary: CaseSummary) -> str:
    """Say who handed a case on and what they noted, to whom that concerns; else nothing."""
    case, actor = summary.case, current_actor()
    is_told = not case.holder_id or case.holder_id == actor.id or actor.role is Role.COORDINATOR
    if not case.handed_by_name or not is_told or case.state not in HELD | WAITS_FOR_SPECIALIST:
        return ""
    said = _("from {name}", name=case.handed_by_name)
    return f"{said}: {case.handed_note}" if case.handed_note else said


def claim_ends(summary: CaseSummary) -> datetime | None:
    """Return when one's own claim ends, once that is near; else None."""
    until = summary.case.claim_until
    is_mine = summary.case.holder_id == current_actor().id and summary.case.state in LEASED
    is_near = until is not None and until < services().clock() + WARNED_FOR
    return until if is_mine and is_near and summary.reading is None else None


def filter_words(wanted: Wanted) -> str:
    """Return a short name for what the worklist is narrowed to, to begin a filter's own with."""
    named = {
        "warned": _("With a warning"),
        "changed": _("Changed since the report"),
        "second": _("Second readings"),
        "soon": _("Late or soon"),
    }
    found = [named[wanted.mark]] if wanted.mark else []
    if wanted.holder == "me":
        found.append(_("Mine"))
    if wanted.holder == "nobody":
        found.append(_("Unclaimed"))
    if wanted.priority:
        found.append(_("Urgent"))
    if wanted.q:
        found.append(wanted.q)
    return ", ".join(found)[:40]
