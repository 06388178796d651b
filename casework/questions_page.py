"""Writes `docs/capture-questions.md`: the questions and pictures of each kind of skin change.

`python -m casework.questions_page > docs/capture-questions.md` renews it; a test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from casework.question_forms import SKIN, Question
from casework.questions import QUESTIONS
from casework.views import views_of

_HEAD = """# What is asked of a skin change

Made by `python -m casework.questions_page`; a test compares. Every question may be left open. The
first ones are asked at once, the others stand in the fold "More, where it matters". Norwegian in
italics.
"""
_KINDS = {
    "choice": "one of",
    "choices": "any of",
    "text": "text",
    "number": "a number",
    "duration": "a number of days, weeks, months or years",
}
_PICTURES = {"overview": "overview", "closeup": "close-up", "dermoscopic": "dermoscopic"}


def page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_all()]) + "\n"


def _all() -> Iterator[str]:
    (category,) = (question for question in QUESTIONS if question.key == "category")
    everywhere = [q for q in QUESTIONS if set(SKIN) <= set(q.categories)]
    yield "## Of every kind\n"
    yield from _table(everywhere)
    for kind in category.options:
        yield f"\n## {kind.label_en} (*{kind.label_nb}*, `{kind.value}`)\n"
        yield (
            "Pictures: "
            + "; ".join(
                f"{_PICTURES[view.kind]}{'' if view.is_wanted else ' (if one can)'}"
                for view in views_of(kind.value)
            )
            + ".\n"
        )
        yield from _table(
            [q for q in QUESTIONS if kind.value in q.categories and q not in everywhere]
        )


def _table(questions: list[Question]) -> Iterator[str]:
    yield "| question | answer | key |"
    yield "|---|---|---|"
    for each in sorted(questions, key=lambda q: not q.is_first):
        words = f"**{each.label_en}**" if each.is_first else each.label_en
        options = "; ".join(f"{o.label_en} (*{o.label_nb}*)" for o in each.options)
        answer = f"{_KINDS[each.kind]}{': ' if options else ''}{options}"
        yield f"| {words} *{each.label_nb}* | {answer} | `{each.key}` |"


if __name__ == "__main__":
    sys.stdout.write(page())
