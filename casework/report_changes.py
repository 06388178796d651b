"""What a correction changed in the findings that it replaces: the names of the parts, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from casework.findings import FINDINGS_KEYS, content_hash, normal_findings
from casework.model import Report

_NOT_SAID = frozenset({"displayed", "why_corrected", "anchors", "key_images"})


def changed_parts(before: Mapping[str, Any], after: Mapping[str, Any]) -> Sequence[str]:
    """Return which parts of findings differ, as their keys."""
    empty = normal_findings({})
    return [
        key
        for key in FINDINGS_KEYS
        if key not in _NOT_SAID and before.get(key, empty[key]) != after.get(key, empty[key])
    ]


def findings_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the findings in a signed version, without what was shown or why it was corrected."""
    left_out = {"displayed", "why_corrected"}
    return {key: content[key] for key in FINDINGS_KEYS if key in content and key not in left_out}


def corrected_from(reports: Sequence[Report], correction: Report) -> Report | None:
    """Return the version that a correction replaces: the answer that stood before it."""
    before = [
        each for each in reports if each.version < correction.version and each.kind != "addendum"
    ]
    return max(before, key=lambda each: each.version) if before else None


def is_as_signed(report: Report) -> bool:
    """Tell whether a version hashes to what it was signed under."""
    return content_hash(report.content) == report.sha256
