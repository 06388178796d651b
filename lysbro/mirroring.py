"""Runs the mirror beside the worker's chores, in a thread of its own: a slow mirror holds up none.

Also says how far behind it is, for the state of the exchange.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import structlog

from casework.errors import LysbroError
from lysbro.wiring import Parts
from storage import mirror_rows
from storage.backup import Kept
from storage.mirroring import Mirrorer
from storage.pace import drain_s
from storage.quota_gate import in_units

log = structlog.get_logger()

_BREATH_S = 1.0
_GRACE_S = 5.0


@contextmanager
def mirroring(parts: Parts, stop: threading.Event) -> Iterator[None]:
    """Copy to the mirror, where there is one, for as long as the block lasts.

    A copy that is under way at the end is given up after a moment; it is begun again later.
    """
    if parts.archive.mirror is None:
        yield
        return
    mirrorer = Mirrorer(
        parts.archive, parts.archive.mirror, backups_kept=parts.settings.backups_kept
    )
    ended = threading.Event()

    def run() -> None:
        while not stop.is_set() and not ended.is_set():
            if not _attempt(parts, mirrorer):
                stop.wait(_BREATH_S)

    thread = threading.Thread(target=run, name="mirror", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_GRACE_S)


def _attempt(parts: Parts, mirrorer: Mirrorer) -> bool:
    try:
        return mirrorer.run_once(parts.clock())
    except LysbroError as error:
        log.warning("chore failed", chore="mirror", reason=error.code, message=error.message)
    except Exception:
        log.exception("chore broke", chore="mirror")
    return False


def mirror_soon(parts: Parts, kept: Kept) -> None:
    """Let a backup that was made just now be the next that is copied; the listing finds it too."""
    if parts.archive.mirror is not None:
        with parts.database.begin() as conn:
            mirror_rows.notice_backups(conn, [(kept.key, kept.size_bytes, kept.at)])


def mirror_of(parts: Parts, now: datetime) -> dict[str, Any] | None:
    """Return how far the mirror is behind, as plain values; None where there is none."""
    mirror = parts.archive.mirror
    if mirror is None:
        return None
    with parts.database.read() as conn:
        behind = mirror_rows.behind(conn)
        reads = mirror_rows.reads(conn)
    oldest, failure = behind.oldest_at, parts.archive.spool_status().mirroring_failure
    return {
        "place": mirror.describe(),
        "behind_objects": behind.objects,
        "behind_bytes": behind.size_bytes,
        "oldest_age_s": None if oldest is None else max(0.0, (now - oldest).total_seconds()),
        "catch_up_s": drain_s(behind.size_bytes, behind.trips),
        "failing_objects": behind.failing,
        "is_failing": bool(failure),
        "failure": failure,
        "reads": {reason: reads.get(reason, 0) for reason in ("missing", "corrupt", "unreadable")},
    }


def mirror_in_words(told: dict[str, Any] | None) -> tuple[list[str], list[str]]:
    """Return the alarms about the mirror, and the lines that say how it is."""
    if told is None:
        return [], []
    alarms = []
    if told["failure"]:
        alarms.append(f"ALARM       nothing is mirrored: {told['failure']}")
    lines = [f"mirror      {told['place']}, " + _behind(told)]
    reads = {reason: n for reason, n in told["reads"].items() if n}
    if reads:
        lines.append(
            "            read instead of the store: "
            + ", ".join(f"{n} times ({reason} there)" for reason, n in reads.items())
        )
    return alarms, lines


def _behind(told: dict[str, Any]) -> str:
    if not told["behind_objects"]:
        return "has all that the store has"
    age_s, left_s = told["oldest_age_s"] or 0.0, told["catch_up_s"]
    text = (
        f"{told['behind_objects']} objects ({in_units(told['behind_bytes'])}) behind, "
        f"the oldest for {_span(age_s)}"
    )
    text += ", no copy has been timed yet" if left_s is None else f", about {_span(left_s)} to go"
    return text + (f", {told['failing_objects']} tried in vain" if told["failing_objects"] else "")


def _span(seconds: float) -> str:
    for unit, length_s, from_s in (("days", 86_400, 172_800), ("h", 3600, 5400), ("min", 60, 90)):
        if seconds >= from_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{seconds:.0f} s"
