"""Reads the query of a search for work items, and the filter of a subscription (PS3.18 8.3.4).

Keys are keywords or tags; a dotted path names an attribute within a sequence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from casework.errors import Invalid, Refused
from casework.workitem_values import LISTED
from storage.matching import Key, vr_of
from viewer.dicomweb import dicom_json

MOST = 1000
DEFAULT = 200

CONTROLS = frozenset(
    {"limit", "offset", "includefield", "fuzzymatching", "accept", "charset", "deletionlock"}
)
_ALSO = frozenset(
    {
        "ScheduledProcedureStepModificationDateTime", "ExpectedCompletionDateTime",
        "CommentsOnTheScheduledProcedureStep", "UnifiedProcedureStepPerformedProcedureSequence",
    }
)  # fmt: skip
_OBJECTS = frozenset({"InputInformationSequence", "UnifiedProcedureStepPerformedProcedureSequence"})
ATTRIBUTES = frozenset(LISTED) | _ALSO
"""The attributes of a work item, all of which may be asked for."""

IN_FILTERS = frozenset(
    {
        "ProcedureStepState", "ScheduledProcedureStepPriority", "WorklistLabel",
        "ScheduledProcedureStepStartDateTime", "ExpectedCompletionDateTime",
        "ScheduledWorkitemCodeSequence", "ScheduledStationClassCodeSequence",
        "ScheduledHumanPerformersSequence", "InputReadinessState",
        "ReferencedRequestSequence.RequestingService",
    }
)  # fmt: skip
"""What a filter may ask: it is kept, so nothing that names a patient or a study."""


@dataclass(frozen=True)
class Search:
    """A query that has been read."""

    keys: Mapping[str, Key]
    shown: tuple[str, ...] | None  # None: everything
    limit: int
    offset: int
    is_cut_by_us: bool  # whether a longer answer was asked for than is given
    fuzzy: bool
    wants_objects: bool  # those to read, and those made


def read_search(args: MultiDict[str, str]) -> Search:
    """Return the search that a query string asks for, or raise Invalid."""
    included = [
        name.strip()
        for text in args.getlist("includefield")
        for name in text.split(",")
        if name.strip()
    ]
    keys = keys_of((name, value) for name, value in args.items() if name not in CONTROLS)
    named = [*keys, *(_path(name)[0] for name in included if name != "all")]
    asked = _count(args, "limit")
    return Search(
        keys=keys,
        shown=None if "all" in included else tuple(dict.fromkeys([*LISTED, *named])),
        limit=DEFAULT if asked is None else min(asked, MOST),
        offset=_count(args, "offset") or 0,
        is_cut_by_us=asked is None or asked > MOST,
        fuzzy=args.get("fuzzymatching", "").lower() == "true",
        wants_objects="all" in included or bool(_OBJECTS & set(named)),
    )


def read_filter(args: MultiDict[str, str]) -> dict[str, Key]:
    """Return the keys of a filter, in `filter` with commas or each as a parameter of its own."""
    pairs = [(name, value) for name, value in args.items() if name not in CONTROLS | {"filter"}]
    for part in ",".join(args.getlist("filter")).split(","):
        name, is_pair, value = part.partition("=")
        if part.strip() and not is_pair:
            raise _bad("A filter is a list of attribute=value, with commas.")
        pairs += [(name, value)] if part.strip() else []
    for name, _ in pairs:
        path = _path(name)
        if not {path[0], ".".join(path)} & IN_FILTERS:
            raise Refused(
                f"A filter is kept, and may not ask for {'.'.join(path)}. "
                f"It may ask for {', '.join(sorted(IN_FILTERS))}.",
                code="not-in-filters",
            )
    return keys_of(pairs)


def keys_of(pairs: Iterable[tuple[str, str]]) -> dict[str, Key]:
    """Return the keys of a query, those within a sequence in one item of it."""
    tree: dict[str, Any] = {}
    for name, value in pairs:
        *above, last = _path(name)
        at = tree
        for keyword in above:
            at = at.setdefault(keyword, {})
        at[last] = value.replace(",", "\\") if vr_of(last) == "UI" else value
    return {keyword: _key(keyword, value) for keyword, value in tree.items()}


def _key(keyword: str, value: Any) -> Key:
    if isinstance(value, str):
        return value if vr_of(keyword) != "SQ" else []
    return [{inner: _key(inner, below) for inner, below in value.items()}]


def _path(name: str) -> list[str]:
    """Return the keywords of a path, or raise Invalid when it is no attribute of a work item."""
    path = [dicom_json.keyword_of(part) for part in name.strip().split(".")]
    above = path[:-1]
    if not all(path) or path[0] not in ATTRIBUTES or any(vr_of(k) != "SQ" for k in above):
        raise _bad(f"'{name[:64]}' is no attribute of a work item that can be searched for.")
    return path


def _count(args: Mapping[str, str], name: str) -> int | None:
    text = args.get(name)
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 9:
        raise _bad(f"{name} must be a whole number.")
    return int(text)


def _bad(message: str) -> Invalid:
    return Invalid(message, code="bad-request")
