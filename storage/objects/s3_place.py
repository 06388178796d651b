"""Which bucket, on which server, by which key, and how patient to be with it. Calls nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
DEFAULT_REGION = "us-east-1"
SCHEME = "s3://"


@dataclass(frozen=True)
class S3Place:
    """Everything that a setting says of an S3 bucket."""

    bucket: str
    endpoint: str  # scheme, host and port; nothing after them
    access_key: str
    secret_key: str = field(repr=False)
    region: str = DEFAULT_REGION
    ca: Path | None = None  # authorities that the server's certificate may be of
    connect_timeout_s: float = 5
    read_timeout_s: float = 30
    deadline_s: float = 60  # for one call with its repeats; a large object is many calls
    part_bytes: int = 32 << 20
    parallel_parts: int = 2
    connections: int = 16
    stale_upload_s: float = 86_400

    @property
    def is_encrypted(self) -> bool:
        """Tell whether the server is called over TLS."""
        return self.endpoint.startswith("https://")

    @property
    def host(self) -> str:
        """Return the server's host, with its port where one is given."""
        return urlsplit(self.endpoint).netloc

    def __str__(self) -> str:
        return f"bucket {self.bucket} at {self.endpoint}"


def bucket_of(url: str) -> str:
    """Return the bucket of `s3://BUCKET`, or raise ValueError: nothing else stands in it."""
    bucket = url.removeprefix(SCHEME).rstrip("/")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(
            "give s3://BUCKET, with a bucket name of 3 to 63 lower-case letters, digits, "
            "dots and hyphens, and nothing after it"
        )
    return bucket


def endpoint_of(value: str, *, region: str) -> str:
    """Return the server's address: AWS in the region when none is given; ValueError when odd."""
    if not value:
        return f"https://s3.{region or DEFAULT_REGION}.amazonaws.com"
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ValueError("give the server as https://HOST or https://HOST:PORT")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("the server's address has no path; the bucket stands in LYSBRO_STORE")
    return f"{parts.scheme}://{parts.netloc}"
