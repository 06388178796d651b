"""Folds what a series' instances say into little: what is alike once, what counts up as start and
step, the rest in columns. Pure; the page unfolds it (`reading/columns.ts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_STEADY = 1e-6
"""So far may a place be from where even steps put it, and is still told by them."""


def folded(described: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return instances as what they have in common, and a column for each thing in which they
    differ; an instance that does not say a thing has null there.
    """
    names = list(dict.fromkeys(name for each in described for name in each))
    common: dict[str, Any] = {}
    columns: dict[str, Any] = {}
    for name in names:
        values = [each.get(name) for each in described]
        lead = values[0]
        if name != "uid" and all(value == lead for value in values):
            if lead is not None:
                common[name] = lead
        else:
            columns[name] = (
                _texts([str(each) for each in values]) if name == "uid" else _column(values)
            )
    return {"common": common, "count": len(described), "columns": columns}


def unfolded(series: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the instances of a folded series, as the page sees them."""
    count = series["count"]
    columns = {name: _values(column, count) for name, column in series["columns"].items()}
    return [
        series["common"]
        | {name: values[i] for name, values in columns.items() if values[i] is not None}
        for i in range(count)
    ]


def _column(values: Sequence[Any]) -> dict[str, Any]:
    lead = values[0]
    if isinstance(lead, list) and lead:
        if all(isinstance(each, list) and len(each) == len(lead) for each in values):
            parts = [_steps([each[i] for each in values]) for i in range(len(lead))]
            if all(part is not None for part in parts):
                return {"parts": parts}
        return {"all": list(values)}
    return _steps(values) or {"all": list(values)}


def _steps(values: Sequence[Any]) -> dict[str, Any] | None:
    """Return numbers as start and step, or None where their steps are not even."""
    if not all(type(value) in (int, float) for value in values):
        return None
    start = values[0]
    step = (values[-1] - start) / max(1, len(values) - 1)
    if all(type(value) is int for value in values) and step == int(step):
        step = int(step)
    if any(abs(start + i * step - value) > _STEADY for i, value in enumerate(values)):
        return None
    return {"from": start, "by": step}


def _texts(values: Sequence[str]) -> dict[str, Any]:
    """Return UIDs as what all begin with, and their ends: as numbers where those count up."""
    start = _beginning(min(values), max(values))
    ends = [value[len(start) :] for value in values]
    if all(end.isdigit() and len(end) < 16 and str(int(end)) == end for end in ends):
        steps = _steps([int(end) for end in ends])
        if steps is not None and isinstance(steps["by"], int):
            return {"start": start, "ends": steps}
    return {"start": start, "ends": {"all": ends}}


def _beginning(least: str, most: str) -> str:
    """Return the components that two UIDs, and all between them, begin with."""
    alike = next((i for i, (a, b) in enumerate(zip(least, most, strict=False)) if a != b), None)
    return least[: least.rfind(".", 0, alike) + 1]


def _values(column: Mapping[str, Any], count: int) -> list[Any]:
    if "all" in column:
        return list(column["all"])
    if "parts" in column:
        parts = [_values(part, count) for part in column["parts"]]
        return [list(each) for each in zip(*parts, strict=True)]
    if "start" in column:
        return [f"{column['start']}{end}" for end in _values(column["ends"], count)]
    return [_exactly(column["from"], column["by"], i) for i in range(count)]


def _exactly(start: float, step: float, times: int) -> float:
    if isinstance(start, int) and isinstance(step, int):
        return start + times * step
    return round(float(start) + times * float(step), 6)
