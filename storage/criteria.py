"""What a query may ask of a value (PS3.4 C.2.2.2), each question in two forms: Python and SQL.

Both forms say the same, so that a key with a column is matched by the database and any other key on
the attributes that were kept. Reads no query; that is `matching`.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from sqlalchemy import ColumnElement, String, and_, or_

from storage.folding import (
    fold_name,
    normal_date,
    normal_date_time,
    normal_time,
    universal_date_time,
)

RANGE_VRS = {"DA": normal_date, "TM": normal_time, "DT": normal_date_time}
"""The VRs that are matched by range, each with what brings a stored value to its normal form."""

WORD_BREAKS = re.compile(r"[\^=,\s-]+")
_LEADS = ("%^", "% ", "%-", "%,")


class Criterion(Protocol):
    """What a value must be to match."""

    def covers(self, value: Any) -> bool:
        """Tell whether a stored value matches."""

    def clause(self, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the same as SQL over the column of the value; a name has one for each group."""


@dataclass(frozen=True)
class OneOf:
    """Matches one of some values exactly (C.2.2.2.1, C.2.2.2.2)."""

    values: tuple[str, ...]

    def covers(self, value: Any) -> bool:
        """Tell whether a stored value is one of them."""
        return any(text in self.values for text in _texts(value))

    def clause(self, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the SQL."""
        if len(self.values) == 1:
            return columns[0] == self.values[0]
        return columns[0].in_(self.values)


@dataclass(frozen=True)
class Empty:
    """Matches when there is no value (C.2.2.2.7)."""

    def covers(self, value: Any) -> bool:
        """Tell whether nothing is stored."""
        return not _texts(value)

    def clause(self, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the SQL; where there is no text there is the empty one."""
        return and_(*(c == "" if isinstance(c.type, String) else c.is_(None) for c in columns))


@dataclass(frozen=True)
class OneNumber:
    """Matches one of some numbers, however they are written."""

    values: tuple[float, ...]

    def covers(self, value: Any) -> bool:
        """Tell whether a stored number is one of them."""
        stored = value if isinstance(value, list) else [value]
        return any(isinstance(n, int | float) and n in self.values for n in stored)

    def clause(self, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the SQL."""
        return columns[0].in_(self.values)


@dataclass(frozen=True)
class Like:
    """Matches a pattern of `*` and `?` (C.2.2.2.4); all else stands for itself."""

    pattern: str

    def covers(self, value: Any) -> bool:
        """Tell whether a stored value fits the pattern."""
        return any(self._expression.fullmatch(text) is not None for text in _texts(value))

    def clause(self, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the SQL, with the characters escaped that mean something to LIKE only."""
        return columns[0].like(like_pattern(self.pattern), escape="\\")

    @property
    def beginning(self) -> str:
        """Return with what every value begins that matches."""
        return re.split(r"[*?]", self.pattern, maxsplit=1)[0]

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(fnmatch.translate(self.pattern.replace("[", "[[]")))


@dataclass(frozen=True)
class Between:
    """Matches dates or times between two, both included; an empty end is open (C.2.2.2.5).

    An end that names its offset from UTC is compared in UTC with stored values that name theirs.
    """

    vr: str
    low: str
    high: str
    low_utc: str = ""
    high_utc: str = ""

    def covers(self, value: Any) -> bool:
        """Tell whether a stored date or time lies between the ends."""
        return any(self._covers_one(text) for text in _texts(value))

    def clause(self, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the SQL over a column of normal form, where the empty text is no value."""
        column = columns[0]
        lower = column >= self.low if self.low else column > ""
        return and_(lower, column <= self.high) if self.high else lower

    def _covers_one(self, text: str) -> bool:
        found = RANGE_VRS[self.vr](text)
        universal = universal_date_time(text) if self.low_utc or self.high_utc else ""
        return (
            bool(found)
            and _is_after(found, self.low, universal, self.low_utc)
            and _is_after(self.high or found, found, self.high_utc, universal)
        )


@dataclass(frozen=True)
class Moments:
    """Matches a date and its time as one moment between two (C.2.2.2.5.4); an empty end is open."""

    low: tuple[str, str]
    high: tuple[str, str]

    def covers(self, value: Any) -> bool:
        """Tell whether a stored pair of a date and a time lies between the ends."""
        date, time = (next(iter(_texts(part)), "") for part in value)
        moment = (normal_date(date), normal_time(time))
        later = not self.low[0] or moment >= self.low
        return bool(moment[0]) and later and (not self.high[0] or moment <= self.high)

    def clause(self, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the SQL over the columns of the date and of the time."""
        date, time = columns
        wanted = [date > ""]
        if self.low[0]:
            wanted.append(or_(date > self.low[0], and_(date == self.low[0], time >= self.low[1])))
        if self.high[0]:
            before = and_(date == self.high[0], time <= self.high[1])
            wanted.append(or_(date < self.high[0], before))
        return and_(*wanted)


@dataclass(frozen=True)
class Name:
    """Matches a person name without regard to case and accents (C.2.2.2.1).

    A query of one component group may match any group of the name; one of several, each its own.
    """

    groups: tuple[Criterion | None, ...]

    def covers(self, value: Any) -> bool:
        """Tell whether a stored name matches."""
        return any(self._covers_groups(fold_name(text)) for text in _texts(value))

    def clause(self, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the SQL over the columns of folded groups."""
        if len(self.groups) == 1 and self.groups[0] is not None:
            return or_(*(self.groups[0].clause(column) for column in columns))
        pairs = zip(self.groups, columns, strict=False)
        return and_(*(group.clause(column) for group, column in pairs if group is not None))

    def _covers_groups(self, stored: tuple[str, str, str]) -> bool:
        if len(self.groups) == 1 and self.groups[0] is not None:
            return any(self.groups[0].covers(group) for group in stored)
        pairs = zip(self.groups, stored, strict=False)
        return all(wanted is None or wanted.covers(group) for wanted, group in pairs)


@dataclass(frozen=True)
class Words:
    """Matches when each word of the query begins a word of the value (fuzzy, C.2.2.2.1)."""

    words: tuple[str, ...]

    def covers(self, value: Any) -> bool:
        """Tell whether each word begins a word of the folded value."""
        parts = [part for part in WORD_BREAKS.split(value) if part]
        return all(any(part.startswith(word) for part in parts) for word in self.words)

    def clause(self, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the SQL."""
        column = columns[0]
        return and_(
            *(
                or_(*(column.like(f"{lead}{escaped(w)}%", escape="\\") for lead in ("", *_LEADS)))
                for w in self.words
            )
        )


@dataclass(frozen=True)
class AnyOf:
    """Matches when one of several criteria does."""

    options: tuple[Criterion, ...]

    def covers(self, value: Any) -> bool:
        """Tell whether one of them matches."""
        return any(option.covers(value) for option in self.options)

    def clause(self, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the SQL."""
        return or_(*(option.clause(*columns) for option in self.options))


@dataclass(frozen=True)
class Item:
    """Matches a sequence of which one item matches every key (C.2.2.2.6)."""

    criteria: Mapping[str, Criterion]

    def covers(self, value: Any) -> bool:
        """Tell whether one stored item matches."""
        items = value if isinstance(value, list) else []
        return any(
            isinstance(item, Mapping)
            and all(criterion.covers(item.get(k)) for k, criterion in self.criteria.items())
            for item in items
        )

    def clause(self, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
        """Raise: sequences have no column."""
        raise NotImplementedError("a sequence is matched on the kept attributes, not in SQL")


def like_pattern(pattern: str) -> str:
    """Return the LIKE pattern, escaped by a backslash, of a pattern of `*` and `?`."""
    return escaped(re.sub(r"\*+", "*", pattern)).replace("*", "%").replace("?", "_")


def escaped(text: str) -> str:
    """Return a text for LIKE with a backslash before what would mean something to it."""
    return re.sub(r"([\\%_])", r"\\\1", text)


def _is_after(one: str, other: str, one_utc: str, other_utc: str) -> bool:
    """Compare in UTC when both are known there, else as they were written."""
    return one_utc >= other_utc if one_utc and other_utc else one >= other


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    stored = value if isinstance(value, list) else [value]
    return [str(part) for part in stored if part != ""]
