"""The conformance statement says what the code does: lists, statuses, keys and defaults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pacs_bridge import performed, status
from pacs_bridge.service import BridgeSettings
from pacs_bridge.syntaxes import (
    FIND_CLASSES,
    KNOWN_PRIVATE_CLASSES,
    PERFORMED_STEP,
    STORAGE_CLASSES,
    TRANSFER_SYNTAXES,
)
from storage.filemeta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from storage.query import _COLUMNS, _KEPT, _OF_PARTS, ANSWERED_ONLY


@pytest.fixture(scope="module")
def statement() -> str:
    path = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"
    return path.read_text("utf-8")


def section(statement: str, number: str) -> str:
    """Return the text under a heading of this number."""
    found = re.search(rf"^#+ {re.escape(number)} .*?(?=^#+ )", statement + "\n# ", re.M | re.S)
    assert found is not None
    return found[0]


def test_lists_are_complete_and_hold_nothing_else(statement: str) -> None:
    def listed(number: str) -> set[str]:
        return set(re.findall(r"\| ([\d.]+) \|$", section(statement, number), re.M))

    assert listed("6.1") == set(STORAGE_CLASSES) | set(KNOWN_PRIVATE_CLASSES)
    assert listed("6.2") == TRANSFER_SYNTAXES
    assert PERFORMED_STEP in section(statement, "2.9")


def test_every_status_that_can_be_answered_is_there(statement: str) -> None:
    stored = {status.SUCCESS, status.KEPT_WITH_WARNING, status.BROKEN}
    stored |= {status.UNRECOGNISED_OPERATION, *status.INVALID_CODES.values()}
    stored |= {code for _, code in status.TABLE}
    found = {status.PENDING, status.PENDING_WARNING, status.SUCCESS, status.CANCELLED}
    found |= {status.LIMIT_REACHED, status.OUT_OF_RESOURCES, status.DOES_NOT_MATCH, status.BROKEN}

    told = {status.SUCCESS, status.OUT_OF_RESOURCES, status.BROKEN, *performed._CODES.values()}

    assert statuses(section(statement, "2.9")) == {f"{code:04X}" for code in told}
    assert statuses(section(statement, "2.4")) == {f"{code:04X}" for code in stored}
    assert statuses(section(statement, "2.7")) == {f"{code:04X}" for code in found}


def statuses(text: str) -> set[str]:
    return set(re.findall(r"^\| ([0-9A-F]{4}) \|", text, re.M))


def test_every_key_that_is_matched_is_there(statement: str) -> None:
    text = section(statement, "2.7")
    keys = {key for columns in _COLUMNS.values() for key in columns} | set(_OF_PARTS)
    keys |= ANSWERED_ONLY - {"QueryRetrieveLevel", "SpecificCharacterSet", "TimezoneOffsetFromUTC"}
    keys |= _KEPT["SERIES"] - {"SpecificCharacterSet", "TimezoneOffsetFromUTC"}
    keys -= {"ReasonForTheRequestedProcedure", "PerformedProcedureStepStartTime"}  # in words

    assert {key for key in keys if key not in text} == set()
    assert {uid for uid in FIND_CLASSES if uid not in text} == set()


def test_identity_and_defaults_are_those_of_the_code(statement: str) -> None:
    settings = BridgeSettings()

    assert IMPLEMENTATION_CLASS_UID in statement
    assert IMPLEMENTATION_VERSION_NAME in statement
    for setting, shown in (
        ("LYSBRO_DICOM_MAX_PDU", str(settings.max_pdu)),
        ("LYSBRO_DICOM_MAX_OBJECT_BYTES", str(settings.max_object_bytes)),
        ("LYSBRO_DICOM_MAX_MATCHES", str(settings.maximum_matches)),
        ("LYSBRO_AE_TITLE", settings.ae_title),
    ):
        assert f"| `{setting}` | {shown} |" in statement
    associations = f"| {settings.maximum_associations}, {settings.maximum_per_peer} |"
    assert associations in statement
    times = (settings.request_timeout_s, settings.pdu_timeout_s, settings.idle_timeout_s)
    assert f"| {', '.join(f'{t:.0f}' for t in times)} seconds |" in statement
