"""What `docs/operating.md` tells an operator of each message, and what the code says."""

from __future__ import annotations

import ast
import functools
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADING = "## When something is wrong"
VALUE = "…"  # where a message names a thing


@dataclass(frozen=True)
class Row:
    """One line of the table: the code, how the message begins, and what to do."""

    code: str
    message: str
    do: str


@functools.cache
def rows() -> tuple[Row, ...]:
    """Return the lines of the table."""
    text = (ROOT / "docs" / "operating.md").read_text("utf-8")
    section = text[text.index(HEADING) :].split("\n## ")[0]
    found = re.findall(r"^\| `([a-z-]+)` \| (.+?) \| (.+?) \|$", section, re.M)
    return tuple(Row(*line) for line in found)


@functools.cache
def messages() -> dict[str, set[str]]:
    """Return what errors with a code say in the code, by the code; values stand as an ellipsis."""
    found: dict[str, set[str]] = {}
    for package in ("casework", "storage", "lysbro"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and node.args:
                    code = next((k.value for k in node.keywords if k.arg == "code"), None)
                    text = _template(node.args[0])
                    if isinstance(code, ast.Constant) and text:
                        found.setdefault(str(code.value), set()).add(text)
    return found


def in_the_table(code: str, message: str) -> Row:
    """Return the line of the table that a message belongs to; fail when there is none."""
    for row in rows():
        pattern = ".+?".join(re.escape(part) for part in row.message.split(VALUE))
        if row.code == code and re.match(pattern, message, re.S):
            return row
    raise AssertionError(f"docs/operating.md does not tell of {code}: {message}")


def _template(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else VALUE for part in node.values
        )
    return ""
