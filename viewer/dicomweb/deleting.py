"""DELETE of a study, a series or an instance: an erasure as on the page for it, where it is on.

PS3.18 knows no such transaction; clients use it all the same. Legal holds, cases that are being
read, the audit and what stays are decided where every erasure is; nothing is deleted here.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from casework.erasure import Target
from casework.errors import NotFound
from casework.model import Role
from viewer.dicomweb import methods
from viewer.guard import current_actor, current_scope, require_role
from viewer.problems import problem
from viewer.services import erasing, services

_STUDY = "/studies/<study>"
_SERIES = _STUDY + "/series/<series>"
_RULES = (
    ("study", _STUDY),
    ("series", _SERIES),
    ("instance", _SERIES + "/instances/<instance>"),
)
_REASON = "asked for over DICOMweb (DELETE)"
_OFF = (
    "Nothing is deleted over DICOMweb here: LYSBRO_DICOMWEB_DELETE is off. An administrator erases "
    "on the page for erasure or with 'lysbro erase'."
)


def add_to(bp: Blueprint) -> None:
    """Add the routes that erase."""
    for name, rule in _RULES:
        bp.add_url_rule(rule, f"delete_{name}", delete, methods=["DELETE"])


def delete(study: str, series: str = "", instance: str = "") -> Response:
    """Erase what is named, or say why not; the bytes go by the worker."""
    if not services().settings.dicomweb_delete:
        response = problem(405, _OFF, code="delete-is-off")
        response.headers["Allow"] = ", ".join(methods.allowed())
        return response
    return _erase(study, series, instance)


@require_role(Role.ADMIN)
def _erase(study: str, series: str, instance: str) -> Response:
    scope, actor = current_scope(), current_actor()
    if not services().index.instances_of(
        scope, study, series or None, sop_instance_uid=instance or None
    ):
        raise NotFound("There is no such resource.", code="no-such-resource")
    target = Target(
        study_uid=study,
        series_uid=series,
        sop_instance_uid=instance,
        site="" if scope.sites is None else actor.site,
    )
    reason = request.args.get("reason", "").strip() or _REASON
    erasing().erasures.erase(target, actor=actor, reason=reason)
    return Response(status=204)
