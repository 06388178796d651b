"""The calls that keep a claim and hand a case from one colleague to another."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from flask import Blueprint, Response
from pydantic import Field

from casework.model import Case
from viewer.api.calls import Answer, Body, answer, describe, read_body
from viewer.api.shapes import CaseStateShape
from viewer.guard import current_actor, current_scope
from viewer.services import services

bp = Blueprint("api_claims", __name__, url_prefix="/api/cases")

Note = Annotated[str, Field(max_length=1000)]


class HandOverBody(Body):
    """To whom a case goes, and what they should know."""

    to: Annotated[str, Field(min_length=3, max_length=254, description="id or address")]
    note: Note = ""


class GiveBackBody(Body):
    """What the one who handed the case over should know."""

    note: Note = ""


class ClaimShape(CaseStateShape):
    """Where a case is, and until when its claim lasts."""

    claim_until: datetime | None = Field(description="null: it does not end by itself")
    handed_by: str = Field(description="who handed the case to its holder, if anybody did")
    handed_note: str

    @classmethod
    def of(cls, case: Case) -> ClaimShape:
        """Return the shape of a claim."""
        return cls(
            **CaseStateShape.of(case).model_dump(),
            claim_until=case.claim_until,
            handed_by=case.handed_by_name,
            handed_note=case.handed_note,
        )


class ColleagueShape(Answer):
    """A specialist whom a case may be handed to."""

    id: str
    name: str
    held: int = Field(description="cases that lie with them")
    late: int = Field(description="of those, past their target")


class ColleagueList(Answer):
    """Whom a case may be handed to, those with the fewest cases first."""

    colleagues: list[ColleagueShape]


@bp.get("/<case_id>/colleagues")
@describe("Whom a case may be handed to", answers={200: ColleagueList})
def colleagues(case_id: str) -> Response:
    """List the specialists who read such cases, with how much lies with each."""
    found = services().casebook.colleagues(current_scope(), case_id)
    shapes = [ColleagueShape(id=c.id, name=c.name, held=c.held, late=c.late) for c in found]
    return answer(ColleagueList(colleagues=shapes))


@bp.post("/<case_id>/hand-over")
@describe(
    "Hand a case to a named colleague; a coordinator assigns with it",
    body=HandOverBody,
    answers={200: ClaimShape},
)
def hand_over(case_id: str) -> Response:
    """Hand a case over, with its draft."""
    body = read_body(HandOverBody)
    case = services().casebook.hand_over(current_actor(), case_id, to=body.to, note=body.note)
    return answer(ClaimShape.of(case))


@bp.post("/<case_id>/give-back")
@describe(
    "Give a case back to who handed it over, or to the pool when it was assigned",
    body=GiveBackBody,
    answers={200: ClaimShape},
)
def give_back(case_id: str) -> Response:
    """Give a case back that was handed over."""
    body = read_body(GiveBackBody)
    return answer(
        ClaimShape.of(services().casebook.give_back(current_actor(), case_id, note=body.note))
    )


@bp.post("/<case_id>/renew")
@describe("Let a claim last on, since its holder works", answers={200: ClaimShape})
def renew(case_id: str) -> Response:
    """Renew a claim, or a second reader's hold on the reading; no version moves."""
    return answer(ClaimShape.of(services().casebook.renew(current_actor(), case_id)))
