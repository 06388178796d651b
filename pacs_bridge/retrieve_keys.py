"""Reads what a C-MOVE or C-GET asks for (PS3.4 C.4.2.1.4, C.4.3.1.3) and writes what failed.

Knows no index.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from casework.errors import Invalid
from casework.identifiers import is_receivable_uid
from pacs_bridge.identifier import read_identifier
from pacs_bridge.syntaxes import (
    IMPLICIT_LE,
    PATIENT_ROOT_GET,
    PATIENT_ROOT_MOVE,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
)
from storage.query import UNIQUE_KEYS
from storage.selection import Selection

_PATIENT_ROOT = ("PATIENT", "STUDY", "SERIES", "IMAGE")
LEVELS: Mapping[str, tuple[str, ...]] = {
    PATIENT_ROOT_MOVE: _PATIENT_ROOT,
    PATIENT_ROOT_GET: _PATIENT_ROOT,
    STUDY_ROOT_MOVE: _PATIENT_ROOT[1:],
    STUDY_ROOT_GET: _PATIENT_ROOT[1:],
}
"""The levels of each information model, the highest first."""

_SHORT_BYTES = 0xFFFE  # the longest value of a VR with a length of 16 bits
_FAILED_LIST = (0x0008, 0x0058)


def read_selection(
    identifier: bytes, *, transfer_syntax: str, sop_class: str, is_relational: bool
) -> tuple[str, Selection]:
    """Return the level and what is asked for; Invalid, coded `bad-identifier`, without its keys.

    Unique keys alone count. Hierarchical: one value of each above the level; relational: those
    above may be lists, or be left out. Keys below the level would ask for less than a retrieve
    gives, and are refused.
    """
    keys = read_identifier(identifier, transfer_syntax=transfer_syntax)
    level, levels = str(keys.get("QueryRetrieveLevel", "")), LEVELS[sop_class]
    if level not in levels:
        raise _bad(f"Level {level or 'missing'}: use {', '.join(levels)}")
    depth = levels.index(level)
    values = {each: _values(keys, each) for each in levels}
    for above in levels[:depth]:
        count = len(values[above])
        if not is_relational and count != 1:
            raise _bad(f"Level {level} needs one {UNIQUE_KEYS[above]}")
    if not values[level]:
        raise _bad(f"Level {level} needs {UNIQUE_KEYS[level]}")
    for below in levels[depth + 1 :]:
        if values[below]:
            raise _bad(f"{UNIQUE_KEYS[below]} is below the level {level}")
    patients = values.get("PATIENT", ())
    if len(patients) > 1:
        raise _bad("Patient ID has one value")
    return level, Selection(
        patient_id=patients[0] if patients else "",
        issuer=_text(keys.get("IssuerOfPatientID")) if patients else "",
        study_uids=values["STUDY"],
        series_uids=values["SERIES"],
        instance_uids=values["IMAGE"],
    )


def write_failed(uids: Sequence[str], *, transfer_syntax: str) -> bytes:
    """Return the identifier with Failed SOP Instance UID List (0008,0058); empty without any.

    A list that is too long for its VR in explicit VR is written as UN (PS3.5 section 6.2.2).
    """
    if not uids:
        return b""
    value = "\\".join(uids).encode("ascii")
    value += b"\0" * (len(value) % 2)
    tag = struct.pack("<HH", *_FAILED_LIST)
    if transfer_syntax == IMPLICIT_LE:
        return tag + struct.pack("<L", len(value)) + value
    if len(value) > _SHORT_BYTES:
        return tag + b"UN" + struct.pack("<HL", 0, len(value)) + value
    return tag + b"UI" + struct.pack("<H", len(value)) + value


def _values(keys: Mapping[str, Any], level: str) -> tuple[str, ...]:
    keyword = UNIQUE_KEYS[level]
    parts = _text(keys.get(keyword)).split("\\")
    found = tuple(part for part in (each.strip(" \0") for each in parts) if part)
    for value in found:
        is_sound = (
            "*" not in value and "?" not in value
            if level == "PATIENT"
            else is_receivable_uid(value)
        )
        if not is_sound:
            raise _bad(f"{keyword} has a value that names nothing")
    return found


def _text(value: Any) -> str:
    return value.strip(" \0") if isinstance(value, str) else ""


def _bad(message: str) -> Invalid:
    return Invalid(message, code="bad-identifier")
