"""Whether this process is alive and able to serve.

Tells no more than the names of the parts that fail.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from flask import Blueprint, Response, jsonify

from viewer.guard import open_to_all
from viewer.problems import trace_of
from viewer.services import services

bp = Blueprint("health", __name__)
log = structlog.get_logger()


@bp.get("/healthz")
@open_to_all
def alive() -> Response:
    """Say that the process answers."""
    return jsonify(status="alive")


@bp.get("/readyz")
@open_to_all
def ready() -> tuple[Response, int]:
    """Say whether database, spool and every further part answer."""
    known = services()
    checks: dict[str, Callable[[], object]] = {
        "database": known.people.sites,
        "spool": known.archive.require_sound,
        **known.checks,
    }
    failing = [name for name, check in checks.items() if not _answers(name, check)]
    if failing:
        return jsonify(status="not ready", failing=failing), 503
    return jsonify(status="ready", parts=list(checks)), 200


def _answers(name: str, check: Callable[[], object]) -> bool:
    """Tell whether a part answers; whatever it raises means that it does not."""
    try:
        check()
    except Exception as error:  # noqa: BLE001 - whatever fails is the finding
        log.error("part not ready", part=name, **trace_of(error))
        return False
    return True
