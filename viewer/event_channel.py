"""The event channel of UPS-RS (PS3.18 sections 8.10.4 and 11.13): work items over WebSocket.

A process of its own, since the web server speaks WSGI. Who calls is asked as in `guard`; what they
are told is read from the database, so that it does not matter on which node it happened.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve
from werkzeug.http import parse_cookie
from werkzeug.sansio.utils import host_is_trusted

from casework.errors import LysbroError
from casework.model import Actor
from casework.token_scopes import covers
from casework.workitem_events import EventType, Report
from casework.workitems import EVENT_CLASS, GLOBAL_SUBSCRIPTION
from storage.database import Database
from storage.ledger import Ledger
from storage.people import People
from storage.subscriptions import Subscriptions, stirring
from storage.workitem_news import News, news_for, readiness_of_open, readiness_reports
from viewer.dicomweb.dicom_json import to_json
from viewer.guard import session_cookie_name
from viewer.problems import trace_of
from viewer.services import WebSettings
from viewer.token_scopes import InsufficientScope, needed_for

log = structlog.get_logger()

PATH = "/dicom-web/subscribers/"
SIGNED_OUT, GOING_AWAY, GONE, FAILED = 1008, 1001, 1000, 1011  # RFC 6455 section 7.4.1

_LARGEST = 1024  # bytes that a subscriber may send: it has nothing to say
_HANDSHAKES = 64  # connections that are not channels yet
_LOOK_S = 0.5
_READINESS_S = 5.0
_REMEMBERED = 1000  # changes of readiness, for channels that lag behind
_AGAIN_S = 15.0
_OPEN_S, _PING_S, _CLOSE_S = 10, 20, 5


@dataclass(frozen=True)
class ChannelParts:
    """What the channels are made of."""

    database: Database
    people: People
    subscriptions: Subscriptions
    ledger: Ledger
    clock: Callable[[], Any]
    settings: WebSettings
    most: int = 200
    counted: Callable[[int], None] = lambda _open: None
    """Hears how many channels are open, whenever that changes."""


@dataclass(frozen=True)
class Caller:
    """Who has opened a channel, and by what they are known."""

    actor: Actor
    ae_title: str
    bearer: str
    session: str


class Channel(ServerConnection):
    """A connection with its caller."""

    caller: Caller | None = None


class Pulse:
    """Looks for all channels whether something has happened, and wakes them when it has."""

    def __init__(self, database: Database, is_heard: Callable[[], bool]) -> None:
        self._database = database
        self._is_heard = is_heard
        self._ready: dict[str, str] | None = None
        self._ready_at = 0.0
        self._turns: deque[tuple[int, str]] = deque(maxlen=_REMEMBERED)
        self._changed = threading.Condition()
        self._seen: int | None = None
        self._count = 0
        self._failing = False
        self.stopping = threading.Event()

    def run(self) -> None:
        """Look until stopped."""
        while not self.stopping.wait(_LOOK_S):
            try:
                self._look()
                self._look_at_readiness()
                self._failing = False
            except LysbroError as error:
                if not self._failing:
                    log.warning("events_not_read", reason=error.code)
                self._failing = True

    def stop(self) -> None:
        """Wake every channel, so that it ends."""
        self.stopping.set()
        with self._changed:
            self._changed.notify_all()

    @property
    def count(self) -> int:
        """Return how often something has happened; a later count is something new."""
        return self._count

    def turned(self, after: int) -> set[str]:
        """Return the cases whose readiness has changed after a count."""
        return {case_id for number, case_id in list(self._turns) if number > after}

    def wait(self, count: int, timeout_s: float) -> None:
        """Wait until something has happened after a count, for so long at most."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._count != count or self.stopping.is_set(), timeout_s
            )

    def _look(self) -> None:
        head, stirs = stirring(self._database, after=self._seen or 0)
        is_first, self._seen = self._seen is None, head
        if stirs or is_first:
            self._wake()

    def _look_at_readiness(self) -> None:
        """See which open work items have become ready, or are so no more; no entry tells it."""
        if not self._is_heard():
            self._ready = None  # nobody would be told of what happens meanwhile
            return
        if time.monotonic() - self._ready_at < _READINESS_S:
            return
        self._ready_at, before = time.monotonic(), self._ready
        self._ready = readiness_of_open(self._database)
        if before is None:
            return
        turned = [c for c, now in self._ready.items() if before.get(c, now) != now]
        if turned:
            self._turns.extend((self._count + 1, case_id) for case_id in turned)
            self._wake()

    def _wake(self) -> None:
        with self._changed:
            self._count += 1
            self._changed.notify_all()


class Door:
    """Lets subscribers in and tells them what happens."""

    def __init__(self, parts: ChannelParts) -> None:
        self._parts = parts
        self._open = 0
        self._changed = threading.Condition()
        self.pulse = Pulse(parts.database, lambda: self._open > 0)

    def admit(self, channel: ServerConnection, request: Request) -> Response | None:
        """Refuse who may not open a channel (None: let in): the rules are those of the web."""
        path = urlsplit(request.path).path
        host = request.headers.get("Host", "")
        trusted = self._parts.settings.trusted_hosts
        if trusted and not host_is_trusted(host, trusted):
            return _no(HTTPStatus.BAD_REQUEST, "This is not the name of this exchange.")
        if not path.startswith(PATH):
            return _no(HTTPStatus.NOT_FOUND, "There is no such channel.")
        try:
            caller = self._caller(request.headers, host, unquote(path.removeprefix(PATH)))
        except InsufficientScope as error:
            return _no(HTTPStatus.FORBIDDEN, error.message, challenge=error.challenge)
        if caller is None:
            return _no(HTTPStatus.UNAUTHORIZED, "Sign in, or send a bearer token.")
        if not self._parts.subscriptions.exists(caller.actor, caller.ae_title):
            return _no(HTTPStatus.NOT_FOUND, "There is no such subscriber. Subscribe first.")
        if self._open >= self._parts.most or self.pulse.stopping.is_set():
            return _no(HTTPStatus.SERVICE_UNAVAILABLE, "Too many channels are open.")
        if isinstance(channel, Channel):
            channel.caller = caller
        return None

    def tell(self, channel: ServerConnection) -> None:
        """Tell a subscriber what happens, from where it was left, until the channel ends."""
        caller = channel.caller if isinstance(channel, Channel) else None
        if caller is None:
            return
        self._count(1)
        try:
            _Telling(self._parts, self.pulse, channel, caller).run()
        except ConnectionClosed:
            pass  # the subscriber left; what it was not sent waits
        except Exception as error:  # noqa: BLE001 - the boundary of a thread
            log.error("event_channel_failed", ae=caller.ae_title, **trace_of(error))
            channel.close(FAILED, "Something went wrong on our side.")
        finally:
            self._count(-1)

    def close(self) -> None:
        """Let every channel say that the exchange goes down, and wait for a moment until it has."""
        self.pulse.stop()
        with self._changed:
            self._changed.wait_for(lambda: self._open == 0, _CLOSE_S + 1)

    def _count(self, by: int) -> None:
        with self._changed:
            self._open += by
            self._parts.counted(self._open)
            self._changed.notify_all()

    def _caller(self, headers: Headers, host: str, ae_title: str) -> Caller | None:
        bearer, session = _secrets(headers, https=self._parts.settings.https)
        if session and not bearer and not _same_host(headers.get("Origin"), host):
            return None
        actor = identify(self._parts, bearer=bearer, session=session)
        return None if actor is None else Caller(actor, ae_title, bearer, session)


class _Telling:
    """One channel while it is open."""

    def __init__(
        self, parts: ChannelParts, pulse: Pulse, channel: ServerConnection, caller: Caller
    ) -> None:
        self._parts = parts
        self._pulse = pulse
        self._channel = channel
        self._caller = caller
        self._actor = caller.actor
        self._cursor: int | None = None
        self._message = 0
        self._heard = pulse.count

    def run(self) -> None:
        """Tell until the subscriber leaves, is signed out, unsubscribes, or the process stops."""
        self._note("event-channel-opened")
        checked_at = self._parts.clock()
        while not self._pulse.stopping.is_set():
            count = self._pulse.count
            now = self._parts.clock()
            if (now - checked_at).total_seconds() >= _AGAIN_S:
                checked_at = now
                if not self._is_still_known():
                    self._channel.close(SIGNED_OUT, "Sign in again.")
                    return
            if not self._catch_up():
                self._channel.close(GONE, "There is no subscription any more.")
                return
            self._tell_readiness(count)
            self._drain()
            self._pulse.wait(count, 1.0)
            while self._pulse.count == count and not self._is_due(checked_at):
                self._drain()
                self._pulse.wait(count, 1.0)
        self._go_down()

    def _is_due(self, checked_at: Any) -> bool:
        elapsed_s = (self._parts.clock() - checked_at).total_seconds()
        return self._pulse.stopping.is_set() or elapsed_s >= _AGAIN_S

    def _catch_up(self) -> bool:
        """Send what has happened; tell whether there is still a subscription."""
        while not self._pulse.stopping.is_set():
            try:
                news = self._news()
                if news is None:
                    return False
                self._send(news)
            except LysbroError as error:  # the database is away: told when it is back
                log.warning("events_not_read", ae=self._caller.ae_title, reason=error.code)
                return True
            if news.is_all:
                return True
        return True

    def _tell_readiness(self, count: int) -> None:
        """Send which work items have become ready; to those who listen now, and to them only."""
        turned, self._heard = self._pulse.turned(self._heard), count
        if not turned:
            return
        try:
            reports = readiness_reports(
                self._parts.database, self._actor, self._caller.ae_title, turned
            )
        except LysbroError as error:
            log.warning("events_not_read", ae=self._caller.ae_title, reason=error.code)
            return
        for report in reports:
            self._send_report(report)

    def _news(self) -> News | None:
        return news_for(
            self._parts.database,
            self._actor,
            self._caller.ae_title,
            after=self._cursor,
            requesting_ae=self._parts.settings.ae_title,
        )

    def _send(self, news: News) -> None:
        if self._cursor is None and news.went_down:
            self._send_status("RESTARTED")
        for report in news.reports:
            self._send_report(report)
        is_new = self._cursor is None or news.reports or news.told
        self._cursor = news.seq
        if is_new:
            self._parts.subscriptions.sent(
                self._actor, self._caller.ae_title, news.seq, told=news.told, went_down=False
            )

    def _send_report(self, report: Report) -> None:
        self._message = self._message % 0xFFFF + 1
        values = {
            "AffectedSOPClassUID": EVENT_CLASS,
            "MessageID": self._message,
            "AffectedSOPInstanceUID": report.uid,
            "EventTypeID": int(report.event),
            **report.values,
        }
        self._channel.send(json.dumps(to_json(values)))

    def _send_status(self, status: str) -> None:
        """Say how the exchange itself does; what it knew is not lost (warm start)."""
        values = {
            "SCPStatus": status,
            "SubscriptionListStatus": "WARM START",
            "UnifiedProcedureStepListStatus": "WARM START",
        }
        self._send_report(Report(EventType.SCP_STATUS_CHANGE, GLOBAL_SUBSCRIPTION, values))

    def _go_down(self) -> None:
        self._send_status("GOING DOWN")
        if self._cursor is not None:
            self._parts.subscriptions.sent(
                self._actor, self._caller.ae_title, self._cursor, went_down=True
            )
        self._channel.close(GOING_AWAY, "The exchange is going down.")

    def _drain(self) -> None:
        """Throw away what the subscriber says, and meet its leaving."""
        while True:
            try:
                self._channel.recv(timeout=0)
            except TimeoutError:
                return

    def _is_still_known(self) -> bool:
        caller = self._caller
        try:
            actor = identify(
                self._parts, bearer=caller.bearer, session=caller.session, is_use=False
            )
        except LysbroError:
            return True  # asked again in a moment
        if actor is not None:
            self._actor = actor
        return actor is not None

    def _note(self, action: str) -> None:
        self._parts.ledger.append(
            None,
            actor=self._actor,
            action=action,
            subject=self._caller.ae_title,
            site=self._actor.site,
        )


def identify(
    parts: ChannelParts, *, bearer: str, session: str, is_use: bool = True
) -> Actor | None:
    """Return who has a token or a session, or None for a stranger.

    A token that is limited to other things is refused with InsufficientScope.
    """
    now = parts.clock()
    if bearer:
        holder = parts.people.bearer(bearer, now)
        needed = needed_for(PATH, "GET")
        if holder is not None and not covers(holder.scopes, needed):
            raise InsufficientScope(needed)
        return None if holder is None else holder.actor
    found = parts.people.actor_by_session(session, now, is_use=is_use) if session else None
    return found[0] if found else None


@contextmanager
def open_channels(parts: ChannelParts, *, host: str, port: int) -> Iterator[int]:
    """Let subscribers in for as long as this is held; give the port."""
    door = Door(parts)
    quiet = logging.getLogger("lysbro.events")
    quiet.propagate = False  # it would tell of each broken handshake, with its trace
    quiet.addHandler(logging.NullHandler())
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = serve(
        door.tell,
        sock=socket.create_server((host, port), family=family),
        process_request=door.admit,
        create_connection=Channel,
        compression=None,
        server_header=None,
        open_timeout=_OPEN_S,
        ping_interval=_PING_S,
        ping_timeout=_PING_S,
        close_timeout=_CLOSE_S,
        max_size=_LARGEST,
        logger=quiet,
    )
    _bound(server, parts.most + _HANDSHAKES)
    threads = [
        threading.Thread(target=server.serve_forever, name="event-door", daemon=True),
        threading.Thread(target=door.pulse.run, name="event-pulse", daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield int(server.socket.getsockname()[1])
    finally:
        door.close()
        server.shutdown()
        for thread in threads:
            thread.join()


def _bound(server: Server, most: int) -> None:
    """Close connections beyond a number at once, those that say nothing yet counted too."""
    handler, slots = server.handler, threading.BoundedSemaphore(most)

    def bounded(sock: socket.socket, address: Any) -> None:
        if not slots.acquire(blocking=False):
            sock.close()
            with server.lock:
                server.handler_threads.discard(threading.current_thread())
            return
        try:
            handler(sock, address)
        finally:
            slots.release()

    server.handler = bounded


def _secrets(headers: Headers, *, https: bool) -> tuple[str, str]:
    """Return the bearer token and the session of a request."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip(), ""
    cookies = parse_cookie("; ".join(headers.get_all("Cookie")))
    return "", cookies.get(session_cookie_name(https=https)) or ""


def _same_host(origin: str | None, host: str) -> bool:
    """Tell whether a page of ours opened a channel; only browsers say where a page is from.

    The port may be another: the channel's own.
    """
    if origin is None:
        return True
    return bool(host) and urlsplit(origin).hostname == urlsplit(f"//{host}").hostname


def _no(status: HTTPStatus, text: str, *, challenge: str = 'Bearer realm="lysbro"') -> Response:
    body = text.encode()
    headers = Headers(
        {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
    )
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        headers["WWW-Authenticate"] = challenge
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "30"
    return Response(status.value, status.phrase, headers, body)
