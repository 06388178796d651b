"""UPS-RS (PS3.18 section 11): the cases as work items to search, retrieve, claim, update, make.

Every step is one of the casebook's, so that a work item claimed here is a case claimed there.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from casework.errors import Conflict
from casework.workitem_values import Retrieval, only, values_of
from casework.workitems import StepState
from storage.workitem_search import read_keys
from viewer.dicomweb import dicom_json, workitem_body
from viewer.dicomweb.model_answers import answer, answer_many, chosen_for_many, chosen_type
from viewer.dicomweb.workitem_answers import (
    MADE_OTHERWISE,
    NOT_KEPT,
    OF_STATE,
    already,
    done,
    root,
    saying,
    warning,
    workitem_address,
)
from viewer.dicomweb.workitem_query import read_search
from viewer.guard import current_actor, current_scope
from viewer.noting import note
from viewer.services import services

_MORE = "There are more work items: ask for them with offset and limit"


def add_to(bp: Blueprint) -> None:
    """Add the routes of work items."""
    item = "/workitems/<workitem>"
    for endpoint, rule, view, method in (
        ("search_workitems", "/workitems", search, "GET"),
        ("create_workitem", "/workitems", create, "POST"),
        ("retrieve_workitem", item, retrieve, "GET"),
        ("update_workitem", item, update, "POST"),
        ("change_workitem_state", f"{item}/state", change_state, "PUT"),
        ("request_cancellation", f"{item}/cancelrequest", request_cancellation, "POST"),
    ):
        bp.add_url_rule(rule, endpoint, view, methods=[method])


@saying()
def search() -> Response:
    """Return the work items that match, the most pressing first; none is an empty list."""
    media_type = chosen_for_many("Work items come")
    asked = read_search(request.args)
    found, has_more = services().casebook.search_work_items(
        current_scope(),
        read_keys(asked.keys, fuzzy=asked.fuzzy),
        _retrieval(),
        limit=asked.limit,
        offset=asked.offset,
        whole=asked.wants_objects,
    )
    note("work-items-searched", "workitems", detail={"by": sorted(asked.keys)})
    shown = [
        dict(each.values) if asked.shown is None else only(each.values, asked.shown)
        for each in found
    ]
    is_part = has_more and asked.is_cut_by_us
    datasets = [dicom_json.to_json(values) for values in shown]
    response = answer_many(datasets, status=206 if is_part else 200, media_type=media_type)
    if has_more:
        response.headers["Warning"] = warning(_MORE)
    return response


@saying()
def create() -> Response:
    """Make a case of studies that the caller's site has sent, and of the question about them."""
    values = workitem_body.read_values()
    wanted = workitem_body.wanted_item(values, _uid_in_query("workitem", "AffectedSOPInstanceUID"))
    uid = services().casebook.create_work_item(current_actor(), wanted)
    address = workitem_address(uid)
    return done(201, says=MADE_OTHERWISE, Location=address, Content_Location=address)


@saying()
def retrieve(workitem: str) -> Response:
    """Return a work item whole, without its Transaction UID."""
    media_type = chosen_type()
    item = services().casebook.work_item(current_scope(), workitem)
    note("work-item-opened", item.case.id, case_id=item.case.id)
    response = answer(values_of(item, _retrieval()), status=200, media_type=media_type)
    response.headers["Content-Location"] = workitem_address(item.uid)
    return response


@saying()
def update(workitem: str) -> Response:
    """Let the holder say how it goes, and comments be made; all else is for the case to say."""
    values = workitem_body.read_values()
    given = _uid_in_query("transaction-uid")
    given = given or workitem_body.text_of(values, "TransactionUID")
    change = workitem_body.change_of(values)
    if change.is_empty:
        services().casebook.require_work_item(current_scope(), workitem)
        raise Conflict(
            "Progress and comments may be updated here; all else of a work item is as its case is.",
            code="not-updated",
        )
    services().casebook.update_work_item(current_actor(), workitem, given, change.apply)
    return done(200, says=NOT_KEPT if change.has_others else "")


@saying(OF_STATE)
def change_state(workitem: str) -> Response:
    """Claim a work item, or cancel it; it is completed by signing its report."""
    values = workitem_body.read_values()
    wanted = workitem_body.wanted_state(values)
    transaction = workitem_body.text_of(values, "TransactionUID")
    was = services().casebook.change_state(current_actor(), workitem, wanted, transaction)
    return done(200, says=already(wanted.value) if was else "")


@saying()
def request_cancellation(workitem: str) -> Response:
    """Cancel what nobody has claimed; ask the one who has."""
    asked = workitem_body.cancellation_of(workitem_body.read_values(may_be_empty=True))
    was = services().casebook.request_cancellation(current_actor(), workitem, asked)
    return done(202, says=already(StepState.CANCELED.value) if was else "")


def _uid_in_query(*names: str) -> str:
    """Return the UID that a query string has under a name, or that stands there by itself."""
    for name in names:
        if request.args.get(name):
            return request.args[name].strip()
    bare = [name for name, value in request.args.items() if not value and name[:1].isdigit()]
    return bare[0] if bare else ""


def _retrieval() -> Retrieval:
    return Retrieval(services().settings.ae_title, root())
