"""A worker that dies at the store: killed before or after it puts an object of a kind.

Wraps the store's put from outside: the product knows nothing of this.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from lysbro.cli import main
from storage.objects.folder import FolderStore

_put = FolderStore.put


def die_at(prefix: str, *, after: bool) -> None:
    """Have this process killed at its first put under a prefix."""

    def put(store: FolderStore, key: str, source: Path | bytes, *, sha256: str) -> None:
        if after or not key.startswith(prefix):
            _put(store, key, source, sha256=sha256)
        if key.startswith(prefix):
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()

    FolderStore.put = put  # type: ignore[method-assign]


if __name__ == "__main__":
    die_at(sys.argv[1], after=sys.argv[2] == "after")
    sys.argv = ["lysbro", "serve", "--only", "worker"]
    main()
