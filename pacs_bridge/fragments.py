"""Cuts an outgoing message into P-DATA-TF (PS3.8 section 9.3.5, annex D.1). No I/O, and no copies.

What comes out is a list of buffers for one gathering write: heads of our making between stretches
of what was given.
"""

from __future__ import annotations

from collections.abc import Iterator

from pacs_bridge.pdu import encode_fragment_head
from storage.disk import Buffer

COMMAND, DATASET, LAST = 0x01, 0x00, 0x02  # message control header (PS3.8 annex E.2)
_LARGEST = 1 << 20  # of a fragment, where the peer takes any


def fragment_bytes(peer_max: int) -> int:
    """Return how much of a message goes into one P-DATA-TF of a peer's maximum length; 0: any."""
    return max(1, min(peer_max or _LARGEST, _LARGEST) - 6)


def cut(context_id: int, content: Buffer, *, kind: int, size: int, ends: bool) -> Iterator[Buffer]:
    """Give head and content of each fragment; `ends`: the command or data set ends with this."""
    view = memoryview(content)
    whole = len(view)
    for start in range(0, whole, size) if whole else (0,):
        piece = view[start : start + size]
        last = LAST if ends and start + size >= whole else 0
        yield encode_fragment_head(context_id, kind | last, len(piece))
        yield piece
