"""The calls on one study: a client of its site says how much there is of it."""

from __future__ import annotations

from flask import Blueprint, Response

from casework.completeness import Evidence, EvidenceKind
from casework.errors import Invalid
from casework.identifiers import is_receivable_uid
from viewer.api.bodies import ExpectedBody
from viewer.api.calls import answer, describe, read_body
from viewer.api.shapes import ExpectedShape
from viewer.guard import current_actor
from viewer.services import services

bp = Blueprint("api_studies", __name__, url_prefix="/api/studies")


@bp.post("/<study_uid>/expected")
@describe(
    "Say how many instances a study of your site has",
    body=ExpectedBody,
    answers={200: ExpectedShape},
)
def expected(study_uid: str) -> Response:
    """Take a client's word for the size of a study of its own site, before it comes or later."""
    body, actor, now = read_body(ExpectedBody), current_actor(), services().clock()
    if not is_receivable_uid(study_uid):
        raise Invalid("The study's UID is not made of digits and dots.", code="uid-malformed")
    evidence = Evidence(EvidenceKind.COUNTS, now, body.instances, source=actor.id)
    found = services().index.note_evidence(actor.site, study_uid, evidence)
    services().ledger.append(
        None,
        actor=actor,
        action="study-expected",
        subject=study_uid,
        site=actor.site,
        detail={"instances": body.instances},
    )
    return answer(
        ExpectedShape(
            study_uid=study_uid,
            site=actor.site,
            completeness=found.state if found else "",
            completeness_evidence=found.evidence if found else "",
            expected_instances=found.expected_instances if found else body.instances,
            missing_instances=found.missing_instances if found else body.instances,
        )
    )
