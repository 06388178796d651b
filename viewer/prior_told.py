"""Says what lies beside a case before it is opened: earlier studies, lesions seen before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import url_for

from casework.lesions import KnownLesion
from casework.model import Case
from storage.priors import Prior
from viewer.i18n import _


def beside(case: Case, priors: Sequence[Prior], lesions: Sequence[KnownLesion]) -> dict[str, Any]:
    """Return where the reading room finds what a case is compared with, the nearest first."""
    before = url_for("api_reading.pictures_before", case_id=case.id) if lesions else ""
    return {"priors": [_told(case, each) for each in priors], "lesions_before": before}


def prior_title(prior: Prior) -> str:
    """Return what an earlier study is, in a few words."""
    kinds = "/".join(prior.modalities)
    if not prior.description:
        return _("{kinds} study", kinds=kinds) if kinds else _("Study")
    if kinds and not prior.description.upper().startswith(prior.modalities[0].upper()):
        return f"{kinds} {prior.description}"
    return prior.description


def _told(case: Case, prior: Prior) -> dict[str, Any]:
    def address(of: str) -> str:
        return url_for(
            f"api_reading.prior_{of}",
            case_id=case.id,
            site=prior.site,
            study_uid=prior.study_uid,
        )

    return {
        "title": prior_title(prior),
        "day": prior.day.isoformat() if prior.day else "",
        "site": prior.site,
        "study_uid": prior.study_uid,
        "manifest": address("manifest"),
        "picture": address("picture"),
    }
