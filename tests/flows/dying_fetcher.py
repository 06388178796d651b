"""A worker that dies while it fetches an earlier study: killed once so many objects are durable.

Wraps the taking of an object from outside: the product knows nothing of this.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count

from lysbro.cli import main
from pacs_bridge.fetching import _Taking
from pacs_bridge.status import Answer

_finish = _Taking.finish


def die_after(objects: int) -> None:
    """Have this process killed before it answers for the last of so many objects."""
    taken = count(1)

    def finish(taking: _Taking) -> Answer:
        answer = _finish(taking)
        if next(taken) == objects:
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()
        return answer

    _Taking.finish = finish  # type: ignore[method-assign]


if __name__ == "__main__":
    die_after(int(sys.argv[1]))
    sys.argv = ["lysbro", "serve", "--only", "worker"]
    main()
