"""Which classes and transfer syntaxes are accepted, and for whom."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from pynetdicom.sop_class import _STORAGE_CLASSES

from casework.model import AePermission, ApplicationEntity, SiteKind
from pacs_bridge.items import CommonExtended, Extended, Role, UserIdentity, UserInformation
from pacs_bridge.negotiation import (
    ACCEPTED,
    Context,
    FindOptions,
    Proposed,
    answer_items,
    find_options,
    negotiate,
    relational_classes,
)
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
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    TRANSFER_SYNTAXES,
    VERIFICATION,
    choose_for_messages,
    choose_for_retrieval,
    choose_for_storage,
    is_storage_class,
    syntax_name,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
J2K = "1.2.840.10008.1.2.4.90"
JPEG = "1.2.840.10008.1.2.4.50"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG = "1.2.840.10008.1.2.2"
MPEG4 = "1.2.840.10008.1.2.4.102"
VIDEO = "1.2.840.10008.5.1.4.1.1.77.1.4.1"
P = AePermission


def entity(*permissions: AePermission) -> ApplicationEntity:
    return ApplicationEntity("A", "s", SiteKind.HOSPITAL, permissions=frozenset(permissions))


def answers(who: ApplicationEntity, *proposed: tuple[str, tuple[str, ...]]) -> list[Context]:
    contexts = [Proposed(2 * n + 1, uid, syntaxes) for n, (uid, syntaxes) in enumerate(proposed)]
    return list(negotiate(contexts, who, service_classes={}, private_classes=True))


@pytest.mark.parametrize(
    ("permissions", "results"),
    [
        ((), [0, 1, 1, 1, 1, 1, 1]),
        ((AePermission.STORE,), [0, 0, 1, 1, 1, 1, 1]),
        ((AePermission.QUERY,), [0, 1, 0, 0, 1, 1, 1]),
        ((AePermission.STORE, AePermission.QUERY), [0, 0, 0, 0, 1, 1, 1]),
        ((AePermission.COMMIT,), [0, 1, 1, 1, 0, 1, 1]),
        ((AePermission.RETRIEVE, AePermission.REPLY), [0, 1, 1, 1, 1, 0, 0]),
    ],
)
def test_contexts_are_accepted_as_permissions_say(
    permissions: tuple[AePermission, ...], results: list[int]
) -> None:
    classes = (
        VERIFICATION, CT, PATIENT_ROOT_FIND, STUDY_ROOT_FIND, COMMITMENT, STUDY_ROOT_MOVE,
        STUDY_ROOT_GET,
    )  # fmt: skip

    found = answers(entity(*permissions), *((uid, (IMPLICIT_LE,)) for uid in classes))

    assert [context.result for context in found] == results


def test_refusals_say_whether_class_or_transfer_syntax_is_at_fault() -> None:
    found = answers(
        entity(AePermission.STORE, AePermission.QUERY),
        ("1.2.840.10008.5.1.4.1.2.3.1", (IMPLICIT_LE,)),  # patient/study only, retired
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


@pytest.mark.parametrize(
    ("permissions", "role", "proposes_get", "result", "scu", "scp", "syntax"),
    [
        ({P.STORE, P.RETRIEVE}, None, True, 0, True, False, J2K),
        ({P.STORE, P.RETRIEVE}, (False, True), True, 0, False, True, IMPLICIT_LE),
        ({P.STORE, P.RETRIEVE}, (True, True), True, 0, True, True, IMPLICIT_LE),
        ({P.RETRIEVE}, (True, True), True, 0, False, True, IMPLICIT_LE),
        ({P.RETRIEVE}, (False, True), True, 0, False, True, IMPLICIT_LE),
        ({P.RETRIEVE}, None, True, 1, True, False, J2K),
        ({P.RETRIEVE}, (False, True), False, 1, True, False, J2K),  # without C-GET
        ({P.STORE}, (False, True), True, 0, True, False, J2K),  # may not retrieve
        ({P.QUERY}, (False, True), True, 1, True, False, J2K),
    ],
)
def test_storage_context_is_for_storing_or_for_being_stored_to(
    permissions: set[AePermission],
    role: tuple[bool, bool] | None,
    proposes_get: bool,
    result: int,
    scu: bool,
    scp: bool,
    syntax: str,
) -> None:
    contexts = [Proposed(1, CT, (J2K, IMPLICIT_LE))]
    contexts += [Proposed(3, STUDY_ROOT_GET, (IMPLICIT_LE,))] * proposes_get

    found, *_ = negotiate(
        contexts,
        entity(*permissions),
        service_classes={},
        private_classes=True,
        roles=() if role is None else (Role(CT, *role),),
    )

    assert found == Context(1, CT, result, syntax, scu, scp)
    if result == 0 and role is not None:
        told = answer_items(
            UserInformation(roles=(Role(CT, *role),)), [found], max_pdu=131072
        ).roles
        assert told == (Role(CT, scu=role[0] and scu, scp=role[1] and scp),)


@pytest.mark.parametrize(
    ("sop_class", "proposed", "chosen"),
    [
        (CT, (J2K, EXPLICIT_LE, IMPLICIT_LE), EXPLICIT_LE),
        (CT, (J2K,), J2K),
        (CT, (BIG, J2K), BIG),
        (CT, ("1.2.3",), None),
        (VIDEO, (EXPLICIT_LE, MPEG4), MPEG4),
        (VIDEO, (EXPLICIT_LE,), EXPLICIT_LE),
    ],
)
def test_context_to_store_over_takes_whatever_can_be_decoded(
    sop_class: str, proposed: tuple[str, ...], chosen: str | None
) -> None:
    assert choose_for_retrieval(sop_class, proposed) == chosen


@pytest.mark.parametrize(
    ("asked", "told"),
    [(b"", b""), (b"\1", b"\1"), (b"\0\1", b"\0\0"), (b"\1\1", b"\1\0"), (b"\1\1\1", b"\1\0")],
)
def test_retrieval_is_relational_as_asked_and_converts_nothing(asked: bytes, told: bytes) -> None:
    item = Extended(STUDY_ROOT_GET, asked)
    accepted = [Context(1, STUDY_ROOT_GET, ACCEPTED, IMPLICIT_LE)]

    answer = answer_items(UserInformation(extended=(item,)), accepted, max_pdu=131072)

    assert answer.extended == (Extended(STUDY_ROOT_GET, told),)
    assert relational_classes((item,)) == (
        frozenset({STUDY_ROOT_GET}) if asked[:1] == b"\1" else frozenset()
    )


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


ACCEPTED_CLASSES = (
    Context(1, VERIFICATION, ACCEPTED, IMPLICIT_LE),
    Context(3, CT, ACCEPTED, IMPLICIT_LE),
    Context(5, STUDY_ROOT_FIND, ACCEPTED, IMPLICIT_LE),
)


def answered(asked: UserInformation) -> UserInformation:
    return answer_items(asked, ACCEPTED_CLASSES, max_pdu=131072)


def test_request_that_asks_for_nothing_is_told_length_and_implementation_alone() -> None:
    told = answered(UserInformation(maximum_length=16384, implementation_class_uid="1.2.3"))

    assert told.maximum_length == 131072
    assert told.implementation_class_uid
    assert len(told.implementation_version) <= 16
    assert told == UserInformation(
        maximum_length=told.maximum_length,
        implementation_class_uid=told.implementation_class_uid,
        implementation_version=told.implementation_version,
    )


@pytest.mark.parametrize("window", [(1, 1), (0, 0), (8, 8), (65535, 2)])
def test_any_window_is_answered_with_one_operation(window: tuple[int, int]) -> None:
    assert answered(UserInformation(window=window)).window == (1, 1)


@pytest.mark.parametrize("scu", [True, False])
@pytest.mark.parametrize("scp", [True, False])
def test_requestor_may_be_scu_and_never_scp_of_what_was_accepted(scu: bool, scp: bool) -> None:
    asked = (Role(CT, scu=scu, scp=scp), Role("1.2.840.10008.5.1.4.1.1.4", scu=scu, scp=scp))

    assert answered(UserInformation(roles=asked)).roles == (Role(CT, scu=scu, scp=False),)


@pytest.mark.parametrize(
    ("offered", "told"),
    [
        (b"", b""),
        (b"\0", b"\2"),
        (b"\0\0\0", b"\2\0\3"),
        (b"\0\0\0\0\0\0", b"\2\0\3\0\0\0"),
        (bytes(40), b"\2\0\3\0\0\0"),
    ],
)
def test_level_of_storage_is_told_no_longer_than_it_was_asked(offered: bytes, told: bytes) -> None:
    asked = UserInformation(extended=(Extended(CT, offered),))

    assert answered(asked).extended == (Extended(CT, told),)


@pytest.mark.parametrize(
    ("offered", "told", "options"),
    [
        (b"\1", b"\1", FindOptions(relational=True)),
        (b"\0", b"\0", FindOptions()),
        (b"\2\1", b"\0\1", FindOptions(combined=True)),
        (b"\0\1\1\1\1", b"\0\1\1\0\0", FindOptions(combined=True, fuzzy=True)),
        (
            b"\1\1\1\1\1\1\1",
            b"\1\1\1\0\0\1\1",
            FindOptions(relational=True, combined=True, fuzzy=True, empty_values=True),
        ),
        (b"\1" * 40, b"\1\1\1\0\0\1\1", FindOptions(True, True, True, True)),
    ],
)
def test_options_of_queries_are_accepted_or_turned_down_no_longer_than_they_were_offered(
    offered: bytes, told: bytes, options: FindOptions
) -> None:
    asked = UserInformation(extended=(Extended(STUDY_ROOT_FIND, offered),))

    assert answered(asked).extended == (Extended(STUDY_ROOT_FIND, told),)
    assert find_options(asked.extended) == {STUDY_ROOT_FIND: options}


@pytest.mark.parametrize(
    "sop_class", [VERIFICATION, PATIENT_ROOT_FIND, "1.2.840.10008.5.1.4.1.1.4", "1.2.3"]
)
def test_extended_negotiation_of_what_is_not_accepted_storage_is_unanswered(
    sop_class: str,
) -> None:
    assert answered(UserInformation(extended=(Extended(sop_class, bytes(6)),))).extended == ()


def test_related_classes_and_identities_are_unanswered() -> None:
    asked = UserInformation(
        common_extended=(CommonExtended(CT, STORAGE_SERVICE, ("1.2.3",)),),
        identity=UserIdentity(2, True, b"kari", b"secret"),
        identity_response=b"we are the acceptor",
    )

    told = answered(asked)

    assert (told.common_extended, told.identity, told.identity_response) == ((), None, None)


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
