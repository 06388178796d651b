"""What an error says to the person at the page, in their language.

The layers below say it in English once; here whole sentences are exchanged, with what stood in
their places. What nobody has translated stays as it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from viewer.texts import pages_of

_PLACE = re.compile(r"\\\{\d\\\}")


def error_in(message: str, language: str) -> str:
    """Return the message of an error in a language."""
    for pattern, said in _sentences(language):
        found = pattern.fullmatch(message)
        if found is not None:
            return said.format(*found.groups())
    return message


@cache
def _sentences(language: str) -> Sequence[tuple[re.Pattern[str], str]]:
    known = pages_of(language).get("errors", {})
    return tuple(
        (re.compile(_PLACE.sub("(.+?)", re.escape(text)), re.DOTALL), said)
        for text, said in known.items()
    )
