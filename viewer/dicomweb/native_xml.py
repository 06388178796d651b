"""Reads the Native DICOM Model (PS3.19 annex A.1) into the DICOM JSON model. Opens nothing.

What is read comes from outside: a document type is refused, so nothing can be declared, expanded or
fetched; depth and number of elements are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from casework.errors import Invalid

_MAX_DEPTH = 100
_MAX_ELEMENTS = 2_000_000
_TAG = re.compile("[0-9A-Fa-f]{8}")
_WHOLE = frozenset({"SS", "US", "SL", "UL", "SV", "UV"})
_REAL = frozenset({"FL", "FD"})
_PN_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_PN_PARTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_FIRST_BLOCK, _LAST_BLOCK = 0x10, 0xFF


@dataclass
class _Node:
    name: str
    attributes: Mapping[str, str]
    children: list[_Node] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.texts)


def read_xml(document: bytes) -> dict[str, Any]:
    """Return the data set of a document as DICOM JSON, or raise Invalid."""
    root = _parse(document)
    if root.name != "NativeDicomModel":
        raise _unreadable("its root is no NativeDicomModel")
    return _dataset(root)


def _parse(document: bytes) -> _Node:
    top = _Node("", {})
    open_nodes, count = [top], 0
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(open_nodes) > _MAX_DEPTH or count > _MAX_ELEMENTS:
            raise _unreadable("it is too deep or has too many elements")
        node = _Node(name.rpartition(" ")[2], attributes)
        open_nodes[-1].children.append(node)
        open_nodes.append(node)

    def end(_name: str) -> None:
        open_nodes.pop()

    def text(given: str) -> None:
        open_nodes[-1].texts.append(given)

    def refuse(*_given: object) -> None:
        raise _unreadable("it declares a document type, which is not taken")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, LookupError, UnicodeError, ValueError) as error:
        raise _unreadable(f"it is no XML ({error})") from error
    return top.children[0]


def _dataset(node: _Node) -> dict[str, Any]:
    found: dict[str, Any] = {}
    blocks: dict[tuple[str, str], int] = {}
    for child in node.children:
        if child.name != "DicomAttribute":
            continue
        tag, vr = child.attributes.get("tag", "").upper(), child.attributes.get("vr", "")
        if not _TAG.fullmatch(tag) or not vr:
            raise _unreadable("an attribute has no tag of eight digits, or no VR")
        creator = child.attributes.get("privateCreator", "")
        if creator:
            tag = _private_tag(found, blocks, tag, creator)
        found[tag] = {"vr": vr} | _content(child, vr)
    return dict(sorted(found.items()))


def _private_tag(
    found: dict[str, Any], blocks: dict[tuple[str, str], int], tag: str, creator: str
) -> str:
    """Return the tag of a private attribute in the block of its creator, which is reserved."""
    group, block, element = tag[:4], int(tag[4:6], 16), tag[6:]
    if block < _FIRST_BLOCK:
        taken = [number for (of, _), number in blocks.items() if of == group]
        block = blocks.get((group, creator), max(taken, default=_FIRST_BLOCK - 1) + 1)
        if block > _LAST_BLOCK:
            raise _unreadable("it has too many private creators")
    blocks[group, creator] = block
    found[f"{group}00{block:02X}"] = {"vr": "LO", "Value": [creator]}
    return f"{group}{block:02X}{element}"


def _content(node: _Node, vr: str) -> dict[str, Any]:
    for child in node.children:
        if child.name == "BulkData":
            return {"BulkDataURI": child.attributes.get("uri") or child.attributes.get("uuid", "")}
        if child.name == "InlineBinary":
            return {"InlineBinary": "".join(child.text.split())}
    kind = {"SQ": "Item", "PN": "PersonName"}.get(vr, "Value")
    values = [_value(child, vr) for child in _numbered(node, kind)]
    return {"Value": values} if values else {}


def _numbered(node: _Node, kind: str) -> Sequence[_Node]:
    """Return the children of a kind in the order of their numbers; what is left out is empty."""
    found: dict[int, _Node] = {}
    for place, child in enumerate((c for c in node.children if c.name == kind), start=1):
        number = child.attributes.get("number", str(place))
        if not number.isdecimal() or len(number) > 7 or int(number) < 1 or int(number) in found:
            raise _unreadable("its values are not numbered from 1")
        found[int(number)] = child
    last = max(found, default=0)
    if last > 2 * len(found) + 16:
        raise _unreadable("its values are not numbered from 1")
    return [found.get(number, _Node(kind, {})) for number in range(1, last + 1)]


def _value(node: _Node, vr: str) -> Any:
    if vr == "SQ":
        return _dataset(node)
    if vr == "PN":
        groups = {child.name: _name_of(child) for child in node.children}
        return {name: groups[name] for name in _PN_GROUPS if groups.get(name)}
    text = node.text
    if not text:
        return None
    try:
        if vr in _WHOLE:
            return int(text)
        if vr in _REAL:
            return float(text)
    except ValueError as error:
        raise _unreadable(f"{text[:40]!r} is no {vr}") from error
    return text


def _name_of(group: _Node) -> str:
    parts = {child.name: child.text for child in group.children}
    return "^".join(parts.get(name, "") for name in _PN_PARTS).rstrip("^")


def _unreadable(why: str) -> Invalid:
    return Invalid(f"The XML cannot be read: {why}.", code="bad-request")
