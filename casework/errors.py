"""The errors that Lysbro raises on purpose: the type says who can act, the message what to do.

Every face has one table from these types to its wire: a DIMSE status, an HTTP problem document, an
exit status. What is not one of these is a defect, and is answered as a failure.
"""

from __future__ import annotations


class LysbroError(Exception):
    """Base of all expected errors: a stable `code` for machines and a sentence for people."""

    noted = False  # whether the audit has an entry of it already

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).__name__.lower()


class Invalid(LysbroError):
    """The sender gave something that cannot be accepted as it is; the sender can mend it."""


class Refused(LysbroError):
    """The actor may not do this; somebody with other rights can."""


class NotFound(LysbroError):
    """There is no such thing, or the actor may not know of it; the two are told apart nowhere."""


class Conflict(LysbroError):
    """Somebody else was there first, or the state has moved on; `state` is the present one."""

    def __init__(self, message: str, *, code: str = "", state: str = "") -> None:
        super().__init__(message, code=code)
        self.state = state


class TooLarge(Invalid):
    """The input is over a limit that is a setting."""


class Unavailable(LysbroError):
    """A part does not answer, or there is no room; the operator can act, the sender may retry."""


class NoRoom(Unavailable):
    """The spool or the disk is full; nothing was kept (C-STORE 0xA700, HTTP 507)."""
