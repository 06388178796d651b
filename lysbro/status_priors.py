"""Tells how it goes with earlier studies, for the status. Reads only."""

from __future__ import annotations

from typing import Any

from lysbro.wiring import Parts


def priors_of(parts: Parts) -> dict[str, Any]:
    """Return what waits to be asked and fetched, and what was given up."""
    return {
        **parts.prior_queue.counts(),
        "dead": [
            {
                "kind": each.kind,
                "id": each.id,
                "from": each.node,
                "subject": each.subject,
                "attempts": each.attempts,
                "reason": each.last_error,
            }
            for each in parts.prior_queue.given_up()
        ],
    }


def priors_in_words(told: dict[str, Any]) -> list[str]:
    """Return the lines for a terminal; none while nothing waits and nothing failed."""
    lines = []
    if told["questions"] or told["fetches"]:
        lines.append(
            f"priors      {told['questions']} questions to nodes wait, {told['fetches']} studies "
            "are to be fetched"
        )
    lines += [
        f"dead        {each['kind']} {each['id']} of earlier studies from {each['from']} "
        f"({each['subject']}) after {each['attempts']} attempts: {each['reason']}; "
        f"'lysbro prior-replay {each['kind']} {each['id']}' tries again"
        for each in told["dead"]
    ]
    return lines
