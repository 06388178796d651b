"""The settings of Lysbro: one typed object from a TOML file, then LYSBRO_* variables, then flags.

All faults are reported at once, each with the name of its setting. Packages below are handed their
own part of it as values; none of them reads the environment.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from casework.errors import Invalid
from casework.identifiers import is_ae_title

_PREFIX = "LYSBRO_"
_NOT_OFFERED = "this version of Lysbro does not offer it yet; leave it unset"


def _ae_title(value: str) -> str:
    if not is_ae_title(value):
        raise ValueError("an AE title has 1 to 16 plain characters without a backslash (PS3.5 6.2)")
    return value


def _folder_store(value: str) -> str:
    if value.startswith("s3://"):
        raise ValueError(f"objects are kept in a folder: {_NOT_OFFERED}")
    return value


def _sqlite(value: str) -> str:
    if value and not value.startswith("sqlite"):
        raise ValueError(f"the index and the casebook are kept in SQLite: {_NOT_OFFERED}")
    return value


def _clean_host(value: str) -> str:
    if not value or any(c.isspace() for c in value):
        raise ValueError("give a host name or an address")
    return value


Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
Bytes = Annotated[int, Field(gt=0)]
Host = Annotated[str, AfterValidator(_clean_host)]


class Settings(BaseModel):
    """Everything that an operator may set. Field `x_y` is the variable `LYSBRO_X_Y`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Field(Path("lysbro-data"), description="everything the embedded default keeps")
    database_url: Annotated[str, AfterValidator(_sqlite)] = Field(
        "", description="empty: SQLite in the data folder"
    )
    store: Annotated[str, AfterValidator(_folder_store)] = Field(
        "", description="empty: a folder in the data folder; or the path of a folder"
    )

    ae_title: Annotated[str, AfterValidator(_ae_title)] = Field(
        "LYSBRO", description="the AE title that callers must address"
    )
    dicom_host: Host = Field(
        "127.0.0.1", description="plain DICOM listens here; open it to a network on purpose"
    )
    dicom_port: Port = Field(11112, description="port of plain DICOM; 0 picks a free one")
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
        description="bytes per second that a sender keeps over a message after 10 s; 0: any",
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
    max_stow_bytes: Bytes = Field(4 << 30, description="largest STOW-RS request body, bytes")
    max_upload_bytes: Bytes = Field(100 << 20, description="largest request body, bytes")
    max_photo_bytes: Bytes = Field(64 << 20, description="largest photograph, bytes")
    max_photo_pixels: int = Field(80_000_000, gt=0, description="most pixels of a photograph")
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
    backup_every: Annotated[float, Field(ge=0)] = Field(
        86400, description="seconds between backups of the casebook into the store; 0: none"
    )
    backups_kept: int = Field(
        0, ge=0, description="backups that stay in the store when another is made; 0: all"
    )
    verify_daily_bytes: int = Field(
        20 << 30, ge=0, description="bytes of packs hashed again in a day; 0: none"
    )
    cache_bytes: Bytes = Field(1 << 30, description="most bytes of previews kept on disk")

    language: Literal["en", "nb"] = Field("en", description="language of pages for new visitors")
    timezone: str = Field("Europe/Oslo", description="zone in which times are shown")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe log line"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="log lines for people or machines"
    )

    @property
    def resolved_database_url(self) -> str:
        """Return the database address, SQLite in the data folder by default."""
        return self.database_url or f"sqlite:///{self.data.resolve() / 'lysbro.db'}"

    @property
    def resolved_store(self) -> str:
        """Return the place of the object store, a folder in the data folder by default."""
        return self.store or str(self.data.resolve() / "store")


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
    faults += _tls_faults(values)
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
        if name in _LATER:
            faults.append(f"{variable}: {_NOT_OFFERED}")
        elif name in Settings.model_fields:
            values[name] = tuple(text.split()) if name == "web_trusted_hosts" else text
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


def _fault(where: tuple[int | str, ...], message: str) -> str:
    name = str(where[0]) if where else "settings"
    return f"{_PREFIX}{name.upper()}: {message.removeprefix('Value error, ')}"


_NOT_SETTINGS = frozenset(
    {"LYSBRO_CONFIG", "LYSBRO_FIXTURES", "LYSBRO_CRASH_ROUNDS", "LYSBRO_PROCESS"}
)
_LATER = frozenset(
    {
        "s3_endpoint", "s3_access_key", "s3_secret_key", "s3_region",
    }
)  # fmt: skip
