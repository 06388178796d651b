"""Judges one HL7 message: who sends it, what it says, whether it is taken; gives the answer to it.

AA is answered only once what the message says is durable. Knows no socket.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog

from casework.errors import Conflict, Invalid, LysbroError, NotFound, Unavailable
from casework.model import Actor, SiteKind
from pacs_bridge.hl7 import MESSAGES, FieldFault, OrderMessage, Reader
from pacs_bridge.hl7_answers import ACCEPTED, ERROR, REJECTED, Place, Verdict, acknowledgment
from pacs_bridge.hl7_text import Parsed, parse
from storage.hl7_inbox import Envelope, Hl7Inbox, NotCarriedOut, Sender

log = structlog.get_logger()

_PLACES: tuple[tuple[str, Place], ...] = (
    ("patient.id", Place("PID", 1, 3)),
    ("patient.issuer", Place("PID", 1, 3)),
    ("patient.name", Place("PID", 1, 5)),
    ("study_uid", Place("ZDS", 1, 1)),
    ("accession_number", Place("OBR", 1, 18)),
    ("procedure_id", Place("OBR", 1, 19)),
    ("placer_number", Place("ORC", 1, 2)),
    ("filler_number", Place("ORC", 1, 3)),
    ("modality", Place("OBR", 1, 24)),
    ("id", Place("OBR", 1, 20)),
    ("question", Place("OBR", 1, 31)),
)
"""Where in a message stands what an order can be wrong in, by how the fault begins or goes on."""


@dataclass(frozen=True)
class Came:
    """How a message came: from which address, and which site a certificate speaks for, if any."""

    peer: str = ""
    certificate_site: str | None = None


@dataclass(frozen=True)
class Judged:
    """What was found of a message: the verdict, and what goes back over the line."""

    verdict: Verdict
    answer: bytes


class Hl7Desk:
    """Takes messages one at a time; many threads may ask it."""

    def __init__(
        self,
        inbox: Hl7Inbox,
        *,
        clock: Callable[[], datetime],
        application: str,
        timezone: str,
    ) -> None:
        """`application` is how we call ourselves in MSH-3."""
        self._inbox = inbox
        self._clock = clock
        self._application = application
        self._zone = ZoneInfo(timezone)

    def receive(self, raw: bytes, came: Came) -> Judged | None:
        """Take or refuse a message and return the answer; None for what is no message at all."""
        message: Parsed | None
        fault: Invalid | None = None
        try:
            message = parse(raw)
        except Invalid as error:
            message, fault = _header_of(raw), error
        if message is None:
            log.warning("no hl7 message", peer=came.peer, bytes=len(raw))
            return None
        envelope = _envelope(message, raw, came)
        try:
            verdict, site = self._judge(message, envelope, came, fault)
            self._keep_refused(verdict, envelope, raw, site)
        except Unavailable as error:
            verdict, site = _internal("It cannot be kept just now. Send it again."), ""
            log.error("hl7 message not kept", peer=came.peer, reason=error.code)
        except Exception:  # process boundary: the sender is told, and sends again
            verdict, site = _internal("Lysbro failed; its log has the reason."), ""
            log.exception("hl7 message broke", peer=came.peer)
        log.info(
            "hl7 message answered",
            peer=came.peer,
            site=site,
            application=envelope.application[:40],
            control_id=envelope.control_id[:40],
            answer=verdict.code,
            condition=verdict.condition,
            place=str(verdict.place or ""),
        )
        answer = acknowledgment(
            message,
            verdict,
            control_id=secrets.token_hex(10),
            at=self._clock().astimezone(self._zone),
            application=self._application,
        )
        return Judged(verdict, answer)

    def _judge(
        self, message: Parsed, envelope: Envelope, came: Came, fault: Invalid | None
    ) -> tuple[Verdict, str]:
        """Return the verdict, and the site of the sender where that is known."""
        found = self._inbox.sender(envelope.application, envelope.facility)
        if found is None or not _may_come(found[0], came):
            place = Place("MSH", 1, 3)
            return Verdict(REJECTED, 103, "This sender is not registered here.", place), ""
        sender, kind, issuer = found
        if fault is not None:
            place = Place("MSH", 1, 18 if fault.code == "charset" else 2)
            return Verdict(ERROR, 102, fault.message, place), sender.site
        if (refused := _not_for_us(message)) is not None:
            return refused, sender.site
        actor = Actor(
            id=f"hl7:{sender.application}@{sender.facility}",
            name=sender.application,
            site=sender.site,
            site_kind=SiteKind(kind),
        )
        told: OrderMessage | None = None
        try:
            told = Reader(self._zone, issuer).read(message)
            self._inbox.take(envelope, told.instructions, actor=actor)
        except FieldFault as error:
            return Verdict(ERROR, error.condition, error.message, error.place), sender.site
        except NotCarriedOut as failed:
            if told is None or isinstance(failed.error, Unavailable):
                raise failed.error from failed
            number = told.groups[failed.number].order.number
            return _verdict(failed.error, number), sender.site
        return Verdict(ACCEPTED), sender.site

    def _keep_refused(self, verdict: Verdict, envelope: Envelope, raw: bytes, site: str) -> None:
        if verdict.code == ACCEPTED:
            return
        where = f"{verdict.place}: " if verdict.place else ""
        reason = verdict.text if verdict.text.startswith(where) else where + verdict.text
        code = f"{verdict.code} {verdict.condition}"
        self._inbox.refuse(envelope, raw, site=site, code=code, reason=reason)


def _header_of(raw: bytes) -> Parsed | None:
    """Return the first segment alone of a message that cannot be read; None when that cannot."""
    try:
        first = raw.strip(b"\r\n \0").split(b"\r")[0].split(b"\n")[0]
        fields = first.split(first[3:4])
        return parse(first[3:4].join(fields[:17]))
    except (Invalid, ValueError, IndexError):
        return None


def _envelope(message: Parsed, raw: bytes, came: Came) -> Envelope:
    head = message.header
    return Envelope(
        application=_printable(head.text(3))[:180],
        facility=_printable(head.text(4))[:180],
        control_id=_printable(head.text(10))[:199],
        sha256=hashlib.sha256(raw).hexdigest(),
        size_bytes=len(raw),
        peer=came.peer,
    )


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable())


def _may_come(sender: Sender, came: Came) -> bool:
    if sender.address and sender.address != came.peer:
        return False
    return came.certificate_site in (None, sender.site)


def _not_for_us(message: Parsed) -> Verdict | None:
    """Return why a message is none that is taken here, whatever it says; else None."""
    head = message.header
    kind, event = head.text(9), head.text(9, 2)
    if not head.text(10):
        place = Place("MSH", 1, 10)
        return Verdict(ERROR, 101, "The message control id is missing.", place)
    if kind not in MESSAGES:
        return Verdict(REJECTED, 200, "Only ORM and OMI are taken here.", Place("MSH", 1, 9, 1))
    if event != MESSAGES[kind] and (event or kind != "ORM"):
        text = f"Of {kind} only {MESSAGES[kind]} is taken here."
        return Verdict(REJECTED, 201, text, Place("MSH", 1, 9, 2))
    if head.text(11) not in ("P", ""):
        return Verdict(REJECTED, 202, "Only production is taken here.", Place("MSH", 1, 11))
    if head.text(12) and not head.text(12).startswith("2."):
        return Verdict(REJECTED, 203, "Only HL7 version 2 is read here.", Place("MSH", 1, 12))
    return None


def _verdict(error: LysbroError, number: int) -> Verdict:
    """Return what is answered to an order that could not be carried out."""
    if isinstance(error, NotFound):
        return Verdict(ERROR, 204, error.message, Place("ORC", number, 2))
    if isinstance(error, Conflict):
        if error.code == "accession-taken":
            return Verdict(ERROR, 205, error.message, Place("OBR", number, 18))
        condition = 205 if error.code == "order-exists" else 206
        return Verdict(ERROR, condition, error.message, Place("ORC", number, 2))
    for name, place in _PLACES:
        if error.message.startswith(name) or f".{name}:" in error.message:
            repeats = place.segment in ("ORC", "OBR")
            where = Place(place.segment, number if repeats else 1, place.field)
            is_missing = name in ("patient.name", "patient.id", "modality")
            text = f"{where}: {error.message}"
            return Verdict(ERROR, 101 if is_missing else 102, text, where)
    return Verdict(ERROR, 102, error.message, Place("ORC", number))


def _internal(text: str) -> Verdict:
    return Verdict(REJECTED, 207, text, Place("MSH", 1, 10))
