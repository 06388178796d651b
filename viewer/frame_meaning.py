"""Says in headers of an answer what the values of a frame mean beyond a window, for those who draw.

Pure. Texts are percent-encoded, since headers carry Latin-1 at most.
"""

from __future__ import annotations

from urllib.parse import quote

from viewer.display import Display

_LONGEST_TABLE = 12_000  # characters; a greater one is left to the window that spans it


def meaning_of(display: Display) -> dict[str, str]:
    """Return the headers, without their prefix; what is as usual is left out."""
    found = {
        "Function": "" if display.function == "LINEAR" else display.function,
        "Padding": "" if display.padding is None else ",".join(map(repr, display.padding)),
        "Unit": quote(display.unit),
        "Scales": ";".join(
            f"{each.slope!r},{each.intercept!r},{quote(each.unit)}" for each in display.scales
        ),
        "Table": _table_of(display),
    }
    return {name: value for name, value in found.items() if value}


def _table_of(display: Display) -> str:
    """Return the first VOI table: first value, name, greys in runs."""
    if not display.tables:
        return ""
    table = display.tables[0]
    runs = table.runs
    return f"{table.first};{quote(table.label)};{runs}" if 0 < len(runs) <= _LONGEST_TABLE else ""
