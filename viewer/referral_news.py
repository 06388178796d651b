"""What is new in a referral, in words: each version of it, and what came since the reader asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint

from casework.clinical import reason_label
from casework.model import CaseDossier
from casework.referral_versions import CameIn, ReferralVersion, new_since_asked, versions_of
from storage.index import InstanceRow
from storage.joining import Joinable
from viewer.attributes import first
from viewer.i18n import _, _n
from viewer.languages import language
from viewer.manifest import kind_of

_OUR_SERIES = range(9900, 9910)  # in which replies are filed, far behind a study's own


bp = Blueprint("referral_news", __name__)


@dataclass(frozen=True)
class NewItem:
    """Something that came with a version: what it is, and which object shows it."""

    title: str
    sop_instance_uid: str


@dataclass(frozen=True)
class VersionInWords:
    """One version of a referral as people read it."""

    version: ReferralVersion
    asked: str
    items: tuple[NewItem, ...]


def versions_in_words(
    dossier: CaseDossier, instances: Sequence[InstanceRow]
) -> Sequence[VersionInWords]:
    """Return the versions of a referral, the first one first."""
    rows = {row.sop_instance_uid: row for row in instances if not _is_ours(row)}
    came = [CameIn(row.sop_instance_uid, row.received_at) for row in rows.values()]
    return [
        VersionInWords(
            version=each,
            asked=each.asked or _reason(each.asked_reason),
            items=tuple(_items([rows[uid] for uid in each.new])),
        )
        for each in versions_of(dossier.case, dossier.messages, came)
    ]


def news_in(dossier: CaseDossier, found: Sequence[VersionInWords]) -> VersionInWords | None:
    """Return which version came since the reader asked, where there is something to look at."""
    signed_at = max((report.signed_at for report in dossier.reports), default=None)
    news = new_since_asked([each.version for each in found], signed_at=signed_at)
    return None if news is None else found[-1]


@bp.app_template_global()
def study_title(study: Joinable) -> str:
    """Return what a study is, in a few words."""
    kinds, words = "/".join(study.modalities), study.description
    if not words or (kinds and words.upper().startswith(study.modalities[0].upper())):
        return words or kinds or _("Study")
    return f"{kinds} {words}".strip()


def _is_ours(row: InstanceRow) -> bool:
    """Tell whether an object is a signed reply that was filed with the images."""
    number = first(row.attributes.get("SeriesNumber"), None)
    return number in _OUR_SERIES and kind_of(row) in {"document", "text", "other"}


def _reason(code: str) -> str:
    return reason_label(code, language=language()) if code else ""


def _items(rows: Sequence[InstanceRow]) -> Sequence[NewItem]:
    """Return photographs and documents one by one, and the images of a series as one."""
    series: dict[tuple[str, str], list[InstanceRow]] = {}
    for row in rows:
        key = row.series_uid if kind_of(row) == "stack" else row.sop_instance_uid
        series.setdefault((row.site, key), []).append(row)
    return [
        NewItem(_title(each), each[len(each) // 2].sop_instance_uid) for each in series.values()
    ]


def _title(rows: Sequence[InstanceRow]) -> str:
    attributes, kind = rows[0].attributes, kind_of(rows[0])
    words = str(
        first(attributes.get("DocumentTitle"), "")
        or first(attributes.get("SeriesDescription"), "")
        or first(attributes.get("BodyPartExamined"), "")
    ).strip()
    if kind == "photo":
        return _("Photograph: {what}", what=words) if words else _("Photograph")
    if kind in {"document", "text"}:
        return _("Document: {what}", what=words) if words else _("Document")
    modality = str(attributes.get("Modality") or "")
    is_named = words.upper().startswith(modality.upper())
    named = words if words and is_named else f"{modality} {words}".strip() or _("Images")
    frames = sum(row.frames or 1 for row in rows)
    return f"{named}, " + _n("{n} image", "{n} images", frames)
