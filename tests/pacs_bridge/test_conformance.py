"""The conformance statement says what the code does: lists, statuses, keys and defaults."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

from casework.commitment import Failure
from casework.model import AePermission, ApplicationEntity, SiteKind
from casework.token_scopes import MEANS
from lysbro.settings import Settings
from pacs_bridge import performed, status
from pacs_bridge.commitment import MAX_REFERENCES
from pacs_bridge.commitment_service import REQUEST_STATUSES
from pacs_bridge.commitment_user import REPORT_STATUSES, SAME_ASSOCIATION_S
from pacs_bridge.compress import FORMS
from pacs_bridge.hl7_answers import CONDITIONS
from pacs_bridge.items import Role
from pacs_bridge.negotiation import ACCEPTED, Proposed, negotiate
from pacs_bridge.retrieve import REFUSALS
from pacs_bridge.retrieve_keys import LEVELS
from pacs_bridge.service import BridgeSettings
from pacs_bridge.syntaxes import (
    COMMITMENT,
    COMMITMENT_INSTANCE,
    EXPLICIT_LE,
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
from viewer.dicomweb import stow_result
from viewer.dicomweb.qido_keys import DEFAULT_LIMIT, MOST

ROOT = Path(__file__).resolve().parents[2]
NUMBER = r"\d+(?:\.\d+)*"
NUMBERS = rf"{NUMBER}(?:(?:,| and|, and)\s{NUMBER})*"


@pytest.fixture(scope="module")
def statement() -> str:
    return (ROOT / "docs" / "conformance.md").read_text("utf-8")


def section(statement: str, number: str) -> str:
    """Return the text under a heading of this number."""
    found = re.search(rf"^#+ {re.escape(number)}\.? .*?(?=^#+ )", statement + "\n# ", re.M | re.S)
    assert found is not None
    return found[0]


def headings(statement: str) -> list[tuple[tuple[int, ...], int, str]]:
    """Return number, depth and title of each section, in their order."""
    found = re.findall(r"^(##+) (\d+(?:\.\d+)*)\.? (.+)$", statement, re.M)
    return [(tuple(map(int, n.split("."))), len(depth) - 1, title) for depth, n, title in found]


def services(statement: str) -> list[tuple[str, list[str]]]:
    """Return each service of the overview with the numbers of its sections."""
    rows = re.findall(r"^\| (.+?) \|.*\| ([\d., ]+) \|$", section(statement, "1"), re.M)
    return [(name, numbers.split(", ")) for name, numbers in rows]


def shown_by(text: str) -> list[str]:
    """Return the test files that a section names."""
    named = re.findall(r"^Shown by: (.+?)(?:\n\n|\Z)", text.rstrip() + "\n\n", re.M | re.S)
    return re.findall(r"tests/[\w/]+\.py", " ".join(named))


def accepted(uid: str, permissions: Iterable[AePermission], *, as_provider: bool = False) -> bool:
    """Tell whether a context of a class is accepted of a caller with these permissions."""
    who = ApplicationEntity("A", "s", SiteKind.HOSPITAL, permissions=frozenset(permissions))
    (answer,) = negotiate(
        [Proposed(1, uid, (EXPLICIT_LE,))],
        who,
        service_classes={},
        private_classes=False,
        roles=[Role(uid, scu=False, scp=True)] if as_provider else [],
    )
    return answer.result == ACCEPTED


def test_sections_are_numbered_in_their_order_and_listed(statement: str) -> None:
    found = headings(statement)
    contents = " ".join(section(statement, "2").split())

    before: tuple[int, ...] = ()
    for number, depth, title in found:
        assert depth == len(number), title
        assert number in that_may_follow(before), title
        assert f"{'.'.join(map(str, number))} {title}" in contents
        before = number
    assert len(re.findall(rf"\b{NUMBER} (?=[A-Z])", contents)) == len(found)


def that_may_follow(number: tuple[int, ...]) -> set[tuple[int, ...]]:
    """Return the first section within one, and the next beside it or what holds it."""
    beside = {(*number[:n], number[n] + 1) for n in range(len(number))}
    return beside | {(*number, 1)}


def test_every_reference_to_a_section_leads_to_one(statement: str) -> None:
    numbers = {".".join(map(str, number)) for number, *_ in headings(statement)}
    inside = re.findall(rf"(PS3\.\d+\s|RFC \d+\s)?\bsections?\s({NUMBERS})", statement, re.I)
    told = {n for elsewhere, few in inside if not elsewhere for n in re.findall(NUMBER, few)}
    told |= {number for _, sections in services(statement) for number in sections}
    for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        text = path.read_text("utf-8")
        told |= set(re.findall(rf"docs/conformance\.md`,?\ssection\s({NUMBER})", text))
        told |= set(re.findall(rf"section\s({NUMBER})\sof\s`docs/conformance\.md`", text))

    assert len(told) > 30
    assert told - numbers == set()


def test_every_service_names_the_tests_that_show_it(statement: str) -> None:
    told = services(statement)
    assert len(told) == 18
    for name, numbers in told:
        for number in numbers:
            assert shown_by(section(statement, number)), f"{name}: {number}"


def test_tests_that_are_named_are_there(statement: str) -> None:
    named = set(shown_by(statement))
    assert len(named) > 60
    for name in named:
        path = ROOT / name
        assert path.is_file(), name
        assert re.search(r"^ *(async )?def test_", path.read_text("utf-8"), re.M), name
    assert statement.count("Shown by") == len(re.findall(r"^Shown by: tests/", statement, re.M))


def test_every_class_that_is_accepted_is_there_with_who_may(statement: str) -> None:
    text = section(statement, "4.2.1")
    rows = dict(re.findall(r"^\| .+ \| ([\d.]+) \| .*\| (.+) \|$", text, re.M))
    classes = [uid for uid, entry in UID_dictionary.items() if "SOP Class" in entry[1]]
    taken = {uid for uid in classes if accepted(uid, AePermission)}

    assert taken - set(STORAGE_CLASSES) == set(rows)
    for uid, told in rows.items():
        may = {permission.value for permission in AePermission if accepted(uid, {permission})}
        assert accepted(uid, ()) == (told == "none")
        assert told == "none" or may == set(re.findall(r"`(\w+)`", told)), uid
        assert accepted(uid, (), as_provider=True) == (told == "none" or told.endswith("any")), uid


def test_every_parameter_has_the_default_of_its_setting(statement: str) -> None:
    told = {}
    for names, values in re.findall(
        r"^\| (`LYSBRO_.+) \| (.+) \|$", section(statement, "4.4.2"), re.M
    ):
        settings = [name.lower() for name in re.findall(r"`LYSBRO_(\w+)`", names)]
        shown = [value.split()[0] for value in values.split(", ")]
        shown = shown * len(settings) if len(shown) == 1 else shown
        told |= dict(zip(settings, shown, strict=True))

    fields = Settings.model_fields
    for name, shown_value in told.items():
        assert shown_value in _as_shown(fields[name].default), name
    of_the_wire = ("dicom_", "retrieve_", "hl7_", "stow_")
    assert {name for name in fields if name.startswith(of_the_wire)} - set(told) == set()


def _as_shown(value: object) -> set[str]:
    """Return how a default may stand in the table."""
    if value is None or value is False or value in (0, ()):
        return {"off", "none"}
    if isinstance(value, float) and value == int(value):
        return {str(int(value))}
    return {"on"} if value is True else {str(value)}


def test_lists_are_complete_and_hold_nothing_else(statement: str) -> None:
    def listed(number: str) -> set[str]:
        return set(re.findall(r"\| ([\d.]+) \|$", section(statement, number), re.M))

    assert listed("9.1") == set(STORAGE_CLASSES) | set(KNOWN_PRIVATE_CLASSES)
    assert listed("9.2") == TRANSFER_SYNTAXES
    assert PERFORMED_STEP in section(statement, "4.2.16")


def test_every_status_that_can_be_answered_is_there(statement: str) -> None:
    stored = {status.SUCCESS, status.KEPT_WITH_WARNING, status.BROKEN}
    stored |= {status.UNRECOGNISED_OPERATION, *status.INVALID_CODES.values()}
    stored |= {code for _, code in status.TABLE}
    found = {status.PENDING, status.PENDING_WARNING, status.SUCCESS, status.CANCELLED}
    found |= {status.LIMIT_REACHED, status.OUT_OF_RESOURCES, status.DOES_NOT_MATCH, status.BROKEN}

    told = {status.SUCCESS, status.OUT_OF_RESOURCES, status.BROKEN, *performed._CODES.values()}

    retrieved = {status.PENDING, status.SUCCESS, status.SOME_FAILED, status.CANCELLED}
    retrieved |= {status.NONE_SENT, status.DOES_NOT_MATCH, status.BROKEN, *REFUSALS.values()}

    assert statuses(section(statement, "4.2.11")) == {f"{code:04X}" for code in retrieved}
    assert statuses(section(statement, "4.2.16")) == {f"{code:04X}" for code in told}
    assert statuses(section(statement, "4.2.7")) == {f"{code:04X}" for code in stored}
    assert statuses(section(statement, "4.2.9")) == {f"{code:04X}" for code in found}


def test_the_worklist_is_told_as_it_is(statement: str) -> None:
    text = section(statement, "4.2.15")
    found = {status.PENDING, status.PENDING_WARNING, status.SUCCESS, status.CANCELLED}
    found |= {status.LIMIT_REACHED, status.OUT_OF_RESOURCES, status.DOES_NOT_MATCH, status.BROKEN}

    assert statuses(text) == {f"{code:04X}" for code in found}
    keys = {*MATCHED, *STEP_MATCHED, *TYPE_1[:-1], *STEP_TYPE_1}
    assert {key for key in keys if key not in text} == set()
    assert MODALITY_WORKLIST in text
    assert f"`LYSBRO_WORKLIST_DAYS` ({BridgeSettings().worklist_days})" in text


def test_commitment_is_told_as_it_is(statement: str) -> None:
    text = section(statement, "4.2.13")
    of_requests, of_reports = text.split("**What counts as success.**")

    assert statuses(of_requests) == {f"{code:04X}" for code in REQUEST_STATUSES}
    assert statuses(of_reports) == {f"{code:04X}" for code in Failure}
    assert f"{MAX_REFERENCES:,}" in text
    assert f"{MAX_OPEN} open transactions" in text
    assert {uid for uid in (COMMITMENT, COMMITMENT_INSTANCE) if uid not in text} == set()


def test_commitment_as_user_is_told_as_it_is(statement: str) -> None:
    text = section(statement, "4.2.14")

    assert statuses(text) == {f"{code:04X}" for code in REPORT_STATUSES}
    assert f"{MOST_REFERENCES:,} instances" in text
    assert f"for {SAME_ASSOCIATION_S:.0f} seconds" in text


def test_every_form_that_a_destination_may_prefer_is_there(statement: str) -> None:
    listed = re.findall(r"^\| `([a-z0-9-]+)` \| ([\d.]+) \|", section(statement, "4.2.8"), re.M)

    assert dict(listed) == FORMS


def statuses(text: str) -> set[str]:
    return set(re.findall(r"^\| ([0-9A-F]{4}) \|", text, re.M))


def test_every_key_that_is_matched_is_there(statement: str) -> None:
    text = section(statement, "4.2.9")
    keys = {key for columns in COLUMNS.values() for key in columns if " " not in key}
    keys |= set(OF_PARTS)
    keys |= ANSWERED_ONLY - {"QueryRetrieveLevel", "SpecificCharacterSet", "TimezoneOffsetFromUTC"}
    keys |= _KEPT["SERIES"] - {"SpecificCharacterSet", "TimezoneOffsetFromUTC"}
    keys -= {"ReasonForTheRequestedProcedure", "PerformedProcedureStepStartTime"}  # in words

    assert {key for key in keys if key not in text} == set()
    assert {uid for uid in FIND_CLASSES if uid not in text} == set()


def test_every_retrieve_class_is_there_with_its_levels(statement: str) -> None:
    listed = re.findall(r"\| ([\d.]+) \| ([A-Z, ]+) \|$", section(statement, "4.2.11"), re.M)

    assert {uid: tuple(levels.split(", ")) for uid, levels in listed} == LEVELS
    assert set(LEVELS) == RETRIEVE_CLASSES
    assert f"{MAX_SUB_OPERATIONS:,} instances" in section(statement, "4.2.11")


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
    profiles = re.findall(r"^\| `(\w+)`: ", section(statement, "8.1"), re.M)

    assert profiles == list(SUITES)


def test_answers_over_the_web_and_to_hl7_are_told_as_they_are(statement: str) -> None:
    reasons = {stow_result.OUT_OF_RESOURCES, stow_result.DOES_NOT_MATCH, stow_result.NOT_UNDERSTOOD}
    reasons |= {stow_result.SYNTAX_NOT_SUPPORTED, stow_result.OTHER_STUDY}
    reasons |= {stow_result.CLASS_IN_DOUBT, stow_result.IN_QUARANTINE}
    rows = re.findall(r"^\| A[AER] \| ([\d, ]*)\|", section(statement, "9.9"), re.M)

    assert statuses(section(statement, "5.4")) == {f"{code:04X}" for code in reasons}
    assert set(re.findall(r"\d+", " ".join(rows))) == {
        str(code) for code in set(CONDITIONS) - {100}
    }
    assert (
        f"| {DEFAULT_LIMIT} and 0 when they are not there; {MOST:,} matches at most |" in statement
    )
    scopes = {scope for scope in MEANS if scope.startswith(("dicomweb", "workitems"))}
    assert {scope for scope in scopes if f"`{scope}`" not in section(statement, "5.1")} == set()


def test_every_rejection_is_there(statement: str) -> None:
    text = section(statement, "4.2.4")

    for code, reason in (
        ("1 / 1 / 3", "bound to no site"), ("1 / 1 / 3", "another site than the certificate"),
        ("1 / 1 / 3", "LYSBRO_DICOM_CHECK_HOST"), ("1 / 1 / 7", "called AE title is not ours"),
        ("2 / 3 / 1", "LYSBRO_DICOM_CONGESTION_SPOOL_PERCENT"), ("2 / 3 / 2", "in all or of this"),
    ):  # fmt: skip
        assert any(reason in line and code in line for line in text.splitlines()), reason
