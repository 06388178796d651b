"""What became of each object of a request: the Store Instances Response Module (PS3.18 annex I).

Gathers, and says it; stores nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response

from casework.custody import Receipt
from casework.errors import Invalid, LysbroError, TooLarge
from viewer.dicomweb import model_answers

OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900
NOT_UNDERSTOOD = 0xC000
SYNTAX_NOT_SUPPORTED = 0xC122
OTHER_STUDY = 0xC409
CLASS_IN_DOUBT = 0xB007
IN_QUARANTINE = 0xB00E

_REASONS: Mapping[str, int] = {
    "uid-mismatch": DOES_NOT_MATCH,
    "does-not-match": DOES_NOT_MATCH,
    "not-supported": SYNTAX_NOT_SUPPORTED,
}


def reason_of(error: LysbroError) -> int:
    """Return the Failure Reason (0008,1197) of an object that was refused (table I.2-2)."""
    if isinstance(error, TooLarge) or not isinstance(error, Invalid):
        return OUT_OF_RESOURCES
    return _REASONS.get(error.code, NOT_UNDERSTOOD)


class Result:
    """What became of each object, in the order in which they came."""

    def __init__(self, *, base: str) -> None:
        """`base` is the address of the service."""
        self._base = base
        self._receipts: list[Receipt] = []
        self._failed: list[dict[str, Any]] = []
        self._unnamed: list[dict[str, Any]] = []
        self._broke_off = ""

    @property
    def is_empty(self) -> bool:
        """Tell whether there was no object at all."""
        return not (self._receipts or self._failed or self._unnamed)

    @property
    def has_stored(self) -> bool:
        """Tell whether anything was stored."""
        return bool(self._receipts)

    @property
    def received(self) -> dict[str, str]:
        """Return the hash of each object that was stored, by its SOP Instance UID."""
        return {receipt.sop_instance_uid: receipt.sha256 for receipt in self._receipts}

    def counts(self) -> dict[str, int]:
        """Return how many objects were stored and how many not."""
        return {"stored": len(self._receipts), "failed": len(self._failed) + len(self._unnamed)}

    def stored(self, receipt: Receipt) -> None:
        """Note an object that is durable."""
        self._receipts.append(receipt)

    def failed(self, reason: int, *, sop_class_uid: str = "", sop_instance_uid: str = "") -> None:
        """Note an object that was not stored, or a part of which no object can be told."""
        if not sop_instance_uid:
            self._unnamed.append({"FailureReason": reason})
            return
        self._failed.append(
            {
                "ReferencedSOPClassUID": sop_class_uid,
                "ReferencedSOPInstanceUID": sop_instance_uid,
                "FailureReason": reason,
            }
        )

    def broke_off(self, reason: int, why: str) -> None:
        """Note that the body could not be read to its end; what it still held is not known."""
        self._unnamed.append({"FailureReason": reason})
        self._broke_off = why.replace('"', "'").encode("ascii", "replace").decode()

    def response(self, media_type: str, *, set_aside: frozenset[str]) -> Response:
        """Return 200 when all were stored, 202 for some or with warnings, 409 for none.

        `set_aside` are the objects that lie in quarantine: others have their UIDs.
        """
        stored = [self._item(receipt, set_aside) for receipt in self._receipts]
        is_clean = not (self._failed or self._unnamed) and not any(
            "WarningReason" in item for item in stored
        )
        values: dict[str, Any] = {}
        studies = {receipt.study_uid for receipt in self._receipts}
        if len(studies) == 1:
            values["RetrieveURL"] = f"{self._base}/studies/{studies.pop()}"
        sequences = (
            ("ReferencedSOPSequence", stored),
            ("FailedSOPSequence", self._failed),
            ("OtherFailuresSequence", self._unnamed),
        )
        values |= {keyword: items for keyword, items in sequences if items}
        status = 409 if not stored else 200 if is_clean else 202
        response = model_answers.answer(values, status=status, media_type=media_type)
        if self._broke_off:
            response.headers["Warning"] = f'299 {self._base} "{self._broke_off}"'
        return response

    def _item(self, receipt: Receipt, set_aside: frozenset[str]) -> dict[str, Any]:
        is_aside = receipt.sop_instance_uid in set_aside
        where = (
            f"{self._base}/studies/{receipt.study_uid}/series/{receipt.series_uid}"
            f"/instances/{receipt.sop_instance_uid}"
        )
        item: dict[str, Any] = {
            "ReferencedSOPClassUID": receipt.sop_class_uid,
            "ReferencedSOPInstanceUID": receipt.sop_instance_uid,
            "RetrieveURL": "" if is_aside else where,  # the other object would be retrieved there
        }
        if is_aside:
            item["WarningReason"] = IN_QUARANTINE
        elif receipt.warning:
            item["WarningReason"] = CLASS_IN_DOUBT
        return item
