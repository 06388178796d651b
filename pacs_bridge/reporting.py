"""Reports on a storage commitment over an association of our own, in the role of the provider.

PS3.4 J.3.3.1.3: the user accepts an association in which the SCP role is proposed by us. Knows no
queue.
"""

from __future__ import annotations

from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context, build_role

from casework.errors import NotFound, Refused, Unavailable
from casework.model import ApplicationEntity
from pacs_bridge import scu, status
from pacs_bridge.commitment import write_report
from pacs_bridge.scu import EventReport, Wait, associated
from pacs_bridge.syntaxes import COMMITMENT, COMMITMENT_INSTANCE, EXPLICIT_LE, IMPLICIT_LE
from pacs_bridge.tls import TlsFiles
from storage.commitments import Commitment, Results
from storage.people import People


def report(
    commitment: Commitment,
    results: Results,
    *,
    people: People,
    calling: str,
    wait: Wait | None = None,
    tls: TlsFiles | None = None,
) -> None:
    """Report to the node that asked; return once it has answered success.

    Raises NotFound without an address, Unavailable or Refused when the report was not taken.
    """
    node = _node(commitment, people)
    proposed = build_context(UID(COMMITMENT), [UID(EXPLICIT_LE), UID(IMPLICIT_LE)])
    role = build_role(UID(COMMITMENT), scu_role=False, scp_role=True)
    with associated(
        node, [proposed], roles=[role], calling=calling, wait=wait, tls=tls
    ) as association:
        context = _context_as_provider(association, node)
        event_type, dataset = write_report(
            commitment.transaction_uid,
            committed=results.committed,
            failed=results.failed,
            transfer_syntax=str(context.transfer_syntax[0]),
        )
        answer, comment = scu.event_report(
            association,
            EventReport(COMMITMENT, COMMITMENT_INSTANCE, event_type, int(context.context_id or 0)),
            dataset,
        )
    if answer != status.SUCCESS:
        raise Refused(
            f"{node.title} answered the report with status {answer:04X} {comment}".rstrip() + ".",
            code="report-refused",
        )


def _node(commitment: Commitment, people: People) -> ApplicationEntity:
    title = commitment.ae_title
    node = people.ae(title)
    if node is None or node.site != commitment.site or not node.host or not node.port:
        raise NotFound(
            f"{title} of {commitment.site} has no address. Add it with 'lysbro ae add {title} "
            f"--site {commitment.site} --host HOST --port PORT'.",
            code="no-address",
        )
    return node


def _context_as_provider(association: Association, node: ApplicationEntity) -> PresentationContext:
    """PS3.7 D.3.3.4: where the proposed role is not answered we are user only and cannot report."""
    for context in association.accepted_contexts:
        if context.abstract_syntax == COMMITMENT and context.as_scp:
            return context
    raise Unavailable(
        f"{node.title} did not accept the SCP role for storage commitment from us. "
        "Set it up to take N-EVENT-REPORT over associations that Lysbro opens.",
        code="role-refused",
    )
