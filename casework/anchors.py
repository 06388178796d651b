"""Which sentences of findings point to which picture: the anchors `[1]`, `[2]` of a text.

An anchor is a number that stands in a text and the view that it means. Text only; which pictures
there are and how they look is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

TEXTS = ("findings", "impression", "advice", "follow_up", "safety_net", "plain_words")
"""The texts of findings in which an anchor may stand."""

_ANCHOR = re.compile(r"\[(\d{1,3})\]")


def parts_of(text: str, known: Collection[int]) -> Iterator[tuple[str, int | None]]:
    """Yield a text in pieces: words with None, and each known anchor with its number.

    A number in brackets that no anchor has is words: somebody counts or cites.
    """
    begin = 0
    for found in _ANCHOR.finditer(text):
        number = int(found[1])
        if number not in known:
            continue
        if found.start() > begin:
            yield text[begin : found.start()], None
        yield found[0], number
        begin = found.end()
    if begin < len(text):
        yield text[begin:], None


def numbers_in(content: Mapping[str, Any]) -> frozenset[int]:
    """Return the numbers that stand in brackets anywhere in the texts of findings."""
    texts = (str(content.get(name) or "") for name in TEXTS)
    return frozenset(int(found) for text in texts for found in _ANCHOR.findall(text))


def anchors_of(content: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the anchors that the texts of findings mention, in the order of their numbers."""
    said = numbers_in(content)
    known = {int(each["number"]): each for each in content.get("anchors") or ()}
    return [known[number] for number in sorted(known) if number in said]


def mark_of(anchor: Mapping[str, Any], content: Mapping[str, Any]) -> int | None:
    """Return which measurement an anchor means, when there is one on its frame."""
    at, measured = anchor.get("measurement"), content.get("measurements") or ()
    if at is None or not 0 <= at < len(measured):
        return None
    same = all(measured[at].get(name) == anchor.get(name) for name in ("instance_uid", "frame"))
    return int(at) if same else None
