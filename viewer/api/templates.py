"""The calls about templates of findings: those that are offered, one whole, and their upkeep."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from flask import Blueprint, Response
from pydantic import Field as Member

from casework.model import Role
from casework.templates import Field, Offer, Section, Template
from storage.templates import KeptTemplate
from viewer.api.calls import Answer, Body, answer, describe, read_body, read_query
from viewer.guard import current_actor, require_role
from viewer.languages import language as language_of_request
from viewer.noting import note
from viewer.services import findings_forms

bp = Blueprint("api_templates", __name__, url_prefix="/api/templates")

_admins_only = require_role(Role.ADMIN)


class TemplateQuery(Body):
    """Which template: of which centre, in which version and language."""

    version: Annotated[int, Member(ge=0, description="0: the present one")] = 0
    language: Annotated[str, Member(pattern=r"^(en|nb)?$")] = ""
    centre: Annotated[str, Member(max_length=32, description="empty: the own one")] = ""


class CentreQuery(Body):
    """Whose template."""

    centre: Annotated[str, Member(max_length=32, description="empty: the own one")] = ""


class TemplateBody(Body):
    """A template as text, and whether it is offered."""

    text: Annotated[str, Member(min_length=1, max_length=100_000)]


class OfferedBody(Body):
    """Whether a template is offered."""

    enabled: bool


class OptionShape(Answer):
    """An answer that can be chosen."""

    value: str
    label: str


class FieldShape(Answer):
    """One thing that is looked at."""

    key: str
    kind: str = Member(description="choice, number, text or checkbox")
    label: str
    unit: str
    low: float | None
    high: float | None
    required: bool
    normal: str | bool | None = Member(description="the answer that means nothing wrong")
    options: list[OptionShape]

    @classmethod
    def of(cls, field: Field, language: str) -> FieldShape:
        """Return the shape of a field in a language."""
        return cls(
            key=field.key,
            kind=field.kind,
            label=field.label.of(language),
            unit=field.unit,
            low=field.low,
            high=field.high,
            required=field.is_required,
            normal=field.normal,
            options=[OptionShape(value=c.value, label=c.label.of(language)) for c in field.choices],
        )


class SectionShape(Answer):
    """A part of the form."""

    title: str
    fields: list[FieldShape]

    @classmethod
    def of(cls, section: Section, language: str) -> SectionShape:
        """Return the shape of a section in a language."""
        fields = [FieldShape.of(each, language) for each in section.fields]
        return cls(title=section.title.of(language), fields=fields)


class OfferShape(Answer):
    """A text that is offered, for one diagnosis or for any."""

    text: str
    diagnosis: str
    interval: str

    @classmethod
    def of(cls, offer: Offer, language: str) -> OfferShape:
        """Return the shape of an offer in a language."""
        return cls(text=offer.text.of(language), diagnosis=offer.diagnosis, interval=offer.interval)


class TemplateShape(Answer):
    """A template in one language."""

    name: str
    version: int
    language: str
    title: str
    sections: list[SectionShape]
    diagnoses: list[str] = Member(description="keys of GET /api/diagnoses that are offered first")
    advice: list[OfferShape]
    follow_ups: list[OfferShape]
    safety_nets: list[OfferShape]
    measurements: list[str]
    required: list[str]

    @classmethod
    def of(cls, template: Template, language: str) -> TemplateShape:
        """Return the shape of a template in a language."""
        return cls(
            name=template.name,
            version=template.version,
            language=language,
            title=template.title.of(language),
            sections=[SectionShape.of(each, language) for each in template.sections],
            diagnoses=list(template.diagnoses),
            advice=[OfferShape.of(each, language) for each in template.advice],
            follow_ups=[OfferShape.of(each, language) for each in template.follow_ups],
            safety_nets=[OfferShape.of(each, language) for each in template.safety_nets],
            measurements=[each.of(language) for each in template.measurements],
            required=list(template.required),
        )


class TemplateRow(Answer):
    """A template in the list of a centre."""

    name: str
    version: int
    title_en: str
    title_nb: str
    enabled: bool
    made_by: str = Member(description="empty: as it is shipped")
    made_at: datetime | None

    @classmethod
    def of(cls, kept: KeptTemplate) -> TemplateRow:
        """Return the row of a template."""
        return cls(
            name=kept.template.name,
            version=kept.template.version,
            title_en=kept.template.title.en,
            title_nb=kept.template.title.nb,
            enabled=kept.is_enabled,
            made_by=kept.made_by,
            made_at=kept.made_at,
        )


class TemplateList(Answer):
    """The templates of a centre."""

    templates: list[TemplateRow]


@bp.get("")
@describe("The templates of a centre", query=CentreQuery, answers={200: TemplateList})
def list_templates() -> Response:
    """List the templates, also those that are not offered."""
    centre = _centre(read_query(CentreQuery).centre)
    rows = findings_forms().templates.listed(centre)
    return answer(TemplateList(templates=[TemplateRow.of(each) for each in rows]))


@bp.get("/<name>")
@describe("One template whole", query=TemplateQuery, answers={200: TemplateShape})
def get_template(name: str) -> Response:
    """Show a template in a version and a language."""
    query = read_query(TemplateQuery)
    kept = findings_forms().templates.one(_centre(query.centre), name, query.version)
    return answer(TemplateShape.of(kept.template, query.language or language_of_request()))


@bp.get("/<name>/text")
@describe("A template as the text that makes it", query=TemplateQuery, answers={200: "text/plain"})
def get_text(name: str) -> Response:
    """Show the text of a template, to be edited and put back."""
    query = read_query(TemplateQuery)
    kept = findings_forms().templates.one(_centre(query.centre), name, query.version)
    return Response(kept.text, mimetype="text/plain")


@bp.put("/<name>")
@_admins_only
@describe(
    "Give a centre the next version of a template",
    body=TemplateBody,
    query=CentreQuery,
    answers={200: TemplateRow},
)
def put_template(name: str) -> Response:
    """Keep a text as the next version; 422 says which line is wrong."""
    centre, body = _centre(read_query(CentreQuery).centre), read_body(TemplateBody)
    kept = findings_forms().templates.save(centre, name, body.text, by=current_actor())
    note("template-saved", name, detail={"centre": centre, "version": kept.template.version})
    return answer(TemplateRow.of(kept))


@bp.put("/<name>/offered")
@_admins_only
@describe(
    "Offer a template or no longer offer it",
    body=OfferedBody,
    query=CentreQuery,
    answers={200: TemplateRow},
)
def put_offered(name: str) -> Response:
    """Say whether a template is offered; drafts that use it go on."""
    centre, body = _centre(read_query(CentreQuery).centre), read_body(OfferedBody)
    kept = findings_forms().templates.set_enabled(centre, name, body.enabled, by=current_actor())
    note(
        "template-offered" if body.enabled else "template-withdrawn",
        name,
        detail={"centre": centre, "version": kept.template.version},
    )
    return answer(TemplateRow.of(kept))


@bp.post("/<name>/restore")
@_admins_only
@describe("Make the shipped text the present one", query=CentreQuery, answers={200: TemplateRow})
def restore(name: str) -> Response:
    """Restore a shipped template; what was made before stays kept."""
    centre = _centre(read_query(CentreQuery).centre)
    kept = findings_forms().templates.restore(centre, name, by=current_actor())
    note("template-restored", name, detail={"centre": centre, "version": kept.template.version})
    return answer(TemplateRow.of(kept))


def _centre(given: str) -> str:
    """Return whose templates are meant; only an administrator sees another centre's."""
    actor = current_actor()
    return given if given and actor.role is Role.ADMIN else actor.site
