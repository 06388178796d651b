"""Names a patient's lesions: which UID a label has, a lesion set right in a draft, another name.

A lesion keeps its UID whatever it is called. No object is changed.
"""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from casework.access import Scope, may_refer, require_visible, scope_of
from casework.audit import Deed
from casework.errors import Conflict, Invalid, NotFound, Refused
from casework.identifiers import derived_uid
from casework.lesions import normal_label
from casework.lifecycle import Event
from casework.model import Actor, Case, CaseState
from storage.casebook_tables import captures, cases, lesions
from storage.database import insert_if_absent
from storage.ledger import append_entry
from storage.lesions import labels_of, seen_at
from storage.steps import Change, Step, Steps

_Whose = tuple[str, str, str]
"""Site, issuer and number of a patient."""


class LesionSteps(Steps):
    """What is done with the names of lesions."""

    def lesion_uid(self, case: Case, label: str) -> str:
        """Return the UID of a patient's lesion: the same for the same label, case after case."""
        with self._database.begin() as conn:
            return _uid_of(conn, _whose(conn, case.id), normal_label(label))

    def set_lesion_right(self, actor: Actor, case_id: str, *, label: str) -> tuple[Case, str]:
        """Say of a draft and its photographs which lesion they are of; return its UID too.

        The objects stay as they were taken in: what is noted here counts.
        """
        label = normal_label(label)
        if not label:
            raise Invalid("Give the lesion a name, such as A.", code="lesion-missing")
        found: list[str] = []

        def decide(step: Step) -> Change:
            if step.case.state is not CaseState.DRAFT:
                raise Conflict(
                    "The case has been sent and stays as it was written.",
                    code="wrong-state",
                    state=step.case.state.value,
                )
            uid = _uid_of(step.conn, _whose(step.conn, case_id), label)
            found.append(uid)
            step.conn.execute(
                update(captures).where(captures.c.case_id == case_id).values(lesion_uid=uid)
            )
            deed = Deed(actor, "lesion-set", uid, case_id)
            append_entry(step.conn, deed, at=step.now)
            clinical = {**step.case.referral.clinical, "lesion": label}
            return Change(step.case.state, {"clinical": clinical}, silent=True)

        case = self._take(actor, case_id, Event.SUBMIT, decide)
        return case, found[0]

    def rename_lesion(self, actor: Actor, case_id: str, uid: str, *, label: str) -> str:
        """Give a lesion of a case's patient another name at the site that asked; return it."""
        label = normal_label(label)
        if not label:
            raise Invalid("Give the lesion a name, such as A.", code="lesion-missing")
        with self._noting_refusals(actor, "name-lesion", case_id), self._database.begin() as conn:
            case = self._load(conn, case_id)
            require_visible(
                scope_of(actor),
                case_id=case_id,
                site=case.site,
                specialty=case.specialty,
                state=case.state,
            )
            if not may_refer(actor) or actor.site != case.site:
                raise Refused("Only the site that asked names its lesions.", code="wrong-site")
            whose = _whose(conn, case_id)
            named = labels_of(conn, *whose)
            if uid not in named:
                raise NotFound("The patient has no such lesion.", code="no-such-lesion")
            if any(uid != other and label == name for other, name in named.items()):
                raise Conflict(
                    f"Another lesion of the patient is called {label}. Choose another name.",
                    code="label-taken",
                )
            conn.execute(update(lesions).where(lesions.c.uid == uid).values(label=label))
            deed = Deed(actor, "lesion-named", uid, case_id)
            append_entry(conn, deed, at=self._clock())
        return label


def _whose(conn: Connection, case_id: str) -> _Whose:
    asked = select(cases.c.site, cases.c.patient_issuer, cases.c.patient_id)
    site, issuer, number = conn.execute(asked.where(cases.c.id == case_id)).one()
    return site, issuer, number


def _uid_of(conn: Connection, whose: _Whose, label: str) -> str:
    """Return the UID that a label has, noting it where it is new.

    What the site has photographed under that label is that lesion. A new UID is derived from the
    label, so that two at once agree; a label that another lesion bore before it was renamed gives a
    UID of its own.
    """
    known = {normal_label(name): uid for uid, name in labels_of(conn, *whose).items()}
    if label in known:
        return known[label]
    site, issuer, number = whose
    own = Scope(sites=frozenset({site}), specialties=None, own_site=site)
    seen = seen_at(conn, own, site=site, issuer=issuer, number=number)
    told = {each.label: each.uid for each in seen}
    taken = {*known.values(), *told.values()}
    uid = told.get(label) or derived_uid("lesion", *whose, label)
    again = 1
    while label not in told and uid in taken:
        again += 1
        uid = derived_uid("lesion", *whose, label, str(again))
    row = dict(zip(("site", "patient_issuer", "patient_id"), whose, strict=True))
    insert_if_absent(conn, lesions, [{**row, "label": label, "uid": uid}])
    return uid
