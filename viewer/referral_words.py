"""Says what belongs to a referral beside its answers: consents, visit, what photographs lack.

Words only; what they rest on is decided in casework.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint
from markupsafe import Markup

from casework.consents import HOW, REVOCABLE, WHO, Consent, consents_of
from casework.model import Case, CaseDossier
from casework.questions import CONSENTS, Option
from viewer.guard import current_scope
from viewer.i18n import _, moment
from viewer.languages import language
from viewer.services import services
from viewer.words import place_facts

bp = Blueprint("referral_words", __name__)


@dataclass(frozen=True)
class ConsentLine:
    """One purpose on a page: what it is, what is known of it, whether it can be taken back."""

    purpose: str
    label: str
    text: str
    is_revocable: bool


@bp.app_template_global()
def consent_lines(case: Case) -> Sequence[ConsentLine]:
    """Return what the patient has agreed to and what not, one line for each purpose."""
    return [
        ConsentLine(
            consent.purpose,
            label_of(CONSENTS, consent.purpose),
            _told(consent),
            consent.given and consent.purpose in REVOCABLE,
        )
        for consent in consents_of(case.referral.consent)
    ]


@bp.app_template_global()
def case_facts(dossier: CaseDossier) -> list[tuple[str, str]]:
    """Return what a reader needs to know of a referral beside its clinical answers."""
    facts = _visit(dossier.case)
    facts += [(_("Picture quality"), text) for text in photo_warnings(dossier.case)]
    return facts + [(line.label, line.text) for line in consent_lines(dossier.case)]


@bp.app_template_global()
def photo_warnings(case: Case) -> list[str]:
    """Return what the check found wrong with the photographs of a case, a line for each."""
    norwegian = language() == "nb"
    lines = []
    for note in services().casebook.photo_notes(case.id):
        said = " ".join(nb if norwegian else en for en, nb in note.messages)
        kept = _("The referrer was told and kept it.") if note.kept_anyway else ""
        lines.append(f"{kind_of_photo(note.kind)}: {said} {kept}".rstrip())
    return lines


@bp.app_template_global()
def kind_of_photo(kind: str) -> str:
    """Return what a kind of photograph is called."""
    return {
        "overview": _("Overview"),
        "closeup": _("Close-up"),
        "dermoscopic": _("Dermoscopic"),
    }.get(kind, kind)


def lesion_name(case: Case) -> str:
    """Return what tells a case from the others of its visit: where it is, and the lesion's name."""
    said = [text for _label, text in place_facts(case.referral)]
    return " · ".join(said) or _("place not given yet")


def label_of(options: Sequence[Option], value: str) -> str:
    """Return the label of an option in the reader's language; other values stay as they are."""
    for option in options:
        if option.value == value:
            return option.label_nb if language() == "nb" else option.label_en
    return value


def _visit(case: Case) -> list[tuple[str, str]]:
    rows = services().casebook.visit(current_scope(), case)
    ids = [row.case.id for row in rows]
    if len(ids) < 2 or case.id not in ids:
        return []
    others = Markup(", ").join(
        Markup('<a href="/cases/{}">{}</a>').format(row.case.id, lesion_name(row.case))
        for row in rows
        if row.case.id != case.id
    )
    told = _("{n} of {count} of this visit. The others:", n=ids.index(case.id) + 1, count=len(ids))
    return [(_("Same visit"), Markup("{} {}").format(told, others))]


def _told(consent: Consent) -> str:
    if consent.withdrawn_at:
        when = moment(consent.withdrawn_at)
        return _("Taken back {time}, noted by {name}", time=when, name=consent.withdrawn_by)
    if not consent.given:
        return _("no")
    who, how = label_of(WHO, consent.who), label_of(HOW, consent.how).lower()
    if consent.at is None:
        return _("yes")
    return _(
        "{who}, {how}, {time}, noted by {name}",
        who=who,
        how=how,
        time=moment(consent.at),
        name=consent.by,
    )
