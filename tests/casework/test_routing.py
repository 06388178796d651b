"""Routing rules: what they take, why not, when it goes; patterns and windows by property."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.errors import Invalid
from casework.model import Priority
from casework.routing import (
    Conditions,
    Rule,
    SeriesSeen,
    StudySeen,
    Trigger,
    Window,
    Within,
    decide,
    matches_pattern,
    require_sound,
    rule_as_json,
    rule_from_json,
)

OSLO = ZoneInfo("Europe/Oslo")
NOON = datetime(2026, 3, 4, 11, 0, tzinfo=UTC)  # a Wednesday, 12:00 in Oslo
CT, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.11"
THORAX = SeriesSeen("1.2.2", "CT", "Thorax 5 mm", frozenset({CT}), instances=3, packed=3)
DOSE = SeriesSeen("1.2.3", "SR", "Dose report", frozenset({SR}), instances=1, packed=0)
STUDY = StudySeen(
    site="hammer",
    study_uid="1.2.1",
    completeness="complete",
    description="CT Thorax",
    senders=frozenset({"HAMMER_CT"}),
    last_received_at=NOON,
    series=(THORAX, DOSE),
)
RULE = Rule("to the archive", "VNA")


def made(rule: Rule, study: StudySeen = STUDY, *, site: str = "nordlys", now: datetime = NOON):
    return decide(rule, study, destination_site=site, now=now, zone=OSLO)


def asking(**conditions: object) -> Rule:
    return replace(RULE, conditions=Conditions(**conditions))  # type: ignore[arg-type]


def test_rule_that_asks_nothing_takes_all_of_a_whole_study() -> None:
    decision = made(RULE)
    assert (decision.taken, decision.series_uids, decision.not_before) == (True, None, None)


@pytest.mark.parametrize(
    ("rule", "why_not"),
    [
        (asking(sites=frozenset({"utsira"})), "it is of hammer"),
        (asking(calling_aes=frozenset({"OTHER"})), "it was sent by HAMMER_CT"),
        (asking(study_description="MR*"), "its description is 'CT Thorax'"),
        (asking(modalities=frozenset({"MR"})), "none of its series is MR"),
        (asking(sop_classes=frozenset({"1.2.9"})), "none of its series is 1.2.9"),
        (asking(series_description="Abdomen*"), "none of its series is 'Abdomen*'"),
        (
            asking(modalities=frozenset({"SR"}), series_description="Thorax*"),
            "none of its series is SR and 'Thorax*'",
        ),
        (asking(window=Window(time(22), time(6))), "it came at 12:00 on a Wednesday"),
        (replace(RULE, since=NOON + timedelta(seconds=1)), "it came before the rule"),
        (replace(RULE, destination="HAMMER_CT"), "it came from HAMMER_CT"),
    ],
)
def test_each_condition_says_why_it_does_not_hold(rule: Rule, why_not: str) -> None:
    decision = made(rule)
    assert (decision.taken, decision.reasons) == (False, (why_not,))


def test_all_conditions_that_hold_take_the_study() -> None:
    rule = asking(
        sites=frozenset({"hammer"}),
        calling_aes=frozenset({"HAMMER_CT"}),
        study_description="ct *",
        modalities=frozenset({"CT"}),
        sop_classes=frozenset({CT}),
        series_description="thorax ? mm",
        window=Window(time(8), time(16), frozenset(range(5))),
    )
    assert made(rule).taken
    assert made(replace(rule, only_matching=True)).series_uids == {"1.2.2"}


def test_a_study_goes_neither_back_to_its_sender_nor_to_its_site() -> None:
    assert not made(RULE, site="hammer").taken
    assert made(replace(RULE, own_site=True), site="hammer").taken
    back = replace(RULE, destination="HAMMER_CT", own_site=True)
    assert made(back, site="hammer").reasons == ("it came from HAMMER_CT",)


@pytest.mark.parametrize("state", ["arriving", "complete", "presumed"])
def test_a_rule_on_whole_studies_waits_for_them(state: str) -> None:
    decision = made(RULE, replace(STUDY, completeness=state))
    assert (decision.taken, decision.is_waiting) == (state != "arriving", state == "arriving")


def test_a_rule_on_series_takes_those_that_are_packed_and_waits_for_the_others() -> None:
    rule = replace(RULE, trigger=Trigger.SERIES)
    arriving = replace(STUDY, completeness="arriving")
    first = made(rule, arriving)
    assert (first.taken, first.is_waiting, first.series_uids) == (True, True, {"1.2.2"})
    packed = replace(arriving, series=(THORAX, replace(DOSE, packed=1)))
    both = made(rule, packed)
    assert (both.taken, both.is_waiting, both.series_uids) == (True, False, {"1.2.2", "1.2.3"})
    half = replace(arriving, series=(replace(THORAX, packed=2),))
    assert not made(rule, half).taken
    assert made(replace(rule, trigger=Trigger.INSTANCE), half).taken


def test_a_window_that_holds_takes_at_noon_and_sends_at_night() -> None:
    night = asking(window=Window(time(22), time(6)))
    holding = made(replace(night, within=Within.HOLD))
    assert (holding.taken, holding.not_before) == (True, datetime(2026, 3, 4, 21, tzinfo=UTC))
    late = datetime(2026, 3, 4, 23, 30, tzinfo=UTC)
    assert made(replace(night, within=Within.HOLD), now=late).not_before == late


def test_a_window_over_midnight_belongs_to_the_day_it_opens_on() -> None:
    friday_night = Window(time(22), time(6), frozenset({4}))
    saturday_at_5, sunday_at_5 = (
        datetime(2026, 3, day, 5, tzinfo=OSLO).astimezone(UTC) for day in (7, 8)
    )
    assert friday_night.has(saturday_at_5, OSLO)
    assert not friday_night.has(sunday_at_5, OSLO)


@pytest.mark.parametrize(
    ("before", "opens"),
    [
        ((2026, 3, 28, 20), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),  # 02:30 does not exist
        ((2026, 10, 24, 20), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # 02:30 comes twice
    ],
)
def test_a_window_opens_on_the_nights_when_clocks_change(
    before: tuple[int, int, int, int], opens: datetime
) -> None:
    at = datetime(*before, tzinfo=UTC)
    assert Window(time(2, 30), time(4)).next_opening(at, OSLO) == opens


@pytest.mark.parametrize(
    "rule",
    [
        replace(RULE, name=" "),
        replace(RULE, destination="A\\B"),
        asking(sites=frozenset({"No Site"})),
        asking(modalities=frozenset({"ct;drop"})),
        asking(sop_classes=frozenset({"1.2.x"})),
        asking(calling_aes=frozenset({"VNA"})),
        asking(study_description="x" * 129),
        asking(window=Window(time(8), time(9), frozenset())),
    ],
)
def test_what_can_be_no_rule_is_refused(rule: Rule) -> None:
    with pytest.raises(Invalid) as failed:
        require_sound(rule)
    assert failed.value.code == "bad-route"


def test_a_rule_is_the_same_after_it_was_kept() -> None:
    rule = replace(
        asking(
            window=Window(time(22, 30), time(6), frozenset({0, 6})), sites=frozenset({"a", "b"})
        ),
        priority=Priority.STAT,
        trigger=Trigger.SERIES,
        within=Within.HOLD,
        only_matching=True,
        own_site=True,
    )
    assert rule_from_json(rule_as_json(rule)) == rule
    with pytest.raises(Invalid):
        rule_from_json(
            rule_as_json(RULE) | {"window": {"start": "25:00", "end": "1", "weekdays": []}}
        )


times = st.times().map(lambda t: t.replace(second=0, microsecond=0))
windows = st.builds(Window, times, times, st.frozensets(st.integers(0, 6), min_size=1))
moments = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)).map(
    lambda d: d.replace(tzinfo=UTC)
)


@given(windows, moments)
def test_the_next_opening_lies_in_the_window_and_nothing_before_it_does(
    window: Window, at: datetime
) -> None:
    opens = window.next_opening(at, OSLO)
    assert opens >= at
    assert window.has(opens, OSLO)
    if opens > at:
        for share in (0, 0.25, 0.5, 0.75, 0.999):
            between = at + (opens - at - timedelta(minutes=1)) * share
            assert between < at or not window.has(between, OSLO)


@given(windows, moments)
def test_a_window_and_the_rest_of_the_day_share_no_moment(window: Window, at: datetime) -> None:
    if window.start == window.end or len(window.weekdays) < 7:
        return
    rest = Window(window.end, window.start)
    assert window.has(at, OSLO) != rest.has(at, OSLO)


@given(st.text("ab*?.[^", max_size=6), st.text("ab.[^\n", max_size=8))
def test_patterns_match_as_file_names_do(pattern: str, text: str) -> None:
    shell = fnmatch.translate(pattern.replace("[", "[[]").strip())
    assert matches_pattern(pattern, text) == bool(re.match(shell, text.strip(), re.IGNORECASE))


@given(
    st.sets(st.sampled_from(["CT", "MR", "SR"])),
    st.sets(st.sampled_from(["hammer", "utsira"])),
    st.lists(st.sampled_from(["CT", "MR", "SR"]), min_size=1, max_size=4),
    st.sampled_from(["hammer", "utsira"]),
)
def test_a_study_is_taken_exactly_when_site_and_some_series_fit(
    modalities: set[str], sites: set[str], there: list[str], site: str
) -> None:
    series = tuple(
        replace(THORAX, uid=f"1.2.{n}", modality=modality) for n, modality in enumerate(there)
    )
    rule = asking(modalities=frozenset(modalities), sites=frozenset(sites))
    expected = (not sites or site in sites) and (not modalities or bool(modalities & set(there)))
    assert made(rule, replace(STUDY, site=site, series=series)).taken is expected
