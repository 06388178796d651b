"""Writes DICOM JSON as the native DICOM model in XML (PS3.19 section A.1). Reads no data set.

The only writer there is; `native_xml` reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from pydicom.datadict import keyword_for_tag

MEDIA_TYPE = "application/dicom+xml"
_NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_LINE_ENDS = {"\r": "&#13;"}  # else a reader makes line feeds of them (XML 1.0 section 2.11)
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_NAME_PARTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")


def document(header: Mapping[str, Any]) -> bytes:
    """Return a data set that is DICOM JSON as a document in UTF-8."""
    inside = "".join(_attributes(header))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<NativeDicomModel xmlns="{_NAMESPACE}" xml:space="preserve">{inside}</NativeDicomModel>'
    ).encode()


def _attributes(header: Mapping[str, Any]) -> Iterator[str]:
    for tag in sorted(header):
        element = header[tag]
        told = f"tag={quoteattr(tag)} vr={quoteattr(element['vr'])}"
        keyword = keyword_for_tag(int(tag, 16))
        if keyword:
            told += f" keyword={quoteattr(keyword)}"
        creator = _creator(header, tag)
        if creator:
            told += f" privateCreator={_quoted(creator)}"
        inside = "".join(_content(element))
        yield f"<DicomAttribute {told}>{inside}</DicomAttribute>"


def _content(element: Mapping[str, Any]) -> Iterator[str]:
    if "BulkDataURI" in element:
        yield f"<BulkData uri={_quoted(element['BulkDataURI'])}/>"
    if "InlineBinary" in element:
        yield f"<InlineBinary>{_text(element['InlineBinary'])}</InlineBinary>"
    for number, value in enumerate(element.get("Value", ()), 1):
        if element["vr"] == "SQ":
            yield f'<Item number="{number}">{"".join(_attributes(value or {}))}</Item>'
        elif value is None:
            continue  # an empty value among others: its number is left out
        elif element["vr"] == "PN":
            yield f'<PersonName number="{number}">{"".join(_name(value))}</PersonName>'
        else:
            yield f'<Value number="{number}">{_text(value)}</Value>'


def _name(value: Mapping[str, str]) -> Iterator[str]:
    for group in _NAME_GROUPS:
        if value.get(group):
            parts = zip(_NAME_PARTS, value[group].split("^"), strict=False)
            inside = "".join(f"<{part}>{_text(text)}</{part}>" for part, text in parts if text)
            yield f"<{group}>{inside}</{group}>"


def _creator(header: Mapping[str, Any], tag: str) -> str:
    """Return who has reserved the block of a private element (PS3.5 section 7.8.1)."""
    is_private = int(tag[3], 16) % 2 == 1
    if not is_private or tag[4:6] == "00":
        return ""
    values = header.get(f"{tag[:4]}00{tag[4:6]}", {}).get("Value", ())
    return str(values[0]) if values and values[0] is not None else ""


def _text(value: Any) -> str:
    return escape(_FORBIDDEN.sub("\ufffd", str(value)), _LINE_ENDS)


def _quoted(value: Any) -> str:
    return quoteattr(_FORBIDDEN.sub("\ufffd", str(value)))
