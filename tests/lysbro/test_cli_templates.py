"""`lysbro template`: a centre's templates are listed, written out, edited and read in."""

from __future__ import annotations

from pathlib import Path

from tests.lysbro.calling import Desk


def test_a_template_is_written_out_edited_and_read_in(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "wound.txt"
    desk.must("template", "export", "wound", "-o", file)
    file.write_text(file.read_text("utf-8").replace("| Sår", "| Vårt sår"), "utf-8")
    kept = desk.must("template", "import", file, "--json").json
    assert (kept["name"], kept["version"], kept["made_by"]) == (
        "wound", 2, "Operator at the command line",
    )  # fmt: skip
    assert "| Vårt sår" in desk.must("template", "export", "wound").out
    assert "| Sår" in desk.must("template", "export", "wound", "--version", "1").out
    listed = {row["name"]: row for row in desk.must("template", "list", "--json").json}
    assert (listed["wound"]["version"], listed["rash"]["made_by"]) == (2, "shipped")
    assert "pigmented-lesion" in desk.must("template", "list").out
    assert len(desk.audit("template-saved")) == 1


def test_a_wrong_template_is_told_by_its_line_and_nothing_is_kept(
    desk: Desk, tmp_path: Path
) -> None:
    file = tmp_path / "neck.txt"
    file.write_text("# Neck | Hals\nhm\n", "utf-8")
    refused = desk("template", "import", file)
    assert refused.status == 1
    assert "Line 2: write" in refused.err
    assert "neck" not in desk.must("template", "list").out


def test_a_centre_that_is_not_there_is_told(desk: Desk) -> None:
    assert desk("template", "export", "wound", "--version", "9").status == 1
    desk.must("site", "add", "second", "--name", "Second", "--kind", "centre")
    refused = desk("template", "list")
    assert (refused.status, "there are 2" in refused.err) == (1, True)
    assert desk("template", "list", "--site", "second").status == 0
