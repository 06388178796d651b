"""Names of things: case numbers, DICOM UIDs and AE titles. Knows their form, keeps no register."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable

_UID = re.compile(r"[0-9.]{1,64}")
_STRICT_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_CASE_ALPHABET = "23456789BCDFGHJKMNPQRSTVWXYZ"  # no vowels, no 0/O, 1/I/L: to be read out
_CASE_LETTERS = 8
_CASE = re.compile(rf"[{_CASE_ALPHABET}]{{4}}-[{_CASE_ALPHABET}]{{4}}")
_NAMESPACE = uuid.UUID("6f0b9a52-2c3e-5d0c-9a54-3f6d7c1b8e21")


def is_receivable_uid(text: str) -> bool:
    """Tell whether a UID may be taken in: digits and dots, 64 at most (PS3.5 9.1 asks more)."""
    return _UID.fullmatch(text) is not None


def is_standard_uid(text: str) -> bool:
    """Tell whether a UID keeps every rule of PS3.5 section 9.1."""
    return len(text) <= 64 and _STRICT_UID.fullmatch(text) is not None


def uid_from_uuid(value: uuid.UUID) -> str:
    """Return the UID of a UUID under the 2.25 arc (PS3.5 section B.2)."""
    return f"2.25.{value.int}"


def derived_uid(*parts: str) -> str:
    """Return the UID that always belongs to these parts, so that a repeat gives the same object."""
    return uid_from_uuid(uuid.uuid5(_NAMESPACE, "\x1f".join(parts)))


def reply_series_uid(study_uid: str, case_id: str) -> str:
    """Return the series in which the signed replies on a case stand in its study."""
    return derived_uid("reply-series", study_uid, case_id)


def new_case_id(random_bytes: Callable[[int], bytes]) -> str:
    """Return a fresh case number such as `7K3M-2QXF`; the caller checks that it is free."""
    letters = [_CASE_ALPHABET[b % len(_CASE_ALPHABET)] for b in random_bytes(8)]
    return "".join(letters[:4]) + "-" + "".join(letters[4:])


def derived_case_id(*parts: str) -> str:
    """Return the case number that always belongs to these parts (a study of a site)."""
    return new_case_id(lambda n: hashlib.sha256("\x1f".join(parts).encode()).digest()[:n])


def number_of_case_id(case_id: str) -> int:
    """Return a case number as a whole number below 2**48."""
    number = 0
    for letter in case_id.replace("-", ""):
        number = number * len(_CASE_ALPHABET) + _CASE_ALPHABET.index(letter)
    return number


def case_id_of_number(number: int) -> str | None:
    """Return the case number that `number_of_case_id` turns into this, or None."""
    letters = []
    for _ in range(_CASE_LETTERS):
        number, place = divmod(number, len(_CASE_ALPHABET))
        letters.append(_CASE_ALPHABET[place])
    if number:
        return None
    text = "".join(reversed(letters))
    return f"{text[:4]}-{text[4:]}"


def is_case_id(text: str) -> bool:
    """Tell whether a text has the form of a case number."""
    return _CASE.fullmatch(text) is not None


def is_slug(text: str) -> bool:
    """Tell whether a text may name a site: 1 to 32 lower-case letters, digits and inner hyphens."""
    return _SLUG.fullmatch(text) is not None


def normal_ae_title(text: str) -> str:
    """Return an AE title without its padding (PS3.5 6.2, VR AE: spaces around do not count)."""
    return text.strip(" \x00")


def is_ae_title(text: str) -> bool:
    """Tell whether a text may be an AE title: 1 to 16 characters of ASCII, no backslash."""
    plain = all(" " <= c <= "~" and c != "\\" for c in text)
    return plain and 1 <= len(text) <= 16 and text.strip() == text
