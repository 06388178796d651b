"""A worker that delivers and is killed before it has noted anything: kill -9 between send and note.

Wraps what notes a delivery, from outside: the product knows nothing of this.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from lysbro.delivering import Deliverer
from lysbro.settings import load
from lysbro.wiring import open_parts


def main(settings: dict[str, str], last: int) -> None:
    """Deliver so many replies, note none, and be killed."""
    delivered = 0

    def die(*_: Any, **_more: Any) -> None:
        nonlocal delivered
        delivered += 1
        if delivered == last:
            os.kill(os.getpid(), signal.SIGKILL)

    with open_parts(load(environment=settings), intake=True) as parts:
        parts.casebook.delivered = die  # type: ignore[method-assign]
        while Deliverer(parts).run_once():
            pass


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), int(sys.argv[2]))
