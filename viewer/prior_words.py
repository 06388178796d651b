"""Says in sentences how it goes with a case's earlier studies. Asks nothing, decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from casework.priors import Refusal
from storage.prior_asking import DEAD, DONE, QUEUED, SKIPPED
from storage.prior_standing import AskedNode, ToldStudy
from viewer.error_words import error_in
from viewer.i18n import _, _n
from viewer.languages import language

_WHY: Mapping[str, Callable[[], str]] = {
    Refusal.OTHER_PATIENT: lambda: _("of another patient"),
    Refusal.OWN: lambda: _("of this case"),
    Refusal.HERE: lambda: _("here already"),
    Refusal.LATER: lambda: _("later than this case"),
    Refusal.UNDATED: lambda: _("without a date"),
    Refusal.TOO_OLD: lambda: _("too long ago for the rule"),
    Refusal.MODALITY: lambda: _("of a kind that the rule does not fetch"),
    Refusal.NO_COUNT: lambda: _("of unknown size"),
    Refusal.TOO_MANY_IMAGES: lambda: _("more images than the rule lets in"),
    Refusal.TOO_MANY_BYTES: lambda: _("larger than the rule lets in"),
    Refusal.ENOUGH: lambda: _("the rule has enough"),
}


@dataclass(frozen=True)
class Note:
    """One sentence, and what was left where it is, each with the reason."""

    text: str
    is_trouble: bool = False
    left: Sequence[tuple[str, str]] = ()


def notes_of(asked: Iterable[AskedNode]) -> list[Note]:
    """Return what there is to say of each node that is asked for a case."""
    return [note for each in asked for note in _notes(each)]


def why_left(refusal: str) -> str:
    """Return in words why a study is not fetched."""
    return _WHY[refusal]() if refusal in _WHY else refusal


def _notes(asked: AskedNode) -> list[Note]:
    node, error = asked.node, error_in(asked.error, language())
    if asked.state == QUEUED:
        if not asked.error:
            return [Note(_("{node} is asked for earlier studies.", node=node))]
        text = _("{node} could not be asked yet: {error}", node=node, error=error)
        return [Note(text, is_trouble=True)]
    if asked.state == DEAD:
        text = _("{node} could not be asked: {error}", node=node, error=error)
        return [Note(text, is_trouble=True)]
    if asked.state == SKIPPED:
        return [Note(_("{node} was not asked: {error}", node=node, error=error))]
    return _answered(asked)


def _answered(asked: AskedNode) -> list[Note]:
    node, notes = asked.node, []
    if asked.fetching:
        text = _n(
            "{n} earlier study is being fetched from {node}.",
            "{n} earlier studies are being fetched from {node}.",
            asked.fetching,
            node=node,
        )
        notes.append(Note(text))
    for each in asked.studies:
        if each.state == DEAD:
            text = _("{what} could not be fetched: {error}", what=_what(each), error=_error(each))
            notes.append(Note(text, is_trouble=True))
        elif each.error and each.state in (QUEUED, DONE):
            notes.append(Note(f"{_what(each)}: {_error(each)}", is_trouble=True))
    if asked.mismatched:
        text = _n(
            "{node} answered with {n} study of another patient. It was not fetched.",
            "{node} answered with {n} studies of another patient. They were not fetched.",
            asked.mismatched,
            node=node,
        )
        notes.append(Note(text, is_trouble=True))
    left = [
        (_what(each), why_left(each.refusal))
        for each in asked.refused
        if each.refusal != Refusal.OWN
    ]
    if not notes and not asked.fetched and not left:
        return [Note(_("{node} has no earlier studies.", node=node))]
    if left:
        notes.append(Note(_("{node} has more.", node=node), left=left))
    return notes


def _what(study: ToldStudy) -> str:
    said = study.description or "/".join(study.modalities) or _("Study")
    return f"{said}, {study.day:%d.%m.%Y}" if study.day else said


def _error(study: ToldStudy) -> str:
    return error_in(study.error, language())
