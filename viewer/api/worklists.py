"""The calls of the worklist beside its rows: saved filters, what waits now, what is read next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from flask import Blueprint, Response, request
from pydantic import Field

from casework.errors import Refused
from casework.model import Role
from casework.saved_filters import SavedFilter, Wanted, read_wanted
from viewer import board
from viewer.api.calls import Answer, Body, answer, describe, read_body
from viewer.guard import current_actor
from viewer.services import services
from viewer.worklist_words import title_of

bp = Blueprint("api_worklists", __name__, url_prefix="/api/worklist")

_Choice = Annotated[str, Field(max_length=100)]


class WantedBody(Body):
    """What the worklist is narrowed to; empty is everything that is open."""

    state: _Choice = Field("", description="open, ours, others, replied or aside")
    specialty: _Choice = ""
    site: _Choice = ""
    priority: _Choice = Field("", description="a priority, or pressing: all but routine")
    holder: _Choice = Field("", description="an actor's id, me or nobody")
    mark: _Choice = Field("", description="warned, changed, second or soon")
    q: _Choice = ""

    def wanted(self) -> Wanted:
        """Return it as casework knows it, or raise Invalid."""
        return read_wanted(self.model_dump(), strict=True)


class FilterBody(Body):
    """A filter to keep under a name."""

    name: Annotated[str, Field(max_length=100)]
    wanted: WantedBody | None = None
    is_default: bool = False


class FilterEdit(Body):
    """What changes in a saved filter; what is left out stays."""

    name: Annotated[str, Field(max_length=100)] | None = None
    wanted: WantedBody | None = None
    is_default: bool | None = None
    position: Annotated[int, Field(ge=1, le=100)] | None = None


class OrderBody(Body):
    """The order of the saved filters: each of them once."""

    ids: Annotated[list[int], Field(max_length=100)]


class FilterShape(Answer):
    """A saved filter, with how many cases fit it now."""

    id: int
    name: str
    wanted: dict[str, str] = Field(description="what differs from everything that is open")
    is_default: bool
    count: int


class FilterList(Answer):
    """What somebody has saved, in their order."""

    filters: list[FilterShape]


class NowShape(Answer):
    """What waits now, as far as the one who asks sees it."""

    ours: int
    others: int
    urgent: int
    mine: int
    late: int = Field(description="past their target, or so within two hours")
    second: int = Field(description="second readings that wait for the one who asks")
    changed: int
    urgent_free: int = Field(description="of the urgent ones, those that nobody holds")


class NextShape(Answer):
    """What is read next."""

    case_id: str = Field(description="empty: nothing waits")
    title: str
    mine: bool


@bp.before_request
def _readers_only() -> None:
    if current_actor().role not in {Role.RADIOLOGIST, Role.DERMATOLOGIST, Role.COORDINATOR}:
        raise Refused("This is not part of your role.", code="wrong-role")


@bp.get("/filters")
@describe("The saved filters of the one who asks", answers={200: FilterList})
def saved_filters() -> Response:
    """List one's own filters, each with its count."""
    return _list(services().casebook.saved_filters(current_actor()))


@bp.post("/filters")
@describe("Keep a filter under a name", body=FilterBody, answers={201: FilterShape})
def save_filter() -> Response:
    """Save a filter; the same name again is the same filter."""
    body = read_body(FilterBody)
    kept = services().casebook.save_filter(
        current_actor(),
        body.name,
        Wanted() if body.wanted is None else body.wanted.wanted(),
        is_default=body.is_default,
    )
    return answer(_shape(kept), 201)


@bp.put("/filters/<int:number>")
@describe("Change a saved filter", body=FilterEdit, answers={200: FilterShape})
def change_filter(number: int) -> Response:
    """Rename, narrow, move a filter, or make it the one that the page opens with."""
    body = read_body(FilterEdit)
    kept = services().casebook.change_filter(
        current_actor(),
        number,
        name=body.name,
        wanted=None if body.wanted is None else body.wanted.wanted(),
        is_default=body.is_default,
        position=body.position,
    )
    return answer(_shape(kept))


@bp.put("/filters/order")
@describe("Put one's filters into an order", body=OrderBody, answers={200: FilterList})
def order_filters() -> Response:
    """Order the tabs."""
    return _list(services().casebook.order_filters(current_actor(), read_body(OrderBody).ids))


@bp.delete("/filters/<int:number>")
@describe("Remove a saved filter", answers={200: FilterList})
def drop_filter(number: int) -> Response:
    """Remove a filter; no case changes."""
    services().casebook.drop_filter(current_actor(), number)
    return _list(services().casebook.saved_filters(current_actor()))


@bp.get("/now")
@describe("What waits now", answers={200: NowShape, 304: "unchanged"})
def now() -> Response:
    """Count what waits; 304 for the ETag of an answer that still holds."""
    tag = f'W/"{board.etag_of(Wanted())}"'
    if request.headers.get("If-None-Match") == tag:
        return Response(status=304, headers={"ETag": tag})
    found = board.tally()
    return answer(NowShape(**asdict(found), urgent_free=board.urgent_and_free()), ETag=tag)


@bp.get("/next")
@describe("The case that is read next, within a filter", answers={200: NextShape})
def next_case() -> Response:
    """Name the most pressing case that is one's own or free, other than `after`."""
    wanted = read_wanted(request.args.to_dict())
    row = board.next_case(wanted, current_actor(), after=request.args.get("after", "")[:16])
    if row is None:
        return answer(NextShape(case_id="", title="", mine=False))
    mine = row.case.holder_id == current_actor().id
    return answer(NextShape(case_id=row.case.id, title=title_of(row), mine=mine))


def _list(found: Sequence[SavedFilter]) -> Response:
    return answer(FilterList(filters=[_shape(each) for each in found]))


def _shape(saved: SavedFilter) -> FilterShape:
    return FilterShape(
        id=saved.id,
        name=saved.name,
        wanted=saved.wanted.asked(),
        is_default=saved.is_default,
        count=board.count_of(saved.wanted),
    )
