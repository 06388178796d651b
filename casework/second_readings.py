"""The second reading of a case: when it is needed, who may see and do what, what it holds up.

It goes beside the first reading and moves no case. One signed reply goes out; a second reading is
kept, and how the two compare.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from casework.access import reads
from casework.errors import Conflict, Refused
from casework.model import Actor, Case, CaseDossier, Priority, Reading


class ReadingState(StrEnum):
    """Where a second reading is."""

    ASKED = "asked"
    TAKEN = "taken"
    SIGNED = "signed"
    DROPPED = "dropped"


class Comparison(StrEnum):
    """How two readings of one case compare."""

    AGREE = "agree"
    MINOR = "minor"  # of no consequence for the patient
    MAJOR = "major"  # other treatment, other urgency: a third decides


class Need(StrEnum):
    """Which cases are to be read by two."""

    NEVER = "never"
    URGENT = "urgent"  # urgent ones, and those whose draft asks for a quick appointment
    ALWAYS = "always"


@dataclass(frozen=True)
class ReadingRule:
    """Which cases of a site (empty: of all) and a specialty are read by two, and how."""

    site: str
    specialty: str
    need: Need
    is_blinded: bool = True


OPEN = frozenset({ReadingState.ASKED, ReadingState.TAKEN})
_QUICK = frozenset({"priority", "cancer-pathway"})


def rule_for(rules: Iterable[ReadingRule], case: Case) -> ReadingRule:
    """Return the rule of a case: its site's own before the one for all sites; else never."""
    fitting = [r for r in rules if r.specialty == case.specialty and r.site in {"", case.site}]
    own_first = sorted(fitting, key=lambda rule: rule.site == "")
    return next(iter(own_first), ReadingRule("", case.specialty.value, Need.NEVER))


def needs_two(rule: ReadingRule, case: Case, draft: Mapping[str, Any] | None) -> bool:
    """Tell whether a case is to be read by two before it is signed."""
    if rule.need is Need.ALWAYS:
        return True
    is_quick = (draft or {}).get("urgency") in _QUICK
    return rule.need is Need.URGENT and (case.priority is not Priority.ROUTINE or is_quick)


def is_open(reading: Reading | None) -> bool:
    """Tell whether a second reading is asked for and not done."""
    return reading is not None and reading.state in OPEN


def latest(readings: Sequence[Reading]) -> Reading | None:
    """Return the second reading that counts: the newest that was not taken back."""
    kept = [each for each in readings if each.state != ReadingState.DROPPED]
    return max(kept, key=lambda each: each.id, default=None)


def writes(reading: Reading | None, actor: Actor) -> bool:
    """Tell whether what an actor writes goes into this second reading."""
    return (
        reading is not None
        and reading.state == ReadingState.TAKEN
        and reading.reader_id == actor.id
    )


def may_take(reading: Reading | None, case: Case, actor: Actor) -> bool:
    """Tell whether an actor may take a second reading."""
    return (
        reading is not None
        and reading.state == ReadingState.ASKED
        and reads(actor, case.specialty)
        and actor.id not in {case.holder_id, reading.asked_by_id}
        and reading.wanted_id in {"", actor.id}
    )


def may_judge(reading: Reading | None, case: Case, actor: Actor) -> bool:
    """Tell whether an actor may say how the two readings compare: either reader, once."""
    return (
        reading is not None
        and reading.state == ReadingState.SIGNED
        and not reading.comparison
        and actor.id in {reading.reader_id, case.holder_id}
    )


def require_may_hold(readings: Sequence[Reading], actor: Actor, case: Case) -> None:
    """Raise Conflict for the second reader of a case, who cannot be its first as well."""
    reading = latest(readings)
    if reading is None or reading.after_version:
        return
    if reading.reader_id == actor.id and case.holder_id != actor.id:
        raise Conflict(
            f"{actor.name} is the second reader of this case and cannot be its first as well.",
            code="is-second-reader",
            state=case.state.value,
        )


def require_signable(
    readings: Sequence[Reading], rule: ReadingRule, case: Case, actor: Actor
) -> Reading | None:
    """Return the second reading that a signature decides between, if it does; or raise Conflict
    while a second reading is in the way of signing.
    """
    reading = latest([each for each in readings if not each.after_version])
    state = case.state.value
    if reading is None:
        if needs_two(rule, case, case.draft):
            raise Conflict(
                "This case is to be read by two. Ask for a second reading first.",
                code="second-reading-needed",
                state=state,
            )
        return None
    if reading.state in OPEN:
        raise Conflict(
            "The second reading is not done yet. Wait for it, or take the request back.",
            code="second-reading-open",
            state=state,
        )
    if not reading.comparison:
        raise Conflict(
            "Say first how the two readings compare.", code="comparison-missing", state=state
        )
    if reading.comparison != Comparison.MAJOR:
        return None
    if actor.id in {reading.first_id, reading.reader_id}:
        raise Conflict(
            "The two readings differ in a major way. "
            "Ask the coordinator to hand the case to a third reader.",
            code="third-reader-needed",
            state=state,
        )
    return reading


def as_seen(dossier: CaseDossier, *, actor_id: str, is_reader: bool, knows: bool) -> CaseDossier:
    """Return a case as somebody may see it while a second reading goes on.

    Nobody but its writer sees a reading that is not signed. While a blinded one is open, the other
    readers do not see the answer; `knows` is false for those who are told of no second readings.
    """
    if not dossier.readings:
        return dossier
    shown = tuple(
        each if each.reader_id == actor_id else replace(each, draft=None)
        for each in dossier.readings
    )
    reading = latest(dossier.readings)
    first = {dossier.case.holder_id} | {report.signed_by_id for report in dossier.reports}
    is_hidden = (
        reading is not None
        and is_open(reading)
        and reading.is_blinded
        and is_reader
        and (actor_id == reading.reader_id or actor_id not in first)
    )
    case = dossier.case
    if is_hidden:
        case = replace(case, draft=None)
    return replace(
        dossier,
        case=case,
        readings=shown if knows else (),
        reports=() if is_hidden else dossier.reports,
        is_blinded=is_hidden,
    )


def first_answer(case: Case, dossier: CaseDossier) -> Mapping[str, Any] | None:
    """Return what the first reader says, where it is shown: the reply, else the draft."""
    if dossier.is_blinded:
        return None
    return dossier.reports[-1].content if dossier.reports else case.draft


def refuse_taking(reading: Reading | None, case: Case, actor: Actor) -> Conflict | Refused:
    """Return why an actor may not take a second reading."""
    if reading is None or reading.state in {ReadingState.SIGNED, ReadingState.DROPPED}:
        return Conflict(
            "Nobody asks for a second reading of this case.",
            code="no-second-reading",
            state=case.state.value,
        )
    if reading.state == ReadingState.TAKEN:
        return Conflict(
            f"{reading.reader_name} has the second reading.",
            code="claimed",
            state=case.state.value,
        )
    if reading.wanted_id not in {"", actor.id}:
        return Refused(f"{reading.wanted_name} is asked for the second reading.", code="not-asked")
    return Refused("The second reading is for somebody else than the first.", code="is-first")
