"""Writes the bodies of answers: one part with ranges and a tag, or many parts as a stream.

What an instance is never changes, so an answer that is made of one alone may be kept by the browser
that asked, and by nobody else: for as long as the one who asked is signed in as the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from flask import Response, request, stream_with_context

from storage.rows import InstanceRow
from viewer.dicomweb.multipart import length_of, new_boundary, write_parts
from viewer.dicomweb.partial import part_of
from viewer.problems import problem

KEPT_FOR_GOOD = "private, max-age=31536000, immutable"
VARY = "Accept, Authorization, Cookie"

Read = Callable[[int, int], Iterable[bytes]]
"""Gives the bytes of a body from one place up to another; outside of the request by then."""


def tag_of(row: InstanceRow, *what: object) -> str:
    """Return the entity tag, in its quotes, of something made of an instance alone."""
    told = "-".join(str(each) for each in what)
    return f'"{row.bytes_sha256[:32]}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"'


def boundary_of(tag: str) -> str:
    """Return the boundary of an answer that has a tag, so that it is the same bytes each time."""
    return f"lysbro-{hashlib.sha256(tag.encode()).hexdigest()[:32]}"


def caching(tag: str) -> list[tuple[str, str]]:
    """Return the headers that let one browser keep an answer."""
    return [("ETag", tag), ("Cache-Control", KEPT_FOR_GOOD), ("Vary", VARY)]


def single(content_type: str, read: Read, *, length: int, tag: str) -> Response:
    """Return one part, or as much of it as is asked for."""
    if _is_known(tag):
        return _kept(Response(status=304), tag)
    part = part_of(
        length,
        range_header=request.headers.get("Range", "") if request.method == "GET" else "",
        if_range=request.headers.get("If-Range", ""),
        tag=tag,
    )
    if part is None:
        answer = problem(416, f"There are {length} bytes. Ask for some of them.", code="range")
        answer.headers["Content-Range"] = f"bytes */{length}"
        return answer
    body: Iterable[bytes] = ()
    if request.method == "GET":
        chunks = iter(read(part.start, part.stop))
        body = chain([next(chunks, b"")], chunks)  # what cannot be read is told by the status
    response = Response(body, status=200 if part.is_whole else 206, content_type=content_type)
    response.headers["Accept-Ranges"] = "bytes"
    if not part.is_whole:
        response.headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{length}"
    response.content_length = part.stop - part.start
    return _kept(response, tag)


def single_bytes(content_type: str, body: bytes, *, tag: str) -> Response:
    """Return one part that is in memory."""
    return single(content_type, lambda a, b: (body[a:b],), length=len(body), tag=tag)


def part_head(content_type: str, address: str) -> str:
    """Return the lines before a part that has an address of its own."""
    return f"Content-Type: {content_type}\r\nContent-Location: {address}"


def multipart(
    media_type: str,
    parts: Iterator[tuple[str, Iterable[bytes]]],
    *,
    lengths: Sequence[tuple[str, int]] | None = None,
    tag: str = "",
) -> Response:
    """Return parts, each with the lines of its head, as a stream.

    With `lengths`, of (head, length of content), the body has a length: one that is broken off is
    then seen to be. Without, it goes in chunks, whose end is seen as well. With a tag it is kept.
    """
    if tag and _is_known(tag):
        return _kept(Response(status=304), tag)
    boundary = boundary_of(tag) if tag else new_boundary()
    head, content = next(parts)
    chunks = iter(content)
    first = head, chain([next(chunks, b"")], chunks)  # what cannot be read is told by the status
    response = Response(
        stream_with_context(write_parts(boundary, chain([first], parts))),
        content_type=f'multipart/related; type="{media_type}"; boundary={boundary}',
    )
    if lengths is not None:
        response.content_length = length_of(boundary, lengths)
    return _kept(response, tag) if tag else response


def _is_known(tag: str) -> bool:
    """Tell whether the client has this already; a weak comparison, as RFC 9110 13.1.2 says."""
    return request.if_none_match.contains_weak(tag.strip('"'))


def _kept(response: Response, tag: str) -> Response:
    for name, value in caching(tag):
        response.headers[name] = value
    return response
