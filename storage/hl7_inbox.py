"""Who may send HL7 for which site, which messages were taken, and those that were refused.

A message is taken in the transaction that does what it says. A refused one is kept whole, within
bounds, until an operator has looked at it. Reads no message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from casework.errors import Conflict, Invalid, LysbroError, NotFound
from casework.model import Actor
from casework.orders import Instruction
from storage.casebook_tables import sites
from storage.database import Database, insert_if_absent
from storage.order_tables import hl7_messages, hl7_senders
from storage.order_writing import Moment, carry_out

_REMEMBERED = timedelta(days=30)
MAX_REFUSED = 1000
MAX_REFUSED_BYTES = 64 << 20
"""How many refused messages are kept, and how many bytes of them; the oldest go first, and among
them those of senders that nobody has registered."""

_MAX_NAME = 180
_MAX_REASON = 300


@dataclass(frozen=True)
class Sender:
    """An application that may send HL7, and whose site it is."""

    application: str
    facility: str
    site: str
    address: str = ""  # empty: from anywhere


@dataclass(frozen=True)
class Envelope:
    """What tells one message from another, and where it came from."""

    application: str
    facility: str
    control_id: str
    sha256: str
    size_bytes: int
    peer: str = ""


@dataclass(frozen=True)
class RefusedMessage:
    """A refused message as an operator sees it; its text is asked for by itself."""

    id: int
    envelope: Envelope
    site: str
    code: str
    reason: str
    received_at: datetime


class NotCarriedOut(Exception):
    """One order of a message failed, and nothing of the message was done."""

    def __init__(self, number: int, error: LysbroError) -> None:
        super().__init__(error.message)
        self.number = number
        self.error = error


class Hl7Inbox:
    """What has come by HL7 to one exchange."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], timezone: str = "Europe/Oslo"
    ) -> None:
        self._database = database
        self._clock = clock
        self._zone = ZoneInfo(timezone)

    def add_sender(self, sender: Sender) -> None:
        """Register an application of a site; a repeat changes nothing."""
        name = (sender.application, sender.facility)
        if not sender.application or any(len(part) > _MAX_NAME for part in name):
            raise Invalid(
                f"A sender has an application (MSH-3) of 1 to {_MAX_NAME} characters.",
                code="bad-sender",
            )
        with self._database.begin() as conn:
            if (
                conn.execute(select(sites.c.slug).where(sites.c.slug == sender.site)).first()
                is None
            ):
                raise NotFound(
                    f"There is no site {sender.site}. Add it first.", code="no-such-site"
                )
            row = {
                "application": sender.application,
                "facility": sender.facility,
                "site": sender.site,
                "address": sender.address,
                "added_at": self._clock(),
            }
            insert_if_absent(conn, hl7_senders, [row])
            present = conn.execute(select(hl7_senders).where(*_named(*name))).one()
        if (present.site, present.address) != (sender.site, sender.address):
            raise Conflict(
                f"{sender.application} of {sender.facility or 'no facility'} is registered for the "
                f"site {present.site}. Remove it first.",
                code="sender-exists",
            )

    def remove_sender(self, application: str, facility: str) -> None:
        """Take nothing from an application any more."""
        with self._database.begin() as conn:
            gone = conn.execute(delete(hl7_senders).where(*_named(application, facility)))
        if gone.rowcount == 0:
            raise NotFound(
                f"There is no sender {application} of {facility or 'no facility'}.",
                code="no-such-sender",
            )

    def senders(self) -> list[Sender]:
        """Return who may send, by name."""
        asked = select(hl7_senders).order_by(hl7_senders.c.application, hl7_senders.c.facility)
        with self._database.read() as conn:
            return [
                Sender(row.application, row.facility, row.site, row.address)
                for row in conn.execute(asked)
            ]

    def sender(self, application: str, facility: str) -> tuple[Sender, str, str] | None:
        """Return who sends under a name, with the kind and the issuer of its site, or None."""
        asked = (
            select(hl7_senders, sites.c.kind, sites.c.issuer)
            .join(sites, sites.c.slug == hl7_senders.c.site)
            .where(*_named(application, facility))
        )
        with self._database.read() as conn:
            row = conn.execute(asked).one_or_none()
        if row is None:
            return None
        return Sender(row.application, row.facility, row.site, row.address), row.kind, row.issuer

    def take(
        self,
        envelope: Envelope,
        instructions: Sequence[Instruction],
        *,
        actor: Actor,
    ) -> bool:
        """Do what a message says, all of it or nothing; False when it was done before.

        Durable when it returns. Raises NotCarriedOut when an order of it fails.
        """
        now = self._clock()
        moment = Moment(now, now.astimezone(self._zone).replace(tzinfo=None))
        with self._database.begin() as conn:
            same = _same(envelope)
            state = conn.execute(select(hl7_messages.c.state).where(*same)).scalar_one_or_none()
            if state == "taken":
                return False
            for number, instruction in enumerate(instructions):
                try:
                    carry_out(conn, actor, instruction, site=actor.site, now=moment)
                except LysbroError as error:
                    raise NotCarriedOut(number, error) from error
            conn.execute(delete(hl7_messages).where(*same))
            conn.execute(
                insert(hl7_messages).values(
                    **_columns(envelope), site=actor.site, received_at=now, state="taken"
                )
            )
            old = (hl7_messages.c.state == "taken", hl7_messages.c.received_at < now - _REMEMBERED)
            conn.execute(delete(hl7_messages).where(*old))
        return True

    def refuse(
        self, envelope: Envelope, content: bytes, *, site: str, code: str, reason: str
    ) -> None:
        """Keep a refused message for an operator; the same one again takes its place."""
        values = {
            "site": site,
            "peer": envelope.peer,
            "received_at": self._clock(),
            "code": code,
            "reason": "".join(c if c.isprintable() else " " for c in reason)[:_MAX_REASON],
        }
        with self._database.begin() as conn:
            same = _same(envelope)
            refused = (*same, hl7_messages.c.state == "refused")
            again = conn.execute(update(hl7_messages).where(*refused).values(**values))
            if again.rowcount == 0:
                row = {**_columns(envelope), **values, "state": "refused", "content": content}
                insert_if_absent(conn, hl7_messages, [row])
                _keep_within_bounds(conn)

    def count_refused(self) -> int:
        """Return how many refused messages wait for a person."""
        asked = select(func.count()).where(hl7_messages.c.state == "refused")
        with self._database.read() as conn:
            return int(conn.execute(asked).scalar_one())

    def refused(self) -> list[RefusedMessage]:
        """Return the refused messages, the newest first."""
        columns = [column for column in hl7_messages.c if column.name != "content"]
        asked = select(*columns).where(hl7_messages.c.state == "refused")
        with self._database.read() as conn:
            rows = conn.execute(asked.order_by(hl7_messages.c.id.desc())).all()
        return [
            RefusedMessage(
                id=row.id,
                envelope=Envelope(
                    row.application,
                    row.facility,
                    row.control_id,
                    row.sha256,
                    row.size_bytes,
                    row.peer,
                ),
                site=row.site,
                code=row.code,
                reason=row.reason,
                received_at=row.received_at,
            )
            for row in rows
        ]

    def refused_content(self, message_id: int) -> bytes:
        """Return a refused message as it came."""
        return self.refused_whole(message_id)[0]

    def refused_whole(self, message_id: int) -> tuple[bytes, str]:
        """Return a refused message as it came, and the address that it came from."""
        asked = select(hl7_messages.c.content, hl7_messages.c.peer).where(*_refused(message_id))
        with self._database.read() as conn:
            row = conn.execute(asked).one_or_none()
        if row is None:
            raise _no_message(message_id)
        return row.content, row.peer

    def drop_refused(self, message_id: int) -> None:
        """Let a refused message go for good."""
        with self._database.begin() as conn:
            if conn.execute(delete(hl7_messages).where(*_refused(message_id))).rowcount == 0:
                raise _no_message(message_id)


def _named(application: str, facility: str) -> tuple[ColumnElement[bool], ...]:
    return (hl7_senders.c.application == application, hl7_senders.c.facility == facility)


def _same(envelope: Envelope) -> tuple[ColumnElement[bool], ...]:
    return (
        hl7_messages.c.application == envelope.application,
        hl7_messages.c.facility == envelope.facility,
        hl7_messages.c.control_id == envelope.control_id,
        hl7_messages.c.sha256 == envelope.sha256,
    )


def _refused(message_id: int) -> tuple[ColumnElement[bool], ...]:
    return (hl7_messages.c.id == message_id, hl7_messages.c.state == "refused")


def _columns(envelope: Envelope) -> dict[str, object]:
    return {
        "application": envelope.application,
        "facility": envelope.facility,
        "control_id": envelope.control_id,
        "sha256": envelope.sha256,
        "size_bytes": envelope.size_bytes,
        "peer": envelope.peer,
    }


def _keep_within_bounds(conn: Connection) -> None:
    refused = hl7_messages.c.state == "refused"
    counted = select(func.count(), func.coalesce(func.sum(hl7_messages.c.size_bytes), 0))
    count, size = conn.execute(counted.where(refused)).one()
    if count <= MAX_REFUSED and size <= MAX_REFUSED_BYTES:
        return
    strangers_first = select(hl7_messages.c.id, hl7_messages.c.size_bytes).where(refused)
    rows = conn.execute(
        strangers_first.order_by(hl7_messages.c.site != "", hl7_messages.c.id)
    ).all()
    gone = []
    for row in rows:
        if count <= MAX_REFUSED and size <= MAX_REFUSED_BYTES:
            break
        gone.append(row.id)
        count, size = count - 1, size - row.size_bytes
    conn.execute(delete(hl7_messages).where(hl7_messages.c.id.in_(gone)))


def _no_message(message_id: int) -> NotFound:
    return NotFound(f"There is no refused message {message_id}.", code="no-such-message")
