"""The page of one lesion over time: its pictures by visit, two of them compared, and its size.

Shows; what is within sight is decided by the register, what a picture shows by the eye.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from flask import Blueprint, render_template, url_for
from jinja2.utils import htmlsafe_json_dumps

from casework.lesion_sizes import READER, Size, Trend, trend_of
from casework.lesions import KnownLesion, LesionPicture
from casework.model import Role
from viewer.guard import current_actor, current_scope
from viewer.i18n import _, _n, day
from viewer.languages import language
from viewer.lesion_pictures import row_of, sizes_of
from viewer.noting import note
from viewer.reading import note_opened
from viewer.services import lesion_desk, services
from viewer.size_plot import plot_of

bp = Blueprint("lesions", __name__)

_NEAR = ("dermoscopic", "closeup", "overview")  # which pair says most
_FEW_DAYS = 60


@bp.get("/cases/<case_id>/lesions/<lesion>")
def page(case_id: str, lesion: str) -> str:
    """Show a lesion over time; that its pictures were opened is in custody and in the audit."""
    actor = current_actor()
    known = lesion_desk().register.one(current_scope(), case_id, lesion)
    case = services().casebook.dossier(current_scope(), case_id).case
    note_opened(actor, case, [row_of(picture) for picture in known.pictures])
    note("lesion-opened", known.uid, case_id=case_id)
    sizes = sizes_of(known)
    trend = trend_of(sizes)
    earlier, later = chosen_pair(known, case_id)
    return render_template(
        "lesion.html",
        case=case,
        lesion=known,
        theme="office" if actor.role is Role.REFERRER else "room",
        visits=[(when, list(pictures)) for when, pictures in groupby(known.pictures, _visit)],
        sizes=sizes,
        plot=plot_of(sizes),
        finding=_finding(trend) if trend else "",
        told=htmlsafe_json_dumps(
            {
                "case_id": case_id,
                "uid": known.uid,
                "from": earlier.sop_instance_uid if earlier else "",
                "to": later.sop_instance_uid if later else "",
                "pictures": [_for_script(each) for each in known.pictures],
            }
        ),
        strings=("lesion",),
    )


def chosen_pair(
    lesion: KnownLesion, case_id: str
) -> tuple[LesionPicture | None, LesionPicture | None]:
    """Return the pair that says most: the case's own newest picture, and the last one before it.

    Both of one kind and of two visits where there are such.
    """
    own = [p for p in lesion.pictures if p.case_id == case_id] or list(lesion.pictures)
    for kind in _NEAR:
        later = next((p for p in reversed(own) if p.kind == kind), None)
        if later is None:
            continue
        before = [p for p in lesion.pictures if p.kind == kind and _visit(p) != _visit(later)]
        if before:
            return before[-1], later
    newest = own[-1] if own else None
    others = [p for p in lesion.pictures if newest is not None and p != newest]
    return (others[-1] if others else None), newest


@bp.app_template_global()
def lesion_place(lesion: KnownLesion) -> str:
    """Return where on the body a lesion is, in the words of the pick list."""
    door = services().photos
    named = {str(s["code"]): s for s in door.sites()} if door and lesion.site_code else {}
    site: Mapping[str, Any] = named.get(lesion.site_code, {})
    side = {"L": _("Left"), "R": _("Right"), "B": _("both sides")}.get(lesion.laterality, "")
    place = str(site.get("nb" if language() == "nb" else "en", ""))
    return ", ".join(part for part in (place, side.lower()) if part)


@bp.app_template_global()
def lesion_history(lesion: KnownLesion) -> str:
    """Return how often a lesion was seen, and since when."""
    visits = _n("{n} visit", "{n} visits", lesion.visits)
    if lesion.first_seen is None or lesion.last_seen is None:
        return visits
    if lesion.first_seen == lesion.last_seen:
        return f"{visits}, {day(lesion.first_seen)}"
    return _(
        "{visits}, {first} to {last}",
        visits=visits,
        first=day(lesion.first_seen),
        last=day(lesion.last_seen),
    )


@bp.app_template_global()
def picture_kind(kind: str) -> str:
    """Return what a kind of photograph is called."""
    names = {
        "overview": _("Overview"),
        "closeup": _("Close-up"),
        "dermoscopic": _("Dermoscopic"),
    }
    return names.get(kind, _("Photograph"))


@bp.app_template_filter("mm")
def millimetres(value: float) -> str:
    """Return a length as `4.1 mm`."""
    said = f"{value:.1f}"
    return f"{said.replace('.', ',') if language() == 'nb' else said} mm"


@bp.app_template_global()
def measured_by(size: Size) -> str:
    """Return how a size was found."""
    return _("by the reader") if size.by == READER else _("by its outline, automatically")


def _finding(trend: Trend) -> str:
    """Say what the size has done, or that it is no more than measuring can tell."""
    span = (
        _n("{n} day", "{n} days", trend.days)
        if trend.days < _FEW_DAYS
        else _n("{n} month", "{n} months", trend.months)
    )
    first, last = millimetres(trend.first.longest_mm), millimetres(trend.last.longest_mm)
    if trend.is_certain:
        return _("{first} to {last} in {span}", first=first, last=last, span=span)
    return _("No certain change in {span}: {first}, then {last}", first=first, last=last, span=span)


def _visit(picture: LesionPicture) -> tuple[Any, str, str]:
    return picture.day, picture.site, picture.study_uid


def _for_script(picture: LesionPicture) -> Mapping[str, Any]:
    uid, site = picture.sop_instance_uid, picture.site
    when = day(picture.day) if picture.day else _("no date")
    return {
        "uid": uid,
        "kind": picture.kind,
        "name": f"{when} · {picture_kind(picture.kind)}",
        "rows": picture.rows,
        "columns": picture.columns,
        "mm_per_pixel": picture.mm_per_pixel,
        "preview": url_for("api_frames.preview", uid=uid, frame=1, site=site),
        "photo": url_for("api_frames.photo", uid=uid, site=site),
    }
