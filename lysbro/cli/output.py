"""What commands say: lines for people, JSON for machines, progress on a terminal only."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

T = TypeVar("T")


def show(
    value: Mapping[str, Any] | Sequence[Mapping[str, Any]], *, as_json: bool, text: str
) -> None:
    """Print a result: as JSON for a machine, or as the text for a person."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str, indent=2) if as_json else text)


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as aligned text under their column names."""
    if not rows:
        return "none"
    cells = [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(c) for c in column) for column in zip(columns, *cells, strict=True)]
    lines = [columns, *cells]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def progress(items: Iterable[T], *, total: int | None, label: str) -> Iterator[T]:
    """Yield the items, with a progress bar when a person is watching."""
    if not sys.stderr.isatty():
        yield from items
        return
    from lysbro.cli.bar import bar as shown  # noqa: PLC0415 - not for a machine

    with shown() as bar:
        yield from bar.track(items, total=total, description=label)


@contextmanager
def counter(label: str) -> Iterator[Callable[..., None]]:
    """Give a function that is told `done` and `total`, and shows them when a person is watching."""
    if not sys.stderr.isatty():
        yield lambda *, done, total: None
        return
    from lysbro.cli.bar import bar as shown  # noqa: PLC0415

    with shown() as bar:
        task = bar.add_task(label, total=None)
        yield lambda *, done, total: bar.update(task, completed=done, total=total)
