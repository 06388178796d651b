"""The calls on one instance: where it has been."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, Response, request

from casework.custody import trail_of
from viewer.api.calls import answer, describe
from viewer.api.shapes import CustodyList, CustodyShape, TrailShape
from viewer.guard import current_scope
from viewer.services import services

bp = Blueprint("api_instances", __name__, url_prefix="/api/instances")


@bp.get("/<sop_instance_uid>/custody")
@describe("Where an instance has been", answers={200: CustodyList})
def custody(sop_instance_uid: str) -> Response:
    """Say who sent an instance, and list everything that has happened to it, the oldest first."""
    scope, index, site = current_scope(), services().index, request.args.get("site") or None
    instance = index.instance(scope, sop_instance_uid, site)
    rows = index.custody(scope, sop_instance_uid, instance.site)
    return answer(
        CustodyList(
            sop_instance_uid=sop_instance_uid,
            study_uid=instance.study_uid,
            site=instance.site,
            sha256=instance.sha256,
            size_bytes=instance.as_received().size_bytes,
            transfer_syntax_uid=instance.as_received().transfer_syntax_uid,
            kept_in=instance.transfer_syntax_uid,
            kept_sha256=instance.kept_sha256,
            trail=TrailShape(**asdict(trail_of(rows))),
            custody=[
                CustodyShape(event=str(row.event), at=row.at, detail=dict(row.detail))
                for row in rows
            ],
        )
    )
