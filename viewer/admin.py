"""The operator's pages: the exchange in lines, people and sites, the audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from casework.errors import Invalid, LysbroError, Unavailable
from casework.model import AePermission, Role, Site, SiteKind
from storage.forms import CODECS
from storage.hl7_inbox import RefusedMessage
from viewer import passwords
from viewer.error_words import error_in
from viewer.guard import current_actor, require_role
from viewer.languages import language
from viewer.services import services

bp = Blueprint("admin", __name__, url_prefix="/admin")

_AUDIT_LINES = 200
_TOKEN_DAYS = 365
_MESSAGES = 50
_Choice = TypeVar("_Choice", SiteKind, Role, AePermission)
admins_only = require_role(Role.ADMIN)


@bp.get("")
@admins_only
def exchange() -> str:
    """Show the state of the exchange, one line for each part."""
    return render_template(
        "admin.html",
        status=services().status(),
        dead=services().outbox.dead_letters(),
        conflicts=services().index.conflicts(),
        refused=_refused_messages(),
        strings=("admin",),
    )


@bp.post("/dead/<int:job_id>/replay")
@admins_only
def replay(job_id: int) -> Response:
    """Put a delivery that was given up back in the queue."""
    services().outbox.replay(job_id)
    _note("delivery-replayed", str(job_id))
    return redirect(url_for("admin.exchange", _anchor="deliveries"))


@bp.post("/hl7/<int:message_id>/replay")
@admins_only
def replay_message(message_id: int) -> Response:
    """Take a refused HL7 message again; one that is refused again stays, with the new reason."""
    again = services().replay_hl7
    if again is None:
        raise Unavailable("This server takes no HL7. Use another.")
    again(message_id)
    _note("hl7-message-replayed", str(message_id))
    return redirect(url_for("admin.exchange", _anchor="hl7"))


@bp.post("/hl7/<int:message_id>/remove")
@admins_only
def remove_message(message_id: int) -> Response:
    """Let a refused HL7 message go for good."""
    inbox = services().hl7_inbox
    if inbox is None:
        raise Unavailable("This server takes no HL7. Use another.")
    inbox.drop_refused(message_id)
    _note("hl7-message-removed", str(message_id))
    return redirect(url_for("admin.exchange", _anchor="hl7"))


@bp.post("/conflicts/<int:conflict_id>")
@admins_only
def settle(conflict_id: int) -> Response:
    """Say which of two objects with one UID counts; the other stays in quarantine."""
    keep = request.form.get("keep", "")
    services().index.settle_conflict(
        conflict_id, keep=keep, actor=current_actor(), now=services().clock()
    )
    _note("conflict-settled", str(conflict_id), keep=keep)
    return redirect(url_for("admin.exchange", _anchor="conflicts"))


@bp.get("/audit")
@admins_only
def audit() -> str:
    """Show the newest audit entries that fit a search; `?check=1` walks the whole chain."""
    q = request.args.get("q", "").strip()[:100]
    ledger = services().ledger
    _note("audit-read", "search" if q else "all")
    checked = request.args.get("check") == "1"
    return render_template(
        "admin_audit.html",
        entries=ledger.entries(limit=_AUDIT_LINES, q=q),
        q=q,
        checked=checked,
        first_bad=ledger.verify() if checked else None,
    )


@bp.get("/people")
@admins_only
def people() -> str:
    """List sites, DICOM nodes and people, each with a form that adds one."""
    return _people_page()


@bp.post("/sites")
@admins_only
def add_site() -> Response | tuple[str, int]:
    """Add a site."""
    given = _form("slug", "name", "kind", "issuer")
    return _added("site", given, lambda: _add_site(given))


@bp.post("/sites/recompress")
@admins_only
def recompress() -> Response:
    """Say in which lossless form the images of a site are packed from now on."""
    given = _form("slug", "codec")
    codec = "" if given["codec"] == "off" else given["codec"]
    services().people.set_recompression(given["slug"], codec)
    _note("site-recompression-set", given["slug"], codec=codec or "off")
    return redirect(url_for("admin.people", _anchor="sites"))


@bp.post("/nodes")
@admins_only
def add_node() -> Response | tuple[str, int]:
    """Add a DICOM node (application entity) of a site."""
    given = _form("title", "site", "host", "port")
    return _added("node", given, lambda: _add_node(given))


@bp.post("/people")
@admins_only
def add_person() -> Response | tuple[str, int]:
    """Add a person who may sign in."""
    given = _form("email", "name", "site", "role")
    return _added("person", given, lambda: _add_person(given))


@bp.post("/people/disable")
@admins_only
def disable() -> Response:
    """End a person's access at once; their sessions end with it."""
    email = request.form.get("email", "")
    if email == current_actor().email:
        raise Invalid("You cannot end your own access. Ask another administrator.", code="self")
    services().people.disable_user(email)
    _note("user-disabled", email)
    return redirect(url_for("admin.people", _anchor="people"))


@bp.post("/people/token")
@admins_only
def add_token() -> str:
    """Make a bearer token for a person's machine client; it is shown this once."""
    email = request.form.get("email", "")
    secret = services().people.add_token(email, days=_TOKEN_DAYS, name="made by an administrator")
    _note("token-added", email)
    return _people_page(token=secret, token_of=email)


def _refused_messages() -> Sequence[RefusedMessage]:
    inbox = services().hl7_inbox
    return () if inbox is None else inbox.refused()[:_MESSAGES]


def _add_site(given: Mapping[str, str]) -> str:
    site = Site(
        slug=given["slug"],
        name=given["name"],
        kind=_chosen(SiteKind, given["kind"]),
        issuer=given["issuer"],
    )
    services().people.add_site(site)
    _note("site-added", site.slug)
    return "sites"


def _add_node(given: Mapping[str, str]) -> str:
    port = int(given["port"]) if given["port"].isdigit() else 0
    if port > 65535:
        raise Invalid("A port is a number up to 65535.", code="bad-port")
    added = services().people.add_ae(
        given["title"],
        site=given["site"],
        host=given["host"],
        port=port,
        permissions=frozenset(
            _chosen(AePermission, each) for each in request.form.getlist("allow")
        ),
        tls_only=request.form.get("tls_only") == "1",
    )
    _note("ae-added", added.title)
    return "nodes"


def _add_person(given: Mapping[str, str]) -> str:
    password = request.form.get("password", "")
    passwords.require_acceptable(password, email=given["email"])
    added = services().people.add_user(
        given["email"],
        site=given["site"],
        role=_chosen(Role, given["role"]),
        name=given["name"],
        password_hash=passwords.hash_password(password),
    )
    _note("user-added", added.actor.email)
    return "people"


def _chosen(kind: type[_Choice], text: str) -> _Choice:
    try:
        return kind(text)
    except ValueError as error:
        raise Invalid(f"'{text}' is not one of the choices.", code="bad-choice") from error


def _added(
    what: str, given: Mapping[str, str], add: Callable[[], str]
) -> Response | tuple[str, int]:
    """Add, and go back to the list; or show the form again as it was filled in, with the reason."""
    try:
        anchor = add()
    except LysbroError as error:
        return _people_page(
            wrong=what, message=error_in(error.message, language()), given=given
        ), 422
    return redirect(url_for("admin.people", _anchor=anchor))


def _people_page(**more: Any) -> str:
    register = services().people
    return render_template(
        "admin_people.html",
        sites=register.sites(),
        nodes=register.aes(),
        people=register.users(),
        roles=tuple(Role),
        kinds=tuple(SiteKind),
        permissions=tuple(AePermission),
        codecs=CODECS,
        recompressed=_recompressed(),
        **({"given": {}} | more),
    )


def _recompressed() -> Mapping[str, tuple[int, int]]:
    """Return by site how many objects are kept in another form, and the percent that is saved."""
    found: dict[str, tuple[int, int]] = {}
    for site, tallies in groupby(services().index.recompressions(), key=lambda each: each.site):
        done = [each for each in tallies if each.outcome in CODECS]
        came = sum(each.received_bytes for each in done)
        if came:
            kept = sum(each.kept_bytes for each in done)
            found[site] = (sum(each.instances for each in done), 100 - 100 * kept // came)
    return found


def _form(*names: str) -> dict[str, str]:
    return {name: request.form.get(name, "").strip()[:200] for name in names}


def _note(action: str, subject: str, **detail: str) -> None:
    actor = current_actor()
    services().ledger.append(
        None, actor=actor, action=action, subject=subject, site=actor.site, detail=detail
    )
