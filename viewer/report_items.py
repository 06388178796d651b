"""The values that a structured report is made of once it has been read as a document. No rules."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shown:
    """An object that an item points to, and which of its frames; none named: all."""

    uid: str
    frames: tuple[int, ...] = ()


@dataclass(frozen=True)
class Table:
    """Items of one name side by side: a row for each, a column for what most of them say."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    shown: tuple[tuple[Shown, ...], ...]  # what each row points to


@dataclass(frozen=True)
class Item:
    """One thing that a report says."""

    kind: str  # heading | text | value | number | images | shape | uid
    name: str
    value: str = ""
    details: tuple[tuple[str, str], ...] = ()  # what modifies it, each with its name
    shown: tuple[Shown, ...] = ()
    items: tuple[Item, ...] = ()
    table: Table | None = None  # of those of `items` that are alike
    is_aside: bool = False  # a list that is there for machines
    is_flow: bool = False  # what it holds reads on as sentences (PS3.3 C.17.3.2.4)


@dataclass(frozen=True)
class ReportDocument:
    """A structured report: what it is, how far it has come, what it says."""

    title: str
    kind: str  # report | dose | key-objects
    completion: str  # COMPLETE | PARTIAL, or empty
    verification: str  # VERIFIED | UNVERIFIED, or empty
    verified_by: tuple[tuple[str, str], ...]  # name, and when
    written_at: str
    context: tuple[tuple[str, str], ...]
    items: tuple[Item, ...]
    is_cut: bool = False
