"""Which pictures each kind of skin change is asked for, and the page of all questions."""

from __future__ import annotations

from pathlib import Path

import pytest

from casework import questions_page
from casework.question_forms import SKIN
from casework.questions import QUESTIONS
from casework.views import views_of

KINDS = ("overview", "closeup", "dermoscopic")
PAGE = Path(__file__).parents[2] / "docs" / "capture-questions.md"


@pytest.mark.parametrize(
    ("category", "wanted", "if_one_can"),
    [
        ("mole", {"overview", "closeup"}, {"dermoscopic"}),
        ("rash", {"overview", "closeup"}, set()),
        ("wound", {"overview", "closeup"}, set()),
        ("nails", {"overview", "closeup"}, {"dermoscopic"}),
        ("hair", {"overview", "closeup"}, {"dermoscopic"}),
        ("mucosa", {"overview", "closeup"}, set()),
        ("of another version", {"overview", "closeup"}, {"dermoscopic"}),
    ],
)
def test_views_when_a_category_is_chosen_then_they_are_its_own(category, wanted, if_one_can):
    views = views_of(category)
    assert {view.kind for view in views if view.is_wanted} == wanted
    assert {view.kind for view in views if not view.is_wanted} == if_one_can
    assert [view.kind for view in views] == [k for k in KINDS if k in wanted | if_one_can]
    assert all(view.label_en and view.label_nb for view in views)


@pytest.mark.parametrize("category", SKIN)
def test_questions_when_a_category_is_chosen_then_few_are_asked_at_once(category):
    asked = [q for q in QUESTIONS if category in q.categories]
    first = [q for q in asked if q.is_first]
    own = [q for q in asked if not set(SKIN) <= set(q.categories)]
    assert 4 <= len(first) <= 9
    assert len(own) >= 4
    assert len(asked) <= 35


def test_page_of_questions_when_compared_then_it_is_that_of_the_code():
    assert PAGE.read_text("utf-8") == questions_page.page()
