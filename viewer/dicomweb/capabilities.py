"""Retrieve Capabilities (PS3.18 section 8.9 and annex H): OPTIONS on every resource.

Made of the routes that there are, so that nothing is said of what is not answered; only the media
types stand in a table here, which a test tries one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as Xml  # only writes

from flask import Blueprint, Response, json, request

from viewer.dicomweb import accept, methods
from viewer.dicomweb.methods import BASE, Method
from viewer.problems import NotAcceptable

WADL = "application/vnd.sun.wadl+xml"
JSON = "application/json"
_NAMESPACE = "http://wadl.dev.java.net/2009/02"

_DICOM = 'multipart/related; type="application/dicom"'
_DICOM_JSON = "application/dicom+json"
_DICOM_XML = "application/dicom+xml"
_MANY = (_DICOM_JSON, f'multipart/related; type="{_DICOM_XML}"')
_OCTETS = "application/octet-stream"
_FRAMES = tuple(
    form
    for media_type in (
        _OCTETS, "image/jphc", "image/jls", "image/jp2", "image/dicom-rle", "image/jpeg",
        "video/mp4",
    )
    for form in (f'multipart/related; type="{media_type}"', media_type)
)  # fmt: skip
_PICTURES = ("image/jpeg", "image/png", "image/gif", "image/jp2")
_OF_OBJECTS = ("video/mp4", "application/pdf", "text/html", "text/plain")
_LEVELS = ("study", "series", "instance")
_STORED = (_DICOM, 'multipart/related; type="application/dicom+json"',
           'multipart/related; type="application/dicom+xml"', "application/dicom")  # fmt: skip
_COMMITTED = (_DICOM_JSON, _DICOM_XML)

PRODUCES: Mapping[str, Sequence[str]] = {
    **{f"search_{what}": _MANY for what in ("studies", "series", "instances")},
    **{f"search_{what}_of_study": _MANY for what in ("series", "instances")},
    "search_instances_of_series": _MANY,
    **{f"metadata_{level}": _MANY for level in _LEVELS},
    "retrieve_study": (_DICOM,),
    "retrieve_series": (_DICOM,),
    "retrieve_instance": (_DICOM, "application/dicom"),
    "retrieve_frames": _FRAMES,
    "bulkdata": (_OCTETS, f'multipart/related; type="{_OCTETS}"', "application/pdf"),
    **{f"bulkdata_{level}": (f'multipart/related; type="{_OCTETS}"',) for level in _LEVELS},
    **{f"pixeldata_{level}": (f'multipart/related; type="{_OCTETS}"',) for level in _LEVELS},
    "rendered_frame": _PICTURES,
    "rendered_study": _PICTURES,
    "rendered_series": _PICTURES,
    "rendered_instance": (*_PICTURES, *_OF_OBJECTS),
    "thumbnail_frame": _PICTURES,
    **{f"thumbnail_{level}": _PICTURES for level in _LEVELS},
    "search_workitems": _MANY,
    "retrieve_workitem": _COMMITTED,
    "store": _COMMITTED,
    "store_in_study": _COMMITTED,
    "request_commitment": _COMMITTED,
    "check_commitment": _COMMITTED,
}
"""What an endpoint answers with, as far as it is said; others may answer with more."""

CONSUMES: Mapping[str, Sequence[str]] = {
    "store": _STORED,
    "store_in_study": _STORED,
    "request_commitment": _COMMITTED,
    "create_workitem": _COMMITTED,
    "update_workitem": _COMMITTED,
    "change_workitem_state": _COMMITTED,
    "request_cancellation": _COMMITTED,
}
"""What an endpoint takes."""


def add_to(bp: Blueprint) -> None:
    """Answer OPTIONS on the base and on every resource below it, whoever's it is."""
    bp.add_url_rule("/", "capabilities", describe, methods=["OPTIONS"], strict_slashes=False)
    bp.before_app_request(_describe_resource)


def describe() -> Response:
    """Describe the service from the resource of this request downwards."""
    media_type = _chosen()
    top = methods.template_of(request.url_rule.rule if request.url_rule else BASE)
    found = [m for m in methods.offered() if _is_within(m.rule, top)]
    made = _as_wadl(found) if media_type == WADL else _as_json(found)
    response = Response(made, content_type=media_type)
    response.headers["Allow"] = ", ".join(methods.allowed())
    response.vary.add("Accept")
    return response


def _describe_resource() -> Response | None:
    is_ours = request.path == BASE or request.path.startswith(BASE + "/")
    if request.method != "OPTIONS" or not is_ours or request.url_rule is None:
        return None
    return describe()


def _chosen() -> str:
    for wanted in accept.wanted():
        for ours in (WADL, JSON):
            if not wanted.multipart and accept.matches(ours, wanted.media_type):
                return ours
    raise NotAcceptable(f"Capabilities are {WADL} or {JSON}.", code="not-acceptable")


def _is_within(rule: str, top: str) -> bool:
    return top in {"/", rule} or rule.startswith(top + "/")


def _base() -> str:
    return f"{request.url_root.rstrip('/')}{BASE}"


def _as_json(found: Sequence[Method]) -> str:
    resources: dict[str, list[dict[str, Any]]] = {}
    for method in sorted(found, key=lambda m: (m.rule, m.name)):
        name = _name(method)
        told: dict[str, Any] = {"name": method.name, "id": name}
        told |= {"produces": list(PRODUCES[name])} if name in PRODUCES else {}
        told |= {"consumes": list(CONSUMES[name])} if name in CONSUMES else {}
        resources.setdefault(method.rule, []).append(told)
    listed = [{"path": path, "methods": told} for path, told in resources.items()]
    return json.dumps({"base": _base(), "resources": listed})


def _as_wadl(found: Sequence[Method]) -> bytes:
    top = Xml.Element("application", {"xmlns": _NAMESPACE})
    root = Xml.SubElement(top, "resources", {"base": _base()})
    nodes: dict[tuple[str, ...], Xml.Element] = {(): root}
    for method in sorted(found, key=lambda m: (m.rule, m.name)):
        _add_method(_node(nodes, method.rule), method)
    return bytes(Xml.tostring(top, encoding="utf-8", xml_declaration=True))


def _node(nodes: dict[tuple[str, ...], Xml.Element], rule: str) -> Xml.Element:
    """Return the element of a resource, with those that it is below."""
    path = tuple(part for part in rule.split("/") if part)
    for length in range(1, len(path) + 1):
        if path[:length] not in nodes:
            above = nodes[path[: length - 1]]
            nodes[path[:length]] = Xml.SubElement(above, "resource", {"path": path[length - 1]})
    return nodes[path]


def _add_method(node: Xml.Element, method: Method) -> None:
    name = _name(method)
    element = Xml.SubElement(node, "method", {"name": method.name, "id": name})
    asked = Xml.SubElement(element, "request")
    header = {"name": "Accept", "style": "header"}
    if name in PRODUCES:
        taken = Xml.SubElement(asked, "param", {**header, "default": PRODUCES[name][0]})
        for media_type in PRODUCES[name]:
            Xml.SubElement(taken, "option", {"value": media_type})
    for media_type in CONSUMES.get(name, ()):
        Xml.SubElement(asked, "representation", {"mediaType": media_type})
    answered = Xml.SubElement(element, "response", {"status": "200"})
    for media_type in PRODUCES.get(name, ()):
        Xml.SubElement(answered, "representation", {"mediaType": media_type})


def _name(method: Method) -> str:
    return method.endpoint.rpartition(".")[2]
