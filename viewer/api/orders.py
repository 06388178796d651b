"""The calls about orders: place, list, look at, change, cancel."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from storage.orders import Wanted
from viewer.api.calls import answer, describe, read_body, read_query
from viewer.api.order_shapes import OrderBody, OrderEdit, OrderList, OrderShape, OrdersQuery
from viewer.guard import current_actor, current_scope
from viewer.services import ordering

bp = Blueprint("api_orders", __name__, url_prefix="/api")

_DAYS = 7


@bp.post("/orders")
@describe(
    "Order an examination; the same placer_number with the same content again changes nothing",
    body=OrderBody,
    answers={201: OrderShape, 200: OrderShape},
)
def place_order() -> Response:
    """Place an order for the site of the one who asks, with its scheduled steps."""
    body = read_body(OrderBody)
    placed, is_new = ordering().place(current_actor(), body.request())
    where = f"/api/orders/{placed.id}"
    return answer(OrderShape.of(placed), 201 if is_new else 200, Location=where)


@bp.get("/orders")
@describe("Orders by the start of their first step", query=OrdersQuery, answers={200: OrderList})
def list_orders() -> Response:
    """List the orders within sight; without a day, those of today and the six days after it."""
    query = read_query(OrdersQuery)
    first, last = query.first, query.last
    is_by_number = bool(query.accession_number or query.placer_number)
    if first is None and last is None and not is_by_number:
        first = ordering().now().wall.date()
        last = first + timedelta(days=_DAYS - 1)
    wanted = Wanted(
        first=first,
        last=last,
        states=query.states(),
        q=query.q,
        accession_number=query.accession_number,
        placer_number=query.placer_number,
    )
    found, has_more = ordering().listed(current_scope(), wanted, limit=query.limit, page=query.page)
    following = None
    if has_more:
        words = {**request.args.to_dict(), "page": str(query.page + 1)}
        following = f"/api/orders?{urlencode(words)}"
    return answer(OrderList(orders=[OrderShape.of(each) for each in found], next=following))


@bp.get("/orders/<order_id>")
@describe("One order", answers={200: OrderShape})
def order(order_id: str) -> Response:
    """Return an order within sight."""
    found = ordering().order(current_scope(), order_id)
    return answer(OrderShape.of(found), ETag=f'"{found.version}"')


@bp.put("/orders/<order_id>")
@describe(
    "Change an order; what is left out stays",
    body=OrderEdit,
    answers={200: OrderShape},
    request_headers={"If-Match": "the version that was looked at; another one is answered 409"},
)
def change_order(order_id: str) -> Response:
    """Change an order of the own site that has not ended."""
    body = read_body(OrderEdit)
    before = ordering().order(current_scope(), order_id)
    given = request.headers.get("If-Match", "").strip('" ')
    changed = ordering().change(
        current_actor(),
        order_id,
        body.told(before.request),
        version=int(given) if given.isdigit() else None,
    )
    return answer(OrderShape.of(changed), ETag=f'"{changed.version}"')


@bp.post("/orders/<order_id>/cancel")
@describe("Cancel an order", answers={200: OrderShape})
def cancel_order(order_id: str) -> Response:
    """Cancel an order of the own site that has not begun; again changes nothing."""
    return answer(OrderShape.of(ordering().cancel(current_actor(), order_id)))


@bp.delete("/orders/<order_id>")
@describe("Cancel an order", answers={200: OrderShape})
def delete_order(order_id: str) -> Response:
    """Cancel an order, as `cancel` does; it stays to be looked at."""
    return answer(OrderShape.of(ordering().cancel(current_actor(), order_id)))
