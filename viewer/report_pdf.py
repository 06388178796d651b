"""Renders a signed report as a PDF, one A4 page where it fits; the same report, the same bytes.

The font is DejaVu Sans, which has the letters of all Sámi languages.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

from casework.anchors import anchors_of, parts_of
from casework.describing import suspicion_text
from casework.model import CaseDossier, Report
from viewer.measured_words import measurement_line
from viewer.plain_words import certainty_text, name_text, sex_text, urgency_text
from viewer.reply_pictures import Printed, anchor_name
from viewer.reply_view import Reply, diagnoses_of, reply_as_of
from viewer.report_pictures import printed_pictures
from viewer.texts import day_in, mark, moment_in, translate, zone_of

_FONTS = Path(__file__).parent / "static" / "fonts"
_INK, _QUIET, _LINE = HexColor("#14222d"), HexColor("#465866"), HexColor("#d3dde4")
_ACCENT, _WASH, _ACT = HexColor("#a5dcf3"), HexColor("#eef7fb"), HexColor("#a3310f")
_MARGIN = 18 * mm
_WIDTH = A4[0] - 2 * _MARGIN


def render_report(
    dossier: CaseDossier,
    report: Report,
    *,
    language: str,
    timezone: str = "Europe/Oslo",
    pictures: Sequence[Printed] = (),
) -> bytes:
    """Return the PDF of one signed version as its referrer reads it, addenda up to it included.

    An anchor in a text leads to its picture, where that is among the pictures.
    """
    return _Writer(dossier, report, language, zone_of(timezone), pictures).render()


class _Writer:
    """Holds what every part of one document needs: the case, the language, the time zone."""

    def __init__(
        self,
        dossier: CaseDossier,
        report: Report,
        language: str,
        zone: ZoneInfo,
        pictures: Sequence[Printed],
    ) -> None:
        _register_fonts()
        self._pictures = pictures
        self._case = dossier.case
        self._report = report
        self._reply = reply_as_of(dossier, report) or Reply(report, (), ())
        self._language = language
        self._zone = zone

    def render(self) -> bytes:
        buffer = io.BytesIO()
        template = BaseDocTemplate(
            buffer,
            pagesize=A4,
            title=self._say("Answer from {name}", name=self._report.signed_by),
            author=self._report.signed_by,
            creator="Lysbro",
            lang=self._language,
            invariant=1,
        )
        frame = Frame(
            _MARGIN, 20 * mm, _WIDTH, A4[1] - 44 * mm,
            leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0,
        )  # fmt: skip
        template.addPageTemplates(PageTemplate(frames=[frame], onPage=self._decorate))
        template.build(list(self._story()))
        return buffer.getvalue()

    def _story(self) -> Iterator[Flowable]:
        content = self._reply.content
        yield self._facts()
        yield Spacer(0, 4 * mm)
        yield from self._part(mark("Question"), self._case.referral.question)
        yield self._answer_box()
        yield Spacer(0, 4 * mm)
        answer = self._reply.answer
        yield from self._part(mark("Come back if"), content.get("safety_net"), answer)
        yield from self._part(mark("Follow-up"), content.get("follow_up"), answer)
        for addendum in self._reply.addenda:
            yield from self._signed_part(mark("Addendum"), addendum)
        yield from self._part(mark("In plain words"), content.get("plain_words"), answer)
        yield from self._part(mark("Description"), content.get("described"), answer)
        yield from self._part(mark("Findings"), content.get("findings"), answer)
        if self._pictures:
            yield printed_pictures(self._pictures, width=_WIDTH)
            yield Spacer(0, 3 * mm)
        yield from self._part(mark("Measurements"), self._measurements(content))
        for earlier in self._reply.replaced:
            yield from self._signed_part(mark("Replaced"), earlier)

    def _facts(self) -> Flowable:
        patient, case = self._case.patient, self._case
        born = day_in(patient.birth_date, self._language) if patient.birth_date else "–"
        number = f"{patient.id} ({patient.issuer})" if patient.issuer else patient.id
        sex = sex_text(patient.sex, self._language)
        rows = [
            [
                self._fact(mark("Patient"), name_text(patient.name)),
                self._fact(mark("Patient number"), number),
            ],
            [
                self._fact(mark("Born"), ", ".join(t for t in (born, sex) if t)),
                self._fact(mark("Case"), case.id),
            ],
            [
                self._fact(
                    mark("Asked by"),
                    ", ".join(t for t in (case.referral.referrer, case.site_name) if t),
                ),
                self._fact(mark("Asked"), self._at(case.submitted_at or case.created_at)),
            ],
        ]
        padding = [("LEFTPADDING", (0, 0), (-1, -1), 0), ("BOTTOMPADDING", (0, 0), (-1, -1), 2)]
        return Table(
            rows,
            colWidths=[_WIDTH * 0.55, _WIDTH * 0.45],
            style=[*padding, ("VALIGN", (0, 0), (-1, -1), "TOP")],
        )

    def _answer_box(self) -> Flowable:
        content = self._reply.content
        urgency = content.get("urgency") or "none"
        lines: list[Flowable] = []
        if self._reply.answer.kind == "correction":
            lines.append(
                _paragraph(self._say("Corrected answer. It replaces the earlier one."), _LABEL_ACT)
            )
            if content.get("why_corrected"):
                why = self._say(mark("Why: {reason}"), reason=content["why_corrected"])
                lines.append(_paragraph(why, _BODY))
        if self._reply.is_urgent:
            lines.append(_paragraph(urgency_text(urgency, self._language), _LABEL_ACT))
        answer = self._reply.answer
        lines.append(self._linked(content.get("impression"), _LARGE, answer))
        lines += [_paragraph(self._diagnosis(each), _BODY) for each in diagnoses_of(content)]
        if suspicion := suspicion_text(content, self._language):
            lines.append(_paragraph(suspicion, _BODY))
        if content.get("assessable") in ("partly", "no"):
            lines.append(_paragraph(self._assessable(content), _BODY))
        if content.get("advice"):
            lines += [
                _paragraph(self._say("What to do"), _LABEL),
                self._linked(content["advice"], _BODY, answer),
            ]
        if urgency != "none" and not self._reply.is_urgent:
            lines.append(_paragraph(urgency_text(urgency, self._language), _BODY))
        lines.append(_paragraph(self._signature(self._reply.answer), _SMALL))
        edge = _ACT if self._reply.is_urgent else _ACCENT
        style: list[Any] = [
            ("BACKGROUND", (0, 0), (-1, -1), _WASH),
            ("LINEBEFORE", (0, 0), (0, -1), 3, edge),
            ("LEFTPADDING", (0, 0), (-1, -1), 10),
            ("RIGHTPADDING", (0, 0), (-1, -1), 10),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
            ("TOPPADDING", (0, 0), (-1, 0), 8),
            ("BOTTOMPADDING", (0, -1), (-1, -1), 9),
        ]
        return Table([[line] for line in lines], colWidths=[_WIDTH], style=style, splitInRow=1)

    def _part(self, title: str, text: object, of: Report | None = None) -> Iterator[Flowable]:
        if text:
            yield _paragraph(self._say(title), _LABEL)
            yield self._linked(text, _BODY, of)
            yield Spacer(0, 3 * mm)

    def _linked(self, text: object, style: ParagraphStyle, of: Report | None) -> Flowable:
        """Return a text whose anchors lead to their pictures."""
        if of is None:
            return _paragraph(text, style)
        there = {name for picture in self._pictures for name in picture.anchors}
        numbers = {int(each["number"]) for each in anchors_of(of.content)}
        names = {n: anchor_name(of.version, n) for n in numbers}
        known = {n for n in numbers if names[n] in there}
        pieces = [
            f'<a href="#{names[number]}" color="{_LINK}">{words}</a>' if number else _escaped(words)
            for words, number in parts_of(str(text or ""), known)
        ]
        return Paragraph("".join(pieces), style)

    def _signed_part(self, title: str, report: Report) -> Iterator[Flowable]:
        content = report.content
        said = [
            str(content[key])
            for key in ("impression", "described", "findings", "advice")
            if content.get(key)
        ]
        yield from self._part(title, "\n".join([*said, self._signature(report)]), report)

    def _measurements(self, content: Mapping[str, Any]) -> str:
        said = content.get("measurements") or ()
        return "\n".join(filter(None, (measurement_line(each, self._language) for each in said)))

    def _diagnosis(self, diagnosis: Any) -> str:
        code = f" ({diagnosis.codes})" if diagnosis.codes else ""
        sure = certainty_text(diagnosis.certainty, self._language)
        return f"{diagnosis.text}{code}{', ' + sure if sure else ''}"

    def _assessable(self, content: Mapping[str, Any]) -> str:
        partly = content["assessable"] == "partly"
        said = mark("Could be judged in part only") if partly else mark("Could not be judged")
        reason = content.get("reason")
        return self._say(said) + (f": {reason}" if reason else "")

    def _signature(self, report: Report) -> str:
        return self._say(
            "Signed by {name}, {time}. Version {version}.",
            name=report.signed_by,
            time=self._at(report.signed_at),
            version=report.version,
        )

    def _fact(self, label: str, value: str) -> Sequence[Flowable]:
        return [_paragraph(self._say(label), _SMALL), _paragraph(value or "–", _BODY)]

    def _decorate(self, canvas: Canvas, document: BaseDocTemplate) -> None:
        top = A4[1] - 15 * mm
        canvas.saveState()
        canvas.setFillColor(_INK)
        canvas.setFont("LysbroBold", 14)
        canvas.drawString(_MARGIN, top, "lysbro")
        canvas.setFillColor(_ACCENT)
        canvas.rect(
            _MARGIN,
            top - 4.5,
            pdfmetrics.stringWidth("lysbro", "LysbroBold", 14),
            2,
            stroke=0,
            fill=1,
        )
        canvas.setFillColor(_QUIET)
        canvas.setFont("Lysbro", 8)
        title = self._say("Answer to case {case}", case=self._case.id)
        canvas.drawRightString(A4[0] - _MARGIN, top, title)
        canvas.setStrokeColor(_LINE)
        canvas.line(_MARGIN, 16 * mm, A4[0] - _MARGIN, 16 * mm)
        person = name_text(self._case.patient.name)
        canvas.drawString(_MARGIN, 12 * mm, f"{person}, {self._case.patient.id}")
        page = self._say("Page {page}", page=document.page)
        canvas.drawRightString(A4[0] - _MARGIN, 12 * mm, page)
        canvas.setFont("Lysbro", 6)
        canvas.drawString(_MARGIN, 9 * mm, f"{self._report.uid}   SHA-256 {self._report.sha256}")
        canvas.restoreState()

    def _say(self, text: str, **params: object) -> str:
        return translate(text, self._language, **params)

    def _at(self, moment: Any) -> str:
        return moment_in(moment, self._language, self._zone)


def _style(name: str, **settings: Any) -> ParagraphStyle:
    usual: dict[str, Any] = {"fontName": "Lysbro", "fontSize": 9.5, "leading": 13.5}
    return ParagraphStyle(name, **(usual | {"textColor": _INK} | settings))


_BODY = _style("body")
_SMALL = _style("small", fontSize=7.5, leading=10, textColor=_QUIET)
_LINK = "#0b5d80"
_LABEL = _style("label", fontName="LysbroBold", fontSize=8.5, leading=12, spaceBefore=2)
_LABEL_ACT = _style("label-act", fontName="LysbroBold", fontSize=10, leading=14, textColor=_ACT)
_LARGE = _style("large", fontName="LysbroBold", fontSize=12, leading=16)


def _paragraph(text: object, style: ParagraphStyle) -> Paragraph:
    return Paragraph(_escaped(str(text or "")), style)


def _escaped(text: str) -> str:
    return escape(text).replace("\n", "<br/>")


@cache
def _register_fonts() -> None:
    pdfmetrics.registerFont(TTFont("Lysbro", _FONTS / "DejaVuSans.ttf"))
    pdfmetrics.registerFont(TTFont("LysbroBold", _FONTS / "DejaVuSans-Bold.ttf"))
