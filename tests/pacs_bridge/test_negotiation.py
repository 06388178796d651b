"""Which classes and transfer syntaxes are accepted, and for whom."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from pynetdicom.sop_class import _STORAGE_CLASSES

from casework.model import AePermission, ApplicationEntity, SiteKind
from pacs_bridge.negotiation import Context, Proposed, negotiate
from pacs_bridge.syntaxes import (
    COMMITMENT,
    ENCAPSULATED,
    EXPLICIT_LE,
    IMPLICIT_LE,
    KNOWN_PRIVATE_CLASSES,
    PATIENT_ROOT_FIND,
    STORAGE_CLASSES,
    STORAGE_SERVICE,
    STUDY_ROOT_FIND,
    TRANSFER_SYNTAXES,
    VERIFICATION,
    choose_for_messages,
    choose_for_storage,
    is_storage_class,
    syntax_name,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
J2K = "1.2.840.10008.1.2.4.90"
JPEG = "1.2.840.10008.1.2.4.50"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG = "1.2.840.10008.1.2.2"


def entity(*permissions: AePermission) -> ApplicationEntity:
    return ApplicationEntity("A", "s", SiteKind.HOSPITAL, permissions=frozenset(permissions))


def answers(who: ApplicationEntity, *proposed: tuple[str, tuple[str, ...]]) -> list[Context]:
    contexts = [Proposed(2 * n + 1, uid, syntaxes) for n, (uid, syntaxes) in enumerate(proposed)]
    return list(negotiate(contexts, who, service_classes={}, private_classes=True))


@pytest.mark.parametrize(
    ("permissions", "results"),
    [
        ((), [0, 1, 1, 1, 1]),
        ((AePermission.STORE,), [0, 0, 1, 1, 1]),
        ((AePermission.QUERY,), [0, 1, 0, 0, 1]),
        ((AePermission.STORE, AePermission.QUERY), [0, 0, 0, 0, 1]),
        ((AePermission.COMMIT,), [0, 1, 1, 1, 0]),
        ((AePermission.RETRIEVE, AePermission.REPLY), [0, 1, 1, 1, 1]),
    ],
)
def test_contexts_are_accepted_as_permissions_say(
    permissions: tuple[AePermission, ...], results: list[int]
) -> None:
    classes = (VERIFICATION, CT, PATIENT_ROOT_FIND, STUDY_ROOT_FIND, COMMITMENT)

    found = answers(entity(*permissions), *((uid, (IMPLICIT_LE,)) for uid in classes))

    assert [context.result for context in found] == results


def test_refusals_say_whether_class_or_transfer_syntax_is_at_fault() -> None:
    found = answers(
        entity(AePermission.STORE, AePermission.QUERY),
        ("1.2.840.10008.5.1.4.1.2.2.2", (IMPLICIT_LE,)),  # C-MOVE
        (CT, ("1.2.840.10008.1.2.4.94",)),  # JPIP refers to pixels elsewhere
        (STUDY_ROOT_FIND, (DEFLATED,)),
        (CT, (J2K, IMPLICIT_LE)),
    )

    assert [(c.id, c.result, c.transfer_syntax) for c in found] == [
        (1, 3, IMPLICIT_LE),
        (3, 4, "1.2.840.10008.1.2.4.94"),
        (5, 4, DEFLATED),
        (7, 0, J2K),
    ]


@pytest.mark.parametrize(
    ("proposed", "chosen"),
    [
        ((J2K, EXPLICIT_LE, IMPLICIT_LE), J2K),
        ((EXPLICIT_LE, JPEG), EXPLICIT_LE),
        ((IMPLICIT_LE, EXPLICIT_LE), EXPLICIT_LE),
        ((BIG, DEFLATED, IMPLICIT_LE), IMPLICIT_LE),
        ((BIG, DEFLATED), DEFLATED),
        ((BIG,), BIG),
        (("1.2.3.4", J2K), J2K),
        (("1.2.3.4", J2K, IMPLICIT_LE), IMPLICIT_LE),
        (("1.2.3.4",), None),
        ((), None),
    ],
)
def test_storage_takes_what_comes_first_when_compressed_else_the_best_uncompressed(
    proposed: tuple[str, ...], chosen: str | None
) -> None:
    assert choose_for_storage(proposed) == chosen


def test_messages_are_little_endian_and_never_deflated() -> None:
    assert choose_for_messages((DEFLATED, IMPLICIT_LE, EXPLICIT_LE)) == EXPLICIT_LE
    assert choose_for_messages((DEFLATED, BIG)) is None


def test_every_storage_class_of_patients_is_taken_retired_ones_too() -> None:
    assert set(_STORAGE_CLASSES.values()) <= set(STORAGE_CLASSES)
    assert len(STORAGE_CLASSES) > 190
    assert "1.2.840.10008.5.1.4.1.1.6" in STORAGE_CLASSES  # retired ultrasound
    assert "1.2.840.10008.5.1.4.1.1.200.1" not in STORAGE_CLASSES  # a protocol, of no patient


@pytest.mark.parametrize(
    ("uid", "said", "private", "taken"),
    [
        (CT, {}, False, True),
        ("1.3.12.2.1107.5.9.1", {}, True, True),
        ("1.3.12.2.1107.5.9.1", {}, False, False),
        ("1.2.840.10008.5.1.4.1.1.999", {}, True, True),  # a class of a later standard
        ("1.2.840.10008.5.1.4.1.1.999", {}, False, False),
        ("1.2.3.4", {}, True, False),
        ("1.2.3.4", {"1.2.3.4": STORAGE_SERVICE}, True, True),
        ("1.2.3.4", {"1.2.3.4": STORAGE_SERVICE}, False, False),
        ("1.2.3.4", {"1.2.3.4": "1.2.840.10008.4.1"}, True, False),
        ("1.2.840.10008.1.3.10", {}, True, False),  # DICOMDIR
        ("1.2.840.10008.5.1.4.38.1", {}, True, False),  # hanging protocol: of no patient
        ("1.2.840.10008.5.1.4.1.1.201.1", {}, True, False),  # inventory: of no patient
    ],
)
def test_storage_class_is_taken_when_listed_or_said_to_be_one(
    uid: str, said: dict[str, str], private: bool, taken: bool
) -> None:
    assert is_storage_class(uid, service_classes=said, private_classes=private) is taken


def test_names_are_there_for_everything_listed() -> None:
    assert all(syntax_name(uid) != uid for uid in TRANSFER_SYNTAXES)
    assert all(ENCAPSULATED.values())
    assert all(name for name in (*STORAGE_CLASSES.values(), *KNOWN_PRIVATE_CLASSES.values()))


@pytest.mark.fixtures
def test_every_transfer_syntax_of_the_collection_is_taken(fixtures_dir: Path) -> None:
    with (fixtures_dir / "MANIFEST.tsv").open(encoding="utf-8") as manifest:
        rows = list(csv.DictReader(manifest, delimiter="\t"))
    met = {row["transfer_syntax"].split(" ")[0] for row in rows if row["sop_class_uid"]}

    assert {uid for uid in met if uid.startswith("1.2.")} <= TRANSFER_SYNTAXES
