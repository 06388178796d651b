"""The calls on one instance: where it has been."""

from __future__ import annotations

from flask import Blueprint, Response

from viewer.api.calls import answer, describe
from viewer.api.shapes import CustodyList, CustodyShape
from viewer.guard import current_scope
from viewer.services import services

bp = Blueprint("api_instances", __name__, url_prefix="/api/instances")


@bp.get("/<sop_instance_uid>/custody")
@describe("Where an instance has been", answers={200: CustodyList})
def custody(sop_instance_uid: str) -> Response:
    """List everything that has happened to an instance, the oldest first."""
    rows = services().index.custody(current_scope(), sop_instance_uid)
    return answer(
        CustodyList(
            sop_instance_uid=sop_instance_uid,
            custody=[
                CustodyShape(event=str(row.event), at=row.at, detail=dict(row.detail))
                for row in rows
            ],
        )
    )
