"""What an answer of an S3 server means, and when a server is not called."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from casework.errors import Unavailable
from storage.objects.s3_faults import NO_ANSWER, Breaker, Fault, as_error, pause_s
from storage.objects.s3_http import Calls
from storage.objects.s3_place import S3Place, bucket_of, endpoint_of

pytestmark = pytest.mark.slow

PLACE = S3Place("packs", "http://127.0.0.1:9", "key", "very secret")


@pytest.mark.parametrize(
    ("status", "code", "passes", "told"),
    [
        (NO_ANSWER, "", True, "store-down"),
        (408, "RequestTimeout", True, "store-down"),
        (429, "", True, "store-down"),
        (500, "InternalError", True, "store-down"),
        (502, "", True, "store-down"),
        (503, "SlowDown", True, "store-down"),
        (504, "", True, "store-down"),
        (400, "BadDigest", True, "store-down"),
        (409, "ConditionalRequestConflict", True, "store-down"),
        (507, "", False, "store-full"),
        (500, "XMinioStorageFull", False, "store-full"),
        (403, "QuotaExceeded", False, "store-full"),
        (403, "AccessDenied", False, "store-refused"),
        (403, "InvalidAccessKeyId", False, "store-refused"),
        (403, "RequestTimeTooSkewed", False, "store-clock"),
        (404, "NoSuchBucket", False, "no-such-bucket"),
        (404, "NoSuchKey", False, "no-such-object"),
        (301, "PermanentRedirect", False, "store-region"),
        (400, "InvalidRequest", False, "store-failed"),
        (501, "NotImplemented", False, "store-failed"),
    ],
)
def test_each_answer_has_its_meaning(status: int, code: str, passes: bool, told: str) -> None:
    fault = Fault(status, code, "words")
    assert fault.is_passing is passes
    error = as_error(fault, PLACE, "v1/a")
    assert error.code == told
    assert "very secret" not in error.message + repr(PLACE)


def test_pauses_grow_to_a_limit_and_scatter() -> None:
    assert [pause_s(n, chance=0.5) for n in range(3)] == pytest.approx([0.075, 0.15, 0.3])
    assert pause_s(50, chance=0.999) <= 5
    assert pause_s(3, chance=0) < pause_s(3, chance=0.9)


def test_a_breaker_lets_one_call_try_and_waits_longer_each_time() -> None:
    now = 0.0
    breaker = Breaker(lambda: now, first_s=1, longest_s=3)
    assert breaker.admits()
    breaker.missed("refused")
    assert not breaker.admits()
    for pause in (1, 2, 3, 3):
        now += pause - 0.01
        assert not breaker.admits()
        now += 0.02
        assert breaker.admits()
        assert not breaker.admits()  # one at a time
        breaker.missed("refused")
    now += 4
    assert breaker.admits()
    breaker.heard()
    assert breaker.admits()
    assert breaker.admits()
    assert breaker.reason == ""


def test_a_server_that_is_not_there_is_asked_some_times_then_not_for_a_while() -> None:
    waits: list[float] = []
    calls = Calls(replace(PLACE, deadline_s=60), wait=waits.append, chance=lambda: 0.5)
    with pytest.raises(Unavailable) as caught:
        calls.call("HEAD", "v1/a")
    assert caught.value.code == "store-down"
    assert len(waits) == 5
    assert waits == sorted(waits)
    with pytest.raises(Unavailable, match="not asked again for a moment"):
        calls.call("HEAD", "v1/a")
    assert len(waits) == 5
    calls.close()


def test_a_deadline_ends_the_repeats() -> None:
    now = 0.0

    def wait(seconds: float) -> None:
        nonlocal now
        now += seconds + 0.5

    calls = Calls(
        replace(PLACE, deadline_s=1.0), wait=wait, monotonic=lambda: now, chance=lambda: 0.5
    )
    with pytest.raises(Unavailable):
        calls.call("HEAD", "v1/a")
    assert now < 1.5
    calls.close()


@pytest.mark.parametrize(
    "url", ["s3://", "s3://a", "s3://Packs", "s3://packs/prefix", "s3://a_b_c"]
)
def test_what_is_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="s3://BUCKET"):
        bucket_of(url)


@pytest.mark.parametrize("value", ["s3.example", "ftp://s3.example", "https://s3.example/packs"])
def test_what_is_no_address_of_a_server_is_refused(value: str) -> None:
    with pytest.raises(ValueError):
        endpoint_of(value, region="")


@contextmanager
def sluggish(*, bytes_per_s: int) -> Iterator[int]:
    """Run a server that reads a request at a pace, 0 for never, and then answers 200."""
    stop = threading.Event()

    def answer(caller: socket.socket) -> None:
        caller.settimeout(0.2)
        got, wanted, head = 0, 0, b""
        while not stop.is_set() and (not wanted or got < wanted):
            if not bytes_per_s:
                stop.wait(0.1)
                continue
            try:
                data = caller.recv(min(bytes_per_s // 20, 1 << 20))
            except TimeoutError:
                continue
            if not data:
                return
            got += len(data)
            if not wanted:
                head += data
                before, end, _ = head.partition(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", before)
                wanted = len(before) + 4 + int(length.group(1)) if end and length else 0
            stop.wait(len(data) / bytes_per_s)
        caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def accept() -> None:
        while not stop.is_set():
            with suppress(TimeoutError):
                caller, _ = listener.accept()
                with caller, suppress(OSError):
                    answer(caller)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        listener.settimeout(0.2)
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            thread.join()


def test_an_upload_may_take_longer_than_it_takes_to_connect() -> None:
    with sluggish(bytes_per_s=8 << 20) as port:
        place = replace(
            PLACE, endpoint=f"http://127.0.0.1:{port}", connect_timeout_s=0.5, deadline_s=30
        )
        calls = Calls(place)
        assert calls.call("PUT", "v1/a", body=bytes(16 << 20), repeats=False).status == 200
        calls.close()


@pytest.mark.parametrize("bytes_per_s", [0, 1 << 20])
def test_an_upload_that_is_too_slow_ends_at_its_deadline(bytes_per_s: int) -> None:
    with sluggish(bytes_per_s=bytes_per_s) as port:
        calls = Calls(replace(PLACE, endpoint=f"http://127.0.0.1:{port}", deadline_s=1))
        begun = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            calls.call("PUT", "v1/a", body=bytes(32 << 20))
        assert caught.value.code == "store-down"
        assert time.monotonic() - begun < 8
        calls.close()
