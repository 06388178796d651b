"""Remembers for a second who a caller is and which images lie within sight, for reading frames.

A reader scrolls through hundreds of frames; each asks the same two questions. What is remembered
was so at most `FOR_S` seconds ago: nothing outlives a revocation, a moved case or an erasure by
more. Nothing but the fast way to a frame asks here.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

from casework.access import Scope, scope_of
from casework.model import Actor
from casework.token_scopes import covers
from storage.rows import InstanceRow
from viewer.services import Services

FOR_S = 1.0
SCOPE = "dicomweb.read"
"""What a token that is limited to scopes must have; without it, it is a stranger here."""
_AHEAD = 48  # of a series that is read one by one, looked up together
_MOST = 5_000
_TURNS = 64
_LATELY_S = 10.0  # a second look into a series within this time: it is being read

_Value = TypeVar("_Value")


class Briefly(Generic[_Value]):
    """Values that are good for a moment from when they began to be looked up. Thread-safe."""

    def __init__(
        self, *, for_s: float = FOR_S, most: int = _MOST, clock: Callable[[], float]
    ) -> None:
        self._for_s = for_s
        self._most = most
        self._clock = clock
        self._known: OrderedDict[Hashable, tuple[float, _Value]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> _Value | None:
        """Return what was looked up for a key a moment ago, or None."""
        found = self._known.get(key)
        if found is None or self._clock() - found[0] >= self._for_s:
            return None
        return found[1]

    def put(self, key: Hashable, value: _Value, *, asked_at: float) -> None:
        """Remember a value that was asked for at this time of the clock."""
        with self._lock:
            self._known[key] = (asked_at, value)
            self._known.move_to_end(key)
            oldest_good = self._clock() - self._for_s
            while self._known:
                first = next(iter(self._known))
                if self._known[first][0] > oldest_good and len(self._known) <= self._most:
                    break
                del self._known[first]


class Sight:
    """Who asks, and what lies within sight of them, as of a moment ago."""

    def __init__(self, known: Services, clock: Callable[[], float] = time.monotonic) -> None:
        self._services = known
        self._clock = clock
        self._actors: Briefly[Actor] = Briefly(clock=clock)
        self._rows: Briefly[InstanceRow] = Briefly(clock=clock)
        self._turns = [Lock() for _ in range(_TURNS)]
        self._lately: Briefly[bool] = Briefly(for_s=_LATELY_S, clock=clock)

    def actor(self, *, bearer: str = "", session: str = "", is_anew: bool = False) -> Actor | None:
        """Return who has a token or a session, or None for a stranger, who is asked for anew."""
        secret = bearer or session
        key = (bool(bearer), hashlib.sha256(secret.encode()).digest())
        actor = None if is_anew else self._actors.get(key)
        if actor is not None:
            return actor
        asked_at, now = self._clock(), self._services.clock()
        if bearer:
            holder = self._services.people.bearer(bearer, now)
            may_read = holder is not None and covers(holder.scopes, SCOPE)
            actor = holder.actor if holder is not None and may_read else None
        else:
            found = self._services.people.actor_by_session(session, now)
            actor = found[0] if found else None
        if actor is not None:
            self._actors.put(key, actor, asked_at=asked_at)
        return actor

    def instance(
        self, actor: Actor, study_uid: str, series_uid: str, sop_instance_uid: str
    ) -> InstanceRow | None:
        """Return an instance within sight, or None; of a series read in order the next, too."""
        scope = scope_of(actor)
        series = (scope, study_uid, series_uid)
        row = self._rows.get((series, sop_instance_uid))
        if row is not None:
            return row
        with self._turns[hash(series) % _TURNS]:  # of several who miss at once, one looks
            return self._rows.get((series, sop_instance_uid)) or self._look(
                series, sop_instance_uid
            )

    def _look(self, series: tuple[Scope, str, str], sop_instance_uid: str) -> InstanceRow | None:
        scope, study_uid, series_uid = series
        asked_at = self._clock()
        index = self._services.index
        found = index.unread_instance(scope, study_uid, series_uid, sop_instance_uid)
        if found is None:
            return None
        following = index.instances_behind(scope, found, _AHEAD) if self._lately.get(series) else []
        for each in (found, *following):
            self._rows.put((series, each.sop_instance_uid), each, asked_at=asked_at)
        self._lately.put(series, True, asked_at=asked_at)
        return found
