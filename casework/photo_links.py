"""Decides which photographs of a case a new one refers to; finds and stores none.

Only pictures of the same lesion count: by its UID where it has one, else by place and side. The
caller hands in those of one case, so that nothing of another patient can be meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_OVERVIEW = "overview"
_NEAR = ("closeup", "dermoscopic")


@dataclass(frozen=True, kw_only=True)
class Pictured:
    """One photograph of a case, and what it shows."""

    sop_instance_uid: str
    sop_class_uid: str
    series_uid: str
    kind: str  # overview | closeup | dermoscopic
    site_code: str
    laterality: str = ""
    lesion_uid: str = ""

    @property
    def subject(self) -> tuple[str, ...]:
        """Return what tells one skin change from another: the lesion, or else where it is."""
        return (self.lesion_uid,) if self.lesion_uid else (self.site_code, self.laterality)


class Purpose(StrEnum):
    """Why a photograph refers to another one."""

    LOCALIZER = "localizer"  # shows where this one lies
    DETAIL = "detail"  # shows nearer what this one shows from afar


@dataclass(frozen=True)
class Link:
    """A reference from one photograph to another of the same study."""

    sop_instance_uid: str
    sop_class_uid: str
    series_uid: str
    purpose: Purpose


def links_of(new: Pictured, kept: Sequence[Pictured]) -> tuple[Link, ...]:
    """Return what a new photograph refers to, of those kept before it, the oldest first.

    A near picture refers to its overview, an overview to the near ones; of each kind the newest
    counts, which after a retake is the better one.
    """
    same = [each for each in kept if each.subject == new.subject and each.kind != new.kind]
    if new.kind == _OVERVIEW:
        return tuple(
            link for kind in _NEAR for link in _newest(new, same, kind=kind, why=Purpose.DETAIL)
        )
    return _newest(new, same, kind=_OVERVIEW, why=Purpose.LOCALIZER)


def _newest(
    new: Pictured, kept: Sequence[Pictured], *, kind: str, why: Purpose
) -> tuple[Link, ...]:
    for each in reversed(kept):
        if each.kind == kind and each.sop_instance_uid != new.sop_instance_uid:
            return (Link(each.sop_instance_uid, each.sop_class_uid, each.series_uid, why),)
    return ()
