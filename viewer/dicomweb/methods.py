"""What may be asked of a resource, out of the routes that there are and the settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flask import current_app, request

from viewer.services import services

BASE = "/dicom-web"
_ARGUMENT = re.compile("<(?:[^:>]*:)?([^>]+)>")


@dataclass(frozen=True)
class Method:
    """A method of a resource, and the endpoint that answers it."""

    rule: str  # as PS3.18 writes it: /studies/{study}
    name: str
    endpoint: str


def offered() -> Iterator[Method]:
    """Yield every method of every resource that is answered, but for OPTIONS and HEAD."""
    for rule in current_app.url_map.iter_rules():
        if rule.rule != BASE and not rule.rule.startswith(BASE + "/"):
            continue
        for name in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if name != "DELETE" or _may_be_deleted(rule.endpoint):
                yield Method(template_of(rule.rule), name, rule.endpoint)


def template_of(rule: str) -> str:
    """Return a rule as PS3.18 writes it, below the base: `/studies/{study}`."""
    return _ARGUMENT.sub(r"{\1}", rule.removeprefix(BASE)) or "/"


def allowed() -> list[str]:
    """Return the methods that the resource of this request answers."""
    adapter = current_app.url_map.bind_to_environ(request.environ)
    names = set(adapter.allowed_methods())
    if not services().settings.dicomweb_delete:
        names = {
            name
            for name in names
            if name != "DELETE" or _may_be_deleted(str(adapter.match(method="DELETE")[0]))
        }
    return sorted(names | {"OPTIONS"})


def _may_be_deleted(endpoint: str) -> bool:
    """Tell whether a DELETE is answered: that of images where it is turned on, others always."""
    return services().settings.dicomweb_delete or not endpoint.startswith("dicomweb.delete_")
