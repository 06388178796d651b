"""PDUs to draw in property tests, and what pynetdicom makes of the same values and bytes."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from pydicom.uid import UID
from pynetdicom import pdu as their_pdu
from pynetdicom import pdu_items as items
from pynetdicom import pdu_primitives as primitives
from pynetdicom.presentation import PresentationContext, build_context

from pacs_bridge import pdu
from pacs_bridge.items import CommonExtended, Extended, Role, UserIdentity, UserInformation
from pacs_bridge.negotiation import Proposed

_part = st.integers(0, 10**9).map(str)
uids = st.lists(_part, min_size=1, max_size=5).map(lambda parts: ".".join(["1", "2", *parts]))
titles = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"),
                 min_size=1, max_size=16)  # fmt: skip
short = st.integers(0, 0xFFFF)
roles = st.builds(Role, uids, scu=st.booleans(), scp=st.booleans()).filter(
    lambda role: role.scu or role.scp  # pynetdicom sends no role of nothing
)
extended = st.builds(Extended, uids, st.binary(min_size=1, max_size=40))
common = st.builds(CommonExtended, uids, uids, st.lists(uids, max_size=4, unique=True).map(tuple))
_some = st.binary(min_size=1, max_size=300)  # pynetdicom reads a primary field of no bytes wrongly
identities = st.one_of(
    st.builds(UserIdentity, st.just(2), st.booleans(), _some, _some),
    st.builds(UserIdentity, st.sampled_from((1, 3, 4, 5)), st.booleans(), _some),
)


def _few(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(strategy, max_size=3, unique_by=lambda item: item.sop_class_uid).map(tuple)


def user_information(
    *, identity: st.SearchStrategy[Any], response: st.SearchStrategy[Any], related: bool
) -> st.SearchStrategy[UserInformation]:
    return st.builds(
        UserInformation,
        maximum_length=st.integers(0, 0xFFFFFFFF),
        implementation_class_uid=uids,
        implementation_version=st.one_of(st.just(""), titles),
        window=st.one_of(st.none(), st.tuples(short, short)),
        roles=_few(roles),
        extended=_few(extended),
        common_extended=_few(common) if related else st.just(()),
        identity=identity,
        identity_response=response,
    )


proposed = st.builds(
    Proposed,
    st.integers(0, 127).map(lambda n: 2 * n + 1),
    uids,
    st.lists(uids, min_size=1, max_size=4, unique=True).map(tuple),
)
answered = st.builds(
    pdu.Answered, st.integers(0, 127).map(lambda n: 2 * n + 1), st.integers(0, 4), uids
)


def _of_one_number(contexts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(contexts, min_size=1, max_size=6, unique_by=lambda c: c.id).map(
        lambda found: tuple(sorted(found, key=lambda c: c.id))
    )


requests = st.builds(
    pdu.AssociateRequest,
    called=titles,
    calling=titles,
    proposed=_of_one_number(proposed),
    user=user_information(
        identity=st.one_of(st.none(), identities), response=st.none(), related=True
    ),
    application_context=uids,
)
acceptances = st.builds(
    pdu.AssociateAccept,
    called=titles,
    calling=titles,
    contexts=_of_one_number(answered),
    user=user_information(
        identity=st.none(),
        response=st.one_of(st.none(), st.binary(min_size=1, max_size=300)),
        related=False,
    ),
    application_context=uids,
)
rejections = st.sampled_from([  # PS3.8 table 9-21: those there are
    pdu.AssociateReject(result, source, reason)
    for result in (1, 2)
    for source, reasons in ((1, (1, 2, 3, 7)), (2, (1, 2)), (3, (1, 2)))
    for reason in reasons
])  # fmt: skip
aborts = st.one_of(
    st.just(pdu.Abort(0, 0)), st.builds(pdu.Abort, st.just(2), st.sampled_from((0, 1, 2, 4, 5, 6)))
)
pdus: st.SearchStrategy[pdu.Pdu] = st.one_of(
    requests,
    acceptances,
    rejections,
    aborts,
    st.just(pdu.ReleaseRequest()),
    st.just(pdu.ReleaseReply()),
)

SAMPLE_USER = UserInformation(
    maximum_length=16382,
    implementation_class_uid="1.2.3.4",
    implementation_version="SAMPLE_1",
    window=(3, 5),
    roles=(Role("1.2.840.10008.5.1.4.1.1.2", scu=True, scp=True),),
    extended=(Extended("1.2.840.10008.5.1.4.1.2.2.1", b"\x01\x00\x01"),),
    common_extended=(CommonExtended("1.2.3.1", "1.2.840.10008.4.2", ("1.2.3.2", "1.2.3.3")),),
    identity=UserIdentity(2, True, b"kari", b"secret"),
)
SAMPLES: tuple[pdu.Pdu, ...] = (
    pdu.AssociateRequest(
        "LYSBRO",
        "HAMMER_CT",
        (
            Proposed(1, "1.2.840.10008.1.1", ("1.2.840.10008.1.2",)),
            Proposed(3, "1.2.840.10008.5.1.4.1.1.2", ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")),
        ),
        SAMPLE_USER,
    ),
    pdu.AssociateAccept(
        "LYSBRO",
        "HAMMER_CT",
        (pdu.Answered(1, 0, "1.2.840.10008.1.2"), pdu.Answered(3, 4, "1.2.840.10008.1.2")),
        UserInformation(
            maximum_length=131072,
            implementation_class_uid="1.2.3.4",
            roles=(Role("1.2.840.10008.5.1.4.1.1.2", scu=True, scp=False),),
            identity_response=b"ticket",
        ),
    ),
    pdu.AssociateReject(2, 3, 2),
    pdu.ReleaseRequest(),
    pdu.ReleaseReply(),
    pdu.Abort(2, 6),
)


def encoded_by_theirs(value: pdu.Pdu) -> bytes:
    """Return the bytes that pynetdicom makes of the same values."""
    match value:
        case pdu.AssociateRequest():
            primitive = _associate(value)
            primitive.presentation_context_definition_list = [
                _their_proposed(context) for context in value.proposed
            ]
            return bytes(their_pdu.A_ASSOCIATE_RQ(primitive).encode())
        case pdu.AssociateAccept():
            primitive = _associate(value)
            primitive.presentation_context_definition_results_list = [
                _their_answered(context) for context in value.contexts
            ]
            return bytes(their_pdu.A_ASSOCIATE_AC(primitive).encode())
        case pdu.AssociateReject():
            rejection = their_pdu.A_ASSOCIATE_RJ()
            rejection.result, rejection.source = value.result, value.source
            rejection.reason_diagnostic = value.reason
            return bytes(rejection.encode())
        case pdu.ReleaseRequest():
            return bytes(their_pdu.A_RELEASE_RQ().encode())
        case pdu.ReleaseReply():
            return bytes(their_pdu.A_RELEASE_RP().encode())
        case pdu.Abort():
            abort = their_pdu.A_ABORT_RQ()
            abort.source, abort.reason_diagnostic = value.source, value.reason
            return bytes(abort.encode())


def decoded_by_theirs(encoded: bytes) -> pdu.Pdu:
    """Return the values that pynetdicom finds in bytes."""
    kind = {
        1: their_pdu.A_ASSOCIATE_RQ,
        2: their_pdu.A_ASSOCIATE_AC,
        3: their_pdu.A_ASSOCIATE_RJ,
        5: their_pdu.A_RELEASE_RQ,
        6: their_pdu.A_RELEASE_RP,
        7: their_pdu.A_ABORT_RQ,
    }[encoded[0]]
    found: Any = kind()
    found.decode(encoded)
    if encoded[0] == 1:
        return pdu.AssociateRequest(
            found.called_ae_title.strip(),
            found.calling_ae_title.strip(),
            tuple(
                Proposed(c.context_id, str(c.abstract_syntax), tuple(map(str, c.transfer_syntax)))
                for c in found.presentation_context
            ),
            _our_user(found.user_information),
            str(found.application_context_name),
            found.protocol_version,
        )
    if encoded[0] == 2:
        return pdu.AssociateAccept(
            found.reserved_aet.strip(),
            found.reserved_aec.strip(),
            tuple(
                pdu.Answered(c.context_id, c.result, str(c.transfer_syntax or ""))
                for c in found.presentation_context
            ),
            _our_user(found.user_information),
            str(found.application_context_name),
        )
    if encoded[0] == 3:
        return pdu.AssociateReject(found.result, found.source, found.reason_diagnostic)
    if encoded[0] == 7:
        return pdu.Abort(found.source, found.reason_diagnostic)
    return pdu.ReleaseRequest() if encoded[0] == 5 else pdu.ReleaseReply()


def _associate(value: pdu.AssociateRequest | pdu.AssociateAccept) -> primitives.A_ASSOCIATE:
    primitive = primitives.A_ASSOCIATE()
    primitive.application_context_name = UID(value.application_context)
    primitive.called_ae_title, primitive.calling_ae_title = value.called, value.calling
    primitive.user_information = list(_their_user(value.user))
    return primitive


def _their_proposed(context: Proposed) -> PresentationContext:
    theirs = build_context(UID(context.abstract_syntax), list(map(UID, context.transfer_syntaxes)))
    theirs.context_id = context.id
    return theirs


def _their_answered(context: pdu.Answered) -> PresentationContext:
    theirs = PresentationContext()
    theirs.context_id, theirs.result = context.id, context.result
    theirs.transfer_syntax = [UID(context.transfer_syntax)]
    return theirs


def _their_user(user: UserInformation) -> list[Any]:
    length = primitives.MaximumLengthNotification()
    length.maximum_length_received = user.maximum_length
    implementation = primitives.ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(user.implementation_class_uid)
    found: list[Any] = [length, implementation]
    if user.window is not None:
        window = primitives.AsynchronousOperationsWindowNegotiation()
        window.maximum_number_operations_invoked = user.window[0]
        window.maximum_number_operations_performed = user.window[1]
        found.append(window)
    for role in user.roles:
        selection = primitives.SCP_SCU_RoleSelectionNegotiation()
        selection.sop_class_uid = UID(role.sop_class_uid)
        selection.scu_role, selection.scp_role = role.scu, role.scp
        found.append(selection)
    if user.implementation_version:
        version = primitives.ImplementationVersionNameNotification()
        version.implementation_version_name = user.implementation_version
        found.append(version)
    for item in user.extended:
        negotiation = primitives.SOPClassExtendedNegotiation()
        negotiation.sop_class_uid = UID(item.sop_class_uid)
        negotiation.service_class_application_information = item.application_information
        found.append(negotiation)
    for each in user.common_extended:
        relation = primitives.SOPClassCommonExtendedNegotiation()
        relation.sop_class_uid = UID(each.sop_class_uid)
        relation.service_class_uid = UID(each.service_class_uid)
        relation.related_general_sop_class_identification = list(map(UID, each.related_class_uids))
        found.append(relation)
    if user.identity is not None:
        identity = primitives.UserIdentityNegotiation()
        identity.user_identity_type = user.identity.kind
        identity.positive_response_requested = user.identity.wants_response
        identity.primary_field = user.identity.primary
        identity.secondary_field = user.identity.secondary
        found.append(identity)
    if user.identity_response is not None:
        response = primitives.UserIdentityNegotiation()
        response.server_response = user.identity_response
        found.append(response)
    return found


def _our_user(theirs: items.UserInformationItem) -> UserInformation:
    values: dict[str, Any] = {"roles": (), "extended": (), "common_extended": ()}
    for item in theirs.user_data:
        match item:
            case items.MaximumLengthSubItem():
                values["maximum_length"] = item.maximum_length_received
            case items.ImplementationClassUIDSubItem():
                values["implementation_class_uid"] = str(item.implementation_class_uid)
            case items.ImplementationVersionNameSubItem():
                values["implementation_version"] = item.implementation_version_name
            case items.AsynchronousOperationsWindowSubItem():
                values["window"] = (
                    item.maximum_number_operations_invoked,
                    item.maximum_number_operations_performed,
                )
            case items.SCP_SCU_RoleSelectionSubItem():
                role = Role(str(item.uid), scu=bool(item.scu_role), scp=bool(item.scp_role))
                values["roles"] += (role,)
            case items.SOPClassExtendedNegotiationSubItem():
                information = item.service_class_application_information
                values["extended"] += (Extended(str(item.uid), information),)
            case items.SOPClassCommonExtendedNegotiationSubItem():
                related = tuple(map(str, item.related_general_sop_class_identification))
                values["common_extended"] += (
                    CommonExtended(str(item.sop_class_uid), str(item.service_class_uid), related),
                )
            case items.UserIdentitySubItemRQ():
                values["identity"] = UserIdentity(
                    item.user_identity_type,
                    bool(item.positive_response_requested),
                    item.primary_field,
                    item.secondary_field or b"",
                )
            case items.UserIdentitySubItemAC():
                values["identity_response"] = item.server_response
    return UserInformation(**values)
