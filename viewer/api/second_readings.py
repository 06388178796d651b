"""The calls of a second reading: ask, take, give back, drop, compare. Findings and signing are
those of a case, and go into the reading of who has taken it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Blueprint, Response
from pydantic import Field

from casework.model import Case
from casework.second_readings import latest
from viewer.api.bodies import LongText
from viewer.api.calls import Answer, Body, answer, describe, read_body
from viewer.api.reading_shapes import ReadingShape
from viewer.guard import current_actor, current_scope
from viewer.services import services

bp = Blueprint("api_second_readings", __name__, url_prefix="/api/cases")


class SecondBody(Body):
    """Of whom a second reading is asked, and how."""

    of: Annotated[str, Field(max_length=254, description="id or address; empty: anybody")] = ""
    blinded: bool | None = Field(None, description="null: as the rule of the case has it")
    note: Annotated[str, Field(max_length=1000)] = ""


class ComparisonBody(Body):
    """How two readings compare."""

    comparison: Literal["agree", "minor", "major"]
    text: LongText = ""


class SecondShape(Answer):
    """Where a case and its second reading are."""

    case_id: str
    state: str
    version: int
    reading: ReadingShape | None = Field(description="null: none is asked for")


_SECOND = {200: SecondShape}


@bp.post("/<case_id>/second-reading")
@describe("Ask for a second reading", body=SecondBody, answers=_SECOND)
def ask(case_id: str) -> Response:
    """Ask a colleague to read the case too, before it is signed or after."""
    body = read_body(SecondBody)
    case = services().casebook.ask_second(
        current_actor(), case_id, of=body.of, blinded=body.blinded, note=body.note
    )
    return _shown(case)


@bp.delete("/<case_id>/second-reading")
@describe("Take the request for a second reading back", answers=_SECOND)
def drop(case_id: str) -> Response:
    """Take the request back, as long as the reading is not signed."""
    return _shown(services().casebook.drop_second(current_actor(), case_id))


@bp.post("/<case_id>/second-reading/take")
@describe("Take a second reading, to write it", answers=_SECOND)
def take(case_id: str) -> Response:
    """Take a second reading; findings and signature go into it from then on."""
    return _shown(services().casebook.take_second(current_actor(), case_id))


@bp.post("/<case_id>/second-reading/release")
@describe("Give a second reading back", answers=_SECOND)
def release(case_id: str) -> Response:
    """Give a second reading back, so that another may take it."""
    return _shown(services().casebook.release_second(current_actor(), case_id))


@bp.post("/<case_id>/second-reading/comparison")
@describe("Say how the two readings compare", body=ComparisonBody, answers=_SECOND)
def compare(case_id: str) -> Response:
    """Keep how the two readings compare; it is said once."""
    body = read_body(ComparisonBody)
    case = services().casebook.judge_second(
        current_actor(), case_id, comparison=body.comparison, text=body.text
    )
    return _shown(case)


def _shown(case: Case) -> Response:
    reading = latest(services().casebook.dossier(current_scope(), case.id).readings)
    return answer(
        SecondShape(
            case_id=case.id,
            state=case.state.value,
            version=case.version,
            reading=None if reading is None else ReadingShape.of(reading),
        )
    )
