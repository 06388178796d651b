"""Answers an association request over pynetdicom by what the front decides, and decides nothing."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from pydicom.uid import UID
from pynetdicom.acse import ACSE
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    SOPClassExtendedNegotiation,
)
from pynetdicom.presentation import PresentationContext

from pacs_bridge.admission import Rejection
from pacs_bridge.front import CONGESTED, Admitted, Front, Request
from pacs_bridge.items import Extended
from pacs_bridge.link import Caller
from pacs_bridge.negotiation import ACCEPTED, Context, Proposed, answer_extended

log = structlog.get_logger()


class Gate(ACSE):
    """Stands where pynetdicom negotiates as acceptor."""

    def __init__(
        self,
        assoc: Association,
        front: Front,
        *,
        caller: Caller,
        admit: Callable[[Admitted], None],
    ) -> None:
        super().__init__(assoc)
        self._front = front
        self._caller = caller
        self._admit = admit

    def _negotiate_as_acceptor(self) -> None:
        primitive = self.requestor.primitive
        if primitive is None:
            return
        self.requestor.ae_title = primitive.calling_ae_title
        decision = self._decide(primitive)
        if isinstance(decision, Rejection):
            self.assoc.is_rejected = True
            self.send_reject(decision.result, decision.source, decision.reason)
            self.assoc.kill()
            return
        self._accept(decision)

    def _decide(self, primitive: A_ASSOCIATE) -> Admitted | Rejection:
        try:
            return self._front.decide(
                Request(
                    called=str(primitive.called_ae_title),
                    calling=str(primitive.calling_ae_title),
                    peer_host=self._caller.host,
                    peer_port=self._caller.port,
                    is_secure=self._caller.is_secure,
                    certificate=self._caller.fingerprint or None,
                    proposed=_proposed(primitive.presentation_context_definition_list),
                    service_classes={
                        str(uid): str(item.service_class_uid)
                        for uid, item in self.requestor.sop_class_common_extended.items()
                    },
                    extended=self._extended(),
                )
            )
        except Exception:  # process boundary: the peer is told to come back
            log.exception("admission broke", peer=self._caller.host)
            return CONGESTED

    def _extended(self) -> tuple[Extended, ...]:
        asked = self.requestor.sop_class_extended
        return tuple(Extended(str(uid), information) for uid, information in asked.items())

    def _accept(self, admitted: Admitted) -> None:
        contexts = [_context(context) for context in admitted.contexts]
        self.assoc._accepted_cx = {c.context_id or 0: c for c in contexts if c.result == ACCEPTED}
        self.assoc._rejected_cx = [c for c in contexts if c.result != ACCEPTED]
        self._admit(admitted)
        if self.requestor.asynchronous_operations != (1, 1):
            window = AsynchronousOperationsWindowNegotiation()
            window.maximum_number_operations_invoked = 1
            window.maximum_number_operations_performed = 1
            self.acceptor.add_negotiation_item(window)
        classes = {c.abstract_syntax for c in admitted.contexts if c.result == ACCEPTED}
        for answer in answer_extended(self._extended(), classes):
            item = SOPClassExtendedNegotiation()
            item.sop_class_uid = UID(answer.sop_class_uid)
            item.service_class_application_information = answer.application_information
            self.acceptor.add_negotiation_item(item)
        self.assoc.is_established = True
        self.send_accept()


def _proposed(contexts: list[PresentationContext]) -> tuple[Proposed, ...]:
    return tuple(
        Proposed(c.context_id or 0, str(c.abstract_syntax), tuple(map(str, c.transfer_syntax)))
        for c in contexts
    )


def _context(context: Context) -> PresentationContext:
    answered = PresentationContext()
    answered.context_id = context.id
    answered.abstract_syntax = context.abstract_syntax
    answered.transfer_syntax = [context.transfer_syntax]
    answered.result = context.result
    return answered
