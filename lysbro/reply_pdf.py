"""Makes the PDF of a signed reply with its pictures, in the exchange's own language."""

from __future__ import annotations

from casework.access import Scope
from casework.errors import NotFound
from casework.model import CaseDossier, Report
from lysbro.wiring import Parts
from storage.rows import InstanceRow
from viewer import reply_view, report_pdf
from viewer.frame_source import FrameSource
from viewer.reply_pictures import printed_of


def pdf_of(
    parts: Parts, dossier: CaseDossier, report: Report, *, scope: Scope | None = None
) -> bytes:
    """Return the PDF of one signed version; without a scope with all that the exchange has."""
    settings, sight = parts.settings, scope or Scope(sites=None, specialties=None, own_site="")

    def find(sop_instance_uid: str) -> InstanceRow | None:
        try:
            return parts.index.instance(sight, sop_instance_uid, dossier.case.site)
        except NotFound:
            return None

    reply = reply_view.reply_as_of(dossier, report)
    standing = [report] if reply is None else [reply.answer, *reply.addenda]
    pictures = printed_of(standing, find, FrameSource(parts.archive), language=settings.language)
    return report_pdf.render_report(
        dossier,
        report,
        language=settings.language,
        timezone=settings.timezone,
        pictures=pictures,
    )
