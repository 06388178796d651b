"""Brings findings into their form, with what the answers to their template say in words.

The version of the template is kept with the centre of the one who writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from casework.describing import with_words
from casework.errors import NotFound
from casework.findings import normal_findings
from storage.steps import Step
from storage.templates import keep_in_use, kept_template


def described(step: Step, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return findings in their form, or raise Invalid, or NotFound for an unknown template."""
    written = normal_findings(body)
    if not written["template"]:
        return with_words(written, None)
    centre = step.actor.site
    try:
        kept = kept_template(step.conn, centre, written["template"], written["template_version"])
    except NotFound:
        if written["fields"]:
            raise
        return with_words(written, None)  # a name of the writer's own, with nothing to say
    keep_in_use(step.conn, centre, kept, now=step.now)
    return with_words(written, kept.template)
