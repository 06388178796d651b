"""Every text of a page has its Norwegian, with the same places to fill in; colours can be read."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from casework.audit import ACTIONS

VIEWER = Path(__file__).parents[2] / "viewer"
CATALOGUES = VIEWER / "translations" / "nb"
SOURCES = VIEWER / "frontend" / "src"

_LITERAL = r"""(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')"""
_TEMPLATE_CALL = re.compile(rf"""(?<![\w.])_(n?)\(\s*{_LITERAL}(?:\s*,\s*{_LITERAL})?""")
_SCRIPT_CALL = re.compile(rf"""(?<![\w.])t(n?)\(\s*{_LITERAL}(?:\s*,\s*{_LITERAL})?""")
_PLACE = re.compile(r"\{(\w+)\}")
_FUNCTIONS = {"_": 1, "mark": 1, "_n": 2, "t": 1, "translate": 1}


def texts_of_python(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        count = 1 if name == "_say" else _FUNCTIONS.get(name, 0)
        for arg in node.args[:count]:
            if isinstance(arg, ast.Constant) and isinstance(arg.value, str):
                yield arg.value


def texts_of_calls(pattern: re.Pattern[str], source: str) -> Iterator[str]:
    for plural, *literals in pattern.findall(source):
        first, second = literals[0] or literals[1], literals[2] or literals[3]
        yield first.replace('\\"', '"').replace("\\'", "'")
        if plural:
            yield second.replace('\\"', '"').replace("\\'", "'")


def texts_in_pages() -> dict[str, str]:
    """Return each text of the pages with the file that it was found in."""
    found: dict[str, str] = {}
    for path in sorted(VIEWER.rglob("*.py")):
        found |= dict.fromkeys(texts_of_python(path.read_text("utf-8")), path.name)
    for path in sorted((VIEWER / "templates").rglob("*.html")):
        found |= dict.fromkeys(texts_of_calls(_TEMPLATE_CALL, path.read_text("utf-8")), path.name)
    for path in sorted(SOURCES.rglob("*.ts")):
        found |= dict.fromkeys(texts_of_calls(_SCRIPT_CALL, path.read_text("utf-8")), path.name)
    return found


def norwegian() -> dict[str, str]:
    said: dict[str, str] = {}
    for path in sorted(CATALOGUES.glob("*.json")):
        said |= json.loads(path.read_text("utf-8"))
    return said


def test_every_text_of_a_page_has_its_norwegian() -> None:
    said = norwegian()
    missing = {text: where for text, where in texts_in_pages().items() if text not in said}
    assert missing == {}


def test_a_translation_fills_in_what_the_english_does() -> None:
    errors = json.loads((CATALOGUES / "errors.json").read_text("utf-8"))  # may leave places out
    wrong = [
        text
        for text, said in norwegian().items()
        if set(_PLACE.findall(text)) != set(_PLACE.findall(said)) and text not in errors
    ]
    assert wrong == []
    assert [
        t for t, said in errors.items() if set(_PLACE.findall(said)) - set(_PLACE.findall(t))
    ] == []


def test_two_pages_never_translate_one_text_in_two_ways() -> None:
    seen: dict[str, str] = {}
    for path in sorted(CATALOGUES.glob("*.json")):
        for text, said in json.loads(path.read_text("utf-8")).items():
            assert seen.setdefault(text, said) == said, (path.name, text)


def tokens(theme: str) -> dict[str, str]:
    css = (SOURCES / "styles" / "tokens.css").read_text("utf-8")
    blocks = dict(re.findall(r'\[data-theme="(\w+)"\] \{(.*?)\}', css, re.S))
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[theme]))


def luminance(colour: str) -> float:
    def channel(part: str) -> float:
        value = int(part, 16) / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (channel(colour[i : i + 2]) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["office", "room"])
def test_all_text_can_be_read_on_every_ground(theme: str) -> None:
    colours = tokens(theme)
    grounds = ("ground", "surface", "surface-2", "accent-wash")
    pairs = [(text, ground) for text in ("text", "text-2", "accent-ink") for ground in grounds]
    pairs += [("act", g) for g in ("ground", "surface", "surface-2", "act-wash")]
    pairs += [("fine", g) for g in ("ground", "surface", "surface-2", "fine-wash")]
    pairs += [("accent-text", "accent"), ("accent-text", "accent-hover")]
    pairs += [("text", "act-wash"), ("text", "fine-wash")]
    poor = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
    assert {pair: ratio for pair, ratio in poor.items() if ratio < 4.5} == {}


def test_the_room_has_no_bright_ground() -> None:
    colours = tokens("room")
    grounds = ("ground", "surface", "surface-2", "line", "accent-wash", "act-wash", "fine-wash")
    assert max(luminance(colours[name]) for name in grounds) < 0.2
    assert max(luminance(colour) for colour in colours.values()) < 0.7


def test_every_deed_of_the_audit_has_its_norwegian() -> None:
    said = json.loads((CATALOGUES / "audit.json").read_text("utf-8"))
    noted = re.compile(r"""(?:action=|_note\(\s*(?:actor, )?)"([a-z-]+)\"""")
    written = {
        action
        for package in ("casework", "storage", "viewer", "lysbro", "pacs_bridge")
        for path in sorted((VIEWER.parent / package).rglob("*.py"))
        for action in noted.findall(path.read_text("utf-8"))
    }
    assert {"signed-in", "exported", "association-rejected"} <= written
    assert (written | set(ACTIONS.values())) - said.keys() == set()


def test_every_script_finds_its_texts_in_what_its_page_is_given() -> None:
    pages = {
        "capture": "capture",
        "admin": "form",
        "reading": "reading",
        "mpr": "reading",
        "worklist": "worklist",
        "reply": "case",
        "lesion": "lesion",
    }
    said = {path.stem: json.loads(path.read_text("utf-8")) for path in CATALOGUES.glob("*.json")}
    said["reading"] |= said["marks"] | said["form"]  # the reading room is given all three
    missing = {
        text: path.name
        for path in sorted(SOURCES.rglob("*.ts"))
        for text in texts_of_calls(_SCRIPT_CALL, path.read_text("utf-8"))
        for page in [pages.get(path.parent.name) or pages.get(path.stem, "common")]
        if text not in said["common"] | said[page]
    }
    assert missing == {}
