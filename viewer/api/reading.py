"""The calls of the reading room beside its images: how a person hangs, and what lies beside a case.

A person's arrangements are their own; they name kinds of case, never a patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from flask import Blueprint, Response, jsonify, redirect, url_for
from pydantic import Field, StringConstraints
from werkzeug.wrappers import Response as AnyResponse

from casework.errors import Invalid, NotFound
from viewer.api.calls import Answer, Body, answer, describe, read_body
from viewer.guard import current_actor, current_scope
from viewer.hanging import KIND_OF_CASE
from viewer.prior_opening import lesions_before, open_prior, picture_of
from viewer.services import prefetching, reading_preferences

bp = Blueprint("api_reading", __name__, url_prefix="/api")

_Short = Annotated[str, StringConstraints(max_length=200)]


class PaneBody(Body):
    """What hangs in one pane: a series that is alike, the nearest prior, or the lesion before."""

    other: Literal["", "prior", "lesion"] = ""
    kind: Literal["stack", "photo", "video", "document", "text", "other"] = "stack"
    modality: Annotated[str, StringConstraints(max_length=16)] = ""
    plane: Literal["", "axial", "coronal", "sagittal"] = ""
    text: _Short = ""
    image: int | None = Field(None, ge=0, le=100_000)
    window: tuple[float, float] | None = Field(None, description="centre and width")


class HungBody(Body):
    """An arrangement of panes, row by row."""

    layout: Literal["1x1", "1x2", "2x1", "2x2"]
    panes: list[PaneBody] = Field(min_length=1, max_length=4)


class PreferencesShape(Answer):
    """How a person hangs, by kind of case."""

    preferences: Mapping[str, dict[str, Any]]


@bp.get("/reading-preferences")
@describe("How one hangs one's cases", answers={200: PreferencesShape})
def preferences() -> Response:
    """Return the arrangements of the one who asks, by kind of case (`CT-head`)."""
    return _mine()


@bp.put("/reading-preferences/<kind>")
@describe("Remember an arrangement", body=HungBody, answers={200: PreferencesShape})
def keep_preference(kind: str) -> Response:
    """Keep how the one who asks hangs a kind of case; it comes first when such a case is opened."""
    body = read_body(HungBody)
    reading_preferences().keep(current_actor().id, _checked(kind), body.model_dump(mode="json"))
    return _mine()


@bp.delete("/reading-preferences/<kind>")
@describe("Go back to the standard arrangement", answers={200: PreferencesShape})
def forget_preference(kind: str) -> Response:
    """Forget how the one who asks hangs a kind of case; again is harmless."""
    reading_preferences().forget(current_actor().id, _checked(kind))
    return _mine()


@bp.get("/cases/<case_id>/priors/<site>/<study_uid>/manifest")
@describe("An earlier study for the reading room", answers={200: "application/json"})
def prior_manifest(case_id: str, site: str, study_uid: str) -> Response:
    """Return the images of an earlier study and what was answered then; its opening is noted."""
    return jsonify(open_prior(case_id, site=site, study_uid=study_uid).sent())


@bp.get("/cases/<case_id>/priors/<site>/<study_uid>/picture")
@describe("A small picture of an earlier study", answers={303: "image/jpeg"})
def prior_picture(case_id: str, site: str, study_uid: str) -> AnyResponse:
    """Send on to the preview that stands for an earlier study."""
    prefetching().priors.one(current_scope(), case_id, site=site, study_uid=study_uid)
    found = picture_of(site=site, study_uid=study_uid)
    if found is None:
        raise NotFound("The study holds no picture.", code="no-picture")
    uid, frame = found
    return redirect(url_for("api_frames.preview", uid=uid, frame=frame, site=site), 303)


@bp.get("/cases/<case_id>/lesions/before")
@describe("Earlier pictures of a case's lesions", answers={200: "application/json"})
def pictures_before(case_id: str) -> Response:
    """Return the pictures of the case's lesions from other visits, for the reading room."""
    return jsonify(lesions_before(case_id))


def _mine() -> Response:
    found = reading_preferences().of_person(current_actor().id)
    return answer(PreferencesShape(preferences={k: dict(v) for k, v in found.items()}))


def _checked(kind: str) -> str:
    if not KIND_OF_CASE.fullmatch(kind):
        raise Invalid(
            "A kind of case is a modality and a part of the body, such as CT-head.",
            code="no-such-kind",
        )
    return kind
