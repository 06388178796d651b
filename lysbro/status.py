"""Gathers what an operator asks first: spool, store, index, deliveries, dead letters, sites.

Reads only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from lysbro.mirroring import mirror_in_words, mirror_of
from lysbro.open_channels import open_channels_of
from lysbro.status_priors import priors_in_words, priors_of
from lysbro.status_quotas import of_quota, quota_of, quota_warnings
from lysbro.wiring import Parts
from storage import pack_checks
from storage.nodes import AWAY, STOPPED, UP, lives
from storage.objects import tested
from storage.tombstones import DONE


def gather(parts: Parts) -> dict[str, Any]:
    """Return the state of the exchange as plain values, for `lysbro status`, the operator's page
    and metrics.
    """
    now = parts.clock()
    spool = parts.archive.spool_status()
    dead = parts.outbox.dead_letters()
    used = {each.site: each for each in parts.quotas.usage()}
    with parts.database.read() as conn:
        kept = pack_checks.standing(conn)
    jump = parts.jump()
    return {
        "at": now.isoformat(),
        "clock": {
            "jump_s": jump.seconds if jump else 0.0,
            "says": jump.in_words() if jump else "",
        },
        "spool": {
            "depth_bytes": spool.depth_bytes,
            "limit_bytes": spool.limit_bytes,
            "instances": spool.instances,
            "oldest_age_s": _age_s(spool.oldest_at, now),
            "read_only": spool.failure,
            "fallback": spool.fallback,
            "waiting_bytes": spool.waiting_bytes,
            "drain_s": spool.drain_s,
        },
        "store": {
            "place": parts.store.describe(),
            "orphaned_packs": spool.orphaned_packs,
            "packing_failure": spool.packing_failure,
            "tested": tested(parts.store),
        },
        "mirror": mirror_of(parts, now),
        "nodes": nodes_of(parts),
        "hash_mismatch": kept.hash_mismatch,
        "acked_missing": kept.acked_missing,
        "scrub_oldest_age_s": _age_s(kept.oldest_checked_at, now),
        "packs_unchecked": kept.unchecked,
        "index": dict(parts.index.counts()),
        "cases": dict(parts.casebook.counts()),
        "outbox": dict(parts.outbox.counts()),
        "commitments": dict(parts.commitments.counts()),
        "destinations": [
            {
                "to": each.destination,
                "queued": each.queued,
                "under_way": each.under_way,
                "dead": each.dead,
                "oldest_age_s": _age_s(each.oldest_at, now),
                "paused": each.paused_at is not None,
                "uncommitted": each.uncommitted,
            }
            for each in parts.destinations.waiting()
        ],
        "promises": dict(parts.promises.counts()),
        "escalated": parts.escalation.count(),
        "priors": priors_of(parts),
        "hl7": {"refused": parts.hl7_inbox.count_refused()},
        "uploads": uploads_of(parts),
        "events": {"channels": open_channels_of(parts.settings.data)},
        "dead_letters": [
            {
                "kind": d.kind,
                "id": d.id,
                "to": d.destination,
                "attempts": d.attempts,
                "arrived": d.arrived,
                "reason": d.last_error,
            }
            for d in dead
        ],
        "retries": [
            {
                "kind": r.kind,
                "id": r.id,
                "to": r.destination,
                "attempts": r.attempts,
                "next_attempt_at": r.next_attempt_at.isoformat(),
                "reason": r.last_error,
            }
            for r in parts.outbox.retries()
        ],
        "erasures": [
            {"id": e.stone.id, "state": e.state, "waits_for": e.waits_for}
            for e in parts.erasures.listed()
            if e.state != DONE
        ],
        "conflicts": len(parts.index.conflicts()),
        "sites": [
            {
                "slug": site.slug,
                "name": site.name,
                "kind": site.kind.value,
                "last_heard_at": heard.isoformat()
                if (heard := parts.index.last_heard(site.slug))
                else None,
                "quota": quota_of(used.get(site.slug), parts.settings.quota_warn_percent),
            }
            for site in parts.people.sites()
        ],
    }


def uploads_of(parts: Parts) -> dict[str, Any]:
    """Return what lies in this data folder of photographs that come in pieces."""
    found = parts.uploads.standing()
    return {
        "unfinished": found.unfinished,
        "bytes": found.bytes_here,
        "oldest_age_s": _age_s(found.oldest_at, parts.clock()),
    }


def nodes_of(parts: Parts) -> list[dict[str, Any]]:
    """Return what each node of the exchange tells of itself; none where there is but one."""
    now = parts.clock()
    return [
        {
            "name": node.name,
            "is_here": node.name == parts.settings.resolved_node,
            "address": node.address,
            "lives": lives(node.heard_at, now),
            "heard_age_s": _age_s(node.heard_at or node.left_at, now),
            "state": node.state(now),
            "kinds": [kind for kind in node.told.kinds.split(",") if kind],
            "version": node.told.version,
            "spool_instances": node.told.spool_instances,
            "spool_bytes": node.told.spool_bytes,
            "spool_oldest_age_s": _age_s(node.told.spool_oldest_at, now),
            "drain_s": node.told.drain_s,
        }
        for node in parts.nodes.listed()
    ]


def _uploads(told: dict[str, Any]) -> list[str]:
    if not told["unfinished"]:
        return []
    here = f"{_size(told['bytes'])} of them here, the oldest begun {told['oldest_age_s']:.0f} s ago"
    return [f"uploads     {told['unfinished']} photographs are not whole yet, {here}"]


def nodes_in_words(told: Sequence[dict[str, Any]]) -> str:
    """Return the nodes as lines for a terminal."""
    return "\n".join(line for node in told for line in _node(node))


def in_words(told: dict[str, Any]) -> str:
    """Return the state as lines for a person."""
    spool, outbox = told["spool"], told["outbox"]
    age, orphaned = spool["oldest_age_s"], told["store"]["orphaned_packs"]
    lines = [
        f"spool       {_size(spool['depth_bytes'])} of {_size(spool['limit_bytes'])}, "
        f"{spool['instances']} objects" + (f", oldest {age:.0f} s" if age is not None else ""),
        *_draining(told),
        f"store       {told['store']['place']}"
        + (f", {orphaned} orphaned packs: see 'lysbro verify'" if orphaned else ""),
        *_tested(told["store"]["tested"]),
        "index       " + ", ".join(f"{count} {name}" for name, count in told["index"].items()),
        "cases       "
        + (", ".join(f"{count} {name}" for name, count in told["cases"].items()) or "none"),
        "outbox      "
        + (", ".join(f"{count} {name}" for name, count in outbox.items()) or "nothing waits"),
        "commitments "
        + ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in told["commitments"].items()),
        f"conflicts   {told['conflicts']}",
        *_uploads(told["uploads"]),
    ]
    alarms, mirror = mirror_in_words(told["mirror"])
    lines[:0] = alarms
    lines += mirror
    if told["store"]["packing_failure"]:
        lines.insert(0, f"ALARM       nothing is packed: {told['store']['packing_failure']}")
    seen = told["scrub_oldest_age_s"]
    if seen is not None:
        unchecked = told["packs_unchecked"]
        lines.append(
            f"verified    every pack within {seen / 86400:.1f} days"
            + (f", but {unchecked} that never were" if unchecked else "")
        )
    if told["hash_mismatch"] or told["acked_missing"]:
        lines.insert(
            0,
            f"ALARM       {told['hash_mismatch']} objects have lost their hash, "
            f"{told['acked_missing']} are missing: run 'lysbro verify --repair'",
        )
    if told["clock"]["says"]:
        lines.insert(0, f"ALARM       {told['clock']['says']}")
    if spool["fallback"]:
        lines.insert(0, f"ALARM       success is answered after the spool: {spool['fallback']}")
    if spool["read_only"]:
        lines.insert(0, f"ALARM       nothing is taken in: {spool['read_only']}")
    for erasure in told["erasures"]:
        lines.append(
            f"erasure     {erasure['id']} is not finished"
            + (f": {erasure['waits_for']}" if erasure["waits_for"] else "")
        )
    for node in told["nodes"]:
        lines += _node(node)
    lines += [_destination(each) for each in told["destinations"]]
    for job in told["retries"]:
        lines.append(
            f"retried     {job['kind']} {job['id']} to {job['to']} "
            f"after {job['attempts']} attempts: {job['reason']}"
        )
    for letter in told["dead_letters"]:
        lines.append(
            f"dead        {letter['kind']} {letter['id']} to {letter['to']} "
            f"after {letter['attempts']} attempts: {letter['reason']}"
        )
    lines += priors_in_words(told["priors"])
    if told["hl7"]["refused"]:
        lines.append(
            f"hl7         {told['hl7']['refused']} refused messages wait for a person: "
            "see 'lysbro hl7 refused'"
        )
    for site in told["sites"]:
        lines.append(
            f"site        {site['slug']} ({site['kind']}), "
            f"last heard {site['last_heard_at'] or 'never'}{of_quota(site['quota'])}"
        )
    lines[:0] = quota_warnings(told["sites"])
    return "\n".join(lines)


def _node(node: dict[str, Any]) -> list[str]:
    """Say how a node does, and what to do when it is silent or has left something behind."""
    name, state, waits = node["name"], node["state"], node["spool_instances"]
    at = f", spool read at {node['address']}" if node["address"] else ""
    runs = f" {'+'.join(node['kinds'])}" if node["kinds"] else ""
    lines = [
        f"node        {name}{' (this one)' if node['is_here'] else ''}"
        + {
            UP: f", up{at}",
            AWAY: f", AWAY, last heard {_duration(node['heard_age_s'] or 0)} ago",
            STOPPED: f", STOPPED {_duration(node['heard_age_s'] or 0)} ago",
        }[state]
        + (f",{runs} {node['version']}".rstrip() if state == UP else "")
    ]
    if waits:
        oldest = node["spool_oldest_age_s"]
        drain = node["drain_s"]
        lines.append(
            f"            {waits} objects in its spool ({_size(node['spool_bytes'])})"
            + ("" if oldest is None else f", the oldest for {_duration(oldest)}")
            + ("" if drain is None or state != UP else f", packed in about {_duration(drain)}")
        )
    if state != UP:
        lines.append(
            "            start it again; where it will not come back, start Lysbro on its data "
            f"folder elsewhere, or 'lysbro node forget {name}' once that disk is lost"
        )
    return lines


def _destination(each: dict[str, Any]) -> str:
    """Say what waits for a destination, and for how long."""
    parts = [
        f"{each['queued']} wait"
        + (
            f", the oldest for {_duration(each['oldest_age_s'])}"
            if each["queued"] and each["oldest_age_s"] is not None
            else ""
        ),
        f"{each['under_way']} under way" if each["under_way"] else "",
        f"{each['dead']} given up" if each["dead"] else "",
        f"{each['uncommitted']} instances sent and not committed to" if each["uncommitted"] else "",
        "PAUSED" if each["paused"] else "",
    ]
    return f"to          {each['to']}: " + ", ".join(part for part in parts if part)


def _draining(told: dict[str, Any]) -> list[str]:
    """Say how long what waits in the spool will take; nothing waits: nothing."""
    waiting, left_s = told["spool"]["waiting_bytes"], told["spool"]["drain_s"]
    if not waiting:
        return []
    when = "once the store answers, " if told["store"]["packing_failure"] else ""
    pace = "no pack has been timed yet" if left_s is None else f"{when}about {_duration(left_s)}"
    return [f"to pack     {_size(waiting)}, {pace}"]


def _tested(found: dict[str, Any] | None) -> list[str]:
    """Say what the store's server was found to do and to lack."""
    if found is None:
        return []
    lacks = ", ".join(found["lacks"])
    return [
        f"            {found['server']}, tried {found['tested_at'][:16]}: versions "
        f"{found['versioning']}, object lock {found['object_lock']}"
        + (f"; lacks {lacks} (looked up first, read back)" if lacks else "")
    ]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _age_s(then: datetime | None, now: datetime) -> float | None:
    return None if then is None else max(0.0, (now - then).total_seconds())


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
