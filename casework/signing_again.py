"""Whether somebody must prove anew who they are before a signature: never, after a while, always.

Knows neither passwords nor sessions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

_FORM = re.compile(r"never|always|(?:after )?(\d{1,4})")


@dataclass(frozen=True)
class SignAgain:
    """The rule of an exchange; `after` None is never, no time at all is always."""

    after: timedelta | None = None

    @property
    def is_asked(self) -> bool:
        """Tell whether anything is ever asked: then no machine signs with a person's token."""
        return self.after is not None

    def is_due(self, *, proved_at: datetime, now: datetime) -> bool:
        """Tell whether the last proof is too old for a signature."""
        return self.after is not None and now - proved_at >= self.after


def sign_again(text: str) -> SignAgain:
    """Return the rule of a text: `never`, `always`, or minutes as in `after 15`.

    Raises ValueError for anything else.
    """
    said = " ".join(text.lower().split())
    found = _FORM.fullmatch(said)
    if found is None or found[1] == "0":
        raise ValueError("use never, always, or the minutes as in 'after 15'")
    if said == "never":
        return SignAgain()
    return SignAgain(timedelta(0) if said == "always" else timedelta(minutes=int(found[1])))
