"""An error is said in the language of the one who meets it, with its names and times."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from viewer.error_words import error_in

ROOT = Path(__file__).parents[2]
MET_BY_PEOPLE = (
    "casework/access.py",
    "casework/describing.py",
    "casework/claims.py",
    "casework/devices.py",
    "casework/erasure.py",
    "casework/lifecycle.py",
    "casework/reports.py",
    "casework/routing.py",
    "casework/saved_filters.py",
    "casework/second_readings.py",
    "derm_capture/clip.py",
    "derm_capture/clip_samples.py",
    "derm_capture/clip_track.py",
    "derm_capture/h264.py",
    "derm_capture/jpeg.py",
    "derm_capture/mp4.py",
    "derm_capture/pdf.py",
    "derm_capture/raster.py",
    "lysbro/attachments.py",
    "storage/cases.py",
    "storage/claims.py",
    "storage/devices.py",
    "storage/destinations.py",
    "storage/erasing_find.py",
    "storage/holds.py",
    "storage/outcomes.py",
    "storage/outbox_desk.py",
    "storage/people.py",
    "storage/phrases.py",
    "storage/templates.py",
    "storage/referring.py",
    "storage/routing.py",
    "storage/saved_filters.py",
    "storage/second_readings.py",
    "storage/signing.py",
    "storage/verbs.py",
    "viewer/admin.py",
    "viewer/api/papers.py",
    "viewer/devices.py",
    "viewer/erasure.py",
    "viewer/outgoing.py",
    "viewer/passwords.py",
    "viewer/photo_bytes.py",
    "viewer/pixels.py",
    "viewer/replies.py",
    "viewer/routing.py",
    "viewer/waveforms.py",
)
ERRORS = {"Conflict", "Invalid", "NotFound", "Refused", "TooLarge"}


def said_in(path: Path) -> list[str]:
    """Return what the errors of a module say, with 7 in each place that is filled in."""
    calls = [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)]
    return [
        said
        for call in calls
        if getattr(call.func, "id", "") in ERRORS and call.args
        for said in [text_of(call.args[0])]
        if said
    ]


def text_of(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(p.value) if isinstance(p, ast.Constant) else "7" for p in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else ""


@pytest.mark.parametrize("name", MET_BY_PEOPLE)
def test_what_people_meet_is_said_in_norwegian(name: str) -> None:
    said = said_in(ROOT / name)
    assert said
    assert [text for text in said if error_in(text, "nb") == text] == []


def test_names_and_times_are_taken_over() -> None:
    english = "Claimed by Dr. Kari Nordmann at 10:42."
    assert error_in(english, "nb") == "Tatt av Dr. Kari Nordmann kl. 10:42."
    assert error_in(english, "en") == english
    assert error_in("Nobody knows this.", "nb") == "Nobody knows this."


@pytest.mark.parametrize(
    ("asked", "said"), [("nb-NO", "Det finnes ingen sak X."), ("en-GB", "There is no case X.")]
)
def test_the_browsers_language_decides(shared_world, asked: str, said: str) -> None:
    client = shared_world.client("radiologist@centre")
    answer = client.post("/api/cases/X/claim", json={}, headers={"Accept-Language": asked})
    assert (answer.status_code, answer.get_json()["detail"]) == (404, said)
