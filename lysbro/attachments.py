"""Takes documents and other pictures into a case, beside the pictures of the lesion.

The same attachment_id, or the same bytes, are the same object again.
"""

from __future__ import annotations

import hashlib
from typing import Any

from casework.custody import Origin
from casework.errors import TooLarge
from casework.identifiers import derived_uid
from casework.model import Case
from derm_capture import intake, pdf
from derm_capture.context import CaptureContext, Kind
from derm_capture.photo import PhotoLimits
from lysbro.wiring import Parts
from storage.casebook_tables import ATTACHMENT


def attach(
    parts: Parts,
    case: Case,
    data: bytes,
    *,
    origin: Origin,
    title: str,
    attachment_id: str,
    limits: PhotoLimits,
) -> dict[str, Any]:
    """Store a document or a picture; say what it has become."""
    study_uid = derived_uid("study", case.id)
    name = attachment_id or hashlib.sha256(data).hexdigest()[:40]
    capture_id = f"{ATTACHMENT}{name}"
    kind = "document" if pdf.is_pdf(data) else "picture"
    told = {"study_instance_uid": study_uid, "title": title, "kind": kind}
    captures = parts.casebook.captures(case.id)
    if capture_id in captures:
        return {**told, "sop_instance_uid": captures[capture_id]}
    most = parts.settings.max_attachments
    if sum(each.startswith(ATTACHMENT) for each in captures) >= most:
        raise TooLarge(
            f"The case has {most} attachments already, and that is the most.",
            code="too-many-attachments",
        )
    context = CaptureContext(
        patient=case.patient,
        kind=Kind.OTHER,
        site_code="",
        capture_id=f"{case.id}/{capture_id}",
        study_uid=study_uid,
        study_at=case.created_at,
        case_id=case.id,
        referrer=case.referral.referrer,
        institution=case.site_name,
        title=title,
        timezone=parts.settings.timezone,
    )
    if kind == "document":
        documents = pdf.DocumentLimits(parts.settings.max_document_bytes)
        taken = intake.take_document(parts.archive, data, context, origin, limits=documents)
    else:
        taken = intake.take_photo(parts.archive, data, context, origin, limits=limits)
    parts.archive.settle()
    uid = parts.casebook.note_capture(
        case.id, capture_id, taken.wrapped.sop_instance_uid, kind=kind
    )
    return {**told, "sop_instance_uid": uid}
