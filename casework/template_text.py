"""Reads a template from the plain text in which people write it; says which line is wrong.

    # CT chest | CT thorax
    specialty: radiology
    modality: CT
    body: chest, thorax, lung

    ## Lungs | Lunger
    normal: Clear lungs. | Klare lunger.
    - consolidation (choice): Consolidation | Konsolidering
      * none = none | ingen -> No consolidation. | Ingen konsolidering.
      + lobar = of a lobe | av en lapp -> Consolidation of a lobe. | Konsolidering av en lapp.
    - nodule_mm (number mm 1..300): Largest nodule | Største knute
    - effusion (checkbox): Effusion | Væske -> Effusion. | Væske. -> No effusion. | Ingen væske.

English stands before the bar, Norwegian after it. `*` is the answer that means nothing wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from casework.errors import Invalid
from casework.findings import INTERVAL
from casework.templates import KINDS, Choice, Field, Offer, Section, Suits, Template, Words

MAX_BYTES = 100_000
MAX_FIELDS = 120
REQUIRABLE = ("diagnoses", "malignancy", "advice", "follow_up", "safety_net", "findings")

_HEAD = re.compile(r"(specialty|modality|body|category|question|diagnoses|require): *(.*)")
_OFFER = re.compile(r"(advice|follow-up|safety-net)(?: \[([a-z0-9-]+)\])?: *(.*)")
_FIELD = re.compile(r"- ([a-z][a-z0-9_]{0,39})(!?) \(([^)]*)\): *(.+)")
_CHOICE = re.compile(r"([*+]) ([a-z0-9][a-z0-9_-]{0,39}) = *(.+)")
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)")
_LISTS = {
    "specialty": "specialties", "modality": "modalities", "body": "body", "category": "categories",
    "question": "question",
}  # fmt: skip


def parsed(name: str, text: str, *, version: int = 1) -> Template:
    """Return the template that a text describes; Invalid says which line is wrong, and how."""
    if len(text.encode()) > MAX_BYTES:
        raise Invalid(
            f"The template is longer than {MAX_BYTES} bytes. Divide it.", code="invalid-template"
        )
    reader = _Reader()
    for number, line in enumerate(text.splitlines(), 1):
        reader.take(number, line.strip())
    return reader.template(name, version)


class _Reader:
    """Holds what has been read so far."""

    def __init__(self) -> None:
        self.title = Words()
        self.lists: dict[str, tuple[str, ...]] = {}
        self.offers: dict[str, list[Offer]] = {"advice": [], "follow-up": [], "safety-net": []}
        self.measurements: list[Words] = []
        self.sections: list[Section] = []
        self.keys: set[str] = set()
        self.line = 0

    def take(self, number: int, line: str) -> None:
        """Read one line."""
        self.line = number
        if not line or line.startswith("//"):
            return
        for begins, read in self._readers():
            if line.startswith(begins):
                read(line)
                return
        if self.sections:
            raise self._wrong("a section has 'normal:', fields with '-' and answers with * or +")
        self._head(line)

    def template(self, name: str, version: int) -> Template:
        """Return what was read, or raise Invalid when the whole makes no sense."""
        if not self.title:
            raise Invalid("The template has no title: begin with '# ' and a name.", code=_CODE)
        if not self.keys:
            raise Invalid("The template has no field. Write a section and a field.", code=_CODE)
        empty = [f.label.en for s in self.sections for f in s.fields if _lacks_choices(f)]
        if empty:
            raise Invalid(
                f"{empty[0]} is a choice and needs at least two answers, with * or +.", code=_CODE
            )
        suits = {_LISTS[key]: values for key, values in self.lists.items() if key in _LISTS}
        return Template(
            name=name,
            version=version,
            title=self.title,
            suits=Suits(**suits),
            sections=tuple(self.sections),
            diagnoses=self.lists.get("diagnoses", ()),
            advice=tuple(self.offers["advice"]),
            follow_ups=tuple(self.offers["follow-up"]),
            safety_nets=tuple(self.offers["safety-net"]),
            measurements=tuple(self.measurements),
            required=self.lists.get("require", ()),
        )

    def _readers(self) -> tuple[tuple[str, Callable[[str], None]], ...]:
        return (
            ("## ", self._section),
            ("# ", self._title),
            ("normal:", self._normal),
            ("- ", self._field),
            ("* ", self._choice),
            ("+ ", self._choice),
        )

    def _title(self, line: str) -> None:
        self.title = self._words(line[2:])

    def _section(self, line: str) -> None:
        self.sections.append(Section(self._words(line[3:]), Words(), ()))

    def _normal(self, line: str) -> None:
        section = self._last_section()
        self.sections[-1] = Section(section.title, self._words(line[7:]), section.fields)

    def _head(self, line: str) -> None:
        if line.startswith("measure:"):
            self.measurements.append(self._words(line[8:]))
        elif found := _OFFER.fullmatch(line):
            self._offer(found[1], found[2] or "", found[3])
        elif found := _HEAD.fullmatch(line):
            values = tuple(each.strip() for each in found[2].split(",") if each.strip())
            if found[1] == "require" and (bad := [v for v in values if v not in REQUIRABLE]):
                raise self._wrong(f"{bad[0]} cannot be required; {', '.join(REQUIRABLE)} can")
            self.lists[found[1]] = self.lists.get(found[1], ()) + values
        else:
            raise self._wrong("write '# title', 'key: value' or '## section'")

    def _offer(self, key: str, diagnosis: str, said: str) -> None:
        interval = ""
        if key == "follow-up":
            interval, _blank, said = said.partition(" ")
            if not INTERVAL.fullmatch(interval):
                raise self._wrong("a follow-up begins with its interval, as P6W, P3M or P1Y")
        self.offers[key].append(Offer(self._words(said), diagnosis, interval))

    def _field(self, line: str) -> None:
        section, found = self._last_section(), _FIELD.fullmatch(line)
        if found is None:
            raise self._wrong("a field is '- key (kind): English | Norwegian'")
        if found[1] in self.keys:
            raise self._wrong(f"there are two fields {found[1]}")
        kind, *more = found[3].split() or [""]
        if kind not in KINDS:
            raise self._wrong(f"a field is one of {', '.join(KINDS)}")
        self.keys.add(found[1])
        if len(self.keys) > MAX_FIELDS:
            raise self._wrong(f"a template has at most {MAX_FIELDS} fields")
        label, says, denies = self._sentences(found[4], 3)
        field = Field(
            found[1], kind, label, says, denies, is_required=bool(found[2]), **self._extent(more)
        )
        self.sections[-1] = Section(section.title, section.normal, (*section.fields, field))

    def _extent(self, more: list[str]) -> dict[str, Any]:
        extent: dict[str, Any] = {}
        for word in more:
            if found := _RANGE.fullmatch(word):
                extent |= {"low": float(found[1]), "high": float(found[2])}
            else:
                extent["unit"] = word
        return extent

    def _choice(self, line: str) -> None:
        section, found = self._last_section(), _CHOICE.fullmatch(line)
        if found is None or not section.fields or section.fields[-1].kind != "choice":
            raise self._wrong("an answer is '* value = English | Norwegian' under a choice")
        field = section.fields[-1]
        if found[2] in [choice.value for choice in field.choices]:
            raise self._wrong(f"there are two answers {found[2]}")
        if found[1] == "*" and field.normal is not None:
            raise self._wrong("only one answer of a field means nothing wrong")
        label, says = self._sentences(found[3], 2)
        choice = Choice(found[2], label, says, is_normal=found[1] == "*")
        grown = Field(**{**vars(field), "choices": (*field.choices, choice)})
        self.sections[-1] = Section(section.title, section.normal, (*section.fields[:-1], grown))

    def _last_section(self) -> Section:
        if not self.sections:
            raise self._wrong("a section comes first: '## English | Norwegian'")
        return self.sections[-1]

    def _sentences(self, said: str, count: int) -> list[Words]:
        parts = [self._words(part) for part in said.split("->")]
        if len(parts) > count:
            raise self._wrong(f"at most {count} texts stand between arrows here")
        return parts + [Words()] * (count - len(parts))

    def _words(self, said: str) -> Words:
        english, bar, norwegian = (part.strip() for part in said.partition("|"))
        if not english or (bar and not norwegian):
            raise self._wrong("a text is missing: 'English | Norwegian'")
        return Words(english, norwegian or english)

    def _wrong(self, why: str) -> Invalid:
        return Invalid(f"Line {self.line}: {why}.", code=_CODE)


_CODE = "invalid-template"


def _lacks_choices(field: Field) -> bool:
    return field.kind == "choice" and len(field.choices) < 2
