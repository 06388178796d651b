"""`lysbro device`: enrolled, listed, retired; what an object could not name is refused."""

from __future__ import annotations

import pytest

from tests.lysbro.calling import Desk

WHOLE = ("--manufacturer", "Dermlite", "--model", "DL5", "--serial", "A-17", "--software", "none")


def test_a_device_is_added_listed_and_retired(desk: Desk) -> None:
    optics = ("--contact", "CONTACT", "--immersion", "ALCOHOL", "--magnification", "10")
    scope = ("device", "add", "DL5", "--site", "hammer", "--kind", "dermatoscope")
    added = desk.must(*scope, *WHOLE, *optics, "--json").json
    assert (added["immersion"], added["magnification"]) == ("ALCOHOL", 10.0)
    desk.must("device", "add", "Telephone", "--site", "hammer", "--kind", "camera")
    listed = desk.must("device", "list", "--site", "hammer", "--json").json
    assert [each["name"] for each in listed] == ["DL5", "Telephone"]
    assert "DL5" in desk.must("device", "list").out
    desk.must("device", "retire", added["id"])
    assert [d["name"] for d in desk.must("device", "list", "--json").json] == ["Telephone"]
    assert len(desk.must("device", "list", "--all", "--json").json) == 2
    assert [len(desk.audit(f"device-{done}")) for done in ("added", "retired")] == [2, 1]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("add", "DL5", "--site", "hammer", "--kind", "dermatoscope"), 1),
        (("add", "DL5", "--site", "nowhere", "--kind", "camera"), 1),
        (("add", "DL5", "--site", "hammer", "--kind", "telescope"), 2),
        (("retire", "17"), 1),
    ],
    ids=["incomplete", "no-site", "no-kind", "no-device"],
)
def test_a_device_that_cannot_be_is_refused(desk: Desk, words: tuple[str, ...], code: int) -> None:
    assert desk("device", *words).status == code
