"""Queries that are wrong, huge or hostile: the standard's status, in bounded time and memory."""

from __future__ import annotations

import resource
import time
from io import BytesIO
from typing import Any

import pytest
from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_FIND

from pacs_bridge.syntaxes import PATIENT_ROOT_FIND, STUDY_ROOT_FIND
from storage.matching import MAX_KEY_CHARS, MAX_OPTIONS, MAX_VALUES
from tests.databases import ON_SQLITE
from tests.queries.stored import Exchange, identifier, label, uid

STUDY = b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY "
LONG_UIDS = [f"1.2.826.0.1.3680043.8.498.{n:038d}" for n in range(MAX_VALUES)]


def answered(association: Association, content: bytes, model: str = STUDY_ROOT_FIND) -> list[int]:
    """Send an identifier as it is; return the statuses of the responses."""
    (context,) = (c for c in association.accepted_contexts if c.abstract_syntax == model)
    request = C_FIND()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID = UID(model)
    request.Identifier = BytesIO(content)
    assert context.context_id is not None
    association.dimse.send_msg(request, context.context_id)
    statuses: list[int] = []
    while not statuses or statuses[-1] in (0xFF00, 0xFF01):
        _, response = association.dimse.get_msg(block=True)
        assert response is not None, "the association has ended"
        statuses.append(int(response.Status))
    return statuses


def found(association: Association, level: str = "STUDY", **keys: Any) -> tuple[int, list[str]]:
    """Return the last status and the studies of the answers."""
    studies = []
    last = -1
    for status, answer in association.send_c_find(identifier(level, keys), STUDY_ROOT_FIND):
        last = int(status.Status)
        if answer is not None:
            studies.append(label(answer.StudyInstanceUID))
    return last, sorted(studies)


def nested(depth: int) -> bytes:
    inner = b""
    for _ in range(depth):
        item = b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
        inner = b"\x40\x00\x75\x02" + len(item).to_bytes(4, "little") + item
    return STUDY + inner


@ON_SQLITE
@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"\x08\x00", 0xA900),
        (b"\x08\x00\x52\x00\xff\xff\x00\x00STUDY ", 0xA900),
        (b"\xff" * 64, 0xA900),
        (b"\x20\x00\x0d\x00\x00\x00\x00\x00", 0xA900),  # no level
        (b"\x08\x00\x52\x00\x06\x00\x00\x00WARD  ", 0xA900),
        (b"\x08\x00\x52\x00\x06\x00\x00\x00IMAGE ", 0xA900),  # and no study
        (b"\x08\x00\x52\x00\x08\x00\x00\x00PATIENT ", 0xA900),  # the model begins below
        (STUDY + b"\x08\x00\x20\x00\x04\x00\x00\x00abcd", 0xA900),
        (STUDY + b"\x08\x00\x30\x00\x04\x00\x00\x0099-1", 0xA900),
        (nested(9), 0xA900),
        (nested(7), 0x0000),
        (STUDY + b"\x28\x00\x10\x00\x03\x00\x00\x00\x01\x02\x03", 0x0000),  # Rows, cut short
        (STUDY + b"\x09\x00\x01\x10\x04\x00\x00\x00them", 0x0000),
    ],
)
def test_identifier_that_cannot_be_read_is_answered_and_the_association_goes_on(
    exchange: Exchange, content: bytes, status: int
) -> None:
    with exchange.associated() as association:
        assert answered(association, content)[-1] == status
        assert found(association, AccessionNumber="A1") == (0, ["a"])


HOSTILE: list[tuple[str, str, int, str]] = [
    ("AccessionNumber", "A1\0B", 0x0000, ""),
    ("AccessionNumber", "A1\0", 0x0000, "a"),
    ("PatientID", "'; DROP TABLE studies; --", 0x0000, ""),
    ("PatientName", "'; DROP TABLE studies; --*", 0x0000, ""),
    ("PatientName", "*\N{GRINNING FACE}*", 0x0000, ""),
    ("PatientName", '"*" OR "a"*', 0x0000, ""),
    ("StudyDescription", "*" * MAX_KEY_CHARS, 0x0000, "abcdefgh"),
    ("StudyDescription", "*a" * (MAX_KEY_CHARS // 2), 0x0000, ""),
    ("StudyDescription", "?" * MAX_KEY_CHARS, 0x0000, ""),
    ("StudyDescription", "_%" * (MAX_KEY_CHARS // 2), 0x0000, ""),
    ("StudyDescription", "%*" * (MAX_KEY_CHARS // 2), 0x0000, ""),
    ("StudyDescription", "頭*" * (MAX_KEY_CHARS // 2), 0x0000, ""),
    ("StudyDescription", "頭" * (MAX_KEY_CHARS - 1) + "*", 0x0000, ""),
    ("StudyDescription", "\N{GRINNING FACE}*" * (MAX_KEY_CHARS // 2), 0x0000, ""),
    ("StudyDescription", "x" * MAX_KEY_CHARS, 0x0000, ""),
    ("StudyDescription", "x" * (MAX_KEY_CHARS + 1), 0xA900, ""),
    ("PatientName", "Ø" * MAX_KEY_CHARS, 0x0000, ""),
    ("PatientName", "^" * MAX_KEY_CHARS, 0x0000, "abcdefgh"),
    ("AccessionNumber", "\\".join(f"{n}*" for n in range(MAX_OPTIONS + 1)), 0xA700, ""),
    ("AccessionNumber", "\\".join(f"{n}*" for n in range(MAX_OPTIONS)), 0x0000, ""),
    ("AccessionNumber", "\\".join(map(str, range(3000))), 0x0000, ""),
    ("PatientName", "\\".join(f"{n}^*" for n in range(MAX_OPTIONS)), 0x0000, ""),
    ("StudyDate", "\\".join(["20260101-"] * MAX_OPTIONS), 0x0000, "abcefg"),
    ("StudyDate", "20260101" * 2000, 0xA900, ""),
    ("StudyTime", "1" * 9000, 0xA900, ""),
]


@pytest.mark.parametrize("options", [b"\1\1\1\1\1\1\1", b""], ids=["options", "none"])
def test_hostile_value_finds_nothing_that_it_should_not(exchange: Exchange, options: bytes) -> None:
    wrong = []
    with exchange.associated(options=options) as association:
        for keyword, value, status, studies in HOSTILE:
            began = time.monotonic()
            answer = found(association, **{keyword: value})
            if answer != (status, list(studies)) or time.monotonic() - began > 5:
                wrong.append((keyword, value[:20], answer))
        assert found(association, AccessionNumber="A1") == (0, ["a"])
    assert wrong == []


@pytest.mark.parametrize("fuzzy", ["true", "false"])
def test_hostile_value_of_a_search_finds_nothing_that_it_should_not(
    exchange: Exchange, fuzzy: str
) -> None:
    wrong = []
    for keyword, value, status, studies in HOSTILE:
        query = {keyword: value, "fuzzymatching": fuzzy}
        answer = exchange.clients["hammer"].get("/dicom-web/studies", query_string=query)
        wanted = {0xA900: 400, 0xA700: 413}.get(status, 200)
        matches = answer.get_json() if answer.status_code == 200 else []
        if (answer.status_code, len(matches)) != (wanted, len(studies)):
            wrong.append((keyword, value[:20], answer.status_code))
    assert wrong == []


def test_name_of_too_many_words_is_refused_when_it_is_fuzzy(exchange: Exchange) -> None:
    words = " ".join(f"w{n}" for n in range(MAX_OPTIONS + 1))
    with exchange.associated(options=b"\0\0\1") as association:
        assert found(association, PatientName=words) == (0xA700, [])
        assert found(association, PatientName=" ".join(words.split()[:-1])) == (0, [])
        assert found(association, PatientName="x " * 8000) == (0, [])


@pytest.mark.slow
@pytest.mark.parametrize("level", ["STUDY", "SERIES", "IMAGE"])
def test_ten_thousand_uids_are_looked_for_and_one_more_is_refused(
    exchange: Exchange, level: str
) -> None:
    keyword = {"STUDY": "Study", "SERIES": "Series", "IMAGE": "SOP"}[level] + "InstanceUID"
    own = uid({"STUDY": "a", "SERIES": "a1", "IMAGE": "a1.1"}[level])
    some = [*LONG_UIDS[:-2], own, uid({"STUDY": "u", "SERIES": "u1", "IMAGE": "u1.1"}[level])]
    began = time.monotonic()
    with exchange.associated(options=b"\1") as association:
        assert found(association, level, **{keyword: some}) == (0, ["a"])
        assert found(association, level, **{keyword: [*LONG_UIDS, own]}) == (0xA700, [])
        assert found(association, level, **{keyword: [own] * 12_000}) == (0, ["a"])
    resource_name = {"STUDY": "studies", "SERIES": "series", "IMAGE": "instances"}[level]
    client = exchange.clients["hammer"]
    address = f"/dicom-web/{resource_name}?{keyword}="
    answer = client.get(address + ",".join(some))
    assert [label(m["0020000D"]["Value"][0]) for m in answer.get_json()] == ["a"]
    assert client.get(address + ",".join([*LONG_UIDS, own])).status_code == 413
    assert time.monotonic() - began < 30


def test_three_long_lists_at_once_are_taken(exchange: Exchange) -> None:
    some = [*(f"1.2.{n}" for n in range(MAX_VALUES - 3)), uid("a"), uid("a1"), uid("a1.1")]
    keys = dict.fromkeys(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"), some)
    with exchange.associated(options=b"\1") as association:
        assert found(association, "IMAGE", **keys) == (0, ["a"])


def test_identifier_of_many_elements_is_refused_or_read(exchange: Exchange) -> None:
    item = b"\xfe\xff\x00\xe0\x00\x00\x00\x00"
    many = b"\x40\x00\x75\x02" + (len(item) * 5000).to_bytes(4, "little") + item * 5000
    with exchange.associated() as association:
        assert answered(association, STUDY + many)[-1] == 0xA900
        assert found(association, AccessionNumber="A1") == (0, ["a"])


@ON_SQLITE
@pytest.mark.slow
def test_thousand_queries_of_one_association_take_no_more_memory(exchange: Exchange) -> None:
    def used_kib() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with exchange.associated(options=b"\1\1\1") as association:
        for number in range(1000):
            if number == 200:
                before = used_kib()
            keys = {"PatientName": f"*x{number}*", "StudyDescription": f"*{number}*"}
            assert found(association, **keys) == (0, [])
        assert found(association, AccessionNumber="A1") == (0, ["a"])
        assert used_kib() - before < 30_000


def test_patient_root_needs_the_patient_above(exchange: Exchange) -> None:
    ds = identifier("SERIES", {"PatientID": "123", "StudyInstanceUID": ""})
    with exchange.associated() as association:
        ((status, _),) = association.send_c_find(ds, PATIENT_ROOT_FIND)
        assert status.Status == 0xA900
        assert "StudyInstanceUID" in status.ErrorComment
    with exchange.associated(options=b"\1") as association:
        *matches, last = association.send_c_find(ds, PATIENT_ROOT_FIND)
        assert (len(matches), last[0].Status) == (2, 0x0000)


@pytest.mark.parametrize(
    "query",
    [
        "Nonsense=1",
        "PatientName.StudyDate=20260101",
        "RequestAttributesSequence=P1",
        "RequestAttributesSequence.Nonsense=1",
        "00400275.0040000=P1",
        "00091001=theirs",
        "StudyDate=yesterday",
        "StudyTime=1-2",
        "InstanceNumber=seven",
        "limit=x",
        "limit=-1",
        "limit=1&limit=2",
        "limit=%D9%A1",
        "offset=1.5",
        "offset=99999999999",
        "fuzzymatching=maybe",
        "emptyvaluematching=1",
        "multiplevaluematching=yes",
        "includefield=Nonsense",
        "PatientID=1&PatientID=2",
        "PatientID=1&00100020=2",
    ],
)
@ON_SQLITE
@pytest.mark.parametrize("resource_name", ["studies", "instances"])
def test_search_that_makes_no_sense_is_refused(
    exchange: Exchange, resource_name: str, query: str
) -> None:
    answer = exchange.clients["hammer"].get(f"/dicom-web/{resource_name}?{query}")
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"


def test_study_of_the_path_is_the_only_one(exchange: Exchange) -> None:
    client = exchange.clients["hammer"]
    path = f"/dicom-web/studies/{uid('a')}/series"
    assert client.get(f"{path}?StudyInstanceUID={uid('b')}").status_code == 400
    assert len(client.get(f"{path}?StudyInstanceUID={uid('b')},{uid('a')}").get_json()) == 2
    assert client.get(f"/dicom-web/studies/{uid('u')}/series").get_json() == []
    assert client.get("/dicom-web/studies/%27%20OR%201=1/series").get_json() == []
