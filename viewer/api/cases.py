"""The calls on cases: the worklist, one case whole, and every step of its life.

Casework decides each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from pydantic import Field

from casework.errors import Conflict, Invalid
from casework.model import Case, CaseDossier, CaseState, Report, Specialty
from casework.outcomes import Outcome
from viewer.api.bodies import (
    AmendBody,
    AnswerBody,
    AskBody,
    CasesQuery,
    FindingsBody,
    OutcomeBody,
    ReasonBody,
    SignBody,
)
from viewer.api.calls import answer, describe, read_body, read_object, read_query
from viewer.api.shapes import (
    CaseList,
    CaseRow,
    CaseShape,
    CaseStateShape,
    OutcomeShape,
    ReportShape,
    SignedShape,
    StudyCustody,
)
from viewer.draft_words import NoticeShape, notices
from viewer.guard import current_actor, current_scope
from viewer.noting import note
from viewer.proving import require_proof
from viewer.services import services

bp = Blueprint("api_cases", __name__, url_prefix="/api/cases")

_ETAG = re.compile(r'(?:W/)?"?(\d{1,9})"?')
_STEP: Mapping[int, type[CaseStateShape] | str] = {200: CaseStateShape}
_LONGEST_PASSWORD = 4096
_TAKEN_BACK = frozenset({CaseState.WITHDRAWN, CaseState.DECLINED})
_SIGNED: Mapping[int, type[SignedShape] | str] = {200: SignedShape}


class SavedShape(CaseStateShape):
    """Where a case is after its draft was saved, and what the draft says by itself."""

    described: str = Field(description="the answers to the template in sentences")
    follow_up: str
    notices: list[NoticeShape] = Field(description="what it lacks, and where it contradicts itself")


@bp.get("")
@describe("The worklist of the one who asks", query=CasesQuery, answers={200: CaseList})
def list_cases() -> Response:
    """List the cases within sight, the most pressing first."""
    query, actor = read_query(CasesQuery), current_actor()
    rows, has_more = services().casebook.list_cases(
        current_scope(),
        states=query.states(),
        specialty=Specialty(query.specialty) if query.specialty else None,
        site=query.site or None,
        q=query.q or None,
        mine=actor.id if query.mine else None,
        limit=query.limit,
        page=query.page,
    )
    note("cases-listed", "cases", detail=_searched(query))
    following = {**request.args.to_dict(), "page": str(query.page + 1)}
    return answer(
        CaseList(
            cases=[CaseRow.of(row, actor) for row in rows],
            next=f"{request.path}?{urlencode(following)}" if has_more else None,
        )
    )


@bp.get("/<case_id>")
@describe("One case whole", answers={200: CaseShape})
def get_case(case_id: str) -> Response:
    """Show the referral, studies, conversation, reports, deliveries and custody of a case."""
    actor = current_actor()
    dossier = services().casebook.dossier(current_scope(), case_id)
    note("case-opened", case_id, case_id=case_id)
    shape = CaseShape.of(dossier, actor, _custody(dossier))
    return answer(shape, ETag=f'"{shape.draft_version}"')


@bp.post("/<case_id>/submit")
@describe("Send a draft referral to the specialists", answers=_STEP)
def submit(case_id: str) -> Response:
    """Submit a draft; what was sent already is answered as it is, since an answer may be lost."""
    try:
        return _step(services().casebook.submit(current_actor(), case_id))
    except Conflict as error:
        case = services().casebook.dossier(current_scope(), case_id).case
        if error.code != "wrong-state" or not case.submitted_at or case.state in _TAKEN_BACK:
            raise
        return _step(case)


@bp.post("/<case_id>/claim")
@describe("Take a case to read it", answers=_STEP)
def claim(case_id: str) -> Response:
    """Claim a case."""
    return _step(services().casebook.claim(current_actor(), case_id))


@bp.post("/<case_id>/release")
@describe("Give a case back to the pool", answers=_STEP)
def release(case_id: str) -> Response:
    """Release a case."""
    return _step(services().casebook.release(current_actor(), case_id))


@bp.post("/<case_id>/ask")
@describe("Ask the referrer for something", body=AskBody, answers=_STEP)
def ask(case_id: str) -> Response:
    """Ask back; the clock stands until the answer."""
    body = read_body(AskBody)
    return _step(
        services().casebook.ask(current_actor(), case_id, reason=body.reason, text=body.text)
    )


@bp.post("/<case_id>/answer")
@describe("Answer the reader", body=AnswerBody, answers=_STEP)
def answer_question(case_id: str) -> Response:
    """Answer a question about a case."""
    body, actor = read_body(AnswerBody), current_actor()
    return _step(services().casebook.answer(actor, case_id, text=body.text, joining=body.join))


@bp.post("/<case_id>/decline")
@describe("Refuse to read a case, with the reason", body=ReasonBody, answers=_STEP)
def decline(case_id: str) -> Response:
    """Decline a case."""
    body = read_body(ReasonBody)
    return _step(services().casebook.decline(current_actor(), case_id, reason=body.reason))


@bp.post("/<case_id>/withdraw")
@describe("Take a referral back, with the reason", body=ReasonBody, answers=_STEP)
def withdraw(case_id: str) -> Response:
    """Withdraw a case."""
    body = read_body(ReasonBody)
    return _step(services().casebook.withdraw(current_actor(), case_id, reason=body.reason))


@bp.put("/<case_id>/findings")
@describe(
    "Save the draft of the findings",
    body=FindingsBody,
    answers={200: SavedShape},
    request_headers={"If-Match": "the draft_version that was edited; 409 when it has moved on"},
)
def save_findings(case_id: str) -> Response:
    """Save draft findings."""
    case = services().casebook.save_findings(
        current_actor(), case_id, read_object(), expected_version=_expected_version()
    )
    dossier = services().casebook.dossier(current_scope(), case_id)
    saved = SavedShape(
        **CaseStateShape.of(case).model_dump(),
        described=str((case.draft or {}).get("described") or ""),
        follow_up=str((case.draft or {}).get("follow_up") or ""),
        notices=notices(case, dossier.studies),
    )
    return answer(saved, ETag=f'"{case.draft_version}"')


@bp.post("/<case_id>/sign")
@describe("Sign the draft; deliveries follow", body=SignBody, answers=_SIGNED)
def sign(case_id: str) -> Response:
    """Sign the findings; a second reader signs the second reading, of which nothing goes out."""
    body = read_body(SignBody)
    require_proof(current_actor(), case_id, password=body.password)
    if services().casebook.writes_second(current_actor(), case_id):
        services().casebook.sign_second(current_actor(), case_id, displayed=body.displayed)
        return _signed(case_id, None)
    report = services().casebook.sign(current_actor(), case_id, displayed=body.displayed)
    return _signed(case_id, report)


@bp.post("/<case_id>/addend")
@describe("Sign an addendum to a signed report", body=AmendBody, answers=_SIGNED)
def addend(case_id: str) -> Response:
    """Add to a signed report; what was signed stays."""
    body, password = _without_password(read_object())
    require_proof(current_actor(), case_id, password=password)
    report = services().casebook.addend(current_actor(), case_id, body)
    return _signed(case_id, report)


@bp.post("/<case_id>/correct")
@describe("Sign a correction of a signed report", body=AmendBody, answers=_SIGNED)
def correct(case_id: str) -> Response:
    """Correct a signed report; what was signed stays readable."""
    body, password = _without_password(read_object())
    require_proof(current_actor(), case_id, password=password)
    report = services().casebook.correct(current_actor(), case_id, body)
    return _signed(case_id, report)


@bp.post("/<case_id>/acknowledge")
@describe("Say that the reply has been read", answers=_STEP)
def acknowledge(case_id: str) -> Response:
    """Acknowledge a reply; the case is closed."""
    return _step(services().casebook.acknowledge(current_actor(), case_id))


@bp.put("/<case_id>/outcome")
@describe("Say what a case was in the end", body=OutcomeBody, answers={200: OutcomeShape})
def note_outcome(case_id: str) -> Response:
    """Keep what histology or a later visit has shown; a later word replaces an earlier one."""
    body = read_body(OutcomeBody)
    kept = services().casebook.note_outcome(current_actor(), case_id, Outcome(**body.model_dump()))
    return answer(OutcomeShape(**asdict(kept)))


def _without_password(body: dict[str, Any]) -> tuple[dict[str, Any], str]:
    password = body.pop("password", "")
    if not isinstance(password, str):
        raise Invalid("The password must be text.", code="bad-request")
    return body, password[:_LONGEST_PASSWORD]


def _step(case: Case) -> Response:
    return answer(CaseStateShape.of(case))


def _signed(case_id: str, report: Report | None) -> Response:
    case = services().casebook.dossier(current_scope(), case_id).case
    state = CaseStateShape.of(case).model_dump()
    told = None if report is None else ReportShape.of(report)
    return answer(SignedShape(**state, report=told))


def _expected_version() -> int | None:
    given = request.headers.get("If-Match", "").strip()
    if given in {"", "*"}:
        return None
    found = _ETAG.fullmatch(given)
    if found is None:
        raise Invalid('If-Match must be the version of the draft, such as "3".', code="bad-request")
    return int(found[1])


def _custody(dossier: CaseDossier) -> list[StudyCustody]:
    scope = current_scope()
    return [
        StudyCustody(
            study_uid=study.study_uid,
            event=row.event,
            instances=row.instances,
            first_at=row.first_at,
            last_at=row.last_at,
        )
        for study in dossier.studies
        for row in services().index.custody_of_study(scope, study.study_uid, site=study.site)
    ]


def _searched(query: CasesQuery) -> dict[str, Any]:
    """Return what was asked for; of a text that may name a patient only that there was one."""
    asked = {"state": query.state, "specialty": str(query.specialty), "site": query.site}
    found: dict[str, Any] = {name: value for name, value in asked.items() if value}
    return {**found, "text": True} if query.q else found
