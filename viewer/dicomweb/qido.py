"""QIDO-RS (PS3.18 section 10.6): the matching engine of C-FIND, asked by address."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import islice
from typing import Any

from flask import Blueprint, Response, request

from casework.errors import Invalid, TooLarge
from storage.query import read_query
from storage.stopping import Stopped
from viewer.dicomweb import dicom_json
from viewer.dicomweb.model_answers import answer_many, chosen_for_many
from viewer.dicomweb.qido_keys import Search, read_search
from viewer.guard import current_actor, current_scope
from viewer.services import services

_ONLY_WITH_VALUE = frozenset({"TimezoneOffsetFromUTC", "RequestAttributesSequence"})
_LONGEST_S = 30.0  # a search that is longer at it is too broad (PS3.18 section 10.6.3.1)
_MAX_NOTED_CHARS = 4096  # of a list of UIDs


def add_to(bp: Blueprint) -> None:
    """Add the search routes."""
    studies, series, instances = "/studies", "/series", "/instances"
    of_study, of_series = "/studies/<study>", "/studies/<study>/series/<series>"
    for endpoint, rule, level in (
        ("search_studies", studies, "STUDY"),
        ("search_series", series, "SERIES"),
        ("search_instances", instances, "IMAGE"),
        ("search_series_of_study", of_study + series, "SERIES"),
        ("search_instances_of_study", of_study + instances, "IMAGE"),
        ("search_instances_of_series", of_series + instances, "IMAGE"),
    ):
        bp.add_url_rule(rule, endpoint, search, defaults={"level": level})


def search(level: str, study: str | None = None, series: str | None = None) -> Response:
    """Return what matches; nothing that matches is an empty list, or in XML no content."""
    media_type = chosen_for_many("Matches come")
    try:
        wanted = read_search(request.args, level, study=study, series=series)
        unsupported = read_query(level, wanted.keys, wanted.manner).unsupported
    except TooLarge:
        raise
    except Invalid as error:
        raise Invalid(error.message, code="bad-request") from error
    deadline = time.monotonic() + _LONGEST_S
    found = services().index.find(
        current_scope(),
        level,
        wanted.keys,
        limit=wanted.limit + 1,
        offset=wanted.offset,
        manner=wanted.manner,
        is_stopped=lambda: time.monotonic() > deadline,
    )
    try:
        matches = list(islice(found, wanted.limit + 1))
    except Stopped:
        raise TooLarge(
            f"The search took longer than {_LONGEST_S:.0f} seconds. Ask for less: by a number, a "
            "name or a day.",
            code="too-broad",
        ) from None
    _note(level, wanted)
    told = [_match(level, values) for values in matches[: wanted.limit]]
    response = answer_many(told, media_type=media_type)
    if len(matches) > wanted.limit:
        _warn(response, "There are additional results that can be requested: offset and limit.")
    not_matched = sorted(m for m in wanted.matched if {m, m.split(".")[0]} & set(unsupported))
    if not_matched:
        _warn(response, f"Not kept here, and so not matched: {', '.join(not_matched)}.")
    return response


def _warn(response: Response, text: str) -> None:
    """Add a warning (PS3.18 sections 8.3.4 and 10.6.3; RFC 7234 section 5.5)."""
    response.headers.add("Warning", f'299 {_service()}: "{text}"')


def _service() -> str:
    return request.url_root.rstrip("/") + "/dicom-web"


def _match(level: str, values: Mapping[str, Any]) -> dict[str, Any]:
    address = f"{_service()}/studies/{values['StudyInstanceUID']}"
    if level != "STUDY":
        address += f"/series/{values['SeriesInstanceUID']}"
    if level == "IMAGE":
        address += f"/instances/{values['SOPInstanceUID']}"
    said = {"RetrieveURL": address, "SpecificCharacterSet": "ISO_IR 192"}
    left_out = {k for k in _ONLY_WITH_VALUE if k in values and not values[k]}
    return dicom_json.to_json({k: v for k, v in values.items() if k not in left_out} | said)


def _note(level: str, wanted: Search) -> None:
    actor = current_actor()
    uids = {name: str(wanted.keys[name]) for name in wanted.keys if name.endswith("UID")}
    services().ledger.append(
        None,
        actor=actor,
        action="images-searched",
        subject=level.lower(),
        site=actor.site,
        detail={
            "by": list(wanted.matched),
            **{name: uid[:_MAX_NOTED_CHARS] for name, uid in uids.items() if uid},
        },
    )
