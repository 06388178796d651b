"""The call for a case's earlier studies, and how it goes with those that are fetched."""

from __future__ import annotations

from datetime import date, datetime

from flask import Blueprint, Response

from storage.prior_standing import AskedNode, ToldStudy
from storage.priors import Prior
from viewer.api.calls import Answer, answer, describe
from viewer.guard import current_scope
from viewer.noting import note
from viewer.services import prefetching

bp = Blueprint("api_priors", __name__, url_prefix="/api/cases")


class PriorShape(Answer):
    """An earlier study that is here."""

    study_uid: str
    site: str
    date: date | None
    modalities: list[str]
    description: str
    body_part: str
    instance_count: int
    missing_instances: int
    completeness: str
    case_id: str
    has_report: bool

    @classmethod
    def of(cls, prior: Prior) -> PriorShape:
        """Return the shape of an earlier study."""
        return cls(
            study_uid=prior.study_uid,
            site=prior.site,
            date=prior.day,
            modalities=list(prior.modalities),
            description=prior.description,
            body_part=prior.body_part,
            instance_count=prior.instance_count,
            missing_instances=prior.missing_instances,
            completeness=prior.completeness,
            case_id=prior.case_id,
            has_report=prior.has_report,
        )


class ToldStudyShape(Answer):
    """A study that a node has told of: fetched, or left there with the reason."""

    study_uid: str
    date: date | None
    modalities: list[str]
    description: str
    images: int | None
    state: str
    refusal: str
    waits_until: datetime | None
    error: str

    @classmethod
    def of(cls, told: ToldStudy) -> ToldStudyShape:
        """Return the shape of a study that was told of."""
        return cls(
            study_uid=told.study_uid,
            date=told.day,
            modalities=list(told.modalities),
            description=told.description,
            images=told.images,
            state=told.state,
            refusal=told.refusal,
            waits_until=told.waits_until,
            error=told.error,
        )


class AskedNodeShape(Answer):
    """A node that is asked for the patient's earlier studies."""

    node: str
    state: str
    attempts: int
    error: str
    mismatched: int
    studies: list[ToldStudyShape]

    @classmethod
    def of(cls, asked: AskedNode) -> AskedNodeShape:
        """Return the shape of a node that is asked."""
        return cls(
            node=asked.node,
            state=asked.state,
            attempts=asked.attempts,
            error=asked.error,
            mismatched=asked.mismatched,
            studies=[ToldStudyShape.of(each) for each in asked.studies],
        )


class PriorsShape(Answer):
    """The earlier studies of a case: the nearest first, and who was asked for more."""

    priors: list[PriorShape]
    asked: list[AskedNodeShape]


@bp.get("/<case_id>/priors")
@describe("The earlier studies of a case, and those being fetched", answers={200: PriorsShape})
def priors(case_id: str) -> Response:
    """List what is here of the patient within sight, and what the sites' nodes were asked for."""
    known = prefetching()
    found = known.priors.of_case(current_scope(), case_id)
    note("priors-listed", case_id, case_id=case_id)
    return answer(
        PriorsShape(
            priors=[PriorShape.of(each) for each in found],
            asked=[AskedNodeShape.of(each) for each in known.standings.of_case(case_id)],
        )
    )
