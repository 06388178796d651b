"""The command line as a shell sees it: exit statuses, pipes, terminals, settings, data folders."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from lysbro.cli.root import COMMANDS, root
from lysbro.cli.summaries import LONGEST, SUMMARIES
from tests.lysbro.calling import Desk

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(empty_desk: Desk, name: str) -> None:
    answer = empty_desk.must(name, "--help")
    assert answer.out.startswith(f"Usage: lysbro {name} ")
    assert len(answer.out.splitlines()[2].strip()) > 10, "a sentence on what it does"
    assert not empty_desk.data.exists()


def test_the_root_lists_every_command_and_the_version(empty_desk: Desk) -> None:
    listed = empty_desk.must("--help").out
    assert all(f"\n  {name} " in listed for name in COMMANDS)
    assert "version" in empty_desk.must("--version").out
    assert empty_desk().status == 2
    unknown = empty_desk("fly")
    assert (unknown.status, "No such command 'fly'" in unknown.err) == (2, True)


def test_the_list_says_of_each_command_what_its_own_help_says() -> None:
    for name in COMMANDS:
        command = root.get_command(click.Context(root), name)
        assert command is not None
        assert SUMMARIES[name] == command.get_short_help_str(LONGEST), "lysbro/cli/summaries.py"
    assert set(SUMMARIES) == set(COMMANDS)


@pytest.mark.parametrize(
    ("words", "never"),
    [
        (("--help",), {"pydicom", "numpy", "sqlalchemy", "flask", "rich", "cv2", "pydantic"}),
        (("wrap", "--help"), {"sqlalchemy", "flask", "pynetdicom", "rich", "pydantic", "alembic"}),
        (("assess", "--help"), {"sqlalchemy", "flask", "pydicom", "rich", "pydantic", "alembic"}),
    ],
)
def test_a_command_that_needs_no_exchange_loads_none(
    words: tuple[str, ...], never: set[str]
) -> None:
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "lysbro", *words],
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in told.stderr.splitlines()}
    assert "click" in loaded
    assert not loaded & never


def test_exit_statuses_and_channels_of_a_real_process(desk: Desk, slices: Path) -> None:
    done = desk.process("import", str(slices), "--site", "hammer", "--json")
    assert (done.returncode, done.stderr) == (0, ""), "quiet in a pipe"
    assert json.loads(done.stdout) == {"imported": 3, "refused": [], "stopped": ""}
    failed = desk.process("import", str(slices), "--site", "nowhere")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("lysbro: There is no site nowhere.")
    assert len(failed.stderr.splitlines()) == 1
    wrong = desk.process("import", str(slices))
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Missing option '--site'" in wrong.stderr


def test_progress_is_shown_on_a_terminal_only(desk: Desk, slices: Path) -> None:
    for words in (("import", str(slices), "--site", "hammer"), ("verify",)):
        ours, theirs = pty.openpty()
        with os.fdopen(ours, "rb", buffering=0) as screen, os.fdopen(theirs, "wb") as terminal:
            done = subprocess.run(
                [sys.executable, "-m", "lysbro", *words],
                check=True,
                stdout=subprocess.PIPE,
                stderr=terminal,
                timeout=60,
                env=desk.environment(TERM="xterm", COLUMNS="80"),
            )
            shown = screen.read(100_000).decode()
        assert words[0].title()[:6] in shown  # Importing, Verifying
        assert "objects" in done.stdout.decode()


def test_all_wrong_settings_are_told_at_once_and_the_call_is_wrong(desk: Desk) -> None:
    faults = {
        "LYSBRO_WEB_PORT": "eighty",
        "LYSBRO_AE_TITLE": "SEVENTEEN_LETTERS",
        "LYSBRO_QUITE_SECONDS": "60",
        "LYSBRO_DURABILITY": "hope",
        "LYSBRO_DATABASE_URL": "mysql://elsewhere",
    }
    done = desk.process("status", **faults)
    assert (done.returncode, done.stdout) == (2, "")
    first, *told = done.stderr.splitlines()
    assert first == "lysbro: The settings cannot be used:"
    assert sorted(line.split(":")[0].strip() for line in told) == sorted(faults)
    missing = desk("status", "--config", "/none/lysbro.toml")
    assert (missing.status, "/none/lysbro.toml" in missing.err) == (2, True)


def test_settings_come_from_a_file_and_the_flag_wins(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "lysbro.toml"
    file.write_text(f'data = "{tmp_path / "elsewhere"}"\nspool_limit = 123456\n')
    told = desk.must("status", "--config", file, "--data", desk.data, "--json").json
    assert (told["spool"]["limit_bytes"], len(told["sites"])) == (123456, 3)


def test_a_data_folder_that_cannot_be_written_is_told(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    for folder, status, told in (
        (file / "below", 1, "cannot be used (Not a directory)"),
        (file, 2, "is a file"),
        (Path("/proc"), 1, "The data folder /proc cannot be used"),
    ):
        answer = desk("status", "--data", folder)
        assert (answer.status, answer.out) == (status, ""), folder
        assert told in answer.err
        served = desk("serve", "--data", folder)
        assert (served.status, served.out) == (status, "")
        assert str(folder) in served.err


def test_the_status_is_for_people_or_for_machines(desk: Desk, slices: Path) -> None:
    desk.must("import", slices, "--site", "hammer")
    told = desk.must("status", "--json").json
    assert told["spool"]["instances"] == 3
    assert told["spool"]["oldest_age_s"] < 60
    assert 0 < told["spool"]["depth_bytes"] < told["spool"]["limit_bytes"]
    assert told["index"]["studies"] == 1
    assert told["store"]["place"] == f"folder {desk.data / 'store'}"
    heard = {site["slug"]: site["last_heard_at"] for site in told["sites"]}
    assert heard["hammer"] is not None
    assert heard["fjord"] is None
    lines = desk.must("status").out.splitlines()
    assert lines[0].startswith("spool ")
    assert any(line == "site        fjord (gp), last heard never" for line in lines)


def test_a_command_that_runs_unknown_processes_is_wrong(desk: Desk) -> None:
    for only in ("bridge,cook", ","):
        answer = desk("serve", "--only", only)
        assert (answer.status, "choose from bridge, web, worker" in answer.err) == (2, True)


@contextmanager
def worker(desk: Desk) -> Iterator[subprocess.Popen[str]]:
    """Run a worker until the with-block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lysbro", "serve", "--only", "worker"],
        env=desk.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr:
        assert any("working" in line for line in process.stderr)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0


@pytest.mark.slow
def test_a_second_exchange_on_a_data_folder_is_refused(desk: Desk) -> None:
    with worker(desk) as first:
        alone = desk.process("serve", "--only", "worker")
        assert alone.returncode == 1
        assert "Another Lysbro already runs its worker" in alone.stderr
        assert "--data" in alone.stderr
        ports = {"LYSBRO_DICOM_PORT": "0", "LYSBRO_WEB_PORT": "0"}
        whole = desk.process("serve", **ports)
        assert whole.returncode == 1
        assert "Another Lysbro already runs its worker" in whole.stderr
        assert first.poll() is None
    assert desk.must("status").status == 0
