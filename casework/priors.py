"""Decides which earlier studies of a patient matter to a case, and which are worth fetching.

Pure: from the case, what is known or was answered of each study, and a rule. Asks no node, keeps
nothing. A patient is a number of an issuer; what else an answer says must not speak against it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from casework.delivery import wait_s
from casework.prior_regions import Region, region_named, regions_in

_KIN: tuple[frozenset[str], ...] = (
    frozenset({"CT", "MR", "PT", "NM"}),
    frozenset({"CR", "DX", "RG", "RF", "XA"}),
    frozenset({"US", "IVUS"}),
    frozenset({"MG"}),
    frozenset({"XC", "DMS", "GM"}),
)
"""Modalities whose images are compared with each other."""

_TYPICAL_BYTES: Mapping[str, int] = {
    "CR": 8_000_000, "DX": 14_000_000, "MG": 28_000_000, "US": 1_500_000, "XA": 20_000_000,
    "RF": 4_000_000, "CT": 526_000, "MR": 300_000, "PT": 40_000, "NM": 200_000, "XC": 4_000_000,
    "DMS": 4_000_000, "SM": 200_000_000,
}  # fmt: skip
"""What an image of a modality has about; a query's answer tells no sizes."""

_ANY_BYTES = 1_000_000
MOST_ATTEMPTS = 20  # about half a day: what comes later than that helps no reader
_DAYS_A_YEAR = 365.25


class Refusal(StrEnum):
    """Why a study that a node has is not fetched."""

    OTHER_PATIENT = "other-patient"
    OWN = "own"
    HERE = "here"
    LATER = "later"
    UNDATED = "undated"
    TOO_OLD = "too-old"
    MODALITY = "modality"
    NO_COUNT = "no-count"
    TOO_MANY_IMAGES = "too-many-images"
    TOO_MANY_BYTES = "too-many-bytes"
    ENOUGH = "enough"


IN_WORDS: Mapping[Refusal, str] = {
    Refusal.OTHER_PATIENT: "it is of another patient",
    Refusal.OWN: "it is of the case itself",
    Refusal.HERE: "it is here",
    Refusal.LATER: "it is later than the case",
    Refusal.UNDATED: "the node tells no date of it",
    Refusal.TOO_OLD: "it is older than the rule looks back",
    Refusal.MODALITY: "the rule does not ask for its modality",
    Refusal.NO_COUNT: "the node does not tell how many images it has",
    Refusal.TOO_MANY_IMAGES: "it has more images than the rule lets in",
    Refusal.TOO_MANY_BYTES: "it is larger than the rule lets in",
    Refusal.ENOUGH: "the rule has as many studies as it wants",
}
"""Each refusal as the end of a sentence."""


@dataclass(frozen=True)
class Subject:
    """What a case is about, as far as comparing goes."""

    modalities: frozenset[str] = frozenset()
    regions: frozenset[Region] = frozenset()
    day: date | None = None


@dataclass(frozen=True)
class Person:
    """Whose a study or a case is. `name` is folded: no case, no accents, parts by carets."""

    id: str
    issuer: str
    name: str = ""
    birth_date: str = ""  # YYYYMMDD or empty


@dataclass(frozen=True)
class Earlier:
    """A study as it is known here, or as a node tells of it."""

    study_uid: str
    day: date | None = None
    modalities: frozenset[str] = frozenset()
    description: str = ""
    body_part: str = ""
    images: int | None = None
    time: str = ""  # HHMMSS, orders those of one day

    @property
    def regions(self) -> frozenset[Region]:
        """Return which parts of the body it shows: by body part where that is known, else words."""
        return regions_in(self.body_part) or regions_in(self.description)


@dataclass(frozen=True)
class PriorRule:
    """What is fetched for which cases. Empty site, modality or body part: of every case."""

    id: int
    nodes: tuple[str, ...]  # AE titles, which are asked
    site: str = ""
    modality: str = ""
    body_part: str = ""
    years: int = 5
    modalities: frozenset[str] = frozenset()  # of what is fetched; empty: all
    most_studies: int = 3
    most_images: int | None = None  # of all that is fetched for one case
    most_bytes: int | None = None
    large_images: int | None = None  # a study of more waits for the hours
    from_hour: int = 0
    to_hour: int = 0  # local time; the same as from_hour: at any hour


@dataclass(frozen=True)
class Answered:
    """A study as a node has answered, with the person that it says it is of."""

    person: Person
    study: Earlier


@dataclass(frozen=True)
class Verdict:
    """What becomes of one study that a node has told of."""

    study: Earlier
    refusal: Refusal | None = None  # None: it is fetched
    is_large: bool = False  # and only within the hours of the rule


@dataclass(frozen=True)
class Inquiry:
    """The case for which a node was asked, and what is held already."""

    person: Person
    subject: Subject
    site: str = ""
    own: frozenset[str] = frozenset()  # study UIDs of the case itself
    here: frozenset[str] = frozenset()  # study UIDs that are in the archive, whole


def subject_of(studies: Iterable[Earlier], *, fallback: date | None = None) -> Subject:
    """Return what a case with these studies is about; `fallback` is its day when none has one."""
    found = list(studies)
    return Subject(
        modalities=frozenset().union(*(each.modalities for each in found)),
        regions=frozenset().union(*(each.regions for each in found)),
        day=max((each.day for each in found if each.day), default=fallback),
    )


def ranked(studies: Iterable[Earlier], subject: Subject) -> list[Earlier]:
    """Return studies as they matter: same part of the body, same modality, then the newest."""
    return sorted(studies, key=lambda each: _rank(each, subject))


def is_earlier(study_day: date | None, case_day: date | None) -> bool:
    """Tell whether a study is no later than a case; one without a date is taken for earlier."""
    return study_day is None or case_day is None or study_day <= case_day


def is_across_sites(issuer: str) -> bool:
    """Tell whether a number of this issuer is the same person at any site: an OID is given once.

    A name that a site has made up for an issuer may be another site's for another one.
    """
    parts = issuer.split(".")
    return len(parts) > 2 and all(part.isascii() and part.isdigit() for part in parts)


def applies(rule: PriorRule, *, site: str, subject: Subject) -> bool:
    """Tell whether a rule is for a case of this site about this subject."""
    if rule.site and rule.site != site:
        return False
    if rule.modality and rule.modality not in subject.modalities:
        return False
    return not rule.body_part or region_named(rule.body_part) in subject.regions


def rule_for(
    rules: Iterable[PriorRule], node: str, *, site: str, subject: Subject
) -> PriorRule | None:
    """Return the rule by which a node is asked: of those that apply the most particular one."""
    found = [
        rule for rule in rules if node in rule.nodes and applies(rule, site=site, subject=subject)
    ]
    return min(found, key=lambda rule: (-_particular(rule), rule.id), default=None)


def nodes_to_ask(rules: Sequence[PriorRule], *, site: str, subject: Subject) -> list[str]:
    """Return which nodes are asked for a case, each once, in the order of the rules."""
    found = [rule for rule in rules if applies(rule, site=site, subject=subject)]
    return list(dict.fromkeys(node for rule in found for node in rule.nodes))


def speaks_against(asked: Person, told: Person) -> str:
    """Return what shows an answer to be of another person; empty when nothing does.

    Number and issuer must be the same, and the birth date where both tell it. Of the name one part
    of the given name must agree; and of the family name, unless the birth date does: people marry.
    """
    if told.id.strip() != asked.id.strip():
        return "number"
    if told.issuer != asked.issuer:
        return "issuer"
    if asked.birth_date and told.birth_date and asked.birth_date != told.birth_date:
        return "birth date"
    is_born_then = bool(asked.birth_date) and asked.birth_date == told.birth_date
    if not told.name or not asked.name:
        return "" if is_born_then or not (asked.name or asked.birth_date) else "name"
    (family, given), (told_family, told_given) = _parts(asked.name), _parts(told.name)
    if given and told_given and not given & told_given:
        return "name"
    if not is_born_then and family and told_family and not family & told_family:
        return "name"
    return ""


def decide(inquiry: Inquiry, answers: Sequence[Answered], rule: PriorRule) -> list[Verdict]:
    """Return what is fetched of what a node has told of, and why the rest is not.

    The most relevant come first and have the first claim on what the rule lets in. A study that is
    too large for what is left does not keep a smaller one out.
    """
    by_uid = {each.study.study_uid: each for each in answers}
    found: list[Verdict] = []
    studies, images, size_bytes = 0, 0, 0
    for study in ranked((each.study for each in by_uid.values()), inquiry.subject):
        refusal = _refusal(inquiry, by_uid[study.study_uid], rule)
        count, bytes_about = study.images or 0, estimated_bytes(study)
        if refusal is None and studies >= rule.most_studies:
            refusal = Refusal.ENOUGH
        if refusal is None and rule.most_images is not None:
            refusal = Refusal.TOO_MANY_IMAGES if images + count > rule.most_images else None
        if refusal is None and rule.most_bytes is not None:
            is_over = size_bytes + bytes_about > rule.most_bytes
            refusal = Refusal.TOO_MANY_BYTES if is_over else None
        if refusal is not None:
            found.append(Verdict(study, refusal))
            continue
        studies, images, size_bytes = studies + 1, images + count, size_bytes + bytes_about
        is_large = rule.large_images is not None and (
            study.images is None or study.images > rule.large_images
        )
        found.append(Verdict(study, is_large=is_large and rule.from_hour != rule.to_hour))
    return found


def estimated_bytes(study: Earlier) -> int:
    """Return about how large a study is, by how many images it has and of which modality."""
    each = max((_TYPICAL_BYTES.get(m, _ANY_BYTES) for m in study.modalities), default=_ANY_BYTES)
    return (study.images or 0) * each


def try_again_at(attempts: int, *, now: datetime) -> datetime | None:
    """Return when a node that failed is asked again, or None when a person must look."""
    if attempts >= MOST_ATTEMPTS:
        return None
    return now + timedelta(seconds=wait_s(attempts))


def opens_at(now: datetime, *, from_hour: int, to_hour: int) -> datetime:
    """Return when large studies may be fetched: now within the hours, else when they begin.

    `now` is in the zone in which the hours are meant. From 22 to 6 is over midnight.
    """
    if from_hour == to_hour:
        return now
    since = (now.hour - from_hour) % 24
    if since < (to_hour - from_hour) % 24:
        return now
    begin = now.replace(hour=from_hour, minute=0, second=0, microsecond=0)
    return begin if begin > now else begin + timedelta(days=1)


def _refusal(inquiry: Inquiry, answer: Answered, rule: PriorRule) -> Refusal | None:
    study, day = answer.study, inquiry.subject.day
    checks: tuple[tuple[bool, Refusal], ...] = (
        (bool(speaks_against(inquiry.person, answer.person)), Refusal.OTHER_PATIENT),
        (study.study_uid in inquiry.own, Refusal.OWN),
        (study.study_uid in inquiry.here, Refusal.HERE),
        (study.day is None, Refusal.UNDATED),
        (not is_earlier(study.day, day), Refusal.LATER),
        (_is_too_old(study.day, day, rule.years), Refusal.TOO_OLD),
        (_is_unwanted(study.modalities, rule.modalities), Refusal.MODALITY),
        (
            study.images is None and not (rule.most_images is None and rule.most_bytes is None),
            Refusal.NO_COUNT,
        ),
    )
    return next((refusal for is_so, refusal in checks if is_so), None)


def _is_too_old(study_day: date | None, case_day: date | None, years: int) -> bool:
    if study_day is None or case_day is None:
        return False
    return (case_day - study_day).days > years * _DAYS_A_YEAR


def _is_unwanted(modalities: Collection[str], wanted: frozenset[str]) -> bool:
    return bool(wanted) and not wanted & frozenset(modalities)


def _rank(study: Earlier, subject: Subject) -> tuple[int, int, int, str, str]:
    day = study.day.toordinal() if study.day else 0
    time = "".join(chr(ord("9") - ord(c) + ord("0")) for c in study.time if c.isdigit())
    return (
        _distance_of_region(study.regions, subject.regions),
        _distance_of_modality(study.modalities, subject.modalities),
        -day,
        time or "~",
        study.study_uid,
    )


def _distance_of_region(these: frozenset[Region], those: frozenset[Region]) -> int:
    if not these or not those:
        return 1
    return 0 if these & those or Region.BODY in these | those else 2


def _distance_of_modality(these: frozenset[str], those: frozenset[str]) -> int:
    if these & those:
        return 0
    return 1 if any(these & kin and those & kin for kin in _KIN) else 2


def _particular(rule: PriorRule) -> int:
    return 4 * bool(rule.site) + 2 * bool(rule.body_part) + bool(rule.modality)


def _parts(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words of the family name and of the given and middle names."""
    family, _, rest = name.partition("^")
    return frozenset(family.replace("-", " ").split()), frozenset(
        rest.split("^^")[0].replace("^", " ").replace("-", " ").split()
    )
