"""What pynetdicom proposes besides contexts: windows, roles, identities, related classes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from pydicom import dcmread
from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import (
    AsynchronousOperationsWindowNegotiation,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import build_role

from casework.access import Scope
from pacs_bridge.syntaxes import EXPLICIT_LE, STORAGE_SERVICE, STUDY_ROOT_FIND, VERIFICATION
from tests.pacs_bridge.conftest import House
from tests.pacs_bridge.making import CT, ct, part10

ALL = Scope(sites=None, specialties=None, own_site="")
PRIVATE = "1.2.826.0.1.3680043.9.9999.1"


@contextmanager
def associated(
    house: House, *items: Any, classes: tuple[str, ...] = (VERIFICATION,)
) -> Iterator[Association]:
    entity = AE(ae_title="HAMMER_CT")
    for sop_class in classes:
        entity.add_requested_context(sop_class, EXPLICIT_LE)
    association = entity.associate("127.0.0.1", house.port, ae_title="LYSBRO", ext_neg=list(items))
    try:
        yield association
    finally:
        association.release() if association.is_established else association.abort()


def test_asynchronous_operations_are_answered_with_one(house: House) -> None:
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = 8
    window.maximum_number_operations_performed = 8

    with associated(house, window) as association:
        assert association.acceptor.asynchronous_operations == (1, 1)
        assert association.send_c_echo().Status == 0x0000


def test_identity_is_neither_needed_nor_answered(house: House) -> None:
    identity = UserIdentityNegotiation()
    identity.user_identity_type = 2
    identity.primary_field, identity.secondary_field = b"kari", b"secret"
    identity.positive_response_requested = True

    with associated(house, identity) as association:
        assert association.is_established
        assert association.acceptor.user_identity is None


def test_query_options_are_negotiated_beside_roles(house: House) -> None:
    relational = SOPClassExtendedNegotiation()
    relational.sop_class_uid = UID(STUDY_ROOT_FIND)
    relational.service_class_application_information = b"\x01\x01\x01\x01\x01"
    role = build_role(CT, scu_role=True, scp_role=True)

    with associated(house, relational, role, classes=(STUDY_ROOT_FIND, CT)) as association:
        assert len(association.accepted_contexts) == 2
        assert association.acceptor.role_selection == {}
        told = association.acceptor.sop_class_extended
        assert told == {STUDY_ROOT_FIND: b"\1\1\1\0\0"}


def test_private_class_that_is_declared_as_storage_is_kept(house: House) -> None:
    declared = SOPClassCommonExtendedNegotiation()
    declared.sop_class_uid = UID(PRIVATE)
    declared.service_class_uid = UID(STORAGE_SERVICE)
    ds = dcmread(BytesIO(part10(ct("1.2.3.1", SOPClassUID=PRIVATE))))

    with associated(house, classes=(VERIFICATION, PRIVATE)) as association:
        assert [c.abstract_syntax for c in association.accepted_contexts] == [VERIFICATION]
    with associated(house, declared, classes=(PRIVATE,)) as association:
        assert association.send_c_store(ds).Status == 0x0000

    house.archive.settle()
    assert house.index.instance(ALL, "1.2.3.1").sop_class_uid == PRIVATE
