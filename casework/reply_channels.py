"""By which further ways a site's signed replies go, and what each way needs to be told.

Values and their rules; where they are kept and how they are gone is not known here. Inbox, study
and DICOM nodes need no telling: they follow from the site and its nodes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from casework.errors import Invalid
from casework.identifiers import is_slug


class Way(StrEnum):
    """How a reply goes to a system that is no DICOM node."""

    HL7 = "hl7"  # ORU^R01 over MLLP
    FHIR = "fhir"  # a transaction of resources
    WEBHOOK = "webhook"  # a POST that says there is a reply
    MAIL = "mail"  # a notice without clinical content


OPTIONS: Mapping[Way, Mapping[str, tuple[str, ...]]] = {
    Way.HL7: {
        "application": (), "facility": (), "charset": ("utf-8", "8859/1"), "pdf": ("yes", "no"),
        "tls": ("no", "yes"),
    },
    Way.FHIR: {"secret_file": (), "pdf": ("yes", "no")},
    Way.WEBHOOK: {"secret_file": (), "content": ("notice", "whole")},
    Way.MAIL: {
        "language": ("", "en", "nb"), "urgent_only": ("no", "yes"), "escalations": ("no", "yes"),
    },
}  # fmt: skip
"""What may be told of each way; the first of the values that stand here is meant without."""

URGENT = frozenset({"priority", "cancer-pathway"})
"""Urgencies of a reply on which its referrer must act."""

_MAILBOX = re.compile(r"[^@\s<>\"]{1,64}@[A-Za-z0-9.-]{1,253}")
_MOST_CHARACTERS = 300


@dataclass(frozen=True)
class ReplyChannel:
    """One way by which the replies of a site go; its name is what deliveries call it."""

    name: str
    site: str
    way: Way
    address: str  # HOST:PORT, an address on the web, or a mailbox
    options: Mapping[str, str] = field(default_factory=dict)
    is_on: bool = True

    def option(self, name: str) -> str:
        """Return what was told of an option, or what is meant without."""
        return self.options.get(name) or next(iter(OPTIONS[self.way][name]), "")

    @property
    def host_and_port(self) -> tuple[str, int]:
        """Return where an HL7 receiver listens."""
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)


def takes(channel: ReplyChannel, content: Mapping[str, Any]) -> bool:
    """Tell whether a way is for a reply of this content."""
    urgent_only = channel.way is Way.MAIL and channel.option("urgent_only") == "yes"
    return not urgent_only or content.get("urgency") in URGENT


def checked(channel: ReplyChannel) -> ReplyChannel:
    """Return the channel as it is kept, or raise Invalid with what is wrong with it."""
    if not is_slug(channel.name):
        raise Invalid(
            f"{channel.name!r} cannot name a channel: use 1 to 32 of a-z, 0-9 and hyphen.",
            code="invalid-slug",
        )
    if len(channel.address) > _MOST_CHARACTERS or not _fits(channel):
        raise Invalid(
            f"{channel.address!r} is no place to go to by {channel.way}. {_WANTED[channel.way]}",
            code="invalid-address",
        )
    known = OPTIONS[channel.way]
    for name, value in channel.options.items():
        if name not in known:
            raise Invalid(
                f"{channel.way} has no option {name}. It has {', '.join(known)}.",
                code="unknown-option",
            )
        if (known[name] and value not in known[name]) or len(value) > _MOST_CHARACTERS:
            raise Invalid(
                f"{name} cannot be {value!r}. Use {' or '.join(filter(None, known[name]))}.",
                code="invalid-option",
            )
    return channel


_WANTED: Mapping[Way, str] = {
    Way.HL7: "Give HOST:PORT.",
    Way.FHIR: "Give the base address, as https://HOST/fhir.",
    Way.WEBHOOK: "Give an address, as https://HOST/path.",
    Way.MAIL: "Give one mailbox.",
}


def _fits(channel: ReplyChannel) -> bool:
    if channel.way is Way.MAIL:
        return _MAILBOX.fullmatch(channel.address) is not None
    if channel.way is Way.HL7:
        host, _, port = channel.address.rpartition(":")
        return bool(host) and " " not in host and port.isdecimal() and 0 < int(port) < 65536
    try:
        parts = urlsplit(channel.address)
        _port = parts.port
    except ValueError:
        return False
    has_login = parts.username is not None or parts.password is not None
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not has_login
