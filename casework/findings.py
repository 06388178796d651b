"""What findings are: their keys, their normal form, when they may be signed, and their hash.

Text is taken as it is written. What is counted, drawn or chosen must have its form; a key that is
not known is refused by name, so that nothing is written that no reply would show.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from casework.errors import Invalid
from casework.identifiers import is_receivable_uid
from casework.measured import STATISTICS, require_sound

URGENCIES = ("none", "routine", "priority", "cancer-pathway")
SUSPICIONS = ("", "none", "low", "moderate", "high")  # of malignancy; empty: nothing is said
LANGUAGES = ("nb", "en")
ASSESSABLE = ("yes", "partly", "no")
MAX_TEXT = 20_000
MAX_ITEMS = 200
MAX_LABEL = 200
INTERVAL = re.compile(r"P[1-9][0-9]{0,2}[DWMY]")
"""An interval until a control (ISO 8601): days, weeks, months or years."""


def canonical_json(value: Any) -> bytes:
    """Return the one JSON text of a value: keys sorted, no spaces, UTF-8."""
    text = json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return text.encode()


def content_hash(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def normal_findings(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return findings with every key in its form, or raise Invalid naming what is not."""
    unknown = sorted(str(key) for key in body if key not in FINDINGS_KEYS)
    if unknown:
        raise Invalid(
            f"Findings have no {', '.join(unknown)}. They have {', '.join(FINDINGS_KEYS)}.",
            code="unknown-key",
        )
    return {key: read(body.get(key), key) for key, read in _READERS.items()}


def require_signable(findings: Mapping[str, Any]) -> None:
    """Raise Invalid unless findings hold what a reply needs: an impression."""
    if not str(findings.get("impression", "")).strip():
        raise Invalid("Write an impression before you sign.", code="impression-missing")


def _text(value: Any, key: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(key, "text")
    if len(value) > MAX_TEXT:
        raise _wrong(key, f"at most {MAX_TEXT} characters")
    return value.replace("\r\n", "\n").strip()


def _choice(choices: Sequence[str]) -> Callable[[Any, str], str]:
    def read(value: Any, key: str) -> str:
        if value is None or value == "":
            return choices[0]
        if value not in choices:
            raise _wrong(key, "one of " + ", ".join(choices))
        return str(value)

    return read


def _list_of(item: Callable[[Any, str], dict[str, Any]]) -> Callable[[Any, str], list[Any]]:
    def read(value: Any, key: str) -> list[Any]:
        if value is None:
            return []
        if not isinstance(value, list | tuple) or len(value) > MAX_ITEMS:
            raise _wrong(key, f"a list of at most {MAX_ITEMS}")
        return [item(each, f"{key}[{at}]") for at, each in enumerate(value)]

    return read


def _diagnosis(value: Any, key: str) -> dict[str, Any]:
    given = _object(value, key, ("text", "code", "system", "certainty", "codes"))
    names = [name for name in given if name != "codes"]
    found: dict[str, Any] = {n: _text(_label(given.get(n)), f"{key}.{n}") for n in names}
    if not found.get("text"):
        raise _wrong(f"{key}.text", "the name of a diagnosis")
    found = {name: text for name, text in found.items() if text}
    if codes := _list_of(_coding)(given.get("codes"), f"{key}.codes"):
        found["codes"] = codes
    return found


def _coding(value: Any, key: str) -> dict[str, Any]:
    given = _object(value, key, ("system", "code"))
    found = {name: _text(given.get(name), f"{key}.{name}") for name in ("system", "code")}
    for name, text in found.items():
        if not text or len(text) > 64:
            raise _wrong(f"{key}.{name}", "a text of 1 to 64 characters")
    return found


def _measurement(value: Any, key: str) -> dict[str, Any]:
    names = ("instance_uid", "frame", "kind", "points", "value", "unit", "calibration", "label")
    given = _object(value, key, (*names, "stats"))
    found = {
        **_image(given, key),
        "kind": _text(given.get("kind"), f"{key}.kind"),
        "points": _points(given.get("points"), f"{key}.points"),
        "value": None if given.get("value") is None else _number(given["value"], f"{key}.value"),
        "unit": _text(given.get("unit"), f"{key}.unit"),
        "calibration": _text(given.get("calibration"), f"{key}.calibration"),
        "label": _short(given.get("label"), f"{key}.label"),
        **_statistics(given.get("stats"), f"{key}.stats"),
    }
    require_sound(found, key)
    return found


def _statistics(value: Any, key: str) -> dict[str, Any]:
    """Return further figures under their key, or nothing where there are none."""
    if value is None or value == {}:
        return {}
    given = _object(value, key, (*STATISTICS, "unit"))
    found: dict[str, Any] = {
        name: _number(given[name], f"{key}.{name}") for name in STATISTICS if name in given
    }
    unit = _text(given.get("unit"), f"{key}.unit")
    return {"stats": found | ({"unit": unit} if unit else {})}


def _key_image(value: Any, key: str) -> dict[str, Any]:
    given = _object(value, key, ("instance_uid", "frame", "note"))
    note = _short(given.get("note"), f"{key}.note")
    return _image(given, key) | ({"note": note} if note else {})


def _short(value: Any, key: str) -> str:
    text = " ".join(_text(value, key).split())
    if len(text) > MAX_LABEL:
        raise _wrong(key, f"at most {MAX_LABEL} characters")
    return text


def _image(given: Mapping[str, Any], key: str) -> dict[str, Any]:
    uid, frame = given.get("instance_uid"), given.get("frame", 1)
    if not isinstance(uid, str) or not is_receivable_uid(uid):
        raise _wrong(f"{key}.instance_uid", "the UID of an image")
    if isinstance(frame, bool) or not isinstance(frame, int) or frame < 1:
        raise _wrong(f"{key}.frame", "a frame number from 1")
    return {"instance_uid": uid, "frame": frame}


_HOW = ("measurement", "window", "is_inverted", "place")


def _anchor(value: Any, key: str) -> dict[str, Any]:
    names = ("number", "instance_uid", "frame", "image", *_HOW)
    given = _object(value, key, names)
    number = _count(given.get("number"), f"{key}.number", least=1)
    if number is None:
        raise _wrong(f"{key}.number", "the number that stands in the text")
    return {
        "number": number,
        **_image(given, key),
        "image": _count(given.get("image"), f"{key}.image", least=1, most=999_999),
        "measurement": _count(given.get("measurement"), f"{key}.measurement", least=0),
        "window": _pair(given.get("window"), f"{key}.window"),
        "is_inverted": given.get("is_inverted") is True,
        "place": _place(given.get("place"), f"{key}.place"),
    }


def _anchors(value: Any, key: str) -> list[Any]:
    found = _list_of(_anchor)(value, key)
    numbers = [each["number"] for each in found]
    if len(set(numbers)) != len(numbers):
        raise _wrong(key, "anchors of different numbers")
    return found


def _count(value: Any, key: str, *, least: int, most: int = 999) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _wrong(key, f"a whole number from {least} to {most}")
    return value


def _pair(value: Any, key: str) -> list[float] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise _wrong(key, "two numbers")
    return [_number(each, key) for each in value]


def _place(value: Any, key: str) -> dict[str, Any] | None:
    """Read how an image lay on the screen: its middle, its scale, turned, mirrored."""
    if value is None:
        return None
    given = _object(value, key, ("scale", "middle", "quarter_turns", "is_mirrored"))
    turns = _count(given.get("quarter_turns"), f"{key}.quarter_turns", least=0) or 0
    scale, middle = _number(given.get("scale"), f"{key}.scale"), given.get("middle")
    if scale <= 0 or turns > 3 or middle is None:
        raise _wrong(key, "a scale above 0, a middle, and 0 to 3 quarter turns")
    return {
        "scale": scale,
        "middle": _pair(middle, f"{key}.middle"),
        "quarter_turns": turns,
        "is_mirrored": given.get("is_mirrored") is True,
    }


def _points(value: Any, key: str) -> list[list[float]]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_ITEMS:
        raise _wrong(key, f"1 to {MAX_ITEMS} points")
    points = []
    for point in value:
        if not isinstance(point, list | tuple) or len(point) not in (2, 3):
            raise _wrong(key, "points of two or three numbers")
        points.append([_number(each, key) for each in point])
    return points


def _fields(value: Any, key: str) -> dict[str, Any]:
    """Return the answers to a template; whether they fit it, the template says."""
    if value is not None and not (isinstance(value, Mapping) and len(value) <= MAX_ITEMS):
        raise _wrong(key, f"an object of at most {MAX_ITEMS} answers")
    for name, answer in (value or {}).items():
        if not isinstance(answer, str | int | float | bool | None):
            raise _wrong(f"{key}.{name}", "a text, a number, true or false")
        if isinstance(answer, float) and not math.isfinite(answer):
            raise _wrong(f"{key}.{name}", "a number")
    return {str(name): answer for name, answer in (value or {}).items() if answer is not None}


def _version(value: Any, key: str) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1_000_000:
        raise _wrong(key, "the number of a version")
    return value


def _interval(value: Any, key: str) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not INTERVAL.fullmatch(value):
        raise _wrong(key, "an interval as P6W, P3M or P1Y")
    return value


def _displayed(value: Any, key: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong(key, "an object")
    try:
        plain: dict[str, Any] = json.loads(canonical_json(dict(value)))
    except (TypeError, ValueError) as error:
        raise _wrong(key, "plain JSON") from error
    return plain


def _object(value: Any, key: str, names: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(key, "an object")
    unknown = sorted(str(name) for name in value if name not in names)
    if unknown:
        raise Invalid(
            f"{key} has no {', '.join(unknown)}. It has {', '.join(names)}.", code="unknown-key"
        )
    return value


def _number(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(key, "a number")
    return float(value)


def _label(value: Any) -> Any:
    """Return a certainty such as 4 as text; other values as they are."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _wrong(key: str, wanted: str) -> Invalid:
    return Invalid(f"{key} must be {wanted}.", code="invalid-findings")


_READERS: Mapping[str, Callable[[Any, str], Any]] = {
    "findings": _text,
    "impression": _text,
    "advice": _text,
    "diagnoses": _list_of(_diagnosis),
    "urgency": _choice(URGENCIES),
    "malignancy": _choice(SUSPICIONS),
    "template": _text,
    "template_version": _version,
    "language": _choice(LANGUAGES),
    "fields": _fields,
    "described": _text,
    "assessable": _choice(ASSESSABLE),
    "reason": _text,
    "follow_up": _text,
    "follow_up_interval": _interval,
    "safety_net": _text,
    "measurements": _list_of(_measurement),
    "key_images": _list_of(_key_image),
    "anchors": _anchors,
    "plain_words": _text,
    "why_corrected": _text,
    "displayed": _displayed,
}

FINDINGS_KEYS = tuple(_READERS)
"""The keys that findings may have."""
