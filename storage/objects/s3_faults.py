"""Decides what an answer of an S3 server, or none, means: repeat, refuse, full, gone. No I/O."""

from __future__ import annotations

from collections.abc import Callable

from casework.errors import LysbroError, NoRoom, Refused, Unavailable
from storage.objects.port import no_such_object
from storage.objects.s3_place import S3Place

NO_ANSWER = 0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_PASSING_STATUSES = frozenset({NO_ANSWER, 408, 425, 429, 500, 502, 503, 504})
_PASSING_CODES = frozenset(
    {
        "BadDigest",  # our bytes have their hash, so they were changed on the way
        "InvalidDigest",
        "XAmzContentSHA256Mismatch",
        "XAmzContentChecksumMismatch",
        "IncompleteBody",
        "RequestTimeout",
        "SlowDown",
        "InternalError",
        "ServiceUnavailable",
        "ConditionalRequestConflict",  # two writers at once (409): one of them is asked to repeat
        "OperationAborted",
    }
)
_FULL = frozenset(
    {
        "QuotaExceeded",
        "XMinioStorageFull",
        "XMinioAdminBucketQuotaExceeded",
        "EntityTooLarge",  # 413 of Swift over a quota; we send nothing too large by itself
    }
)
_OTHER_REGION = frozenset({"PermanentRedirect", "TemporaryRedirect", "Redirect"})
_NO_UPLOAD = "NoSuchUpload"


class Fault(Exception):
    """What a server answered instead of success; status 0 when nothing whole was answered."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status or 'no answer'} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message

    @property
    def is_passing(self) -> bool:
        """Tell whether the same call may well succeed in a moment."""
        if self.is_full:
            return False
        return self.status in _PASSING_STATUSES or self.code in _PASSING_CODES

    @property
    def is_full(self) -> bool:
        """Tell whether there is no room for the object."""
        return self.status in (413, 507) or self.code in _FULL

    @property
    def says_exists(self) -> bool:
        """Tell whether a conditional write found an object under its key (412)."""
        return self.status == 412 or self.code == "PreconditionFailed"

    @property
    def says_no_object(self) -> bool:
        """Tell whether there is nothing under the key."""
        return self.status == 404 and self.code != "NoSuchBucket"

    @property
    def says_no_upload(self) -> bool:
        """Tell whether a multipart upload has ended: completed, perhaps by us, or aborted."""
        return self.code == _NO_UPLOAD


def pause_s(attempt: int, *, chance: float) -> float:
    """Return how long to wait after the attempt, counted from 0; `chance` is in [0, 1)."""
    whole = min(_FIRST_PAUSE_S * 2.0**attempt, _LONGEST_PAUSE_S)
    return whole * (0.5 + chance / 2)


class Breaker:
    """Stops calling a server that does not answer, and lets one call try from time to time.

    Not safe for threads by itself; its caller holds a lock.
    """

    def __init__(
        self, clock: Callable[[], float], *, first_s: float = 1, longest_s: float = 30
    ) -> None:
        self._clock = clock
        self._first_s = first_s
        self._longest_s = longest_s
        self._pause_s = 0.0
        self._closed_until = 0.0
        self._is_trying = False
        self.reason = ""

    def admits(self) -> bool:
        """Tell whether a call may be made; the one that is admitted after a pause is a trial."""
        if not self.reason:
            return True
        if self._is_trying or self._clock() < self._closed_until:
            return False
        self._is_trying = True
        return True

    def heard(self) -> None:
        """Note that the server answered, whatever it said."""
        self.reason, self._pause_s, self._is_trying = "", 0.0, False

    def missed(self, reason: str) -> None:
        """Note that the server did not answer one call with all its repeats."""
        if self.reason and not self._is_trying and self._clock() < self._closed_until:
            return  # another call of the same moment has told it
        self._pause_s = min(self._pause_s * 2 or self._first_s, self._longest_s)
        self._closed_until = self._clock() + self._pause_s
        self._is_trying = False
        self.reason = reason


def as_error(fault: Fault, place: S3Place, key: str) -> LysbroError:
    """Return the error that an operator, or a caller, can do something about."""
    what = f"{key} in the {place}" if key else f"the {place}"
    if fault.is_full:
        return NoRoom(
            f"There is no room for {what} ({fault.code or fault.status}). "
            "Raise the bucket's quota or make room on the server.",
            code="store-full",
        )
    if fault.code == "NoSuchBucket":
        return Unavailable(
            f"There is no {place}. Make the bucket, or set LYSBRO_STORE and LYSBRO_S3_ENDPOINT.",
            code="no-such-bucket",
        )
    if fault.status == 404:
        return no_such_object(key)
    if fault.code == "RequestTimeTooSkewed":
        return Unavailable(
            f"The clock differs too much from that of the {place}. Set both by NTP.",
            code="store-clock",
        )
    if fault.status in (401, 403):
        return Unavailable(
            f"The {place} refuses our key ({fault.code or fault.status}). "
            "Look at LYSBRO_S3_ACCESS_KEY, LYSBRO_S3_SECRET_KEY and the rights on the bucket.",
            code="store-refused",
        )
    if fault.status in (301, 307) or fault.code in _OTHER_REGION:
        return Unavailable(
            f"The {place} is in another region ({fault.message}). Set LYSBRO_S3_REGION.",
            code="store-region",
        )
    if fault.is_passing:
        return Unavailable(
            f"The {place} does not answer as it should ({fault.message}). "
            "What waits for it stays in the spool and is tried again; look at the server.",
            code="store-down",
        )
    return Unavailable(
        f"The {place} did not do what was asked with {key or 'it'} "
        f"({fault.status} {fault.code}: {fault.message}). Look at the server's log.",
        code="store-failed",
    )


def unreadable(place: S3Place) -> Unavailable:
    """Return the error for an answer that is not what its status promises."""
    return Unavailable(
        f"The {place} gave an answer that cannot be read. Look at the server.",
        code="store-failed",
    )


def may_not_delete(place: S3Place, key: str) -> Refused:
    """Return the error for an object that our key, or a lock on it, does not let us delete."""
    return Refused(
        f"The {place} does not let {key} be deleted: our key lacks the right, or the object is "
        "locked. It stays, and takes room only.",
        code="store-delete-refused",
    )


def version_stays(place: S3Place, key: str) -> Refused:
    """Return the error for a version that our key, or a lock on it, does not let us remove."""
    return Refused(
        f"The {place} keeps versions, and does not let those of {key} be removed: our key lacks "
        "the right to list and delete versions, or they are locked. Their bytes are still there; "
        "give the right, or wait until the lock ends: it is tried again.",
        code="store-version-stays",
    )


__all__ = [
    "NO_ANSWER",
    "Breaker",
    "Fault",
    "as_error",
    "may_not_delete",
    "pause_s",
    "unreadable",
    "version_stays",
]
