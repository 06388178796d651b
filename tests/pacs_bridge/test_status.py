"""Every row of the table from errors to DIMSE statuses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from casework.custody import Receipt
from casework.errors import (
    Conflict,
    Invalid,
    LysbroError,
    NoRoom,
    NotFound,
    Refused,
    TooLarge,
    Unavailable,
)
from pacs_bridge import status
from pacs_bridge.status import answer_to_error, answer_to_receipt, comment_of


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NoRoom("full", code="disk-full"), 0xA700),
        (Unavailable("db", code="disk-failed"), 0xA700),
        (TooLarge("big", code="too-large"), 0xA700),
        (Refused("no"), 0x0124),
        (Conflict("other"), 0x0110),
        (NotFound("gone"), 0xA900),
        (Invalid("cut", code="truncated"), 0xC000),
        (Invalid("bad", code="bad-structure"), 0xC001),
        (Invalid("none", code="uid-missing"), 0xA900),
        (Invalid("other", code="uid-mismatch"), 0xA900),
        (Invalid("ill", code="uid-malformed"), 0x0117),
        (Invalid("class", code="unknown-class"), 0x0122),
        (Invalid("anything", code="something-new"), 0xC000),
        (RuntimeError("a defect"), 0xC211),
        (LysbroError("of no kind"), 0xC211),
        (OSError("a defect"), 0xC211),
    ],
)
def test_answer_to_error_gives_the_status_of_its_row(error: Exception, expected: int) -> None:
    answer = answer_to_error(error)

    assert answer.status == expected
    assert not answer.is_kept
    assert len(answer.comment) <= 64


def test_answer_to_defect_says_nothing_of_its_insides() -> None:
    assert "secret" not in answer_to_error(RuntimeError("secret path /x")).comment


def test_answer_to_receipt_is_success_or_a_warning_that_says_what_is_odd() -> None:
    receipt = Receipt("s", "1", "2", "3", "4", "5", "aa", 1, datetime.now(UTC))

    assert answer_to_receipt(receipt).status == 0x0000
    odd = answer_to_receipt(Receipt(**(vars(receipt) | {"warning": "a delimiter too many"})))
    assert (odd.status, odd.comment) == (0xB007, "a delimiter too many")
    assert odd.is_kept


def test_comment_is_short_and_of_the_default_repertoire() -> None:
    assert comment_of("Blåbær\\x") == "Bl?b?r?x"
    assert comment_of("a" * 80) == "a" * 61 + "..."


@pytest.mark.parametrize(
    ("code", "kept"),
    [
        (0x0000, True),
        (0xB000, True),
        (0xB007, True),
        (0xA700, False),
        (0xC001, False),
        (0x0124, False),
    ],
)
def test_kept_is_success_or_warning_only(code: int, kept: bool) -> None:
    assert status.Answer(code).is_kept is kept
