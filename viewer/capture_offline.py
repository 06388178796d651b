"""What the capture page needs to work without a connection: a worker, a page of nobody, a session.

The page that a browser keeps holds no person, no token and no patient; the session tells who is
signed in, with what their browser locks the pictures that it could not send yet.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from flask import Blueprint, Response, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from casework import access
from casework.errors import Refused, Unavailable
from viewer.assets import DIST
from viewer.capture import blank_page
from viewer.guard import csrf_token, current_actor, open_to_all
from viewer.i18n import _
from viewer.services import services

bp = Blueprint("capture_offline", __name__, url_prefix="/capture")

_WORKER = DIST / "capture-worker.js"
_SCOPE = "/capture"
_ENTRIES = ("base", "capture")


@bp.get("/session")
def session() -> Response:
    """Tell the page who is signed in, its token, and the secret of the person's queue."""
    actor = current_actor()
    if not access.may_refer(actor):
        raise Refused(
            _("Only those who refer start a referral. You may read and answer."), code="wrong-role"
        )
    found = services()
    secret = found.queue_key(actor.id) if found.queue_key else ""
    return jsonify(user=actor.id, csrf_token=csrf_token(), secret=secret)


@bp.get("/shell")
@open_to_all
def shell() -> AnyResponse | str:
    """Show the empty form without anybody's name, for a browser to keep."""
    if request.headers.get("Sec-Fetch-Mode") == "navigate":  # somebody came here by an old link
        return redirect(url_for("capture.begin"))
    return blank_page()


@bp.get("/worker.js")
@open_to_all
def worker() -> Response:
    """Give the service worker, with the names of the files that the page is made of."""
    try:
        script = _WORKER.read_text("utf-8")
        files = files_of(DIST)
    except OSError as error:
        raise Unavailable(
            "The capture page's worker is not built. Run 'python hatch_build.py' in the source "
            "tree.",
            code="not-built",
        ) from error
    version = hashlib.sha256("\n".join([script, *files]).encode()).hexdigest()[:16]
    told = json.dumps({"version": version, "files": [f"/static/dist/{name}" for name in files]})
    response = Response(f"self.LYSBRO = {told};\n{script}", mimetype="text/javascript")
    response.headers["Service-Worker-Allowed"] = _SCOPE
    return response


def files_of(dist: Path) -> list[str]:
    """Return the built files that the page loads: its entries and what they import."""
    manifest = json.loads((dist / ".vite" / "manifest.json").read_text("utf-8"))
    found: dict[str, None] = {}
    waiting = [f"src/entries/{name}.ts" for name in _ENTRIES]
    seen: set[str] = set()
    while waiting:
        source = waiting.pop()
        if source in seen or source not in manifest:
            continue
        seen.add(source)
        chunk = manifest[source]
        found |= dict.fromkeys([chunk["file"], *chunk.get("css", ()), *chunk.get("assets", ())])
        waiting += [*chunk.get("imports", ()), *chunk.get("dynamicImports", ())]
    return sorted(found)
