"""Reads from the spools of other nodes, through their doors.

A node that does not answer is told by its name: what only it has can be read when it is back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from casework.errors import NotFound, Unavailable
from lysbro.node_door import PATH
from storage.nodes import Node, Nodes

_SILENCE_S = 5.0
_CHUNK = 256 << 10
_IN_MEMORY = 16 << 20


class OtherNodes:
    """The spools of the other nodes of one database."""

    def __init__(self, nodes: Nodes, *, secret: str, scratch: Path) -> None:
        """Large objects go through a file without a name in `scratch`."""
        self._nodes = nodes
        self._secret = secret
        self._scratch = scratch

    def read(self, segment: str, offset: int, length: int) -> bytes:
        """Return a stretch of a segment."""
        if length == 0:
            return b""
        with self._asked(segment, offset, length) as answer:
            return b"".join(_chunks(answer, length))

    def open(self, segment: str, offset: int, length: int) -> BinaryIO:
        """Fetch a stretch of a segment and give it as a stream that begins at its start."""
        kept = SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(self._scratch))  # noqa: SIM115 - given away
        try:
            with self._asked(segment, offset, length) as answer:
                for chunk in _chunks(answer, length):
                    kept.write(chunk)
            kept.seek(0)
        except BaseException:
            kept.close()
            raise
        return cast(BinaryIO, kept)

    @contextmanager
    def _asked(self, segment: str, offset: int, length: int) -> Iterator[HTTPResponse]:
        node = self._nodes.holder(segment)
        if node is None:
            raise NotFound(f"No node has the segment {segment}.", code="no-such-segment")
        if not node.address or not self._secret:
            raise _away(node, "has no door that is open to this one (LYSBRO_NODE_PORT, …_SECRET)")
        host, _, port = node.address.rpartition(":")
        connection = HTTPConnection(host.strip("[]"), int(port), timeout=_SILENCE_S)
        try:
            connection.request(
                "GET",
                PATH + segment,
                headers={
                    "Range": f"bytes={offset}-{offset + length - 1}",
                    "Authorization": f"Bearer {self._secret}",
                },
            )
            with connection.getresponse() as answer:
                _require(answer.status, node, segment)
                yield answer
        except (OSError, HTTPException) as error:
            raise _away(node, f"does not answer at {node.address}") from error
        finally:
            connection.close()


def _require(status: int, node: Node, segment: str) -> None:
    if status == HTTPStatus.PARTIAL_CONTENT:
        return
    if status == HTTPStatus.NOT_FOUND:
        raise NotFound(f"The node {node.name} has no segment {segment}.", code="no-such-segment")
    if status == HTTPStatus.UNAUTHORIZED:
        raise _away(node, "has another LYSBRO_NODE_SECRET than this one")
    raise _away(node, f"answers {status} for the segment {segment}")


def _chunks(answer: HTTPResponse, length: int) -> Iterator[bytes]:
    """Yield exactly so many bytes; one that ends sooner is an answer that was broken off."""
    while length > 0:
        chunk = answer.read(min(_CHUNK, length))
        if not chunk:
            raise HTTPException("the answer ended too soon")
        yield chunk
        length -= len(chunk)


def _away(node: Node, what: str) -> Unavailable:
    return Unavailable(
        f"The object is in the spool of the node {node.name}, which {what}. "
        f"Try again when {node.name} is back; nothing is lost as long as its disk is there.",
        code="node-away",
    )
