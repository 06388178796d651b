"""What an answer to C-FIND holds: computed keys, whose patient, which set, what is left out."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom import Dataset

from pacs_bridge.syntaxes import EXPLICIT_LE, PATIENT_ROOT_FIND, STUDY_ROOT_FIND
from tests.pacs_bridge.making import CT
from tests.queries.stored import SR, Exchange, fill, identifier, label, open_exchange, uid

PATIENT_COUNTS = tuple(f"NumberOfPatientRelated{n}" for n in ("Studies", "Series", "Instances"))


def ask(
    exchange: Exchange,
    level: str,
    keys: dict[str, Any],
    *,
    site: str = "hammer",
    options: bytes = b"",
    terms: Any = "ISO_IR 192",
    pending: int = 0xFF00,
) -> list[Dataset]:
    """Return the matches, checking with what status they come."""
    model = PATIENT_ROOT_FIND if level == "PATIENT" else STUDY_ROOT_FIND
    ds = identifier(level, keys)
    ds.SpecificCharacterSet = terms
    with exchange.associated(site, options=options, syntax=EXPLICIT_LE) as association:
        responses = list(association.send_c_find(ds, model))
    assert responses[-1][0].Status == 0x0000
    assert {status.Status for status, _ in responses[:-1]} <= {pending}
    return [answer for _, answer in responses if answer is not None]


def test_study_is_answered_with_what_is_computed_of_it(exchange: Exchange) -> None:
    keys = dict.fromkeys(
        (
            "ModalitiesInStudy", "SOPClassesInStudy", "NumberOfStudyRelatedSeries",
            "NumberOfStudyRelatedInstances", "RetrieveAETitle", "InstanceAvailability",
            *PATIENT_COUNTS,
        ),
        "",
    )  # fmt: skip
    (answer,) = ask(exchange, "STUDY", {"StudyInstanceUID": uid("a"), **keys})

    assert list(answer.ModalitiesInStudy) == ["CT", "SR"]
    assert list(answer.SOPClassesInStudy) == [CT, SR]
    assert (answer.NumberOfStudyRelatedSeries, answer.NumberOfStudyRelatedInstances) == (2, 3)
    assert [answer[name].value for name in PATIENT_COUNTS] == [1, 2, 3]
    assert (answer.RetrieveAETitle, answer.InstanceAvailability) == ("LYSBRO", "ONLINE")


def test_series_is_answered_with_its_count_and_those_of_its_study(exchange: Exchange) -> None:
    keys = {
        "StudyInstanceUID": uid("a"),
        "NumberOfSeriesRelatedInstances": "",
        "NumberOfStudyRelatedInstances": "",
        "SeriesInstanceUID": "",
    }
    answers = ask(exchange, "SERIES", keys)
    assert [
        (
            label(a.SeriesInstanceUID),
            a.NumberOfSeriesRelatedInstances,
            a.NumberOfStudyRelatedInstances,
        )
        for a in answers
    ] == [("a1", 2, 3), ("a2", 1, 3)]


@pytest.mark.parametrize(
    ("site", "counts"),
    [
        ("hammer", {("123", "2.16.578.1.1"): [1, 2, 3]}),
        ("utsira", {("123", ""): [1, 1, 1], ("123", "2.16.578.1.1"): [1, 1, 1]}),
        ("nordlys", {("123", ""): [1, 1, 1], ("123", "2.16.578.1.1"): [2, 3, 4]}),
    ],
)
def test_a_number_of_two_issuers_is_two_patients_and_of_one_issuer_one(
    exchange: Exchange, site: str, counts: dict[tuple[str, str], list[int]]
) -> None:
    keys = {"PatientID": "123", "IssuerOfPatientID": "", **dict.fromkeys(PATIENT_COUNTS, "")}
    answers = ask(exchange, "PATIENT", keys, site=site)
    found = {
        (a.PatientID, a.IssuerOfPatientID): [a[name].value for name in PATIENT_COUNTS]
        for a in answers
    }
    assert len(answers) == len(found)
    assert found == counts


@pytest.mark.parametrize("name", ["bjørnson*", "bjornsen^aase", "bj*", ""])
def test_patient_whom_two_sites_name_differently_is_found_once_by_either_name(
    exchange: Exchange, name: str
) -> None:
    keys = {"PatientID": "123", "IssuerOfPatientID": "2.16.578.1.1", "PatientName": name}
    assert len(ask(exchange, "PATIENT", keys, site="nordlys")) == 1


@pytest.mark.parametrize(
    ("study", "terms", "asked", "said", "name"),
    [
        ("a", "ISO_IR 100", "bjørnson*", "ISO_IR 100", "Bjørnson^Åse"),
        ("a", "ISO_IR 192", "BJØRNSON*", "ISO_IR 192", "Bjørnson^Åse"),
        ("a", "ISO_IR 144", "bjornson*", "ISO_IR 192", "Bjørnson^Åse"),
        ("c", "ISO_IR 110", "šuoŋŋá*", "ISO_IR 110", "Šuoŋŋá^Máhtte"),
        ("c", "ISO_IR 100", "*máhtte", "ISO_IR 192", "Šuoŋŋá^Máhtte"),
        ("d", "ISO_IR 144", "петров*", "ISO_IR 144", "Петров^Иван"),
        ("d", "ISO_IR 192", "Петров*", "ISO_IR 192", "Петров^Иван"),
        ("e", "ISO_IR 126", "διονυσιος*", "ISO_IR 126", "Διονυσιος^Άννα"),
        ("f", ["", "ISO 2022 IR 87"], "山田*", ["", "ISO 2022 IR 87"], None),
        ("f", ["", "ISO 2022 IR 87"], "Yamada*=山田*=やまだ*", ["", "ISO 2022 IR 87"], None),
        ("f", ["ISO 2022 IR 13", "ISO 2022 IR 87"], "山田^太郎",
         ["ISO 2022 IR 13", "ISO 2022 IR 87"], None),
        ("f", "ISO_IR 192", "やまだ*", "ISO_IR 192", None),
        ("f", "ISO_IR 100", "yamada*", "ISO_IR 192", None),
    ],
)  # fmt: skip
def test_names_are_asked_and_answered_in_the_requesters_set(
    exchange: Exchange, study: str, terms: Any, asked: str, said: Any, name: str | None
) -> None:
    keys = {"PatientName": asked, "StudyInstanceUID": uid(study)}
    (answer,) = ask(exchange, "STUDY", keys, terms=terms)
    assert answer.SpecificCharacterSet == said
    assert str(answer.PatientName) == name or name is None
    if name is None:
        assert str(answer.PatientName) == "Yamada^Tarou=山田^太郎=やまだ^たろう"


def test_answer_of_plain_letters_names_no_set(exchange: Exchange) -> None:
    keys = {"StudyInstanceUID": uid("b"), "PatientName": ""}
    (answer,) = ask(exchange, "STUDY", keys, terms=["", "ISO 2022 IR 87"])
    assert "SpecificCharacterSet" not in answer


@pytest.mark.parametrize(
    ("keys", "left_out"),
    [
        ({"PatientComments": "x"}, "PatientComments"),
        ({"PatientComments": ""}, "PatientComments"),
        ({"Modality": "CT"}, "Modality"),
        ({"NumberOfStudyRelatedInstances": "3"}, None),
        ({"ProcedureCodeSequence": {"CodeValue": "1"}}, "ProcedureCodeSequence"),
    ],
)
def test_key_that_is_not_kept_or_not_matched_is_told_by_the_status(
    exchange: Exchange, keys: dict[str, Any], left_out: str | None
) -> None:
    (answer,) = ask(exchange, "STUDY", {"StudyInstanceUID": uid("a"), **keys}, pending=0xFF01)
    assert left_out is None or left_out not in answer


def test_item_that_is_asked_of_a_sequence_is_all_that_is_shown_of_it(exchange: Exchange) -> None:
    def steps(key: Any, pending: int = 0xFF00) -> list[list[str]]:
        keys = {"StudyInstanceUID": uid("a"), "SeriesInstanceUID": uid("a1")}
        keys |= {"RequestAttributesSequence": key}
        (answer,) = ask(exchange, "SERIES", keys, pending=pending)
        return [[e.keyword for e in item] for item in answer.RequestAttributesSequence]

    step, requested = "ScheduledProcedureStepID", "RequestedProcedureID"
    assert steps({step: ""}) == [[step], [step]]
    assert steps({step: "P1", requested: ""}) == [[step, requested]] * 2
    assert steps(None) == steps({}) == [["ScheduledProcedureStepDescription", step, requested],
                                        [step, requested]]  # fmt: skip
    assert steps({step: "P1", "RequestingService": "x"}, 0xFF01) == [[step], [step]]


def test_multiple_items_in_a_key_are_refused(exchange: Exchange) -> None:
    ds = identifier("STUDY", {})
    ds.RequestAttributesSequence = [Dataset(), Dataset()]
    with exchange.associated(options=b"\1") as association:
        ds.QueryRetrieveLevel = "SERIES"
        ((status, _),) = association.send_c_find(ds, STUDY_ROOT_FIND)
    assert status.Status == 0xA900


def test_more_matches_than_the_limit_end_with_a_warning(tmp_path: Any) -> None:
    with open_exchange(tmp_path, maximum_matches=3) as exchange:
        fill(exchange)
        with exchange.associated() as association:
            for keys, last, count in (({}, 0xB001, 3), ({"AccessionNumber": "A?"}, 0x0000, 1)):
                responses = list(
                    association.send_c_find(identifier("STUDY", keys), STUDY_ROOT_FIND)
                )
                assert responses[-1][0].Status == last
                assert len(responses) == count + 1


def test_what_was_negotiated_is_answered_and_counts_for_that_association_alone(
    exchange: Exchange,
) -> None:
    with exchange.associated(options=b"\1\1\1\1\1\1\1") as association:
        told = association.acceptor.sop_class_extended
    assert set(told.values()) == {b"\1\1\1\0\0\1\1"}
    with exchange.associated(options=b"\1\1\1\1\1\1\1", with_retrieve=True) as association:
        assert association.acceptor.sop_class_extended == told
    fuzzy = {"PatientName": "åse bjorn"}
    assert len(ask(exchange, "STUDY", fuzzy, options=b"\0\0\1")) == 2
    assert ask(exchange, "STUDY", fuzzy) == []
    assert ask(exchange, "STUDY", fuzzy, options=b"\1\1") == []
