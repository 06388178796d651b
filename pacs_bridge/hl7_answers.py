"""Writes the answer to an HL7 message (HL7 2.5.1 2.9.2): ACK with MSA, and ERR that names a field.

Decides nothing about the message.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pacs_bridge.hl7_text import Parsed, escaped, segment, written

ACCEPTED, ERROR, REJECTED = "AA", "AE", "AR"
"""MSA-1 (HL7 table 0008): taken; wrong in itself; refused for what it is or who sends it."""

CONDITIONS = {
    100: "Segment sequence error",
    101: "Required field missing",
    102: "Data type error",
    103: "Table value not found",
    200: "Unsupported message type",
    201: "Unsupported event code",
    202: "Unsupported processing id",
    203: "Unsupported version id",
    204: "Unknown key identifier",
    205: "Duplicate key identifier",
    206: "Application record locked",
    207: "Application internal error",
}
"""HL7 table 0357."""

_WITH_STRUCTURE = ("2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7")
_WITH_NEW_ERR = ("2.5", "2.5.1", "2.6", "2.7")
VERSIONS = ("2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7")


@dataclass(frozen=True)
class Place:
    """Where in a message something is: a segment, its number, a field, a component."""

    segment: str
    number: int = 1
    field: int = 0
    component: int = 0

    def __str__(self) -> str:
        """Return it as it is said: `OBR-24`."""
        return f"{self.segment}-{self.field}" if self.field else self.segment


@dataclass(frozen=True)
class Verdict:
    """What is answered to a message."""

    code: str
    condition: int = 0
    text: str = ""
    place: Place | None = None


def acknowledgment(
    message: Parsed, verdict: Verdict, *, control_id: str, at: datetime, application: str
) -> bytes:
    """Return the answer, in the version and the character set of what is answered."""
    head = message.header
    given = head.text(12)
    version = given if given in VERSIONS else "2.5.1"
    event = head.text(9, 2)
    kind = f"ACK^{event}^ACK" if version in _WITH_STRUCTURE and event else "ACK"
    encoding = message.encoding
    charset = message.charset or ("" if encoding == "utf-8" else "8859/1")
    fields = [
        "^~\\&",
        escaped(application),
        escaped(head.text(6)),
        escaped(head.text(3)),
        escaped(head.text(4)),
        f"{at:%Y%m%d%H%M%S}{at:%z}",
        "",
        kind,
        escaped(control_id),
        escaped(head.text(11)) or "P",
        version,
        *[""] * 5,
        escaped(charset),
    ]
    segments = [
        segment("MSH", fields),
        segment("MSA", [verdict.code, escaped(head.text(10)), escaped(verdict.text[:80])]),
    ]
    if verdict.code != ACCEPTED:
        segments.append(_err(verdict, version))
    return written(segments, encoding=encoding)


def _err(verdict: Verdict, version: str) -> str:
    place = verdict.place or Place("MSH")
    words = CONDITIONS[verdict.condition]
    where = [place.segment, str(place.number)]
    if place.field:
        where.append(str(place.field))
    if version not in _WITH_NEW_ERR:  # CM: segment ^ sequence ^ field ^ code & text
        where += [""] * (3 - len(where))
        return segment("ERR", ["^".join([*where, f"{verdict.condition}&{escaped(words)}"])])
    if place.field:
        where.append("1")
        if place.component > 1:
            where.append(str(place.component))
    code = f"{verdict.condition}^{words}^HL70357"
    return segment("ERR", ["", "^".join(where), code, "E", "", "", "", escaped(verdict.text[:250])])
