"""The worker asks a site's PACS for earlier studies and fetches them, however the PACS behaves."""

from __future__ import annotations

import hashlib
import ssl
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydicom.dataset import Dataset

from casework.access import Scope
from casework.custody import Door, Origin
from casework.model import AePermission, Site, SiteKind
from casework.priors import PriorRule
from lysbro.dicom import open_bridge
from lysbro.prefetching import Prefetcher
from lysbro.settings import Settings
from lysbro.wiring import Parts, open_parts
from pacs_bridge.scu import Wait
from storage.prior_standing import AskedNode
from tests.lysbro.pacs import Pacs, serving
from tests.pacs_bridge.certificates import wallet
from tests.pacs_bridge.making import ct, part10

pytestmark = pytest.mark.slow

P = AePermission
OSLO = ZoneInfo("Europe/Oslo")
ALL = Scope(sites=None, specialties=None, own_site="nordlys")
WARD = Scope(sites=frozenset({"hammer"}), specialties=None, own_site="hammer")
OTHERS = Scope(sites=frozenset({"vardo"}), specialties=None, own_site="vardo")
SENT = Origin(site="hammer", door=Door.DICOM, calling_ae="HAMMER_CT", association="a1")
WAIT = Wait(connect_s=2, association_s=5, answer_s=1)
RULE = PriorRule(0, ("PACS",), years=10, most_studies=5)
Office = tuple[Parts, int]


@pytest.fixture
def office(tmp_path: Path):
    """Give an exchange with a bridge, two hospitals and the centre; and its port."""
    settings = Settings(data=tmp_path, dicom_port=0)
    with open_parts(settings, intake=True) as opened, open_bridge(opened) as port:
        opened.people.add_site(Site("hammer", "Hammer", SiteKind.HOSPITAL))
        opened.people.add_site(Site("vardo", "Vardø", SiteKind.HOSPITAL))
        opened.people.add_site(Site("nordlys", "Nordlys", SiteKind.CENTRE))
        yield opened, port


def study(uid: str, count: int = 2, **values: Any) -> list[Dataset]:
    found = []
    for number in range(1, count + 1):
        given = {"StudyDate": "20250110", "StudyDescription": "CT caput", **values}
        ds = ct(f"{uid}.1.{number}", study=uid, series=f"{uid}.1", InstanceNumber=number, **given)
        part10(ds)
        found.append(ds)
    return found


def arrive(parts: Parts, uid: str = "1.2.50", **values: Any) -> str:
    """Let the site send a study, which is a case; return the case."""
    given = {"StudyDate": "20260302", **values}
    for ds in study(uid, 1, **given):
        parts.archive.receive_part10(BytesIO(part10(ds)), SENT)
    parts.archive.settle()
    (row,) = parts.index.studies(ALL, study_uid=uid)
    return row.case_id or ""


def know(parts: Parts, pacs: Pacs, *, site: str = "hammer", rule: PriorRule = RULE, **more: Any):
    parts.people.add_ae(
        "PACS", site, "127.0.0.1", pacs.port, frozenset({P.FETCH, P.STORE, P.QUERY}), **more
    )
    parts.prior_rules.add(rule)


def work(parts: Parts, *, later_s: float = 0) -> int:
    """Do what is due at a time; return how many jobs that were."""

    def later() -> datetime:
        return parts.clock() + timedelta(seconds=later_s)

    queue = type(parts.prior_queue)(parts.database, later)
    worker = Prefetcher(replace(parts, clock=later, prior_queue=queue), wait=WAIT)
    count = 0
    while worker.run_once():
        count += 1
    parts.archive.settle()
    return count


def standing(parts: Parts, case: str) -> AskedNode:
    (found,) = parts.prior_standings.of_case(case)
    return found


def listed(parts: Parts, case: str, scope: Scope = ALL) -> list[tuple[str, int, str]]:
    return [
        (prior.study_uid, prior.instance_count, prior.completeness)
        for prior in parts.priors.of_case(scope, case)
    ]


def case_count(parts: Parts) -> int:
    return parts.casebook.counts()["total"]


# pynetdicom names itself as the originator of a C-MOVE: it is believed while it is moving
@pytest.mark.parametrize(("offers", "door"), [(("get", "move"), "prior"), (("move",), "dicom")])
def test_an_earlier_study_is_fetched_and_is_no_case(office: Office, offers, door) -> None:
    parts, port = office
    prior, knee = study("1.2.7"), study("1.2.8", StudyDescription="CT kne", StudyDate="20240101")
    with serving([*prior, *knee], offers=offers, destination=port) as pacs:
        know(parts, pacs)
        case = arrive(parts)
        before = parts.casebook.dossier(ALL, case)
        assert standing(parts, case).state == "queued"
        work(parts)

    assert pacs.ways == [offers[0]] * 2
    (asked,) = [keys for keys in pacs.asked if keys.QueryRetrieveLevel == "STUDY"]
    assert (asked.PatientID, asked.IssuerOfPatientID) == ("hammer-1", "")
    assert listed(parts, case) == [("1.2.7", 2, "complete"), ("1.2.8", 2, "complete")]
    assert standing(parts, case).fetched == 2
    assert case_count(parts) == 1
    assert parts.casebook.dossier(ALL, case) == before
    ((row,), _) = parts.casebook.list_cases(ALL)
    assert row.prior_count == 2
    # byte for byte, of the site whose node gave it, and its custody says how it came
    (first, _) = parts.index.instances_of(ALL, "1.2.7")
    sent = part10(prior[0])
    with parts.archive.open_part10(first) as stream:
        dataset = stream.read()[first.location.dataset_offset :]
    assert sent.endswith(dataset)
    digest = hashlib.sha256(first.transfer_syntax_uid.encode() + dataset).hexdigest()
    assert (first.sha256, first.site) == (digest, "hammer")
    assert parts.index.custody(ALL, first.sop_instance_uid)[0].detail["door"] == door
    # who may not see the case's site sees nothing of it
    assert parts.index.studies(OTHERS, study_uid="1.2.7") == []
    assert listed(parts, case, WARD) == listed(parts, case)
    assert work(parts, later_s=4000) == 0


def test_what_is_here_is_not_fetched_again_nor_asked_for_twice(office: Office) -> None:
    parts, port = office
    with serving(study("1.2.7"), destination=port) as pacs:
        know(parts, pacs)
        arrive(parts)
        work(parts)
        again = arrive(parts, "1.2.51")
        work(parts)
    assert pacs.ways == ["get"]
    refused = {each.study_uid: each.refusal for each in standing(parts, again).refused}
    assert refused == {"1.2.7": "here"}
    assert [uid for uid, *_ in listed(parts, again)] == ["1.2.50", "1.2.7"]


def test_a_study_of_somebody_else_is_not_fetched_and_nothing_of_it_is_kept(office: Office) -> None:
    parts, port = office
    other = study("1.2.9", PatientID="hammer-2", PatientName="Ås^Ola")
    same_number = study("1.2.10", PatientBirthDate="19800101")
    with serving([*other, *same_number], destination=port, ignores_number=True) as pacs:
        know(parts, pacs)
        case = arrive(parts)
        work(parts)
    assert pacs.given == []
    told = standing(parts, case)
    assert (told.state, told.mismatched, told.studies) == ("done", 2, ())
    assert listed(parts, case) == []


def test_an_object_of_another_patient_within_the_study_is_not_kept(office: Office) -> None:
    parts, port = office
    mixed = [*study("1.2.7", 1), *study("1.2.7", 2, PatientID="hammer-2")[1:]]
    with serving(mixed, destination=port, offers=("get",)) as pacs:
        know(parts, pacs)
        case = arrive(parts)
        work(parts)
    assert len(pacs.given) == 2
    assert listed(parts, case) == [("1.2.7", 1, "arriving")]
    (told,) = standing(parts, case).studies
    assert (told.state, told.error) == (
        "queued",
        "PACS has given 1 of the 2 objects of the study (It is of another study, or of another "
        "patient).",
    )


def test_a_node_that_gives_fewer_than_it_said_is_believed_and_that_is_told(office: Office) -> None:
    parts, port = office
    with serving(study("1.2.7", 3), destination=port, overstated=2) as pacs:
        know(parts, pacs)
        case = arrive(parts)
        work(parts)
    (told,) = standing(parts, case).studies
    assert told.state == "done"
    assert told.error == "PACS has given 3 of the 5 images that it had told of, and has no more."
    (prior,) = parts.priors.of_case(ALL, case)
    assert (prior.completeness, prior.instance_count, prior.missing_instances) == ("arriving", 3, 2)


def test_after_a_break_only_what_is_missing_is_fetched(office: Office) -> None:
    parts, port = office
    with serving(study("1.2.7", 5), destination=port, stops_after=2) as pacs:
        know(parts, pacs)
        case = arrive(parts)
        work(parts)
        (told,) = standing(parts, case).studies
        assert (told.state, "PACS" in told.error) == ("queued", True)
        first = list(pacs.given)
        pacs.given.clear()
        pacs.stops_after = 100
        work(parts, later_s=10)
    assert set(first) | set(pacs.given) == {f"1.2.7.1.{n}" for n in range(1, 6)}
    assert not set(first) & set(pacs.given)
    assert listed(parts, case) == [("1.2.7", 5, "complete")]
    assert case_count(parts) == 1


def test_a_worker_that_dies_in_the_middle_is_followed_by_another(office: Office) -> None:
    parts, _ = office
    with serving(study("1.2.7", 4), offers=("get",), stops_after=2) as pacs:
        know(parts, pacs)
        case = arrive(parts)

        class Died(BaseException):
            pass

        worker = Prefetcher(parts, wait=WAIT)
        assert worker.run_once()  # the question
        job = worker.take()
        assert job is not None
        original = type(parts.prior_queue).failed

        def died(*_: object, **__: object) -> bool:
            raise Died

        type(parts.prior_queue).failed = died  # type: ignore[assignment]
        try:
            with pytest.raises(Died):
                worker.do(job)
        finally:
            type(parts.prior_queue).failed = original  # type: ignore[method-assign]
        pacs.stops_after = 100
        assert work(parts) == 0  # the lease is still its
        assert work(parts, later_s=181) == 1
    assert listed(parts, case) == [("1.2.7", 4, "complete")]


def test_a_node_that_breaks_c_get_off_is_asked_to_move_the_rest(office: Office) -> None:
    parts, port = office
    with serving(study("1.2.7", 5), destination=port, breaks_get=True, stops_after=2) as pacs:
        know(parts, pacs)
        case = arrive(parts)
        work(parts)
    assert pacs.ways == ["get", "move"]
    assert sorted(pacs.given) == [f"1.2.7.1.{n}" for n in range(1, 6)]  # each of them once
    assert listed(parts, case) == [("1.2.7", 5, "complete")]
    assert case_count(parts) == 1


def test_a_node_that_tells_too_little_of_its_studies_is_asked_for_their_series(
    office: Office,
) -> None:
    parts, port = office
    head = study("1.2.7", 3, StudyDescription="", BodyPartExamined="HEAD")
    with serving([*head, *study("1.2.8")], destination=port, tells_little=True) as pacs:
        know(parts, pacs, rule=replace(RULE, most_images=3))
        case = arrive(parts, BodyPartExamined="HEAD", StudyDescription="")
        work(parts)
    told = [
        (each.study_uid, each.images, each.modalities) for each in standing(parts, case).studies
    ]
    assert told == [("1.2.7", 3, ("CT",)), ("1.2.8", 2, ("CT",))]
    assert [uid for uid, *_ in listed(parts, case)] == ["1.2.7"]


def test_a_silent_node_is_asked_again(office: Office) -> None:
    parts, _ = office
    silence = threading.Event()
    with serving(study("1.2.7"), silence=silence) as pacs:
        know(parts, pacs)
        case = arrive(parts)
        work(parts)
        silence.set()
    told = standing(parts, case)
    assert (told.state, told.attempts) == ("queued", 1)
    assert "answer" in told.error
    assert parts.prior_queue.counts() == {"questions": 1, "fetches": 0, "given_up": 0}


def test_what_was_given_up_can_be_put_back(office: Office) -> None:
    parts, port = office
    with serving(study("1.2.7"), destination=port, offers=()) as pacs:
        know(parts, pacs)
        case = arrive(parts)
        for attempt in range(21):
            work(parts, later_s=attempt * 4000)
        (letter,) = parts.prior_queue.given_up()
        assert (letter.kind, letter.node, letter.subject) == ("fetch", "PACS", "1.2.7")
        assert letter.attempts == 20
        assert letter.last_error == "PACS lets us fetch nothing: no C-GET, no C-MOVE."
    with serving(study("1.2.7"), destination=port) as pacs:
        parts.people.add_ae("PACS", "hammer", "127.0.0.1", pacs.port, frozenset({P.FETCH}))
        parts.prior_queue.replay("fetch", letter.id)
        work(parts, later_s=90000)
    assert listed(parts, case) == [("1.2.7", 2, "complete")]


def test_a_node_that_does_not_know_us_says_what_is_to_be_entered_there(office: Office) -> None:
    parts, _ = office
    with serving(study("1.2.7"), offers=("move",)) as pacs:
        know(parts, pacs)
        case = arrive(parts)
        work(parts)
    (told,) = standing(parts, case).studies
    assert told.error == (
        "PACS does not know LYSBRO as a destination. Have its address entered there."
    )


def test_large_studies_wait_for_the_hours(office: Office) -> None:
    parts, port = office
    now = parts.clock().astimezone(OSLO)
    opens = (now + timedelta(hours=3)).replace(minute=0, second=0, microsecond=0)
    rule = replace(RULE, large_images=1, from_hour=opens.hour, to_hour=(opens.hour + 7) % 24)
    with serving(study("1.2.7"), destination=port) as pacs:
        know(parts, pacs, rule=rule)
        case = arrive(parts)
        assert work(parts) == 1  # the question alone
        (told,) = standing(parts, case).studies
        assert told.waits_until == opens
        wait_s = (opens - now).total_seconds()
        assert work(parts, later_s=wait_s - 60) == 0
        assert work(parts, later_s=wait_s + 1) == 1
    assert listed(parts, case) == [("1.2.7", 2, "complete")]


def test_a_study_that_its_site_sends_later_by_itself_is_a_case(office: Office) -> None:
    parts, port = office
    prior = study("1.2.7")
    with serving(prior, destination=port) as pacs:
        know(parts, pacs)
        case = arrive(parts)
        work(parts)
        assert case_count(parts) == 1
    parts.prior_rules.remove(1)
    parts.archive.receive_part10(BytesIO(part10(prior[0])), SENT)  # the same bytes again
    parts.archive.settle()
    (row,) = parts.index.studies(ALL, study_uid="1.2.7")
    assert row.case_id not in (None, case)
    assert case_count(parts) == 2
    assert listed(parts, case) == [("1.2.7", 2, "complete")]


def test_the_case_needs_no_earlier_studies_once_it_is_withdrawn(office: Office) -> None:
    parts, port = office
    with serving(study("1.2.7"), destination=port) as pacs:
        know(parts, pacs)
        case = arrive(parts)
        from sqlalchemy import update  # noqa: PLC0415

        from storage.casebook_tables import cases  # noqa: PLC0415

        with parts.database.begin() as conn:
            conn.execute(update(cases).where(cases.c.id == case).values(state="withdrawn"))
        work(parts)
    assert (pacs.asked, standing(parts, case).state) == ([], "skipped")


def test_a_node_of_another_site_is_asked_only_for_a_number_that_is_known_there(
    office: Office,
) -> None:
    parts, port = office
    national = "2.16.578.1.12.4.1.4.1"
    with serving(study("1.2.7", IssuerOfPatientID=national), destination=port) as pacs:
        know(parts, pacs, site="vardo")
        local = arrive(parts)
        known = arrive(parts, "1.2.60", IssuerOfPatientID=national)
        work(parts)
    assert [keys.get("IssuerOfPatientID") for keys in pacs.asked] == [national]
    assert standing(parts, local).state == "skipped"
    assert "another site" in standing(parts, local).error
    # it is of the site that gave it: the centre sees it for the case, the asking site does not
    (row,) = parts.index.studies(ALL, study_uid="1.2.7")
    assert (row.site, row.case_id) == ("vardo", None)
    assert [uid for uid, *_ in listed(parts, known)] == ["1.2.7"]
    assert listed(parts, known, WARD) == []
    assert listed(parts, local) == []


@pytest.mark.peers
def test_a_node_that_is_tls_only_is_asked_and_fetched_from_over_tls(office: Office) -> None:
    parts, _ = office
    paper = wallet().hammer
    secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=wallet().authority.cert)
    secure.verify_mode = ssl.CERT_REQUIRED
    secure.load_cert_chain(wallet().server.cert, wallet().server.key)
    with serving(study("1.2.7"), offers=("get",), secure=secure) as pacs:
        know(parts, pacs, tls_only=True)
        case = arrive(parts)
        work(parts)
        told = standing(parts, case)
        assert told.state == "queued"
        assert "called over TLS only, and we have no certificate" in told.error
        settings = parts.settings.model_copy(
            update={
                "dicom_tls_cert": paper.cert,
                "dicom_tls_key": paper.key,
                "dicom_tls_ca": wallet().authority.cert,
            }
        )
        work(replace(parts, settings=settings), later_s=6)
    assert listed(parts, case) == [("1.2.7", 2, "complete")]


def test_a_node_that_may_not_be_asked_any_more_is_told_of(office: Office) -> None:
    parts, port = office
    with serving(study("1.2.7"), destination=port) as pacs:
        know(parts, pacs)
        case = arrive(parts)
        parts.people.add_ae("PACS", "hammer", "127.0.0.1", pacs.port, frozenset({P.QUERY}))
        work(parts)
    told = standing(parts, case)
    assert (told.state, told.error) == ("dead", "PACS may not be asked any more.")
