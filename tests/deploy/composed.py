"""Reads docker-compose.yml as Compose does, and starts its services as plain processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
WITH_TLS = ROOT / "deploy" / "dicom-tls.yml"
HOST = "lysbro.example"
OURS = ("bridge", "web", "worker", "drain", "prepare", "lysbro")

_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}")


def interpolated(path: Path, **given: str) -> str:
    """Return a file with its variables put in: what is given, else the default."""
    known = {"LYSBRO_HOST": HOST, **given}
    text = _VARIABLE.sub(lambda m: known.get(m[1], m[2] or ""), path.read_text())
    return text.replace("$$", "$")


def read(path: Path = COMPOSE) -> dict[str, Any]:
    """Return a file as Compose sees it, anchors and variables resolved."""
    found: dict[str, Any] = yaml.safe_load(interpolated(path))
    return found


@dataclass
class Machine:
    """Where services run as plain processes: other ports and folders than in containers."""

    folder: Path
    database_url: str
    s3_port: int
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def pool(self) -> Path:
        return self.folder / "spools"

    def environment(self, service: str, **more: object) -> dict[str, str]:
        """Return what Compose would set, with the addresses of this machine."""
        composed = read()
        named: Mapping[str, str] = composed["services"][service]["environment"]
        files = {name: Path(s["file"]).name for name, s in composed["secrets"].items()}
        own = {}
        for name, value in named.items():
            secret = value.removeprefix("/run/secrets/")
            own[name] = (
                value.replace("/var/lib/lysbro", str(self.pool))
                if secret == value
                else str(self.folder / "secrets" / files[secret])
            )
        own["LYSBRO_DATABASE_URL"] = self.database_url
        own["LYSBRO_S3_ENDPOINT"] = own["LYSBRO_S3_ENDPOINT"].replace(
            "store:7070", f"127.0.0.1:{self.s3_port}"
        )
        clean = {k: v for k, v in os.environ.items() if not k.startswith("LYSBRO_")}
        return clean | own | {f"LYSBRO_{name.upper()}": str(v) for name, v in more.items()}

    def start(self, name: str, service: str, **more: object) -> None:
        """Start a replica of a service with its own command."""
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "lysbro", *read()["services"][service]["command"]],
                env=self.environment(service, **more),
                stdout=log,
                stderr=log,
            )

    def run(self, service: str, *words: str, **more: object) -> subprocess.CompletedProcess[str]:
        """Run a service's command, or another in its place, to its end."""
        command = words or tuple(read()["services"][service]["command"])
        return subprocess.run(
            [sys.executable, "-m", "lysbro", *command],
            check=False,
            env=self.environment(service, **more),
            capture_output=True,
            text=True,
            timeout=120,
        )

    def must(self, service: str, *words: str, **more: object) -> str:
        done = self.run(service, *words, **more)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def is_healthy(self, service: str, **more: object) -> bool:
        """Run the health check that Compose would, in the same environment."""
        kind, program, *words = read()["services"][service]["healthcheck"]["test"]
        assert (kind, program) == ("CMD", "lysbro")
        return self.run(service, *words, **more).returncode == 0

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def stop(self) -> dict[str, int]:
        """End all as Compose does, each within its grace; return the exit statuses."""
        for process in self.running.values():
            process.terminate()
        statuses = {name: process.wait(45) for name, process in self.running.items()}
        self.running.clear()
        return statuses
