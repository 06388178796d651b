"""The settings: where they come from, which wins, and that all faults are told at once."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest

from casework.errors import Invalid
from casework.model import Priority, Specialty
from lysbro.dicom import bridge_settings
from lysbro.settings import Settings, load
from pacs_bridge.service import BridgeSettings
from pacs_bridge.tls import TlsFiles
from storage.objects import S3Place


def test_defaults_listen_on_this_machine_only() -> None:
    settings = load(environment={})
    assert (settings.dicom_host, settings.web_host) == ("127.0.0.1", "127.0.0.1")
    assert (settings.dicom_port, settings.web_port, settings.ae_title) == (11112, 8080, "LYSBRO")
    assert (settings.durability, settings.quiet_seconds) == ("disk", 60)


def test_flags_win_over_variables_and_variables_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "lysbro.toml"
    file.write_text('ae_title = "FROM_FILE"\nweb_port = 1000\ndicom_port = 1001\n')
    settings = load(
        config=file,
        environment={"LYSBRO_WEB_PORT": "2000", "LYSBRO_DICOM_PORT": "2001"},
        flags={"dicom_port": 3001, "data": None},
    )
    assert (settings.ae_title, settings.web_port, settings.dicom_port) == ("FROM_FILE", 2000, 3001)


def test_the_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    file = tmp_path / "lysbro.toml"
    file.write_text('ae_title = "NAMED"')
    assert load(environment={"LYSBRO_CONFIG": str(file)}).ae_title == "NAMED"


def test_a_value_may_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "title"
    secret.write_text("FROM_SECRET\n")
    assert load(environment={"LYSBRO_AE_TITLE_FILE": str(secret)}).ae_title == "FROM_SECRET"


def test_all_faults_are_told_at_once_each_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        load(
            config=tmp_path / "missing.toml",
            environment={
                "LYSBRO_DICOM_PORT": "70000",
                "LYSBRO_AE_TITLE": "THIS_TITLE_IS_TOO_LONG",
                "LYSBRO_STORE": "s3://bucket/with/a/path",
                "LYSBRO_S3_ENDPOINT": "s3.example",
                "LYSBRO_QUITE_SECONDS": "5",
            },
        )
    told = str(caught.value)
    for name in (
        "missing.toml", "LYSBRO_DICOM_PORT", "LYSBRO_AE_TITLE", "LYSBRO_STORE",
        "LYSBRO_S3_ENDPOINT", "LYSBRO_S3_ACCESS_KEY", "LYSBRO_S3_SECRET_KEY",
        "LYSBRO_QUITE_SECONDS",
    ):  # fmt: skip
        assert name in told


def test_a_bucket_is_reached_with_every_limit_that_is_set(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("very secret\n")
    settings = load(
        environment={
            "LYSBRO_STORE": "s3://lysbro-packs",
            "LYSBRO_S3_ENDPOINT": "https://s3.nordlys.example:9000/",
            "LYSBRO_S3_ACCESS_KEY": "lysbro",
            "LYSBRO_S3_SECRET_KEY_FILE": str(secret),
            "LYSBRO_S3_REGION": "nord-1",
            "LYSBRO_S3_CONNECT_TIMEOUT": "1",
            "LYSBRO_S3_READ_TIMEOUT": "2",
            "LYSBRO_S3_DEADLINE": "3",
            "LYSBRO_S3_PART_BYTES": "6000000",
            "LYSBRO_S3_PARALLEL_PARTS": "4",
            "LYSBRO_S3_CONNECTIONS": "5",
            "LYSBRO_S3_STALE_UPLOAD": "7200",
        }
    )
    assert settings.s3 == S3Place(
        bucket="lysbro-packs",
        endpoint="https://s3.nordlys.example:9000",
        access_key="lysbro",
        secret_key="very secret",
        region="nord-1",
        connect_timeout_s=1,
        read_timeout_s=2,
        deadline_s=3,
        part_bytes=6_000_000,
        parallel_parts=4,
        connections=5,
        stale_upload_s=7200,
    )
    assert "very secret" not in repr(settings) + repr(settings.s3)


def test_a_bucket_without_limits_set_has_the_stores_own_and_the_servers_of_aws() -> None:
    keys = {
        "LYSBRO_S3_ACCESS_KEY": "a",
        "LYSBRO_S3_SECRET_KEY": "b",
        "LYSBRO_S3_REGION": "eu-north-1",
    }
    found = load(environment={"LYSBRO_STORE": "s3://packs", **keys}).s3
    endpoint = "https://s3.eu-north-1.amazonaws.com"
    assert found == S3Place("packs", endpoint, "a", "b", region="eu-north-1")
    assert load(environment={}).s3 is None


@pytest.mark.parametrize("given", ["PORT", "CERT", "KEY", "CA", "CRL"])
def test_tls_asks_for_certificate_key_and_authority_together(given: str) -> None:
    value = "2762" if given == "PORT" else "/etc/lysbro/some.pem"
    with pytest.raises(Invalid) as caught:
        load(environment={f"LYSBRO_DICOM_TLS_{given}": value, "LYSBRO_DICOM_PORT": "70000"})
    for name in {"CERT", "KEY", "CA"} - {given}:
        assert f"LYSBRO_DICOM_TLS_{name}: is needed" in str(caught.value)
    assert f"LYSBRO_DICOM_TLS_{given}:" not in str(caught.value)
    assert "LYSBRO_DICOM_PORT" in str(caught.value)


def test_tls_is_off_until_it_is_set() -> None:
    off = bridge_settings(load(environment={}))
    assert (off.tls_port, off.tls_files) == (None, None)
    paths = {f"LYSBRO_DICOM_TLS_{n}": f"/x/{n.lower()}.pem" for n in ("CERT", "KEY", "CA", "CRL")}
    on = bridge_settings(
        load(
            environment={
                **paths, "LYSBRO_DICOM_TLS_PORT": "2762", "LYSBRO_DICOM_TLS_PROFILE": "modified",
            }
        )
    )  # fmt: skip
    assert (on.tls_port, on.tls_host) == (2762, "0.0.0.0")
    names = (Path(f"/x/{n}.pem") for n in ("cert", "key", "ca", "crl"))
    assert on.tls_files == TlsFiles(*names, profile="modified")


def test_every_limit_on_the_wire_is_a_setting_with_the_bridges_own_default() -> None:
    assert bridge_settings(load(environment={})) == BridgeSettings()
    odd = {
        "HANDSHAKE_TIMEOUT": "1", "REQUEST_TIMEOUT": "2", "PDU_TIMEOUT": "3", "IDLE_TIMEOUT": "4",
        "MAX_PDU": "5000", "MAX_REQUEST_BYTES": "6000", "MAX_COMMAND_BYTES": "7000",
        "MAX_OBJECT_BYTES": "8000", "MAX_PENDING": "9", "FLOOR_RATE": "10", "BACKLOG": "11",
        "MAX_ASSOCIATIONS": "12", "MAX_ASSOCIATIONS_PER_PEER": "13", "MAX_MATCHES": "14",
        "CONGESTION_SPOOL_PERCENT": "15", "CONGESTION_BACKLOG": "16",
    }  # fmt: skip
    changed = bridge_settings(load(environment={f"LYSBRO_DICOM_{k}": v for k, v in odd.items()}))
    differing = {
        getattr(changed, field.name)
        for field in fields(BridgeSettings)
        if getattr(changed, field.name) != getattr(BridgeSettings(), field.name)
    }
    assert differing == {float(value) for value in odd.values()}


@pytest.mark.parametrize("text", ["not toml = = =", '= "x"'])
def test_a_file_that_is_no_toml_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "lysbro.toml"
    file.write_text(text)
    with pytest.raises(Invalid, match="is not TOML"):
        load(config=file, environment={})


def test_every_setting_says_what_it_is_and_is_documented() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "operating.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"LYSBRO_{name.upper()}" in documented, name


@pytest.mark.parametrize(
    "address",
    ["sqlite:////srv/lysbro.db", "postgresql+psycopg://me:pw@db/lysbro", "postgresql://db/lysbro"],
)
def test_a_database_may_be_either_of_two(address: str) -> None:
    settings = load(environment={"LYSBRO_DATABASE_URL": address})
    assert settings.resolved_database_url == address


@pytest.mark.parametrize("address", ["mysql://db/lysbro", "postgresql+psycopg2://db/lysbro", "db"])
def test_a_database_of_another_kind_is_refused_by_name(address: str) -> None:
    with pytest.raises(Invalid, match="LYSBRO_DATABASE_URL: give sqlite:///PATH or postgresql"):
        load(environment={"LYSBRO_DATABASE_URL": address})


def test_opening_hours_and_targets_are_told_apart_by_specialty() -> None:
    clocks = load(
        environment={
            "LYSBRO_HOURS_RADIOLOGY": "always",
            "LYSBRO_HOURS_DERMATOLOGY": "mon-thu 08:00-15:30",
            "LYSBRO_CLOSED_DAYS": "12-24 2026-05-15",
            "LYSBRO_TARGETS_DERMATOLOGY": "routine=2wd urgent=8wh asap=12h stat=2h",
        }
    ).clocks
    radiology, dermatology = (clocks.hours[each] for each in Specialty)
    assert radiology.is_always
    assert dermatology.is_closed_on(date(2026, 12, 24))
    assert dermatology.is_closed_on(date(2026, 5, 15))
    assert not dermatology.is_closed_on(date(2026, 5, 18))
    assert clocks.target(Priority.ROUTINE, Specialty.DERMATOLOGY).unit == "wd"


def test_faulty_hours_and_targets_are_told_with_their_names() -> None:
    with pytest.raises(Invalid) as caught:
        load(
            environment={
                "LYSBRO_HOURS_RADIOLOGY": "nine to five",
                "LYSBRO_CLOSED_DAYS": "Christmas",
                "LYSBRO_TARGETS_RADIOLOGY": "routine=3wd",
            }
        )
    for name in ("HOURS_RADIOLOGY", "CLOSED_DAYS", "TARGETS_RADIOLOGY"):
        assert f"LYSBRO_{name}" in str(caught.value)
