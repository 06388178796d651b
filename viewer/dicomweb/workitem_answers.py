"""How UPS-RS answers: the statuses and Warning texts of PS3.18 section 11 for what may not be done.

A Warning has the words of the standard; the problem document says more.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import ParamSpec

from flask import Response, request

from casework.errors import Conflict, Invalid, NotFound, TooLarge
from viewer.problems import problem

P = ParamSpec("P")

INCONSISTENT = "The submitted request is inconsistent with the current state of the Workitem."
OF_STATE = "The submitted request is inconsistent with the state of the UPS Instance."
UNCLAIMED = "The target URI did not reference a claimed Workitem."
NOT_KEPT = "Requested optional Attributes are not supported."
MADE_OTHERWISE = "The Workitem was created with modifications."
NO_LOCK = "Deletion Lock not granted."
NO_FILTER = "Filtered Worklist Subscriptions are not supported."

_SAYS: Mapping[str, str] = {
    "transaction-missing": "The Transaction UID is missing.",
    "transaction-wrong": "The Transaction UID is incorrect.",
    "not-claimed": UNCLAIMED,
    "final": INCONSISTENT,
}


def already(state: str) -> str:
    """Return the warning that a work item is in its final state already."""
    return f"The UPS is already in the requested state of {state}."


def warning(text: str) -> str:
    """Return the value of a Warning header (RFC 7234 section 5.5, code 299)."""
    return f'299 lysbro "{text}"'


def done(status: int, *, says: str = "", **headers: str) -> Response:
    """Return an answer without a body."""
    response = Response(status=status)
    for name, text in headers.items():
        response.headers[name.replace("_", "-")] = text
    if says:
        response.headers["Warning"] = warning(says)
    return response


def saying(
    otherwise: str = INCONSISTENT,
) -> Callable[[Callable[P, Response]], Callable[P, Response]]:
    """Answer what a view may not do as the standard has it: 400, 409 or 410, with a Warning.

    `otherwise` is what a conflict is called that has no words of its own.
    """

    def decorate(view: Callable[P, Response]) -> Callable[P, Response]:
        @functools.wraps(view)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> Response:
            try:
                return view(*args, **kwargs)
            except TooLarge:
                raise
            except Invalid as error:
                return _refused(400, error, _SAYS.get(error.code, ""))
            except Conflict as error:
                says = _SAYS.get(error.code, otherwise)
                return _refused(409, error, says, state=error.state)
            except NotFound as error:
                if error.code != "work-item-gone":
                    raise
                return _refused(410, error, "")

        return wrapper

    return decorate


def _refused(
    status: int, error: Invalid | Conflict | NotFound, says: str, **members: str
) -> Response:
    response = problem(status, error.message, code=error.code, **members)
    if says:
        response.headers["Warning"] = warning(says)
    return response


def workitem_address(uid: str) -> str:
    """Return the address of a work item."""
    return f"{root()}/workitems/{uid}"


def root() -> str:
    """Return the address of DICOMweb as the caller reaches it."""
    return request.url_root.rstrip("/") + "/dicom-web"
