"""UPS-RS (PS3.18 sections 11.10 to 11.12): who subscribes to work items, and where they are told.

The events go over a channel of another process (`viewer.event_channel`), whose address is in
Content-Location.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from flask import Blueprint, Response, request

from casework.errors import Invalid, Refused
from casework.identifiers import is_ae_title, normal_ae_title
from casework.workitem_events import SUBSCRIBED
from casework.workitems import FILTERED_SUBSCRIPTION
from storage.subscriptions import WORKLISTS
from storage.workitem_search import read_keys
from viewer.dicomweb.workitem_answers import NO_FILTER, NO_LOCK, done, saying, warning
from viewer.dicomweb.workitem_query import read_filter
from viewer.guard import current_actor, current_scope
from viewer.problems import problem
from viewer.services import services, subscriptions

CHANNELS = "/dicom-web/subscribers/"


def add_to(bp: Blueprint) -> None:
    """Add the routes of subscriptions."""
    rule = "/workitems/<workitem>/subscribers/<aetitle>"
    bp.add_url_rule(rule, "subscribe", subscribe, methods=["POST"])
    bp.add_url_rule(rule, "unsubscribe", unsubscribe, methods=["DELETE"])
    bp.add_url_rule(f"{rule}/suspend", "suspend_subscription", suspend, methods=["POST"])


@saying()
def subscribe(workitem: str, aetitle: str) -> Response:
    """Subscribe to the worklist, to a filter on it or to one work item."""
    title, keys = _title(aetitle), {}
    if workitem not in WORKLISTS:
        services().casebook.require_work_item(current_scope(), workitem)
    _require_channel()
    if workitem == FILTERED_SUBSCRIPTION:
        try:
            keys = read_filter(request.args)
        except Refused as error:
            response = problem(403, error.message, code=error.code)
            response.headers["Warning"] = warning(NO_FILTER)
            return response
        if not read_keys(keys):
            raise Invalid("Say what to filter by: filter=attribute=value.", code="bad-request")
    subscriptions().subscribe(current_actor(), title, workitem, keys)
    _note(SUBSCRIBED, workitem, title)
    wants_lock = request.args.get("deletionlock", "").lower() == "true"
    return done(201, says=NO_LOCK if wants_lock else "", Content_Location=channel_address(title))


@saying()
def unsubscribe(workitem: str, aetitle: str) -> Response:
    """End a subscription; that of the worklist with those of its work items."""
    title = _title(aetitle)
    subscriptions().unsubscribe(current_actor(), title, workitem)
    _note("work-items-unsubscribed", workitem, title)
    return done(200)


@saying()
def suspend(workitem: str, aetitle: str) -> Response:
    """Subscribe to no further work items."""
    if workitem not in WORKLISTS:
        raise Invalid("Only a subscription to the worklist is suspended.", code="bad-request")
    title = _title(aetitle)
    subscriptions().suspend(current_actor(), title, workitem)
    _note("work-items-suspended", workitem, title)
    return done(200)


def channel_address(ae_title: str) -> str:
    """Return where a subscriber opens the channel: behind an https front at the front's own port,
    which hands it on; else at the port of the channel.
    """
    settings, parts = services().settings, urlsplit(request.url_root)
    path = CHANNELS + quote(ae_title, safe="")
    if settings.https:
        return f"wss://{parts.netloc}{path}"
    host = parts.hostname or ""
    return f"ws://{f'[{host}]' if ':' in host else host}:{settings.events_port}{path}"


def _require_channel() -> None:
    """Raise Refused where nothing could be told (PS3.4 table CC.2.3-2, status C315)."""
    if not services().settings.events_port:
        raise Refused(
            "This exchange has no event channel. Ask its operator to set LYSBRO_EVENTS_PORT.",
            code="no-event-channel",
        )


def _title(text: str) -> str:
    title = normal_ae_title(text)
    if not is_ae_title(title):
        raise Invalid("The subscriber is no AE title: 1 to 16 characters.", code="bad-request")
    return title


def _note(action: str, target: str, title: str) -> None:
    actor = current_actor()
    services().ledger.append(
        None, actor=actor, action=action, subject=target, site=actor.site, detail={"ae": title}
    )
