"""Carries signed replies to where they go: the inbox, the study as an Encapsulated PDF, a site's
DICOM nodes, and the further ways of `reply_ways`.

Each delivery is leased from the outbox, tried, and either done or put back with the reason. A
repeat is harmless: objects have deterministic UIDs and bytes, so the archive takes a second copy
for the first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import structlog

from casework import access
from casework.custody import Door, Origin
from casework.delivery import newer_there, superseded_by
from casework.errors import LysbroError, NotFound, Unavailable
from casework.model import Actor, CaseDossier, Delivery, Report, SiteKind
from casework.reply_channels import Way
from lysbro.reply_pdf import pdf_of
from lysbro.reply_ways import ReplyWays
from lysbro.sending import sending_of
from lysbro.wiring import Parts
from pacs_bridge import outbound, reply_objects, reply_text
from storage.escalation import REMINDER
from storage.rows import InstanceRow
from viewer import reply_view

log = structlog.get_logger()

WORKER = Actor(id="system:worker", name="Lysbro", site="", site_kind=SiteKind.CENTRE)
_REPLACING = frozenset({Way.HL7, Way.FHIR})
"""Ways whose receivers keep the last that came of a reply, whichever version it is."""

_EVERYTHING = access.Scope(sites=None, specialties=None, own_site="")


@dataclass(frozen=True)
class Deliverer:
    """Does the deliveries of one exchange."""

    parts: Parts
    lease_s: float = 120.0

    def run_once(self) -> bool:
        """Try the next delivery that is due; return False when there is none."""
        delivery = self.take()
        if delivery is None:
            return False
        self.do(delivery)
        return True

    def take(self, avoiding: Collection[str] = ()) -> Delivery | None:
        """Take the next delivery that is due, to none of these destinations."""
        return self.parts.outbox.lease_delivery(lease_s=self.lease_s, avoiding=avoiding)

    def peer_of(self, delivery: Delivery) -> str:
        """Return where a delivery goes."""
        return delivery.destination

    def at_once(self, peer: str) -> int:
        """Return how many deliveries may go to a destination at a time."""
        return self.parts.destinations.of(peer).most_at_once

    def do(self, delivery: Delivery) -> None:
        """Deliver, or put the delivery back with the reason."""
        try:
            answered = self._deliver(delivery)
        except LysbroError as error:
            self.parts.outbox.delivery_failed(delivery.id, error.message, attempt=delivery.attempts)
            log.warning(
                "delivery failed", delivery=delivery.id, channel=delivery.channel, reason=error.code
            )
        else:
            self.parts.casebook.delivered(delivery.id, actor=WORKER, acknowledgement=answered)
            log.info(
                "delivered", delivery=delivery.id, case=delivery.case_id, channel=delivery.channel
            )

    def _deliver(self, delivery: Delivery) -> str:
        """Deliver, and return what the receiver answered."""
        if delivery.channel == "inbox":
            return ""  # the reply is in the casebook, where the inbox reads it
        dossier = self.parts.casebook.dossier(_EVERYTHING, delivery.case_id)
        report = _report(dossier, delivery.report_version)
        if delivery.channel in _REPLACING:
            newer = newer_there(delivery, dossier.deliveries)
            if newer is not None:  # it was sent whole, and this one would take its place
                return superseded_by(newer)
        if delivery.channel in set(Way):
            name = delivery.destination.removeprefix(REMINDER)
            channel = self.parts.reply_channels.of(name)
            ways = ReplyWays(self.parts)
            if name != delivery.destination:
                return ways.remind(channel, dossier, report)
            return ways.go(channel, dossier, report)
        replies = self._reply_objects(dossier, report)
        if delivery.channel == "study":
            for reply in replies:
                self._into_study(dossier, reply)
            return ""
        return self._to_node(replies, delivery.destination)

    def _reply_objects(
        self, dossier: CaseDossier, report: Report
    ) -> list[reply_objects.ReplyObject]:
        """Return the objects of a reply: the PDF, the text, what was measured, the key images."""
        settings = self.parts.settings
        pdf = pdf_of(self.parts, dossier, report)
        images = self._images(dossier)
        named = _named_in(report)
        document = reply_objects.encapsulated_pdf(
            dossier,
            report,
            pdf,
            sources=[
                (row.sop_class_uid, row.sop_instance_uid)
                for row in images
                if row.sop_instance_uid in named
            ],
            issuer=dossier.case.patient.issuer,
            study=images[0].attributes if images else None,
            timezone=settings.timezone,
        )
        evidence = [_evidence(row, is_named=row.sop_instance_uid in named) for row in images]
        told: dict[str, Any] = {
            "study": images[0].attributes if images else None,
            "timezone": settings.timezone,
        }
        reply = reply_view.reply_as_of(dossier, report)
        standing = [report] if reply is None else [reply.answer, *reply.addenda]
        made = [document, reply_text.text_sr(dossier, standing, report, evidence, **told)]
        if named:
            measured = import_module("pacs_bridge.reply_measured")
            for make in (measured.measured_sr, measured.key_objects):
                found = make(dossier, report, evidence, **told)
                if found is not None:
                    made.append(found)
        return made

    def _images(self, dossier: CaseDossier) -> list[InstanceRow]:
        return [
            row
            for study in dossier.studies
            for row in self.parts.index.instances_of(_EVERYTHING, study.study_uid, site=study.site)
            if row.rows
        ]

    def _into_study(self, dossier: CaseDossier, reply: reply_objects.ReplyObject) -> None:
        origin = Origin(
            site=dossier.case.site,
            door=Door.REPLY,
            actor=WORKER.id,
            association=f"reply-{dossier.case.id}",
        )
        self.parts.archive.receive(
            reply.dataset,
            origin,
            sop_class_uid=reply.sop_class_uid,
            sop_instance_uid=reply.sop_instance_uid,
            transfer_syntax_uid=reply.transfer_syntax_uid,
        )
        self.parts.archive.settle()

    def _to_node(self, replies: Sequence[reply_objects.ReplyObject], title: str) -> str:
        """Send the objects of a reply to a node; one that takes no SR has the PDF nevertheless."""
        node = self.parts.people.ae(title)
        if node is None or not node.host:
            raise NotFound(
                f"{title} has no address. Add it with 'lysbro ae add {title} --host … --port …'."
            )
        sending = sending_of(self.parts.settings)
        outbound.send_object(replies[0], node, sending)
        not_taken = outbound.send_further(replies[1:], node, sending)
        return f"0000, without {not_taken} that it does not take" if not_taken else "0000"


def _evidence(row: InstanceRow, *, is_named: bool) -> reply_objects.Evidence:
    return reply_objects.Evidence(
        study_uid=row.study_uid,
        series_uid=row.series_uid,
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=row.sop_instance_uid,
        modality=str(row.attributes.get("Modality") or ""),
        rows=row.rows or 0,
        columns=row.columns or 0,
        frames=row.frames or 1,
        is_named=is_named,
    )


def _named_in(report: Report) -> frozenset[str]:
    """Return the instances that a report points to: in a sentence, measured, as a key image."""
    parts = ("anchors", "measurements", "key_images")
    pointers = [pointer for part in parts for pointer in report.content.get(part, ())]
    return frozenset(str(pointer.get("instance_uid", "")) for pointer in pointers)


def _report(dossier: CaseDossier, version: int) -> Report:
    for report in dossier.reports:
        if report.version == version:
            return report
    raise Unavailable(
        f"Version {version} of the report on case {dossier.case.id} is not in the casebook."
    )
