"""Templates of a centre in their versions, drafts that use them, and the phrases of people."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from casework.errors import Conflict, Invalid, NotFound
from casework.shipped_templates import NAMES, shipped_text
from storage.phrases import Phrases
from storage.template_tables import phrases
from storage.templates import Templates
from tests.storage.room import WORKER, open_room

OWN = (shipped_text("wound") or "").replace("# Wound | Sår", "# Our wound | Vårt sår")


@pytest.fixture
def room(tmp_path: Path):
    """Return a room on the embedded database: what is refused is so on each."""
    with open_room(tmp_path) as furnished:
        yield furnished


@pytest.fixture
def each_room(tmp_path: Path, database_server: str):
    """Return a room on each kind of database."""
    with open_room(tmp_path, server=database_server) as furnished:
        yield furnished


@pytest.fixture
def kept(room):
    return Templates(room.database, room.clock)


def test_a_centre_begins_with_the_shipped_templates(kept):
    assert [each.name for each in kept.offered("nordlys")] == list(NAMES)
    assert kept.one("nordlys", "wound").made_by == ""


def test_a_change_is_the_next_version_and_the_shipped_one_stays(kept):
    made = kept.save("nordlys", "wound", OWN, by=WORKER)
    assert (made.template.version, made.made_by) == (2, "Lysbro")
    assert kept.one("nordlys", "wound").template.title.nb == "Vårt sår"
    assert kept.one("nordlys", "wound", 1).template.title.nb == "Sår"
    assert [each.template.version for each in kept.versions("nordlys", "wound")] == [2, 1]
    assert kept.one("hammer", "wound").template.title.nb == "Sår"


def test_a_withdrawn_template_is_listed_and_not_offered_and_a_restored_one_is_as_shipped(kept):
    kept.save("nordlys", "wound", OWN, by=WORKER)
    kept.set_enabled("nordlys", "wound", False, by=WORKER)
    assert "wound" not in [each.name for each in kept.offered("nordlys")]
    assert [e.template.name for e in kept.listed("nordlys") if not e.is_enabled] == ["wound"]
    back = kept.restore("nordlys", "wound", by=WORKER)
    assert (back.template.title.nb, back.template.version, back.is_enabled) == ("Sår", 4, True)
    assert "wound" in [each.name for each in kept.offered("nordlys")]


def test_an_own_template_comes_after_the_shipped_ones_and_cannot_be_restored(kept):
    kept.save("nordlys", "our-wound", OWN, by=WORKER)
    assert kept.offered("nordlys")[-1].name == "our-wound"
    with pytest.raises(NotFound, match="not a shipped one"):
        kept.restore("nordlys", "our-wound", by=WORKER)


@pytest.mark.parametrize(
    ("centre", "name", "text", "code"),
    [
        ("nordlys", "Our Wound", OWN, "invalid-slug"),
        ("nordlys", "wound", "# T | T", "invalid-template"),
        ("nordlys", "wound", f"diagnoses: luck\n{OWN}", "unknown-diagnosis"),
        ("nowhere", "wound", OWN, "no-such-site"),
    ],
)
def test_a_template_that_makes_no_sense_is_not_kept(kept, centre, name, text, code):
    with pytest.raises((Invalid, NotFound)) as refused:
        kept.save(centre, name, text, by=WORKER)
    assert refused.value.code == code
    assert kept.one("nordlys", "wound").made_by == ""


def test_a_draft_goes_on_with_the_version_that_it_began_with(each_room):
    room, kept = each_room, Templates(each_room.database, each_room.clock)
    case = room.claimed()
    body = {"template": "wound", "fields": {"bed": "red", "length_mm": 12}, "language": "nb"}
    draft = room.casebook.save_findings(room.elle, case.id, body).draft
    assert draft["template_version"] == 1
    assert draft["described"] == "Sårbunn: Granulerende sårbunn. Lengde 12 mm."
    kept.save("nordlys", "wound", OWN.replace("- length_mm", "- long_mm"), by=WORKER)
    kept.set_enabled("nordlys", "wound", False, by=WORKER)

    again = room.casebook.save_findings(room.elle, case.id, {**draft, "impression": "Leg ulcer."})
    report = room.casebook.sign(room.elle, case.id)

    assert again.draft["described"] == draft["described"]
    assert report.content["described"] == draft["described"]
    assert report.content["fields"] == {"bed": "red", "length_mm": 12.0}


def test_answers_that_do_not_fit_their_template_are_refused_whole(room):
    case = room.claimed()
    with pytest.raises(Invalid, match="no field colour"):
        room.casebook.save_findings(
            room.elle, case.id, {"template": "wound", "fields": {"colour": "red"}}
        )
    assert room.case(case.id) == case


def test_a_name_of_the_writers_own_without_answers_is_kept_as_it_is(room):
    case = room.claimed()
    draft = room.casebook.save_findings(room.elle, case.id, {"template": "free"}).draft
    assert (draft["template"], draft["described"]) == ("free", "")
    with pytest.raises(NotFound, match="no template free"):
        room.casebook.save_findings(
            room.elle, case.id, {"template": "free", "fields": {"bed": "red"}}
        )


def test_a_correction_says_its_answers_too(room):
    case = room.written()
    room.casebook.sign(room.elle, case.id)
    body = {"template": "wound", "language": "en", "fields": {"bed": "black"}}
    report = room.casebook.correct(room.elle, case.id, {"impression": "Wound.", **body})
    assert report.content["described"] == "Wound bed: Necrotic wound bed."


def test_phrases_are_ones_own_and_found_by_their_short_form(each_room):
    room = each_room
    known = Phrases(room.database, room.clock)
    first = known.add(room.elle, short="/Nevus", text=" Benign naevus. ")
    known.add(room.kari, short="nevus", text="Another's.")
    assert (first.short, first.text) == ("nevus", "Benign naevus.")
    with pytest.raises(Conflict, match="/nevus already"):
        known.add(room.elle, short="NEVUS", text="x")
    other = known.add(room.elle, short="lunger", text="Clear.")
    with pytest.raises(Conflict):
        known.change(room.elle, other.id, short="nevus", text="x")
    known.change(room.elle, other.id, short="lung", text="Clear lungs.")
    assert [(each.short, each.text) for each in known.of(room.elle)] == [
        ("lung", "Clear lungs."),
        ("nevus", "Benign naevus."),
    ]
    for act in (
        lambda: known.change(room.kari, first.id, short="x", text="x"),
        lambda: known.remove(room.kari, first.id),
    ):
        with pytest.raises(NotFound):
            act()
    known.remove(room.elle, first.id)
    assert len(known.of(room.elle)) == 1


@pytest.mark.parametrize(("short", "text"), [("a b", "x"), ("", "x"), ("a", ""), ("a", "x" * 4001)])
def test_a_phrase_without_its_form_is_refused(room, short, text):
    with pytest.raises(Invalid):
        Phrases(room.database, room.clock).add(room.elle, short=short, text=text)


def test_there_is_an_end_to_phrases(room, monkeypatch):
    monkeypatch.setattr("storage.phrases.MAX_PHRASES", 1)
    Phrases(room.database, room.clock).add(room.elle, short="one", text="x")
    with pytest.raises(Invalid, match="Remove one"):
        Phrases(room.database, room.clock).add(room.elle, short="more", text="x")


def test_phrases_go_with_the_person(each_room):
    room = each_room
    known = Phrases(room.database, room.clock)
    known.add(room.elle, short="a", text="x")
    known.add(room.kari, short="a", text="x")
    room.people.disable_user(room.elle.email)
    with room.database.read() as conn:
        assert conn.execute(select(phrases.c.actor_id)).scalars().all() == [room.kari.id]
