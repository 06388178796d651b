"""The conformance statement says what the code does: lists, statuses, keys and defaults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from casework.commitment import Failure
from pacs_bridge import performed, status
from pacs_bridge.commitment import MAX_REFERENCES
from pacs_bridge.commitment_service import REQUEST_STATUSES
from pacs_bridge.commitment_user import REPORT_STATUSES, SAME_ASSOCIATION_S
from pacs_bridge.compress import FORMS
from pacs_bridge.retrieve import REFUSALS
from pacs_bridge.retrieve_keys import LEVELS
from pacs_bridge.service import BridgeSettings
from pacs_bridge.syntaxes import (
    COMMITMENT,
    COMMITMENT_INSTANCE,
    FIND_CLASSES,
    KNOWN_PRIVATE_CLASSES,
    MODALITY_WORKLIST,
    PERFORMED_STEP,
    RETRIEVE_CLASSES,
    STORAGE_CLASSES,
    TRANSFER_SYNTAXES,
)
from pacs_bridge.tally import MAX_SUB_OPERATIONS
from pacs_bridge.tls import SUITES
from storage.commitment_requests import MAX_OPEN
from storage.filemeta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from storage.promises import MOST_REFERENCES
from storage.query import _KEPT, ANSWERED_ONLY, COLUMNS, OF_PARTS
from storage.scheduled import MATCHED, STEP_MATCHED, STEP_TYPE_1, TYPE_1


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
    assert PERFORMED_STEP in section(statement, "2.10")


def test_every_status_that_can_be_answered_is_there(statement: str) -> None:
    stored = {status.SUCCESS, status.KEPT_WITH_WARNING, status.BROKEN}
    stored |= {status.UNRECOGNISED_OPERATION, *status.INVALID_CODES.values()}
    stored |= {code for _, code in status.TABLE}
    found = {status.PENDING, status.PENDING_WARNING, status.SUCCESS, status.CANCELLED}
    found |= {status.LIMIT_REACHED, status.OUT_OF_RESOURCES, status.DOES_NOT_MATCH, status.BROKEN}

    told = {status.SUCCESS, status.OUT_OF_RESOURCES, status.BROKEN, *performed._CODES.values()}

    retrieved = {status.PENDING, status.SUCCESS, status.SOME_FAILED, status.CANCELLED}
    retrieved |= {status.NONE_SENT, status.DOES_NOT_MATCH, status.BROKEN, *REFUSALS.values()}

    assert statuses(section(statement, "2.11")) == {f"{code:04X}" for code in retrieved}
    assert statuses(section(statement, "2.10")) == {f"{code:04X}" for code in told}
    assert statuses(section(statement, "2.4")) == {f"{code:04X}" for code in stored}
    assert statuses(section(statement, "2.7")) == {f"{code:04X}" for code in found}


def test_the_worklist_is_told_as_it_is(statement: str) -> None:
    text = section(statement, "2.12")
    found = {status.PENDING, status.PENDING_WARNING, status.SUCCESS, status.CANCELLED}
    found |= {status.LIMIT_REACHED, status.OUT_OF_RESOURCES, status.DOES_NOT_MATCH, status.BROKEN}

    assert statuses(text) == {f"{code:04X}" for code in found}
    keys = {*MATCHED, *STEP_MATCHED, *TYPE_1[:-1], *STEP_TYPE_1}
    assert {key for key in keys if key not in text} == set()
    assert MODALITY_WORKLIST in text
    assert f"`LYSBRO_WORKLIST_DAYS` ({BridgeSettings().worklist_days})" in text


def test_commitment_is_told_as_it_is(statement: str) -> None:
    text = section(statement, "2.8")
    of_requests, of_reports = text.split("**What counts as success.**")

    assert statuses(of_requests) == {f"{code:04X}" for code in REQUEST_STATUSES}
    assert statuses(of_reports) == {f"{code:04X}" for code in Failure}
    assert f"{MAX_REFERENCES:,}" in text
    assert f"{MAX_OPEN} open transactions" in text
    assert {uid for uid in (COMMITMENT, COMMITMENT_INSTANCE) if uid not in text} == set()


def test_commitment_as_user_is_told_as_it_is(statement: str) -> None:
    text = section(statement, "2.13")

    assert statuses(text) == {f"{code:04X}" for code in REPORT_STATUSES}
    assert f"{MOST_REFERENCES:,} instances" in text
    assert f"for {SAME_ASSOCIATION_S:.0f} seconds" in text


def test_every_form_that_a_destination_may_prefer_is_there(statement: str) -> None:
    listed = re.findall(r"^\| `([a-z0-9-]+)` \| ([\d.]+) \|", section(statement, "2.6"), re.M)

    assert dict(listed) == FORMS


def statuses(text: str) -> set[str]:
    return set(re.findall(r"^\| ([0-9A-F]{4}) \|", text, re.M))


def test_every_key_that_is_matched_is_there(statement: str) -> None:
    text = section(statement, "2.7")
    keys = {key for columns in COLUMNS.values() for key in columns if " " not in key}
    keys |= set(OF_PARTS)
    keys |= ANSWERED_ONLY - {"QueryRetrieveLevel", "SpecificCharacterSet", "TimezoneOffsetFromUTC"}
    keys |= _KEPT["SERIES"] - {"SpecificCharacterSet", "TimezoneOffsetFromUTC"}
    keys -= {"ReasonForTheRequestedProcedure", "PerformedProcedureStepStartTime"}  # in words

    assert {key for key in keys if key not in text} == set()
    assert {uid for uid in FIND_CLASSES if uid not in text} == set()


def test_every_retrieve_class_is_there_with_its_levels(statement: str) -> None:
    listed = re.findall(r"\| ([\d.]+) \| ([A-Z, ]+) \|$", section(statement, "2.11"), re.M)

    assert {uid: tuple(levels.split(", ")) for uid, levels in listed} == LEVELS
    assert set(LEVELS) == RETRIEVE_CLASSES
    assert f"{MAX_SUB_OPERATIONS:,} instances" in section(statement, "2.11")


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
    assert f"| `LYSBRO_COMMITMENT_WAIT` | {settings.commitment_wait_s:.0f} seconds |" in statement
    associations = f"| {settings.maximum_associations}, {settings.maximum_per_peer} |"
    assert associations in statement
    times = (settings.request_timeout_s, settings.pdu_timeout_s, settings.idle_timeout_s)
    assert f"| {', '.join(f'{t:.0f}' for t in times)} seconds |" in statement
    patience = (
        settings.retrieve_connect_timeout_s,
        settings.retrieve_association_timeout_s,
        settings.retrieve_answer_timeout_s,
    )
    for shown in (
        f"{settings.handshake_timeout_s:.0f} seconds",
        f"{settings.floor_rate:.0f} bytes per second",
        f"{settings.max_request_bytes}, {settings.max_command_bytes}",
        f"{settings.max_pending}, {settings.backlog}",
        f"{settings.congestion_spool_percent}, {settings.congestion_backlog}",
        f"{settings.retrieve_pending_every}, {settings.retrieve_pending_s:.0f} seconds",
        f"{', '.join(f'{t:.0f}' for t in patience)} seconds",
    ):
        assert f"| {shown} |" in statement


def test_every_profile_of_tls_is_there(statement: str) -> None:
    profiles = re.findall(r"^\| `(\w+)`: ", section(statement, "5.1"), re.M)

    assert profiles == list(SUITES)


def test_every_rejection_is_there(statement: str) -> None:
    text = section(statement, "2.2")

    for code, reason in (
        ("1 / 1 / 3", "bound to no site"), ("1 / 1 / 3", "another site than the certificate"),
        ("1 / 1 / 3", "LYSBRO_DICOM_CHECK_HOST"), ("1 / 1 / 7", "called AE title is not ours"),
        ("2 / 3 / 1", "LYSBRO_DICOM_CONGESTION_SPOOL_PERCENT"), ("2 / 3 / 2", "in all or of this"),
    ):  # fmt: skip
        assert any(reason in line and code in line for line in text.splitlines()), reason
