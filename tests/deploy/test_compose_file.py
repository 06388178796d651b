"""docker-compose.yml is what Compose takes, and keeps the rules that we gave ourselves."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lysbro.settings import load
from tests.deploy.composed import COMPOSE, HOST, OURS, ROOT, WITH_TLS, read

SERVICES: dict[str, Any] = read()["services"]
LASTING = ("front", "bridge", "web", "worker", "drain", "database", "store")
ONCE = ("prepare", "lysbro", "volumes")


def duration_s(text: str) -> int:
    match = re.fullmatch(r"(\d+)s", text)
    assert match
    return int(match[1])


def test_every_service_is_known_to_these_tests() -> None:
    assert set(SERVICES) == {*LASTING, *ONCE}


@pytest.mark.parametrize("path", [COMPOSE, WITH_TLS], ids=lambda p: p.name)
def test_the_file_is_of_the_compose_specification(path: Path) -> None:
    compose_spec = pytest.importorskip("compose_spec", reason="pip install compose-spec")
    content = {name: part for name, part in read(path).items() if not name.startswith("x-")}
    text = yaml.safe_dump(content)
    compose_spec.PyCompose.from_yaml(text)
    with pytest.raises(ValueError, match="imagine"):
        compose_spec.PyCompose.from_yaml(text.replace("environment:", "imagine:", 1))


def test_what_services_name_is_there() -> None:
    composed = read()
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", ())) <= set(SERVICES), name
        assert set(service.get("secrets", ())) <= set(composed["secrets"]), name
        assert set(service.get("networks", ())) <= set(composed["networks"]), name
        mounted = {volume.partition(":")[0] for volume in service.get("volumes", ())}
        assert {v for v in mounted if v[0] not in "./"} <= set(composed["volumes"]), name


@pytest.mark.parametrize("files", [[COMPOSE], [COMPOSE, WITH_TLS]], ids=["plain", "tls"])
def test_compose_itself_takes_the_files(files: list[Path], tmp_path: Path) -> None:
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed: run tools/peers.sh")
    copies = []
    for path in files:
        copy = tmp_path / path.name
        copy.write_text(re.sub(r"(?m)^name: .*\n", "", path.read_text()))  # unknown to version 1
        copies += ["--file", str(copy)]
    done = subprocess.run(
        [program, *copies, "config", "--quiet"],
        check=False,
        capture_output=True,
        text=True,
        env={"LYSBRO_HOST": HOST, "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["CHOWN"] if name == "volumes" else [])
    assert "no-new-privileges:true" in service["security_opt"]
    assert (service["user"] == "0:0") == (name == "volumes")
    limits = service["deploy"]["resources"]["limits"]
    assert limits["cpus"]
    assert limits["memory"]


@pytest.mark.parametrize("name", LASTING)
def test_a_lasting_service_is_checked_restarted_and_given_time_to_end(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    assert duration_s(service["stop_grace_period"]) >= 30
    if name in OURS:  # more than the 30 s in which the supervisor lets things end
        assert duration_s(service["stop_grace_period"]) > 30


@pytest.mark.parametrize("name", ["bridge", "web", "worker", "drain"])
def test_ours_begin_once_database_and_bucket_are_prepared(name: str) -> None:
    wanted = {what: how["condition"] for what, how in SERVICES[name]["depends_on"].items()}
    assert wanted == {
        "prepare": "service_completed_successfully",
        "database": "service_healthy",
        "store": "service_healthy",
    }


def test_replicas_have_neither_ports_nor_names_of_their_own() -> None:
    for name in ("bridge", "web", "worker"):
        assert not {"ports", "container_name", "hostname"} & set(SERVICES[name])
        assert SERVICES[name]["environment"]["LYSBRO_NODE"] == name


def test_each_service_that_takes_objects_in_packs_them_too() -> None:
    for name in ("bridge", "web"):
        assert SERVICES[name]["command"] == ["serve", "--only", f"{name},packer"]
    assert SERVICES["worker"]["command"] == ["serve", "--only", "worker"]


def test_images_have_versions() -> None:
    for name, service in SERVICES.items():
        if name not in (*OURS, "volumes"):
            assert re.search(r":v?\d", service["image"]), name


def test_secrets_come_from_files_only(tmp_path: Path) -> None:
    secrets = read()["secrets"]
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|ACCESS_KEY", variable):
                assert variable.endswith("_FILE"), (name, variable)
                assert value.removeprefix("/run/secrets/") in service["secrets"]
        assert set(service.get("secrets", [])) <= set(secrets)
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert "secrets/" in ignored
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_ours_is_a_setting(name: str, tmp_path: Path) -> None:
    environment = dict(SERVICES[name]["environment"])
    for variable in environment:
        if variable.endswith("_FILE"):
            (tmp_path / variable).write_text("a secret of some length")
            environment[variable] = str(tmp_path / variable)
    settings = load(environment=environment)
    assert settings.resolved_database_url.startswith("postgresql+psycopg://lysbro:a%20secret")
    assert settings.s3 is not None


def test_the_front_knows_the_ports_that_are_published() -> None:
    front = (ROOT / "deploy" / "haproxy.cfg").read_text()
    ports = {published.rpartition(":")[2] for published in SERVICES["front"]["ports"]}
    ports |= {p.rpartition(":")[2] for p in read(WITH_TLS)["services"]["front"]["ports"]}
    assert ports == set(re.findall(r"bind :(\d+)", front))
    assert set(re.findall(r"server-template \w+ 1-16 (\w+):", front)) == {"web", "bridge"}


def test_the_secrets_are_made_once_and_for_the_owner_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"

    def make() -> dict[str, str]:
        subprocess.run(
            [ROOT / "deploy" / "secrets.sh", folder],
            check=True,
            capture_output=True,
            env={"LYSBRO_HOST": HOST, "PATH": "/usr/bin:/bin"},
        )
        return {path.name: path.read_text() for path in folder.iterdir()}

    made = make()
    assert set(made) == {Path(s["file"]).name for s in read()["secrets"].values()}
    assert len({*made.values()}) == len(made)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert make() == made
