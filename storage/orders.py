"""The orders of one exchange, as people and machines with rights see and change them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, or_, select

from casework.access import Scope, may_order, scope_of
from casework.audit import REFUSED, Deed
from casework.errors import NotFound, Refused
from casework.model import Actor, Specialty
from casework.orders import Order, OrderEvent, OrderState, Request
from storage import order_writing
from storage.casebook_tables import sites
from storage.criteria import escaped
from storage.database import Database
from storage.folding import fold_text
from storage.ledger import append_entry
from storage.order_rows import as_orders
from storage.order_tables import orders
from storage.order_writing import Moment, order_of


@dataclass(frozen=True)
class Wanted:
    """Which orders a list is of."""

    first: date | None = None  # by the start of their first step, both days included
    last: date | None = None
    states: tuple[OrderState, ...] = ()  # none: every one
    q: str = ""  # part of a name, or a number
    accession_number: str = ""
    placer_number: str = ""


class Orders:
    """Places, changes, cancels and lists orders."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], timezone: str = "Europe/Oslo"
    ) -> None:
        self._database = database
        self._clock = clock
        self._zone = ZoneInfo(timezone)  # of the clocks on the walls

    def now(self) -> Moment:
        """Return the present time, in both forms."""
        at = self._clock()
        return Moment(at, at.astimezone(self._zone).replace(tzinfo=None))

    def place(self, actor: Actor, request: Request, *, site: str = "") -> tuple[Order, bool]:
        """Keep an order for the actor's own site and tell whether it is new.

        `site` is for the operator at the command line, who is of none.
        """
        with self._noting_refusals(actor, "order", ""), self._database.begin() as conn:
            if not site:
                _require_may(actor)
            return order_writing.place(
                conn, actor, request, site=site or actor.site, now=self.now()
            )

    def change(
        self, actor: Actor, order_id: str, told: Request, *, version: int | None = None
    ) -> Order:
        """Change an order of the actor's own site; `version` is the one that was looked at."""
        with self._noting_refusals(actor, "change-order", order_id), self._database.begin() as conn:
            order = self._own(conn, actor, order_id)
            if version is not None and version != order.version:
                raise order_writing.moved_on(order)
            return order_writing.change(conn, actor, order, told, now=self.now())

    def cancel(self, actor: Actor, order_id: str, *, as_operator: bool = False) -> Order:
        """Cancel an order of the actor's own site that has not begun."""
        with self._noting_refusals(actor, "cancel-order", order_id), self._database.begin() as conn:
            order = order_of(conn, order_id) if as_operator else self._own(conn, actor, order_id)
            return order_writing.move(conn, actor, order, OrderEvent.CANCEL, now=self.now())

    def order(self, scope: Scope, order_id: str) -> Order:
        """Return an order within sight; out of it there is none."""
        with self._database.read() as conn:
            return _visible(conn, scope, order_id)

    def listed(
        self, scope: Scope, wanted: Wanted, *, limit: int, page: int = 1
    ) -> tuple[list[Order], bool]:
        """Return a page of the orders within sight by their starts, and whether more follow."""
        with self._database.read() as conn:
            asked = (
                select(orders)
                .where(*_conditions(conn, scope, wanted))
                .order_by(orders.c.first_start, orders.c.id)
                .limit(limit + 1)
                .offset(limit * (page - 1))
            )
            found = as_orders(conn, asked)
        return found[:limit], len(found) > limit

    def of_case(self, scope: Scope, case_id: str) -> list[Order]:
        """Return the orders of which a case was made."""
        asked = select(orders).where(orders.c.case_id == case_id).order_by(orders.c.created_at)
        with self._database.read() as conn:
            found = as_orders(conn, asked)
        return [order for order in found if scope.covers_order(site=order.site)]

    def _own(self, conn: Connection, actor: Actor, order_id: str) -> Order:
        order = _visible(conn, scope_of(actor), order_id)
        _require_may(actor)
        if order.site != actor.site:
            raise Refused("Only the site that ordered may do this.", code="wrong-site")
        return order

    @contextmanager
    def _noting_refusals(self, actor: Actor, attempt: str, order_id: str) -> Iterator[None]:
        try:
            yield
        except (Refused, NotFound) as error:
            deed = Deed(
                actor=actor,
                action=REFUSED,
                subject=order_id[:64] or "orders",
                outcome=error.code,
                detail={"attempt": attempt},
            )
            with self._database.begin() as conn:
                append_entry(conn, deed, at=self._clock())
            error.noted = True
            raise


def _visible(conn: Connection, scope: Scope, order_id: str) -> Order:
    order = order_of(conn, order_id)
    if not scope.covers_order(site=order.site):
        raise NotFound(f"There is no order {order_id}.", code="no-such-order")
    return order


def _require_may(actor: Actor) -> None:
    if not may_order(actor):
        raise Refused(
            "Your role may not order. Ask somebody who orders for your site.", code="wrong-role"
        )


def _conditions(conn: Connection, scope: Scope, wanted: Wanted) -> Iterable[ColumnElement[bool]]:
    if not scope.specialties_cover(Specialty.RADIOLOGY):
        yield orders.c.id == ""
    if scope.sites is not None:
        yield orders.c.site.in_(sorted(scope.sites))
    elif wanted.accession_number or wanted.placer_number:
        yield orders.c.site.in_(conn.execute(select(sites.c.slug)).scalars().all())
    if wanted.first is not None:
        yield orders.c.first_start >= wanted.first.isoformat()
    if wanted.last is not None:
        yield orders.c.first_start < (wanted.last + timedelta(days=1)).isoformat()
    if wanted.states:
        yield orders.c.state.in_([state.value for state in wanted.states])
    if wanted.accession_number:
        yield orders.c.accession_number == wanted.accession_number
    if wanted.placer_number:
        yield orders.c.placer_number == wanted.placer_number
    if wanted.q:
        part = f"%{escaped(fold_text(wanted.q))}%"
        yield or_(
            orders.c.name_fold.like(part, escape="\\"),
            orders.c.patient_id == wanted.q,
            orders.c.accession_number == wanted.q,
            orders.c.placer_number == wanted.q,
        )
