"""Which earlier studies matter to a case, and which are fetched: tables of the decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from casework.prior_regions import Region, region_named, regions_in
from casework.priors import (
    IN_WORDS,
    Answered,
    Earlier,
    Inquiry,
    Person,
    PriorRule,
    Refusal,
    Subject,
    decide,
    is_across_sites,
    nodes_to_ask,
    opens_at,
    ranked,
    rule_for,
    speaks_against,
    subject_of,
)

TODAY = date(2026, 3, 2)
HEAD_CT = Subject(frozenset({"CT"}), frozenset({Region.HEAD}), TODAY)
KARI = Person("0150", "1.2.3.4", "ness^kari", "19500101")
RULE = PriorRule(1, ("PACS",), years=5, most_studies=2)


def study(uid: str, modality: str = "CT", text: str = "", day: date | None = None, **more):
    return Earlier(
        uid,
        day or date(2025, 6, 1),
        frozenset({modality}) if modality else frozenset(),
        text,
        **{"images": 10, **more},
    )


@pytest.mark.parametrize(
    ("text", "regions"),
    [
        ("CT Caput u/kontrast", {Region.HEAD}),
        ("CT hode", {Region.HEAD}),
        ("Røntgen thorax", {Region.CHEST}),
        ("CT thorax/abdomen/bekken", {Region.CHEST, Region.ABDOMEN, Region.PELVIS}),
        ("MR lumbalcolumna", {Region.SPINE}),
        ("RG høyre hånd", {Region.ARM}),
        ("Mammografi", {Region.BREAST}),
        ("CSPINE", {Region.SPINE}),
        ("MR kne ve", {Region.LEG}),
        ("UL nyrer og urinveier", {Region.ABDOMEN}),
        ("PET whole body", {Region.BODY}),
        ("legally armed hipster", set()),
        ("", set()),
        ("12.3 ??", set()),
    ],
)
def test_regions_are_read_from_words_of_either_language(text, regions):
    assert regions_in(text) == regions


def test_a_rules_body_part_is_one_region():
    assert (region_named("HEAD"), region_named("thorax"), region_named("?")) == (
        Region.HEAD,
        Region.CHEST,
        None,
    )


def test_studies_are_ranked_by_part_then_modality_then_day():
    in_order = [
        study("1", "CT", "CT Head", date(2025, 5, 1)),
        study("2", "CT", "CT caput", date(2020, 1, 1)),
        study("3", "MR", "MR hjerne", date(2026, 1, 1)),
        study("4", "DX", "skull", date(2026, 2, 1)),
        study("5", "CT", "follow-up", date(2026, 2, 1)),
        study("6", "CT", "CT thorax", date(2026, 3, 1)),
        study("7", "DX", "Chest", date(2026, 3, 1)),
    ]
    assert ranked(reversed(in_order), HEAD_CT) == in_order


def test_studies_of_one_day_are_ranked_by_time_then_by_uid():
    noon, night = study("1", time="120000"), study("2", time="230000")
    assert ranked([study("4"), study("3"), noon, night], HEAD_CT) == [
        night, noon, study("3"), study("4"),
    ]  # fmt: skip


def test_body_part_is_believed_before_the_description():
    knee = study("1", "CT", "CT Head", body_part="KNEE")
    assert knee.regions == {Region.LEG}


def test_a_case_is_about_what_its_studies_show():
    found = subject_of([study("1", "CT", "CT Head"), study("2", "SR", "", TODAY)])
    assert found == Subject(frozenset({"CT", "SR"}), frozenset({Region.HEAD}), TODAY)
    assert subject_of([], fallback=TODAY).day == TODAY


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({}, ""),
        ({"id": "0151"}, "number"),
        ({"id": "0150 "}, ""),
        ({"issuer": "site:vardo"}, "issuer"),
        ({"birth_date": "19500102"}, "birth date"),
        ({"birth_date": ""}, ""),
        ({"name": ""}, ""),
        ({"name": "", "birth_date": ""}, "name"),
        ({"name": "ness^ola"}, "name"),  # a twin, or a number that was mixed up
        ({"name": "hansen^kari"}, ""),  # born the same day: married
        ({"name": "hansen^kari", "birth_date": ""}, "name"),
        ({"name": "ness^anna kari"}, ""),
        ({"name": "ness-hansen^kari^anna", "birth_date": ""}, ""),
        ({"name": "ness"}, ""),
    ],
)
def test_an_answer_must_be_of_the_same_person(told, what):
    assert speaks_against(KARI, replace(KARI, **told)) == what


def test_a_number_is_across_sites_only_when_its_issuer_is_an_oid():
    for issuer, is_so in (
        ("2.16.578.1.12.4.1.4.1", True),
        ("1.2.3", True),
        ("site:hammer", False),
        ("MPI", False),
        ("1.2", False),
        ("", False),
    ):
        assert is_across_sites(issuer) is is_so, issuer


@pytest.mark.parametrize(
    ("told", "rule", "refusal"),
    [
        ({}, {}, None),
        ({"day": date(2021, 3, 2)}, {}, None),
        ({"day": date(2021, 2, 20)}, {}, Refusal.TOO_OLD),
        ({"day": date(2026, 3, 3)}, {}, Refusal.LATER),
        ({"day": TODAY}, {}, None),
        ({"day": None}, {}, Refusal.UNDATED),
        ({"study_uid": "own"}, {}, Refusal.OWN),
        ({"study_uid": "here"}, {}, Refusal.HERE),
        ({}, {"modalities": frozenset({"MR"})}, Refusal.MODALITY),
        ({}, {"modalities": frozenset({"MR", "CT"})}, None),
        ({}, {"most_images": 9}, Refusal.TOO_MANY_IMAGES),
        ({}, {"most_images": 10}, None),
        ({"images": None}, {}, None),
        ({"images": None}, {"most_images": 10}, Refusal.NO_COUNT),
        ({"images": 1000}, {"most_bytes": 100_000_000}, Refusal.TOO_MANY_BYTES),
        ({}, {"most_bytes": 100_000_000}, None),
        ({}, {"most_studies": 0}, Refusal.ENOUGH),
    ],
)
def test_each_refusal_has_its_reason(told, rule, refusal):
    inquiry = Inquiry(KARI, HEAD_CT, "hammer", frozenset({"own"}), frozenset({"here"}))
    answer = Answered(KARI, replace(study("9", text="CT Head"), **told))
    (verdict,) = decide(inquiry, [answer], replace(RULE, **rule))
    assert verdict.refusal == refusal


def test_a_study_of_somebody_else_is_refused_before_all_else():
    answers = [Answered(replace(KARI, birth_date="19600101"), study("own"))]
    (verdict,) = decide(Inquiry(KARI, HEAD_CT, own=frozenset({"own"})), answers, RULE)
    assert verdict.refusal is Refusal.OTHER_PATIENT


def test_the_most_relevant_have_the_first_claim_and_a_large_one_keeps_no_small_one_out():
    answers = [
        Answered(KARI, study("1", "CT", "CT Head", images=80)),
        Answered(KARI, study("2", "CT", "CT Head", date(2024, 1, 1), images=50)),
        Answered(KARI, study("3", "MR", "MR head", images=20)),
        Answered(KARI, study("4", "DX", "Chest", images=2)),
        Answered(KARI, study("4", "DX", "Chest", images=2)),
    ]
    found = decide(Inquiry(KARI, HEAD_CT), answers, replace(RULE, most_images=100))
    assert [(each.study.study_uid, each.refusal) for each in found] == [
        ("1", None),
        ("2", Refusal.TOO_MANY_IMAGES),
        ("3", None),
        ("4", Refusal.ENOUGH),
    ]


def test_a_large_study_waits_for_the_hours_of_the_rule():
    rule = replace(RULE, large_images=9, from_hour=22, to_hour=6)
    (verdict,) = decide(Inquiry(KARI, HEAD_CT), [Answered(KARI, study("1"))], rule)
    assert verdict.is_large
    (small,) = decide(Inquiry(KARI, HEAD_CT), [Answered(KARI, study("1", images=9))], rule)
    assert not small.is_large


@pytest.mark.parametrize(
    ("hours", "now", "opens"),
    [
        ((22, 6), (2, 23, 10), (2, 23, 10)),
        ((22, 6), (2, 5, 59), (2, 5, 59)),
        ((22, 6), (2, 6, 0), (2, 22, 0)),
        ((1, 4), (2, 12, 0), (3, 1, 0)),
        ((1, 4), (2, 0, 59), (2, 1, 0)),
        ((8, 8), (2, 12, 0), (2, 12, 0)),
    ],
)
def test_hours_open_now_or_when_they_begin(hours, now, opens):
    at = datetime(2026, 3, now[0], now[1], now[2], tzinfo=UTC)
    when = datetime(2026, 3, opens[0], opens[1], opens[2], tzinfo=UTC)
    assert opens_at(at, from_hour=hours[0], to_hour=hours[1]) == when


def test_the_most_particular_rule_that_applies_decides():
    any_case = PriorRule(1, ("PACS", "OTHER"))
    of_ct = PriorRule(2, ("PACS",), modality="CT")
    of_heads = PriorRule(3, ("PACS",), body_part="BRAIN")
    of_site = PriorRule(4, ("PACS",), site="hammer")
    elsewhere = PriorRule(5, ("AWAY",), site="vardo")
    rules = [any_case, of_ct, of_heads, of_site, elsewhere]

    def chosen(given, node="PACS", subject=HEAD_CT):
        found = rule_for(given, node, site="hammer", subject=subject)
        return found and found.id

    assert chosen(rules) == 4
    assert chosen(rules[:3]) == 3
    assert chosen(rules[:2]) == 2
    assert chosen(rules[:3], subject=Subject(frozenset({"MR"}))) == 1
    assert chosen(rules, "OTHER") == 1
    assert chosen(rules, "AWAY") is None
    assert nodes_to_ask(rules, site="hammer", subject=HEAD_CT) == ["PACS", "OTHER"]


def test_each_refusal_is_told_in_words():
    assert set(IN_WORDS) == set(Refusal)
