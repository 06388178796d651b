"""Calls one S3 server: signed by the minio SDK, repeated with a deadline, stopped by a breaker.

Knows no objects; what a call is for, and what its answer means, is decided elsewhere.
"""

from __future__ import annotations

import io
import os
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

import certifi
import structlog
import urllib3
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.response import BaseHTTPResponse

from casework.errors import LysbroError
from storage.objects.s3_faults import NO_ANSWER, Breaker, Fault, as_error, pause_s
from storage.objects.s3_place import S3Place

log = structlog.get_logger()

_ATTEMPTS = 6
_PIECE = 64 << 10
_CODE = re.compile(r"<Code>\s*([A-Za-z0-9]+)\s*</Code>")
_MESSAGE = re.compile(r"<Message>\s*([^<]*?)\s*</Message>")


class Calls:
    """The one door to a server; safe for threads."""

    def __init__(
        self,
        place: S3Place,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._place = place
        self._monotonic = monotonic
        self._wait = wait
        self._chance = chance
        self._pool = _Pool(place, monotonic=monotonic)
        self._client = Minio(
            place.host,
            access_key=place.access_key,
            secret_key=place.secret_key,
            secure=place.is_encrypted,
            region=place.region,  # unset, every call would first ask where the bucket is
            http_client=self._pool,
        )
        self._lock = threading.Lock()
        self._breaker = Breaker(monotonic)

    @property
    def place(self) -> S3Place:
        """Return whom these calls reach."""
        return self._place

    def call(
        self,
        method: str,
        key: str = "",
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        stream: bool = False,
        repeats: bool = True,
    ) -> BaseHTTPResponse:
        """Return the answer of success, or raise Fault for any other that will not pass.

        What may pass is repeated until the deadline; then, and while the breaker is open,
        Unavailable is raised. With `stream` the caller reads the body and closes it; without
        `repeats` every Fault is raised at once.
        """
        self._admit(key)
        until = self._monotonic() + self._place.deadline_s
        attempt = 0
        try:
            while True:
                try:
                    answer = self._once(
                        method, key, body, dict(headers or {}), dict(query or {}), stream, until
                    )
                except Fault as fault:
                    if not (fault.is_passing and repeats):
                        self._heard()
                        raise
                    pause = pause_s(attempt, chance=self._chance())
                    attempt += 1
                    if attempt >= _ATTEMPTS or self._monotonic() + pause >= until:
                        raise self._missed(fault, key) from fault
                    log.debug("store_call_repeated", method=method, key=key, reason=str(fault))
                    self._wait(pause)
                else:
                    self._heard()
                    return answer
        except (Fault, LysbroError):
            raise
        except BaseException:
            self._missed(Fault(NO_ANSWER, "", "the call was interrupted"), key)
            raise

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pool.clear()

    def _admit(self, key: str) -> None:
        with self._lock:
            if self._breaker.admits():
                return
            reason = self._breaker.reason
        raise as_error(
            Fault(NO_ANSWER, "", f"{reason}; not asked again for a moment"), self._place, key
        )

    def _heard(self) -> None:
        with self._lock:
            was_away = bool(self._breaker.reason)
            self._breaker.heard()
        if was_away:
            log.info("store_answers_again", store=str(self._place))

    def _missed(self, fault: Fault, key: str) -> LysbroError:
        with self._lock:
            self._breaker.missed(fault.message)
        return as_error(fault, self._place, key)

    def _once(
        self,
        method: str,
        key: str,
        body: bytes | None,
        headers: dict[str, Any],
        query: dict[str, Any],
        stream: bool,
        until: float,
    ) -> BaseHTTPResponse:
        self._pool.until.at = until
        try:
            answer = self._client._execute(
                method,
                self._place.bucket,
                key or None,
                body=body,
                headers=headers,
                query_params=query,
                preload_content=not stream,
            )
        except S3Error as error:
            raise Fault(error.response.status, error.code or "", error.message or "") from error
        except InvalidResponseError as error:
            raise _fault_of_text(error) from error
        except ServerError as error:
            raise Fault(error.status_code, "", f"status {error.status_code}") from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Fault(NO_ANSWER, "", _why(error)) from error
        except (ET.ParseError, ValueError, TypeError) as error:
            raise Fault(NO_ANSWER, "", "the answer cannot be read") from error
        if not stream and (fault := _fault_in_success(answer)):
            raise fault
        return answer


class _Until(threading.local):
    """When the call of this thread must be over."""

    at: float | None = None


class _Pool(urllib3.PoolManager):
    """A sized pool that never repeats by itself and gives each request what is left of its time."""

    def __init__(self, place: S3Place, *, monotonic: Callable[[], float]) -> None:
        tls: dict[str, Any] = {}
        if place.is_encrypted:
            ca = str(place.ca) if place.ca else os.environ.get("SSL_CERT_FILE") or certifi.where()
            tls = {"cert_reqs": "CERT_REQUIRED", "ca_certs": ca}
        super().__init__(
            num_pools=2, maxsize=place.connections, retries=False, blocksize=_PIECE, **tls
        )
        self._connect_s = place.connect_timeout_s
        self._read_s = place.read_timeout_s
        self._monotonic = monotonic
        self.until = _Until()

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, redirect: bool = False, **kw: Any
    ) -> BaseHTTPResponse:
        """Send a request; see `urllib3.PoolManager.urlopen`."""
        left = self._read_s if self.until.at is None else self.until.at - self._monotonic()
        left = max(left, 0.1)
        kw["timeout"] = urllib3.Timeout(
            connect=min(self._connect_s, left), read=min(self._read_s, left)
        )
        body = kw.get("body")
        if isinstance(body, bytes) and len(body) > _PIECE:
            # urllib3 sends a body whole under the *connect* timeout: in pieces each has its own
            kw["body"] = _Pieces(body, until=self.until.at, monotonic=self._monotonic)
        return super().urlopen(method, url, redirect=False, **kw)


class _Pieces(io.BytesIO):
    """A body that is read piece by piece, until its time is over."""

    def __init__(self, body: bytes, *, until: float | None, monotonic: Callable[[], float]) -> None:
        super().__init__(body)
        self._until = until
        self._monotonic = monotonic

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next piece, or raise TimeoutError."""
        if self._until is not None and self._monotonic() > self._until:
            raise TimeoutError("the upload was too slow for its deadline")
        return super().read(size)


def _fault_of_text(error: InvalidResponseError) -> Fault:
    """Read an answer that is XML under another name (`text/xml`), or none at all."""
    text = error._body or ""
    status = int(error._code)
    code, message = _CODE.search(text), _MESSAGE.search(text)
    return Fault(
        status, code.group(1) if code else "", message.group(1) if message else f"status {status}"
    )


def _fault_in_success(answer: BaseHTTPResponse) -> Fault | None:
    """Return the error that stands in an answer with status 200: S3 completes uploads like that."""
    data = answer.data
    if len(data) > 1 << 16 or b"<Error>" not in data:
        return None
    text = data.decode("utf-8", "replace")
    code, message = _CODE.search(text), _MESSAGE.search(text)
    name = code.group(1) if code else ""
    status = {"PreconditionFailed": 412, "NoSuchUpload": 404}.get(name, 500)
    return Fault(status, name, message.group(1) if message else "an error with status 200")


def _why(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
