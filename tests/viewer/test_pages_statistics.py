"""The page of statistics and its CSV count what happened; an outcome is said on the case page."""

from __future__ import annotations

import csv
import io

import pytest

from tests.viewer.conftest import World
from tests.viewer.test_pages import page, reported_case, signed_in, submit, words_of

pytestmark = pytest.mark.slow

STATISTICS = "/admin/statistics"


def rows_of(world: World, **query: str) -> dict[tuple[str, str, str], str]:
    answer = signed_in(world, "admin@centre").get(f"{STATISTICS}/figures.csv", query_string=query)
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = csv.DictReader(io.StringIO(answer.text))
    return {(r["specialty"], r["site"], r["measure"]): r["value"] for r in rows}


def test_what_happened_is_counted_on_the_page_and_in_the_csv(world: World) -> None:
    case_id = reported_case(world)
    found = rows_of(world)
    assert found["all", "all", "submitted"] == "1"
    assert found["radiology", "hammer", "signed"] == "1"
    assert found["radiology", "hammer", "unread"] == "1"
    client = signed_in(world, "admin@centre")
    said = words_of(page(client, STATISTICS))
    assert "1 sent 1 answered" in said
    assert "Half of the answers came within" in said
    assert "Halvparten av svarene" in words_of(page(client, STATISTICS, language="nb"))
    assert "No case was sent" in words_of(page(client, f"{STATISTICS}?until=2020-01-01"))
    assert rows_of(world, specialty="dermatology")["all", "all", "submitted"] == "0"
    assert rows_of(world, site="hammer")["all", "all", "submitted"] == "1"
    assert case_id not in said


def test_a_span_that_is_none_is_refused_in_words(world: World) -> None:
    client = signed_in(world, "admin@centre")
    for query in ("since=2026-02-01&until=2026-01-01", "since=yesterday", "specialty=surgery"):
        assert client.get(f"{STATISTICS}?{query}").status_code in (400, 422)


def test_only_administrators_and_coordinators_see_statistics(world: World) -> None:
    for role, status in (("coordinator", 200), ("dermatologist", 403), ("referrer", 403)):
        assert signed_in(world, f"{role}@centre").get(STATISTICS).status_code == status


def test_a_coordinator_of_a_site_counts_its_own_cases(world: World) -> None:
    reported_case(world)
    for site, sent in (("hammer", "1 sent"), ("berg", "No case was sent")):
        assert sent in words_of(page(signed_in(world, f"coordinator@{site}"), STATISTICS))


def test_an_outcome_said_on_the_case_page_is_shown_to_the_reader_and_counted(world: World) -> None:
    case_id = reported_case(world)
    home = f"/cases/{case_id}"
    gp = signed_in(world, "referrer@hammer")
    answer = submit(
        gp, f"{home}/outcome", on=home, basis="histology", text="Haematoma", malignant="no"
    )
    assert answer.headers["Location"] == f"{home}#outcome"
    assert "Haematoma shown by histology · not malignant" in words_of(page(gp, home))
    reader = signed_in(world, "radiologist@centre")
    assert "Haematoma" in words_of(page(reader, home))
    told = world.client("radiologist@centre").get(f"/api/cases/{case_id}").get_json()["outcome"]
    assert (told["text"], told["malignant"]) == ("Haematoma", "no")
    assert rows_of(world)["all", "all", "agreement"] == "0"
    (entry,) = world.audit("outcome-noted")
    assert (entry.case_id, entry.detail) == (case_id, {"basis": "histology", "malignant": "no"})


def test_an_outcome_over_the_api_is_refused_before_there_is_a_reply(world: World) -> None:
    case_id = world.derm_case()
    body = {"basis": "visit", "text": "Gone"}
    answer = world.client("referrer@fjord").put(f"/api/cases/{case_id}/outcome", json=body)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "wrong-state")
