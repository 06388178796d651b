"""HL7 version 2 messages as text (HL7 2.5.1 chapter 2): read leniently, written strictly.

Knows separators, escapes and character sets, and not what a segment means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from casework.errors import Invalid

MAX_SEGMENTS = 5000
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")

CHARSETS: Mapping[str, str] = {
    "": "",  # not said: UTF-8 where it is that, else ISO 8859-1
    "ASCII": "",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UNICODE": "utf-8",
    **{f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 12), 13, 14, 15, 16)},
    "ISO-8859-1": "iso8859-1",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "ISO IR87": "iso2022_jp",
    "BIG-5": "big5",
}
"""MSH-18 (HL7 table 0211, and what is written for it), with Python's names."""


@dataclass(frozen=True)
class Marks:
    """The characters that part a message (MSH-1, MSH-2)."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"


@dataclass(frozen=True)
class Segment:
    """One line of a message, its fields as they were written; MSH counts as the standard does."""

    name: str
    fields: tuple[str, ...]
    marks: Marks
    number: int = 1  # among the segments of its name

    def raw(self, position: int) -> str:
        """Return a field as it was written; `""` stands for nothing here."""
        text = self.fields[position - 1] if position <= len(self.fields) else ""
        return "" if text == '""' else text

    def repetitions(self, position: int) -> list[str]:
        """Return the repetitions of a field that say something."""
        return [part for part in self.raw(position).split(self.marks.repetition) if part]

    def text(self, position: int, component: int = 1) -> str:
        """Return a component of the first repetition, unescaped, without spaces around it."""
        first = next(iter(self.repetitions(position)), "")
        return component_of(first, component, self.marks)

    def lines(self, position: int) -> str:
        """Return a text field whole, its repetitions as lines."""
        return "\n".join(unescaped(part, self.marks).strip() for part in self.repetitions(position))


@dataclass(frozen=True)
class Parsed:
    """A message in its segments."""

    segments: tuple[Segment, ...]
    charset: str = ""  # MSH-18 as it was written
    encoding: str = "utf-8"  # in which it was read
    marks: Marks = field(default_factory=Marks)

    @property
    def header(self) -> Segment:
        """Return MSH."""
        return self.segments[0]

    def first(self, name: str) -> Segment | None:
        """Return the first segment of a name, or None."""
        return next((s for s in self.segments if s.name == name), None)


def component_of(text: str, number: int, marks: Marks) -> str:
    """Return a component of a field's repetition: of subcomponents the first."""
    parts = text.split(marks.component)
    part = parts[number - 1] if number <= len(parts) else ""
    found = unescaped(part.split(marks.subcomponent)[0], marks).strip()
    return "" if found == '""' else found


def parse(message: bytes) -> Parsed:
    """Return a message in its segments, or raise Invalid, coded `not-hl7` or `charset`."""
    lines = [line for line in re.split(rb"[\r\n]+", message.strip(b"\r\n \0")) if line]
    if not lines or not lines[0].startswith(b"MSH") or len(lines[0]) < 8:
        raise Invalid("What came is no HL7 message: it has no MSH segment.", code="not-hl7")
    if len(lines) > MAX_SEGMENTS:
        raise Invalid(f"A message has at most {MAX_SEGMENTS} segments.", code="not-hl7")
    marks = _marks(lines[0].decode("latin-1"))
    head = lines[0].decode("latin-1").split(marks.field)
    label = head[17].split(marks.repetition)[0].strip() if len(head) > 17 else ""
    encoding = CHARSETS.get(label.upper())
    if encoding is None:
        raise Invalid(
            f"MSH-18: the character set {label[:40]!r} is not known here.", code="charset"
        )
    text, encoding = _decoded(b"\r".join(lines), encoding)
    counts: dict[str, int] = {}
    segments = []
    for line in text.split("\r"):
        if not _SEGMENT.match(line):
            continue  # what does not begin as a segment says nothing that is read here
        name = line[:3]
        counts[name] = counts.get(name, 0) + 1
        fields = line[4:].split(marks.field) if len(line) > 3 else []
        if name == "MSH":
            fields = [marks.field, *fields]
        segments.append(Segment(name, tuple(fields), marks, counts[name]))
    return Parsed(tuple(segments), label, encoding, marks)


def _marks(head: str) -> Marks:
    separator = head[3]
    encoding = head[4:].split(separator, maxsplit=1)[0]
    given = [separator, *encoding, *"^~\\&"[len(encoding) :]][:5]
    if len(set(given)) != 5 or any(c.isalnum() or c.isspace() for c in given):
        raise Invalid("MSH-2: the encoding characters cannot be used.", code="not-hl7")
    return Marks(*given)


def _decoded(message: bytes, encoding: str) -> tuple[str, str]:
    if encoding:
        try:
            return message.decode(encoding), encoding
        except UnicodeDecodeError as error:
            raise Invalid(
                "MSH-18: the text is not in the character set that it names.", code="charset"
            ) from error
    try:
        return message.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return message.decode("iso8859-1"), "iso8859-1"


def unescaped(text: str, marks: Marks) -> str:
    """Return a text with its escape sequences as what they stand for (HL7 2.5.1 2.7)."""
    if marks.escape not in text:
        return text
    known = {
        "F": marks.field,
        "S": marks.component,
        "T": marks.subcomponent,
        "R": marks.repetition,
        "E": marks.escape,
        ".br": "\n",
        ".sp": "\n",
    }
    mark = re.escape(marks.escape)

    def meant(found: re.Match[str]) -> str:
        code = found[1]
        if code in known:
            return known[code]
        if re.fullmatch(r"X(?:[0-9A-Fa-f]{2})+", code):
            plain = bytes.fromhex(code[1:]).decode("iso8859-1")
            return plain.replace("\r\n", "\n").replace("\r", "\n")
        return ""  # how it is to be shown: highlights, indents

    return re.sub(rf"{mark}([^{mark}]{{0,64}}){mark}", meant, text)


def escaped(text: str, marks: Marks = Marks()) -> str:
    """Return a text as a component may hold it."""
    for character, code in (
        (marks.escape, "E"),
        (marks.field, "F"),
        (marks.component, "S"),
        (marks.subcomponent, "T"),
        (marks.repetition, "R"),
    ):
        text = text.replace(character, f"\0{code}\0")
    text = text.replace("\0", marks.escape)
    return re.sub(r"\r\n|\r|\n", lambda _: f"{marks.escape}.br{marks.escape}", text)


def segment(name: str, fields: Sequence[str]) -> str:
    """Return a segment of fields that are escaped already, empty ones at its end left out."""
    return "|".join([name, *_without_tail(fields)])


def _without_tail(fields: Sequence[str]) -> Iterator[str]:
    last = max((number for number, text in enumerate(fields, start=1) if text), default=0)
    yield from fields[:last]


def written(segments: Sequence[str], *, encoding: str = "utf-8") -> bytes:
    """Return segments as a message; what the character set cannot hold is a question mark."""
    return ("\r".join(segments) + "\r").encode(encoding, errors="replace")
