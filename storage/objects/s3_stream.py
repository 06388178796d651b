"""Reads a stretch of an object from an S3 server as a stream, and goes on where it was cut."""

from __future__ import annotations

import io
import re
from typing import BinaryIO

from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from casework.errors import Unavailable
from storage.objects.s3_faults import Fault, as_error
from storage.objects.s3_http import Calls

_BUFFER_BYTES = 1 << 20
_CUTS = 5  # in a row, without a byte in between
_RANGE = re.compile(r"bytes (\d+)-(\d+)/")


def open_stream(calls: Calls, key: str, offset: int, length: int) -> BinaryIO:
    """Open a stretch of an object; raise NotFound when there is none under the key."""
    stretch = _Stretch(calls, key, offset, length)
    stretch.open()
    return io.BufferedReader(stretch, buffer_size=_BUFFER_BYTES)


class _Stretch(io.RawIOBase):
    """A stretch of an object; ends early when the object does."""

    def __init__(self, calls: Calls, key: str, offset: int, length: int) -> None:
        super().__init__()
        self._calls = calls
        self._key = key
        self._offset = offset
        self._left = length
        self._etag = ""
        self._answer: BaseHTTPResponse | None = None

    def open(self) -> None:
        """Ask for what is left of the stretch, of the same object as before."""
        last = self._offset + self._left - 1
        headers = {"Range": f"bytes={self._offset}-{last}"}
        if self._etag:
            headers["If-Match"] = self._etag
        try:
            answer = self._calls.call("GET", self._key, headers=headers, stream=True)
        except Fault as fault:
            if fault.status == 416:  # the object ends before the stretch begins
                self._left = 0
                return
            raise as_error(fault, self._calls.place, self._key) from fault
        self._etag = answer.headers.get("etag", "")
        self._answer = answer
        told = _RANGE.match(answer.headers.get("content-range", ""))
        if told is not None:
            # rclone answers 200 with Content-Range, others 206: the header decides
            if int(told.group(1)) != self._offset:
                self._drop()
                raise self._cut("another stretch was sent than was asked for")
            self._left = min(self._left, int(told.group(2)) + 1 - self._offset)
        else:
            self._skip(answer)

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read some bytes; a connection that is cut is opened again where it stopped."""
        view = memoryview(buffer)[: min(len(buffer), self._left)]
        for _ in range(_CUTS):
            if not len(view) or not self._left:
                return 0
            if self._answer is None:
                self.open()
                view = view[: self._left]
                continue
            try:
                data = self._answer.read(len(view))
            except (HTTPError, OSError):
                self._drop()
                continue
            if not data:
                if self._has_no_length():
                    self._left = 0
                    return 0
                self._drop()
                continue
            view[: len(data)] = data
            self._offset += len(data)
            self._left -= len(data)
            if not self._left:
                self._done()
            return len(data)
        raise self._cut("the connection is cut again and again")

    def close(self) -> None:
        """Give the connection back, or drop it when not all was read."""
        if not self.closed:
            self._drop()
        super().close()

    def _skip(self, answer: BaseHTTPResponse) -> None:
        """Pass over what lies before the stretch: the server sent the object from its start."""
        before = self._offset
        while before:
            data = answer.read(min(before, _BUFFER_BYTES))
            if not data:
                self._left = 0
                return
            before -= len(data)

    def _has_no_length(self) -> bool:
        return self._answer is not None and "content-range" not in self._answer.headers

    def _done(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.read(1)  # the end, so that the connection is used again
            answer.release_conn()

    def _drop(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.close()
            answer.release_conn()

    def _cut(self, why: str) -> Unavailable:
        return Unavailable(
            f"Reading {self._key} from the {self._calls.place} failed at {self._offset}: {why}. "
            "It is tried again; look at the server and the network to it.",
            code="store-cut",
        )
