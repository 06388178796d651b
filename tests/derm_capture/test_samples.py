"""The photographs of the demonstration open, and their referral is one that can be sent."""

from __future__ import annotations

import json
from pathlib import Path

from casework.clinical import normal_clinical
from derm_capture import anatomy, quality
from derm_capture.context import Kind
from derm_capture.photo import open_photo
from derm_capture.quality import Verdict
from tests.conftest import ROOT

FOLDER = ROOT / "lysbro" / "samples" / "photos"


def test_samples_when_opened_then_they_are_sharp_well_lit_and_licensed():
    told = json.loads(Path(FOLDER, "referral.json").read_text("utf-8"))
    licences = Path(FOLDER, "LICENSES.md").read_text("utf-8")
    assert normal_clinical(told["referral"]["clinical"]) == told["referral"]["clinical"]
    for photo in told["photos"]:
        opened = open_photo(Path(FOLDER, photo["file"]).read_bytes())
        found = {a.check: a.verdict for a in quality.assess(opened, kind=Kind(photo["kind"]))}
        assert found["focus"] is found["exposure"] is Verdict.GOOD
        assert anatomy.site_of(photo["site_code"]).region == "trunk"
        assert f"`{photo['file']}`" in licences
    assert sum(p.stat().st_size for p in FOLDER.rglob("*") if p.is_file()) < 2_000_000
