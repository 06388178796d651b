"""The settings of Lysbro: one typed object from a TOML file, then LYSBRO_* variables, then flags.

All faults are reported at once, each with the name of its setting. Packages below are handed their
own part of it as values; none of them reads the environment.
"""

from __future__ import annotations

import os
import platform
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from casework.clocks import STANDARD_TARGETS, STANDARD_WEEK, Clocks, parse_targets
from casework.errors import Invalid
from casework.hours import Hours, parse_closed_day, parse_week
from casework.identifiers import is_ae_title
from casework.model import Specialty
from storage.objects.s3_place import SCHEME, S3Place, bucket_of, endpoint_of

_PREFIX = "LYSBRO_"
_NOT_OFFERED = "this version of Lysbro does not offer it yet; leave it unset"


def _ae_title(value: str) -> str:
    if not is_ae_title(value):
        raise ValueError("an AE title has 1 to 16 plain characters without a backslash (PS3.5 6.2)")
    return value


def _store(value: str) -> str:
    if value.startswith(SCHEME):
        bucket_of(value)
    return value


def _database(value: str) -> str:
    if value and not value.startswith(("sqlite:", "postgresql:", "postgresql+psycopg:")):
        raise ValueError("give sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/NAME")
    return value


def _node(value: str) -> str:
    if len(value) > 64 or any(c.isspace() or not c.isprintable() for c in value):
        raise ValueError("the name of a node has 1 to 64 visible characters without a blank")
    return value


def _secret(value: str) -> str:
    if value and (len(value) < 16 or not value.isascii() or not value.isprintable()):
        raise ValueError("give at least 16 characters, as `openssl rand -hex 32` does")
    return value


def _origin(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    whole = separator and rest and scheme in {"http", "https"}
    if value != "*" and (not whole or any(c in "/?#@*" or c.isspace() for c in rest)):
        raise ValueError("give origins as https://HOST or https://HOST:PORT, or *")
    return value.lower()


def _week(value: str) -> str:
    parse_week(value)
    return value


def _targets(value: str) -> str:
    parse_targets(value)
    return value


def _closed_day(value: str) -> str:
    parse_closed_day(value)
    return value


def _clean_host(value: str) -> str:
    if not value or any(c.isspace() for c in value):
        raise ValueError("give a host name or an address")
    return value


Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
Bytes = Annotated[int, Field(gt=0)]
Host = Annotated[str, AfterValidator(_clean_host)]
Week = Annotated[str, AfterValidator(_week)]
Targets = Annotated[str, AfterValidator(_targets)]


class Settings(BaseModel):
    """Everything that an operator may set. Field `x_y` is the variable `LYSBRO_X_Y`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Field(Path("lysbro-data"), description="everything the embedded default keeps")
    data_pool: Path | None = Field(
        None,
        description="a folder of data folders, for replicas on one machine: each takes one that no "
        "other has, named after the node; unset: none",
    )
    database_url: Annotated[str, AfterValidator(_database)] = Field(
        "",
        repr=False,
        description="empty: SQLite in the data folder; "
        "or postgresql+psycopg://USER:PASSWORD@HOST/NAME",
    )
    database_password: str = Field(
        "", repr=False, description="put into the address of the database where that has none"
    )
    store: Annotated[str, AfterValidator(_store)] = Field(
        "",
        description="empty: a folder in the data folder; or the path of a folder, or s3://BUCKET",
    )
    s3_endpoint: str = Field(
        "", description="the S3 server, as https://HOST:PORT; empty: AWS in the region"
    )
    s3_access_key: str = Field("", description="the key's name at the S3 server")
    s3_secret_key: str = Field("", repr=False, description="its secret")
    s3_region: str = Field("us-east-1", description="the bucket's region, as requests are signed")
    s3_ca: Path | None = Field(
        None, description="PEM file of the authorities of the S3 server; unset: the public ones"
    )
    s3_connect_timeout: Seconds = Field(
        5, description="to connect, and to send 64 KiB of an upload, seconds"
    )
    s3_read_timeout: Seconds = Field(30, description="for the next bytes of an answer, seconds")
    s3_deadline: Seconds = Field(
        60, description="one call to the S3 server with all its repeats, seconds"
    )
    s3_part_bytes: int = Field(
        32 << 20, ge=5 << 20, le=1 << 30, description="a larger object is sent in parts of this"
    )
    s3_parallel_parts: int = Field(
        2, ge=1, le=16, description="parts sent at one time; each takes its size in memory"
    )
    s3_connections: int = Field(
        16, ge=1, le=256, description="connections to the S3 server kept by each process"
    )
    s3_stale_upload: Annotated[float, Field(ge=3600)] = Field(
        86_400, description="seconds after which a multipart upload counts as abandoned"
    )

    mirror: Annotated[str, AfterValidator(_store)] = Field(
        "",
        description="a second store that all packs and backups are copied to: the path of a "
        "folder, or s3://BUCKET; empty: none",
    )
    mirror_s3_endpoint: str = Field(
        "", description="the mirror's S3 server, as https://HOST:PORT; empty: AWS in its region"
    )
    mirror_s3_access_key: str = Field("", description="the key's name at the mirror's S3 server")
    mirror_s3_secret_key: str = Field("", repr=False, description="its secret")
    mirror_s3_region: str = Field("us-east-1", description="the region of the mirror's bucket")
    mirror_s3_ca: Path | None = Field(
        None,
        description="PEM file of the authorities of the mirror's S3 server; unset: the public ones",
    )

    node: Annotated[str, AfterValidator(_node)] = Field(
        "", description="name of this data folder among others on the database; empty: host name"
    )
    node_host: Host = Field(
        "127.0.0.1", description="other nodes read from this one's spool here; 0.0.0.0: any address"
    )
    node_port: Port | None = Field(
        None, description="port where other nodes read from this one's spool; unset: they cannot"
    )
    node_secret: Annotated[str, AfterValidator(_secret)] = Field(
        "", repr=False, description="what all nodes show each other, at least 16 characters"
    )
    lease_seconds: Annotated[float, Field(ge=5)] = Field(
        120,
        description="seconds until a job is taken over from a worker that is not heard of any more",
    )

    ae_title: Annotated[str, AfterValidator(_ae_title)] = Field(
        "LYSBRO", description="the AE title that callers must address"
    )
    dicom_host: Host = Field(
        "127.0.0.1", description="plain DICOM listens here; open it to a network on purpose"
    )
    dicom_port: Port = Field(11112, description="port of plain DICOM; 0 picks a free one")
    dicom_processes: int = Field(1, ge=1, le=16, description="processes that receive on the ports")
    dicom_check_host: bool = Field(
        False, description="refuse a node that calls from another address than its own"
    )
    dicom_max_pdu: int = Field(131072, ge=4096, le=1 << 20, description="largest PDU taken, bytes")
    dicom_max_associations: int = Field(25, ge=1, le=200, description="associations at one time")
    dicom_max_associations_per_peer: int = Field(
        8, ge=1, le=200, description="associations at one time from one address"
    )
    dicom_backlog: int = Field(
        128, ge=1, le=4096, description="connections that wait to be accepted"
    )
    dicom_tls_host: Host = Field(
        "0.0.0.0",  # noqa: S104 - a port for TLS is set on purpose, and asks for a certificate
        description="DICOM over TLS listens here",
    )
    dicom_tls_port: Port | None = Field(
        None, description="port of DICOM over TLS, usually 2762; unset: none; 0 picks a free one"
    )
    dicom_tls_cert: Path | None = Field(
        None, description="PEM file of our certificate with its intermediates"
    )
    dicom_tls_key: Path | None = Field(
        None, description="PEM file of our certificate's key, without a passphrase"
    )
    dicom_tls_ca: Path | None = Field(
        None, description="PEM file of the authorities whose certificates are taken"
    )
    dicom_tls_crl: Path | None = Field(
        None, description="PEM file of their revocation lists; unset: none is asked"
    )
    dicom_tls_profile: Literal["bcp195", "modified"] = Field(
        "bcp195", description="secure transport connection profile: PS3.15 B.12 or B.13 (modified)"
    )
    dicom_handshake_timeout: Seconds = Field(5, description="for a TLS handshake, seconds")
    dicom_request_timeout: Seconds = Field(10, description="from accept to A-ASSOCIATE-RQ, seconds")
    dicom_max_request_bytes: int = Field(
        131072, ge=4096, le=1 << 20, description="largest A-ASSOCIATE-RQ taken, bytes"
    )
    dicom_pdu_timeout: Seconds = Field(30, description="from first to last byte of a PDU, seconds")
    dicom_idle_timeout: Seconds = Field(60, description="an association without a message, seconds")
    dicom_floor_rate: Annotated[float, Field(ge=0)] = Field(
        1000,
        description="bytes per second of a message that has taken longer than a PDU may; 0: any",
    )
    dicom_max_command_bytes: int = Field(
        65536, ge=1024, le=1 << 20, description="largest command set taken, bytes"
    )
    dicom_max_pending: int = Field(
        2, ge=1, le=64, description="messages read ahead in an association; then reading stops"
    )
    dicom_congestion_spool_percent: int = Field(
        80,
        ge=0,
        le=100,
        description="percent of the spool in use that turns associations which store away; 0: none",
    )
    dicom_congestion_backlog: int = Field(
        25_000,
        ge=1,
        description="objects waiting for the index that turn associations which store away",
    )
    dicom_max_object_bytes: Bytes = Field(8 << 30, description="largest data set taken, bytes")
    dicom_max_matches: int = Field(2000, ge=1, description="most matches that a C-FIND answers")
    dicom_private_classes: bool = Field(
        True, description="accept storage SOP classes that the standard does not list"
    )

    commitment_wait: Annotated[float, Field(ge=0)] = Field(
        3600,
        description="seconds that storage commitment waits for an object that has not arrived",
    )

    hl7_host: Host = Field(
        "127.0.0.1", description="HL7 over MLLP listens here; open it to a network on purpose"
    )
    hl7_port: Port | None = Field(
        None, description="port of HL7 over MLLP, usually 2575; unset: none; 0 picks a free one"
    )
    hl7_tls: bool = Field(
        False, description="HL7 over TLS, with the certificate files of DICOM over TLS"
    )
    hl7_max_bytes: int = Field(
        1 << 20, ge=4096, le=64 << 20, description="largest HL7 message taken, bytes"
    )
    hl7_max_connections: int = Field(
        20, ge=1, le=200, description="HL7 connections at one time, in each receiving process"
    )
    hl7_message_timeout: Seconds = Field(
        30, description="from first to last byte of an HL7 message, seconds"
    )
    hl7_idle_timeout: Seconds = Field(
        600, description="an HL7 connection without a message, seconds"
    )

    worklist_days: int = Field(
        30,
        ge=0,
        le=3660,
        description="days before and after today whose scheduled steps a modality is given that "
        "asks for no date",
    )

    retrieve_pending_every: int = Field(
        10, ge=1, le=65535, description="objects that a C-MOVE or C-GET sends between two responses"
    )
    retrieve_pending_seconds: Seconds = Field(
        1, description="seconds between two such responses at most, while objects are sent"
    )
    retrieve_connect_timeout: Seconds = Field(
        10, description="to connect to a move destination, seconds"
    )
    retrieve_association_timeout: Seconds = Field(
        30, description="for a move destination to accept an association, seconds"
    )
    retrieve_answer_timeout: Seconds = Field(
        60, description="for the answer to one object of a C-MOVE or C-GET, seconds"
    )

    web_host: Host = Field("127.0.0.1", description="the web application listens here")
    web_port: Port = Field(8080, description="port of the web application")
    web_threads: int = Field(8, ge=1, le=64, description="requests served at one time")
    web_https: bool = Field(
        False, description="the browser reaches Lysbro by https (a TLS front): Secure cookies, HSTS"
    )
    web_trusted_hosts: tuple[str, ...] = Field(
        (), description="host names that the web answers to; empty: any"
    )
    web_trusted_proxies: int = Field(
        0,
        ge=0,
        le=5,
        description="TLS fronts whose X-Forwarded headers are believed",
    )
    events_port: Port = Field(
        0, description="port of the event channel of work items (UPS-RS), beside the web; 0: none"
    )
    events_connections: int = Field(
        200, ge=1, le=5000, description="event channels open at one time"
    )
    cors_origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = Field(
        (),
        description="origins (https://HOST) whose pages may call /dicom-web, /fhir and /api; "
        "*: any, without cookies; empty: none",
    )
    dicomweb_delete: bool = Field(
        False, description="DELETE over DICOMweb erases, for administrators; off: it is refused"
    )
    max_stow_bytes: Bytes = Field(4 << 30, description="largest STOW-RS request body, bytes")
    stow_pause: Seconds = Field(
        60, description="seconds that the body of a STOW-RS request may stand still"
    )
    stow_floor_rate: Annotated[float, Field(ge=0)] = Field(
        1000, description="bytes per second of a STOW-RS body that takes longer than that; 0: any"
    )
    max_upload_bytes: Bytes = Field(100 << 20, description="largest request body, bytes")
    max_photo_bytes: Bytes = Field(64 << 20, description="largest photograph, bytes")
    max_photo_pixels: int = Field(80_000_000, gt=0, description="most pixels of a photograph")
    max_clip_bytes: Bytes = Field(96 << 20, description="largest film, bytes")
    max_clip_seconds: float = Field(30.0, gt=0, description="longest film, seconds")
    max_document_bytes: Bytes = Field(20 << 20, description="largest document (PDF), bytes")
    max_attachments: int = Field(
        20, gt=0, description="most documents and other pictures of one case"
    )
    upload_chunk_bytes: int = Field(
        4 << 20, ge=4096, le=64 << 20, description="largest piece of a photograph sent in pieces"
    )
    upload_room_bytes: Bytes = Field(
        4 << 30,
        description="most bytes of photographs begun in pieces and not ended; a quarter for one "
        "person",
    )
    upload_keep: Annotated[float, Field(ge=60)] = Field(
        172_800, description="seconds after which a photograph that was begun in pieces is dropped"
    )
    metrics_public: bool = Field(
        False, description="/metrics answers other machines without a token"
    )

    durability: Literal["disk", "store", "none"] = Field(
        "disk",
        description="success after the spool is synced (disk), after the object store has it too "
        "(store), or after the write (none)",
    )
    store_fallback: bool = Field(
        False,
        description="durability store: while the store does not answer, do as with disk; off: A700",
    )
    spool_limit: int | None = Field(
        None, gt=0, description="most bytes in the spool; unset: half of the free disk"
    )
    quiet_seconds: Annotated[float, Field(ge=0)] = Field(
        60,
        description="seconds without a new instance until a series is packed, a study complete",
    )
    pack_bytes: int = Field(2 << 30, ge=1 << 20, description="largest pack made, bytes")
    pack_members: int = Field(4000, ge=1, le=100_000, description="most objects in a pack")
    large_series_bytes: Bytes = Field(
        1 << 30, description="a series that has grown to this many bytes is packed while it comes"
    )
    spool_grace: Annotated[float, Field(ge=0)] = Field(
        60, description="seconds that a segment of the spool stays after the last of it is packed"
    )
    pack_grace: Annotated[float, Field(ge=0)] = Field(
        3600, description="seconds that a small pack stays after its objects lie in a larger one"
    )
    merge_packs: int = Field(
        4, ge=0, description="small packs of a series beyond which they are merged; 0: never"
    )
    merge_quiet_seconds: Annotated[float, Field(ge=0)] = Field(
        21600, description="seconds without a new instance until a series' packs are merged"
    )
    recompress_share: int = Field(
        50, ge=1, le=100, description="percent of its time that the worker may spend recompressing"
    )
    recompress_patience: Annotated[float, Field(ge=0)] = Field(
        900, description="seconds that a series may wait for it; then it is packed as it came"
    )
    backup_every: Annotated[float, Field(ge=0)] = Field(
        86400, description="seconds between backups of the casebook into the store; 0: none"
    )
    backups_kept: int = Field(
        0, ge=0, description="backups that stay in the store when another is made; 0: all"
    )
    retention_every: Annotated[float, Field(ge=0)] = Field(
        86400, description="seconds between two looks for what retention rules let go; 0: none"
    )
    retention_daily_studies: int = Field(
        100, ge=0, description="most studies that retention rules let go within a day"
    )
    quota_warn_percent: int = Field(
        80, ge=1, le=100, description="percent of a site's quota from which the operator is warned"
    )
    verify_daily_bytes: int = Field(
        20 << 30, ge=0, description="bytes of packs hashed again in a day; 0: none"
    )
    frame_cache_bytes: int = Field(
        128 << 20,
        ge=0,
        description="most bytes of frames from S3 or another node kept in memory; 0: none",
    )
    viewer_cache_mb: int = Field(
        512,
        ge=32,
        le=65_536,
        description="most megabytes of images that the reading room keeps in the memory of a "
        "reader's browser; a machine with 4 GB or less keeps 128",
    )
    cache_bytes: Bytes = Field(
        1 << 30,
        description="most bytes of previews, and of frames made in other forms, kept on disk",
    )
    metadata_cache_bytes: int = Field(
        256 << 20,
        ge=0,
        description="most bytes of metadata (DICOM JSON) kept on disk, compressed; 0: none",
    )

    web_url: str = Field(
        "http://127.0.0.1:8080",
        description="address by which people reach the web application, for notices",
    )
    reply_timeout: Seconds = Field(
        30, description="for the receiver of a reply by HL7, FHIR, webhook or mail, seconds"
    )
    reply_ca: Path | None = Field(
        None,
        description="PEM file of the authorities of receivers of replies; unset: the public ones",
    )
    escalate_after: Annotated[float, Field(ge=0)] = Field(
        86_400,
        description="seconds until an urgent reply that nobody has read is escalated; 0: never",
    )
    smtp_host: str = Field("", description="mail server that takes notices; empty: none")
    smtp_port: Port = Field(587, description="its port")
    smtp_tls: Literal["starttls", "tls", "no"] = Field(
        "starttls", description="how the connection to it is secured"
    )
    smtp_user: str = Field("", description="who signs in there; empty: nobody")
    smtp_password: str = Field("", repr=False, description="the password for that")
    smtp_from: str = Field("", description="mailbox that notices come from")

    language: Literal["en", "nb"] = Field("en", description="language of pages for new visitors")
    timezone: str = Field("Europe/Oslo", description="zone in which times are shown")
    hours_radiology: Week = Field(
        STANDARD_WEEK, description="when radiologists read, by weekday; or always"
    )
    hours_dermatology: Week = Field(
        STANDARD_WEEK, description="when dermatologists read, by weekday; or always"
    )
    holidays: Literal["no", "none"] = Field(
        "no", description="public holidays on which nobody reads: Norway's (no), or none"
    )
    closed_days: tuple[Annotated[str, AfterValidator(_closed_day)], ...] = Field(
        ("12-24",),
        description="other days on which nobody reads: 12-24 every year, 2026-05-15 once",
    )
    targets_radiology: Targets = Field(
        STANDARD_TARGETS[Specialty.RADIOLOGY],
        description="how long an answer may take: h and d of the calendar, wh and wd of the hours "
        "in which radiologists read",
    )
    targets_dermatology: Targets = Field(
        STANDARD_TARGETS[Specialty.DERMATOLOGY], description="the same for dermatologists"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe log line"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="log lines for people or machines"
    )

    @property
    def clocks(self) -> Clocks:
        """Return the clocks by which answers are due."""
        weeks = {
            Specialty.RADIOLOGY: self.hours_radiology,
            Specialty.DERMATOLOGY: self.hours_dermatology,
        }
        targets = {
            Specialty.RADIOLOGY: self.targets_radiology,
            Specialty.DERMATOLOGY: self.targets_dermatology,
        }
        return Clocks(
            {each: self._hours(week) for each, week in weeks.items()},
            {each: parse_targets(text) for each, text in targets.items()},
        )

    def _hours(self, week: str) -> Hours:
        """Return opening hours with the days on which nobody reads; `always` has none."""
        if week.strip().lower() == "always":
            return Hours(parse_week(week), self.timezone, keeps_holidays=False)
        closed = [parse_closed_day(each) for each in self.closed_days]
        return Hours(
            parse_week(week),
            self.timezone,
            keeps_holidays=self.holidays == "no",
            closed_yearly=frozenset(each for each in closed if isinstance(each, tuple)),
            closed_dates=frozenset(each for each in closed if not isinstance(each, tuple)),
        )

    @property
    def resolved_database_url(self) -> str:
        """Return the database address, SQLite in the data folder by default."""
        if not self.database_url:
            return f"sqlite:///{self.data.resolve() / 'lysbro.db'}"
        return with_password(self.database_url, self.database_password)

    @property
    def resolved_node(self) -> str:
        """Return the name of this node, the host's name by default."""
        return self.node or platform.node() or "node"

    @property
    def resolved_store(self) -> str:
        """Return the place of the object store, a folder in the data folder by default."""
        return self.store or str(self.data.resolve() / "store")

    @property
    def s3(self) -> S3Place | None:
        """Return the bucket that the store is, or None for a folder."""
        return self._place(self.store, "s3")

    @property
    def mirror_s3(self) -> S3Place | None:
        """Return the bucket that the mirror is, or None for a folder, or no mirror."""
        return self._place(self.mirror, "mirror_s3")

    def _place(self, url: str, prefix: str) -> S3Place | None:
        """Return the bucket of an address with the server that settings of a prefix name."""
        if not url.startswith(SCHEME):
            return None
        region = getattr(self, f"{prefix}_region")
        return S3Place(
            bucket=bucket_of(url),
            endpoint=endpoint_of(getattr(self, f"{prefix}_endpoint"), region=region),
            access_key=getattr(self, f"{prefix}_access_key"),
            secret_key=getattr(self, f"{prefix}_secret_key"),
            region=region,
            ca=getattr(self, f"{prefix}_ca"),
            connect_timeout_s=self.s3_connect_timeout,
            read_timeout_s=self.s3_read_timeout,
            deadline_s=self.s3_deadline,
            part_bytes=self.s3_part_bytes,
            parallel_parts=self.s3_parallel_parts,
            connections=self.s3_connections,
            stale_upload_s=self.s3_stale_upload,
        )


def with_password(url: str, password: str) -> str:
    """Return the address of a database with the password put in, where it names a user alone."""
    scheme, separator, rest = url.partition("://")
    user, at, place = rest.partition("@")
    if not (password and separator and at) or ":" in user or "/" in user:
        return url
    return f"{scheme}://{user}:{quote(password, safe='')}@{place}"


def load(
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Return the settings, or raise Invalid with one line for each fault."""
    env = os.environ if environment is None else environment
    faults: list[str] = []
    values: dict[str, Any] = {}
    config = config or (Path(env[_PREFIX + "CONFIG"]) if env.get(_PREFIX + "CONFIG") else None)
    if config is not None:
        values |= _from_toml(config, faults)
    values |= _from_environment(env, faults)
    values |= {k: v for k, v in (flags or {}).items() if v is not None}
    faults += _tls_faults(values) + _s3_faults(values) + _node_faults(values)
    faults += _mirror_faults(values) + _hl7_faults(values)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        faults += [_fault(e["loc"], e["msg"]) for e in error.errors()]
    if faults:
        raise Invalid("The settings cannot be used:\n  " + "\n  ".join(faults), code="settings")
    return settings


def _from_toml(path: Path, faults: list[str]) -> dict[str, Any]:
    try:
        return dict(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        faults.append(f"{path}: cannot be read ({error.strerror})")
    except tomllib.TOMLDecodeError as error:
        faults.append(f"{path}: is not TOML ({error})")
    return {}


def _from_environment(env: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, text in env.items():
        if not variable.startswith(_PREFIX) or variable in _NOT_SETTINGS:
            continue
        name = variable.removeprefix(_PREFIX).lower()
        if name in Settings.model_fields:
            values[name] = tuple(text.split()) if name in _LISTS else text
        elif name.removesuffix("_file") in Settings.model_fields:
            try:
                values[name.removesuffix("_file")] = Path(text).read_text("utf-8").strip()
            except OSError as error:
                faults.append(f"{variable}: {text} cannot be read ({error.strerror})")
        else:
            faults.append(f"{variable}: there is no such setting")
    return values


def _tls_faults(values: Mapping[str, Any]) -> list[str]:
    """TLS is mutual: our certificate, its key and whom we trust come together or not at all."""
    if not any(values.get(f"dicom_tls_{name}") for name in ("port", "cert", "key", "ca", "crl")):
        return []
    return [
        f"{_PREFIX}{name.upper()}: is needed for DICOM over TLS"
        for name in ("dicom_tls_cert", "dicom_tls_key", "dicom_tls_ca")
        if not values.get(name)
    ]


def _hl7_faults(values: Mapping[str, Any]) -> list[str]:
    """HL7 over TLS shows the certificate that DICOM over TLS shows."""
    is_wanted = str(values.get("hl7_tls") or "").lower() in ("true", "1", "yes", "on", "t", "y")
    return [
        f"{_PREFIX}{name.upper()}: is needed for HL7 over TLS"
        for name in ("dicom_tls_cert", "dicom_tls_key", "dicom_tls_ca")
        if is_wanted and not values.get(name)
    ]


def _s3_faults(values: Mapping[str, Any]) -> list[str]:
    """A bucket needs a key with its secret, and a server that can be called."""
    faults = []
    for name, prefix in (("store", "s3"), ("mirror", "mirror_s3")):
        if str(values.get(name) or "").startswith(SCHEME):
            faults += _s3_faults_of(values, name, prefix)
    return faults


def _s3_faults_of(values: Mapping[str, Any], name: str, prefix: str) -> list[str]:
    faults = [
        f"{_PREFIX}{part.upper()}: is needed for a {name} in S3"
        for part in (f"{prefix}_access_key", f"{prefix}_secret_key")
        if not values.get(part)
    ]
    try:
        endpoint_of(str(values.get(f"{prefix}_endpoint") or ""), region="")
    except ValueError as error:
        faults.append(f"{_PREFIX}{prefix.upper()}_ENDPOINT: {error}")
    ca = values.get(f"{prefix}_ca")
    if ca and not Path(ca).is_file():
        faults.append(f"{_PREFIX}{prefix.upper()}_CA: {ca} cannot be read")
    return faults


def _mirror_faults(values: Mapping[str, Any]) -> list[str]:
    """A mirror is another place than the store."""
    mirror, store = str(values.get("mirror") or ""), str(values.get("store") or "")
    if not mirror:
        return []
    data = Path(values.get("data") or Settings.model_fields["data"].default)
    if mirror.startswith(SCHEME):
        keys = ("endpoint", "region")
        server, own = (
            [str(values.get(f"{p}_{key}") or "") for key in keys] for p in ("mirror_s3", "s3")
        )
        is_same = mirror == store and server == own
    else:
        is_folder = not store.startswith(SCHEME)
        place = Path(store.removeprefix("file://")) if store else data / "store"
        is_same = is_folder and Path(mirror.removeprefix("file://")).resolve() == place.resolve()
    return [f"{_PREFIX}MIRROR: is the store itself; give another place"] if is_same else []


def _node_faults(values: Mapping[str, Any]) -> list[str]:
    """A door between nodes is for nodes on one PostgreSQL, and only for those with the secret."""
    if values.get("node_port") is None:
        return []
    faults = []
    if not values.get("node_secret"):
        faults.append(f"{_PREFIX}NODE_SECRET: is needed with {_PREFIX}NODE_PORT")
    if not str(values.get("database_url", "")).startswith("postgresql"):
        faults.append(f"{_PREFIX}NODE_PORT: several nodes need PostgreSQL ({_PREFIX}DATABASE_URL)")
    return faults


def _fault(where: tuple[int | str, ...], message: str) -> str:
    name = str(where[0]) if where else "settings"
    return f"{_PREFIX}{name.upper()}: {message.removeprefix('Value error, ')}"


_LISTS = frozenset({"web_trusted_hosts", "cors_origins", "closed_days"})
_NOT_SETTINGS = frozenset(
    {"LYSBRO_CONFIG", "LYSBRO_FIXTURES", "LYSBRO_CRASH_ROUNDS", "LYSBRO_PROCESS"}
    | {
        "LYSBRO_HOSTILE_INPUTS",
        "LYSBRO_HOSTILE_SEQUENCES",
        "LYSBRO_HOSTILE_BIG_MB",
        "LYSBRO_TEST_DAY_CASES",
    }
)
