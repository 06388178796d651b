"""The pictures of a signed reply on the web: which its page shows, and the bytes of each.

What they look like is `crops`' matter. They come from the signed version, never from a draft.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Blueprint, Response, request, url_for
from markupsafe import Markup, escape

from casework.anchors import anchors_of, parts_of
from casework.errors import NotFound
from casework.model import Case, CaseDossier, Report
from storage.index import InstanceRow
from viewer import reply_pictures
from viewer.attributes import is_recognizable
from viewer.guard import current_scope
from viewer.imaging import imaging
from viewer.languages import language
from viewer.plain_words import calibration_text
from viewer.render import is_photograph
from viewer.reply_pictures import Pointed, Printed, anchor_name
from viewer.reply_view import reply_as_of
from viewer.services import services

bp = Blueprint("reply_images", __name__)

_FORM = "2"  # of how they are made: another makes all of them anew


@dataclass(frozen=True)
class ReplyPicture:
    """One picture of the reply page, with what is beneath it and the anchors that lead to it."""

    address: str
    close_address: str  # empty where there is no mark to go nearer to
    original: str  # a photograph as it was taken; empty for others
    caption: str
    anchors: tuple[str, ...]
    is_recognizable: bool
    is_photograph: bool


@bp.get("/cases/<case_id>/reports/<int:version>/pictures/<int:n>")
def picture(case_id: str, version: int, n: int) -> Response:
    """Give a picture of a signed version; nearer to its mark with `?close=1`."""
    dossier = services().casebook.dossier(current_scope(), case_id)
    report = _report(dossier, version)
    views = reply_pictures.pointed_of(report.content)
    if not 1 <= n <= len(views):
        raise NotFound("The report has no such picture.", code="no-such-picture")
    row = row_of(views[n - 1].instance_uid, dossier.case.site)
    if row is None or not reply_pictures.can_be_printed(row):
        raise NotFound("The image of this picture is not here.", code="no-such-picture")
    is_close = request.args.get("close") == "1" and views[n - 1].mark_at is not None
    tag = f"{report.sha256[:32]}-{row.bytes_sha256[:16]}-{n}-{is_close}-{_FORM}"
    make = partial(
        reply_pictures.made, imaging().source, report.content, views[n - 1], row, is_close=is_close
    )
    response = Response(imaging().renderer.kept(f"reply-{tag}", make), mimetype="image/jpeg")
    response.set_etag(tag)
    response.make_conditional(request)
    return response


def pictures_of(dossier: CaseDossier, reports: Sequence[Report]) -> Sequence[ReplyPicture]:
    """Return the pictures of the standing reports that can be shown, in their order."""
    found = []
    for report in reports:
        for n, pointed in enumerate(reply_pictures.pointed_of(report.content), 1):
            row = row_of(pointed.instance_uid, dossier.case.site)
            if row is not None and reply_pictures.can_be_printed(row):
                found.append(_picture(dossier.case, report, n, pointed, row))
    return found


def printed_pictures(dossier: CaseDossier, report: Report) -> Sequence[Printed]:
    """Return the pictures of a version for its PDF, of what the one who asks may see."""
    reply = reply_as_of(dossier, report)
    standing = [report] if reply is None else [reply.answer, *reply.addenda]
    return reply_pictures.printed_of(
        standing,
        lambda uid: row_of(uid, dossier.case.site),
        imaging().source,
        language=language(),
    )


def row_of(sop_instance_uid: str, site: str) -> InstanceRow | None:
    """Return an object within sight, or None: it may have been settled away or erased since."""
    try:
        return services().index.instance(current_scope(), sop_instance_uid, site)
    except NotFound:
        return None


@bp.app_template_global()
def anchored(text: str, content: Mapping[str, Any], version: int, case_id: str = "") -> Markup:
    """Return a text in which each anchor is a link to its picture: on this page, or its own."""
    known = {int(each["number"]) for each in anchors_of(content)}
    pieces = []
    for words, number in parts_of(text, known):
        if number is None:
            pieces.append(escape(words))
        else:
            pieces.append(_link(words, number, content, version, case_id))
    return Markup("").join(pieces)


@bp.app_template_global()
def calibration_name(calibration: str | None) -> str:
    """Return what a measurement's scale rests on, in words."""
    return calibration_text(calibration or "", language())


def _link(
    words: str, number: int, content: Mapping[str, Any], version: int, case_id: str
) -> Markup:
    if not case_id:
        return Markup('<a class="anchor" href="#{}">{}</a>').format(
            anchor_name(version, number), words
        )
    views = reply_pictures.pointed_of(content)
    n = next((at for at, each in enumerate(views, 1) if number in each.numbers), 1)
    address = url_for("reply_images.picture", case_id=case_id, version=version, n=n)
    return Markup(
        '<a class="anchor" href="{}" target="_blank" data-anchor="{}" data-version="{}">{}</a>'
    ).format(address, number, version, words)


def _picture(
    case: Case, report: Report, n: int, pointed: Pointed, row: InstanceRow
) -> ReplyPicture:
    where: dict[str, Any] = {"case_id": case.id, "version": report.version, "n": n}
    is_marked = pointed.mark_at is not None
    original = url_for("api_frames.photo", uid=row.sop_instance_uid, site=row.site)
    return ReplyPicture(
        address=url_for("reply_images.picture", **where),
        close_address=url_for("reply_images.picture", close=1, **where) if is_marked else "",
        original=original if is_photograph(row) else "",
        caption=reply_pictures.caption_of(report.content, pointed, row, language()),
        anchors=tuple(anchor_name(report.version, number) for number in pointed.numbers),
        is_recognizable=is_recognizable(row.attributes),
        is_photograph=is_photograph(row),
    )


def _report(dossier: CaseDossier, version: int) -> Report:
    for report in dossier.reports:
        if report.version == version:
            return report
    raise NotFound("There is no signed report of that version.", code="no-such-report")
