"""Remembers where in a long list of answers a page began, so that the next one walks on from there.

Asked for in their order, pages join up then even while studies arrive at the list's beginning. What
is remembered is kept for some minutes and in this process only; without it a list is walked anew.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from casework.access import Scope
from storage.query import Query
from storage.walk import Cursor

_LISTS = 64
_PLACES = 512
_FROM = 500  # a shorter way is walked sooner than remembered
_KEPT_S = 600.0


@dataclass(frozen=True)
class Place:
    """A place in a list: how many answers come before, and the cursor that goes on from it."""

    passed: int
    cursor: Cursor | None


START = Place(0, None)


@dataclass
class _Known:
    since_s: float
    places: dict[int, Place] = field(default_factory=dict)


class Places:
    """The places of some lists, those asked for last."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._lists: OrderedDict[Any, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def nearest(self, scope: Scope, query: Query, offset: int) -> Place:
        """Return the last place that is known at or before an offset."""
        if offset < _FROM:
            return START
        with self._lock:
            known = self._lists.get(_key(scope, query))
            if known is None or self._now_s() - known.since_s > _KEPT_S:
                return START
            passed = sorted(known.places)
            at = bisect_right(passed, offset)
            return known.places[passed[at - 1]] if at else START

    def note(self, scope: Scope, query: Query, place: Place) -> None:
        """Remember a place."""
        if place.passed < _FROM or place.cursor is None:
            return
        key = _key(scope, query)
        with self._lock:
            known = self._lists.pop(key, None)
            if known is None or self._now_s() - known.since_s > _KEPT_S:
                known = _Known(self._now_s())
            if len(known.places) >= _PLACES:  # leave every other one
                known.places = {p: known.places[p] for p in sorted(known.places)[::2]}
            known.places[place.passed] = place
            self._lists[key] = known
            while len(self._lists) > _LISTS:
                self._lists.popitem(last=False)


def _key(scope: Scope, query: Query) -> Any:
    """Return what makes a list: whose it is, and what is asked for; not what is shown of it."""
    return scope, query.level, repr(query.criteria), repr(query.on_attributes)
