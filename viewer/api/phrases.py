"""The calls about what people write often: each sees and keeps only their own phrases."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response
from pydantic import Field

from storage.phrases import Phrase
from viewer.api.calls import Answer, Body, answer, describe, read_body
from viewer.guard import current_actor
from viewer.services import findings_forms

bp = Blueprint("api_phrases", __name__, url_prefix="/api/phrases")


class PhraseBody(Body):
    """A text and the short form by which it is put in: `/short`, then Tab."""

    short: Annotated[str, Field(min_length=1, max_length=33)]
    text: Annotated[str, Field(min_length=1, max_length=4_000)]


class PhraseShape(Answer):
    """A phrase."""

    id: int
    short: str
    text: str

    @classmethod
    def of(cls, phrase: Phrase) -> PhraseShape:
        """Return the shape of a phrase."""
        return cls(id=phrase.id, short=phrase.short, text=phrase.text)


class PhraseList(Answer):
    """The phrases of the one who asks, by their short forms."""

    phrases: list[PhraseShape]


@bp.get("")
@describe("The phrases of the one who asks", answers={200: PhraseList})
def list_phrases() -> Response:
    """List one's own phrases."""
    return answer(phrases_of_actor())


@bp.post("")
@describe("Keep a phrase", body=PhraseBody, answers={201: PhraseShape})
def add_phrase() -> Response:
    """Keep a phrase; 409 when its short form is taken."""
    body = read_body(PhraseBody)
    kept = findings_forms().phrases.add(current_actor(), short=body.short, text=body.text)
    return answer(PhraseShape.of(kept), 201)


@bp.put("/<int:phrase_id>")
@describe("Change a phrase", body=PhraseBody, answers={200: PhraseShape})
def change_phrase(phrase_id: int) -> Response:
    """Give a phrase another text or short form."""
    body = read_body(PhraseBody)
    kept = findings_forms().phrases.change(
        current_actor(), phrase_id, short=body.short, text=body.text
    )
    return answer(PhraseShape.of(kept))


@bp.delete("/<int:phrase_id>")
@describe("Forget a phrase", answers={200: PhraseList})
def remove_phrase(phrase_id: int) -> Response:
    """Forget a phrase and list those that are left."""
    findings_forms().phrases.remove(current_actor(), phrase_id)
    return answer(phrases_of_actor())


def phrases_of_actor() -> PhraseList:
    """Return the phrases of the one who asks."""
    found = findings_forms().phrases.of(current_actor())
    return PhraseList(phrases=[PhraseShape.of(each) for each in found])
