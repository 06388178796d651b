"""The life of a case through the API: from the referral or the study to the acknowledged reply."""

import io

import pytest
from PIL import Image
from pydicom.dataset import Dataset

from casework.model import Role

FINDINGS = {
    "findings": "A nodule of 8 mm in the right upper lobe.",
    "impression": "Nodule; follow up.",
}


@pytest.fixture
def study(world):
    """Return the world and the case of a CT study of hammer."""
    world.store("hammer")
    return world, world.case_of("hammer", "1.2.826.0.1")


def claimed(world, case_id, who="radiologist@centre"):
    reader = world.client(who)
    assert reader.post(f"/api/cases/{case_id}/claim", json={}).get_json()["state"] == "claimed"
    return reader


def signed(world, case_id):
    reader = claimed(world, case_id)
    assert reader.put(f"/api/cases/{case_id}/findings", json=FINDINGS).status_code == 200
    assert reader.post(f"/api/cases/{case_id}/sign", json={}).status_code == 200
    return reader


def test_study_of_a_hospital_is_a_submitted_case_by_itself(study):
    world, case_id = study
    rows = world.client("radiologist@centre").get("/api/cases?state=submitted").get_json()["cases"]
    assert [(r["case_id"], r["specialty"], r["site"], r["modalities"]) for r in rows] == [
        (case_id, "radiology", "hammer", ["CT"])
    ]
    assert rows[0]["patient"]["birth_date"] == "1955-02-14"
    assert rows[0]["instance_count"] == 1


def test_case_shows_all_that_hangs_on_it(study):
    world, case_id = study
    answer = world.client("radiologist@centre").get(f"/api/cases/{case_id}")
    case = answer.get_json()
    assert case["studies"][0]["study_uid"] == "1.2.826.0.1"
    assert case["custody"][0]["event"] == "received"
    assert case["custody"][0]["instances"] == 1
    assert case["may"] == ["claim", "decline"]
    assert world.audit("case-opened")[0].case_id == case_id


def test_second_claim_is_refused_with_the_name_and_the_state(study):
    world, case_id = study
    claimed(world, case_id)
    world.parts.people.add_user(
        "second@centre", site="centre", role=Role.RADIOLOGIST, name="Second", password_hash="x"
    )
    world.tokens["second@centre"] = world.parts.people.add_token("second@centre", days=1, name="t")
    answer = world.client("second@centre").post(f"/api/cases/{case_id}/claim", json={})
    assert answer.status_code == 409
    assert answer.mimetype == "application/problem+json"
    problem = answer.get_json()
    assert problem["code"] == "claimed"
    assert problem["state"] == "claimed"
    assert "radiologist centre" in problem["detail"]


def test_step_that_does_not_fit_answers_with_the_present_state(study):
    world, case_id = study
    answer = world.client("referrer@hammer").post(f"/api/cases/{case_id}/acknowledge", json={})
    assert (answer.status_code, answer.get_json()["state"]) == (409, "submitted")


def test_step_of_another_role_is_refused(study):
    world, case_id = study
    answer = world.client("referrer@hammer").post(f"/api/cases/{case_id}/claim", json={})
    assert (answer.status_code, answer.get_json()["code"]) == (403, "wrong-role")


def test_findings_move_on_only_from_the_version_that_was_edited(study):
    world, case_id = study
    reader = claimed(world, case_id)
    url = f"/api/cases/{case_id}/findings"
    first = reader.put(url, json=FINDINGS)
    assert (first.status_code, first.headers["ETag"]) == (200, '"1"')
    second = reader.put(
        url, json={**FINDINGS, "advice": "CT in 3 months"}, headers={"If-Match": '"1"'}
    )
    assert second.headers["ETag"] == '"2"'
    stale = reader.put(url, json=FINDINGS, headers={"If-Match": '"1"'})
    assert stale.status_code == 409
    assert stale.get_json()["state"] == "reported"
    case = reader.get(f"/api/cases/{case_id}").get_json()
    assert case["draft"]["advice"] == "CT in 3 months"
    assert case["draft_version"] == 2


def test_draft_is_saved_over_the_version_that_the_case_was_loaded_with(study):
    world, case_id = study
    reader = claimed(world, case_id)
    url = f"/api/cases/{case_id}"
    reader.put(f"{url}/findings", json=FINDINGS)
    loaded = reader.get(url).headers["ETag"]
    saved = reader.put(f"{url}/findings", json=FINDINGS, headers={"If-Match": loaded})
    assert (saved.status_code, saved.get_json()["draft_version"]) == (200, 2)


def test_draft_findings_are_shown_to_their_writer_only(study):
    world, case_id = study
    reader = claimed(world, case_id)
    reader.put(f"/api/cases/{case_id}/findings", json=FINDINGS)
    for who in ("referrer@hammer", "coordinator@centre"):
        answer = world.client(who).get(f"/api/cases/{case_id}")
        assert answer.get_json()["draft"] is None
        assert "nodule" not in answer.text.lower()


@pytest.mark.parametrize(
    ("body", "status"),
    [({"impresion": "x"}, 422), ({"impression": 5}, 422), ([1], 400), ("nonsense", 400)],
)
def test_findings_of_a_wrong_form_are_refused(study, body, status):
    world, case_id = study
    reader = claimed(world, case_id)
    assert reader.put(f"/api/cases/{case_id}/findings", json=body).status_code == status


def test_nobody_signs_without_an_impression(study):
    world, case_id = study
    reader = claimed(world, case_id)
    reader.put(f"/api/cases/{case_id}/findings", json={"findings": "Something."})
    answer = reader.post(f"/api/cases/{case_id}/sign", json={})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "impression-missing")


def test_reply_is_signed_read_and_acknowledged(study):
    world, case_id = study
    reader = claimed(world, case_id)
    reader.put(f"/api/cases/{case_id}/findings", json=FINDINGS)
    answer = reader.post(f"/api/cases/{case_id}/sign", json={"displayed": {"frames": 1}}).get_json()
    assert answer["state"] == "signed"
    assert answer["report"]["kind"] == "original"
    assert answer["report"]["content"]["impression"] == FINDINGS["impression"]
    asker = world.client("referrer@hammer")
    case = asker.get(f"/api/cases/{case_id}").get_json()
    assert [r["version"] for r in case["reports"]] == [1]
    assert {d["channel"] for d in case["deliveries"]} >= {"inbox"}
    closed = asker.post(f"/api/cases/{case_id}/acknowledge", json={}).get_json()
    assert closed["state"] == "closed"


def test_signed_report_is_addended_and_corrected_never_changed(study):
    world, case_id = study
    reader = signed(world, case_id)
    changed = reader.put(f"/api/cases/{case_id}/findings", json=FINDINGS)
    assert (changed.status_code, changed.get_json()["state"]) == (409, "signed")
    added = reader.post(f"/api/cases/{case_id}/addend", json={"impression": "Also a rib fracture."})
    assert added.get_json()["report"]["kind"] == "addendum"
    body = {**FINDINGS, "impression": "No nodule: nipple shadow."}
    corrected = reader.post(f"/api/cases/{case_id}/correct", json=body).get_json()
    assert (corrected["report"]["kind"], corrected["report_version"]) == ("correction", 3)
    reports = reader.get(f"/api/cases/{case_id}").get_json()["reports"]
    assert reports[0]["content"]["impression"] == FINDINGS["impression"]


def test_reader_asks_and_referrer_answers(study):
    world, case_id = study
    reader = claimed(world, case_id)
    body = {"reason": "incomplete", "text": "Is there an older CT?"}
    assert reader.post(f"/api/cases/{case_id}/ask", json=body).get_json()["state"] == "waiting"
    asker = world.client("referrer@hammer")
    answer = asker.post(f"/api/cases/{case_id}/answer", json={"text": "From 2019."})
    assert answer.get_json()["state"] == "submitted"
    case = asker.get(f"/api/cases/{case_id}").get_json()
    assert [(m["kind"], m["text"]) for m in case["conversation"]] == [
        ("question", "Is there an older CT?"),
        ("answer", "From 2019."),
    ]


@pytest.mark.parametrize(
    ("who", "step", "state"),
    [("radiologist@centre", "decline", "declined"), ("referrer@hammer", "withdraw", "withdrawn")],
)
def test_case_is_declined_or_withdrawn_with_a_reason(study, who, step, state):
    world, case_id = study
    client = world.client(who)
    assert client.post(f"/api/cases/{case_id}/{step}", json={"reason": " "}).status_code == 422
    answer = client.post(f"/api/cases/{case_id}/{step}", json={"reason": "Sent twice."})
    assert answer.get_json()["state"] == state


def test_list_is_cut_into_pages_and_filtered(world):
    for n in range(3):
        uids = {"StudyInstanceUID": f"1.2.{n}", "SeriesInstanceUID": f"1.2.{n}.1"}
        world.store("hammer", **uids, SOPInstanceUID=f"1.2.{n}.1.1", PatientID=f"p{n}")
    world.store("berg", StudyInstanceUID="1.3", SeriesInstanceUID="1.3.1", SOPInstanceUID="1.3.1.1")
    client = world.client("coordinator@centre")
    first = client.get("/api/cases?site=hammer&limit=2").get_json()
    assert len(first["cases"]) == 2
    second = client.get(first["next"]).get_json()
    assert len(second["cases"]) == 1
    assert second["next"] is None
    assert len(client.get("/api/cases").get_json()["cases"]) == 4
    assert client.get("/api/cases?specialty=dermatology").get_json()["cases"] == []
    assert len(client.get("/api/cases?q=p1").get_json()["cases"]) == 1


@pytest.mark.parametrize(
    "query", ["state=nonsense", "page=0", "limit=x", "colour=red", "specialty=x"]
)
def test_list_names_what_is_wrong_with_a_filter(shared_world, query):
    answer = shared_world.client("coordinator@centre").get(f"/api/cases?{query}")
    assert answer.status_code == 422
    assert query.split("=")[0] in answer.get_json()["detail"]


def test_custody_of_an_instance(study):
    world, _ = study
    answer = world.client("referrer@hammer").get("/api/instances/1.2.826.0.1.1/custody").get_json()
    assert [row["event"] for row in answer["custody"]] == ["received", "synced"]
    assert (answer["site"], answer["study_uid"]) == ("hammer", "1.2.826.0.1")
    assert len(answer["sha256"]) == 64
    trail = answer["trail"]
    assert (trail["door"], trail["association"], trail["opened_at"]) == ("import", "test", None)
    assert trail["received_at"] <= trail["synced_at"]
    assert (
        world.client("referrer@berg").get("/api/instances/1.2.826.0.1.1/custody").status_code == 404
    )


def test_referral_is_made_edited_and_never_submitted_without_an_image(world):
    asker = world.client("referrer@fjord")
    case_id = world.derm_case(question="")
    edited = asker.put(
        f"/api/cases/{case_id}/referral",
        json={
            "question": "Melanoma?",
            "patient": {"id": "2", "name": {"family": "Li", "given": "Bo"}},
        },
    )
    assert edited.status_code == 200, edited.text
    case = asker.get(f"/api/cases/{case_id}").get_json()
    assert case["question"] == "Melanoma?"
    assert case["patient"]["name"] == "Li^Bo"
    assert case["clinical"]["category"] == "mole"
    answer = asker.post(f"/api/cases/{case_id}/submit", json={})
    assert answer.status_code == 422
    assert world.client("dermatologist@centre").get(f"/api/cases/{case_id}").status_code == 404


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"patient": {"name": "A"}}, "patient.id"),
        ({"patient": {"id": "1", "birth_date": "13.11.1969"}}, "patient.birth_date"),
        ({"patient": {"id": "1", "birth_date": "2190-01-01"}}, "patient.birth_date"),
        ({"patient": {"id": "1", "sex": "yes"}}, "patient.sex"),
        ({"patient": {"id": "1\x00"}}, "patient.id"),
        ({"patient": {"id": "1", "name": "A\\B"}}, "patient.name"),
        ({"specialty": "astrology"}, "specialty"),
        ({"priority": "now"}, "priority"),
        ({"colour": "red"}, "colour"),
        ({"clinical": []}, "clinical"),
    ],
)
def test_referral_of_a_wrong_form_names_its_fault(shared_world, changes, name):
    body = {"specialty": "dermatology", "patient": {"id": "1"}, "question": "?", **changes}
    answer = shared_world.client("referrer@fjord").post("/api/referrals", json=body)
    assert answer.status_code == 422
    assert name in answer.get_json()["detail"]


@pytest.mark.parametrize(("given", "kept"), [("male", "M"), ("Female", "F"), ("O", "O"), ("", "")])
def test_sex_is_taken_in_words_or_as_dicom_writes_it(shared_world, given, kept):
    client = shared_world.client("referrer@fjord")
    body = {"specialty": "dermatology", "patient": {"id": "1", "sex": given}}
    case_id = client.post("/api/referrals", json=body).get_json()["case_id"]
    assert client.get(f"/api/cases/{case_id}").get_json()["patient"]["sex"] == kept


def test_only_those_who_refer_may_refer(shared_world):
    body = {"specialty": "dermatology", "patient": {"id": "1"}}
    answer = shared_world.client("dermatologist@centre").post("/api/referrals", json=body)
    assert answer.status_code == 403


def jpeg(size=(800, 600)):
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(file, "JPEG", quality=90)
    return file.getvalue()


def photo_form(data, **fields):
    form = {"kind": "closeup", "site_code": "36141000", "laterality": "left", **fields}
    return {**form, "photo": (io.BytesIO(data), "photo.jpg")}


def test_photo_is_judged_and_becomes_an_object_of_its_case(world):
    asker = world.client("referrer@fjord")
    case_id = world.derm_case()
    advice = asker.post("/api/photos/assess", data={"photo": (io.BytesIO(jpeg()), "p.jpg")})
    assert advice.status_code == 200, advice.text
    assert {a["verdict"] for a in advice.get_json()["advice"]} <= {"good", "doubtful", "poor"}
    url = f"/api/cases/{case_id}/photos"
    taken = asker.post(url, data=photo_form(jpeg(), capture_id="c1"))
    assert taken.status_code == 201, taken.text
    again = asker.post(url, data=photo_form(jpeg(), capture_id="c1"))
    assert again.get_json()["sop_instance_uid"] == taken.get_json()["sop_instance_uid"]
    world.parts.archive.settle()
    photos = asker.get(url).get_json()["photos"]
    assert [p["sop_instance_uid"] for p in photos] == [taken.get_json()["sop_instance_uid"]]
    assert photos[0]["study_instance_uid"] == taken.get_json()["study_instance_uid"]
    assert asker.post(f"/api/cases/{case_id}/submit", json={}).get_json()["state"] == "submitted"
    assert world.client("dermatologist@centre").get(f"/api/cases/{case_id}").status_code == 200


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422),
        (b"", 422),
        (b"\xff\xd8\xff\xe0junk", 422),
    ],
)
def test_file_that_is_no_photograph_is_refused_and_nothing_is_kept(world, data, status):
    asker = world.client("referrer@fjord")
    case_id = world.derm_case()
    answer = asker.post(f"/api/cases/{case_id}/photos", data=photo_form(data))
    assert answer.status_code == status, answer.text
    assert answer.get_json()["code"]
    assert asker.get(f"/api/cases/{case_id}/photos").get_json()["photos"] == []


def test_upload_over_the_limit_is_refused_before_it_is_read(world):
    case_id = world.derm_case()
    answer = world.client("referrer@fjord").post(
        f"/api/cases/{case_id}/photos",
        data=b"--b\r\n" + bytes(2 << 20),
        content_type="multipart/form-data; boundary=b",
    )
    assert answer.status_code == 413
    assert answer.mimetype == "application/problem+json"


def test_photo_form_names_what_is_missing(world):
    case_id = world.derm_case()
    client = world.client("referrer@fjord")
    url = f"/api/cases/{case_id}/photos"
    assert client.post(url, data={"kind": "closeup", "site_code": "1"}).status_code == 400
    wrong = client.post(url, data=photo_form(jpeg(), kind="selfie"))
    assert wrong.status_code == 422
    assert "kind" in wrong.get_json()["detail"]


def test_words_of_a_referral(shared_world):
    client = shared_world.client("referrer@fjord")
    words = client.get("/api/clinical").get_json()
    assert {c["value"] for c in words["consents"]} == {"care", "teaching", "research"}
    assert "blurred" in {r["value"] for r in words["reason_codes"]}
    assert all(q["label_nb"] for q in words["questions"])
    sites = client.get("/api/sites-on-body").get_json()["sites"]
    assert len(sites) > 20
    assert {"code", "meaning"} <= set(sites[0]) or "code" in sites[0]


def test_me(shared_world):
    me = shared_world.client("radiologist@centre").get("/api/me").get_json()
    assert (me["role"], me["site"], me["site_kind"]) == ("radiologist", "centre", "centre")


@pytest.mark.parametrize("who", ["dermatologist@centre", "coordinator@centre"])
def test_only_the_site_that_asks_adds_photographs(world, who):
    case_id = world.derm_case()
    asker = world.client("referrer@fjord")
    url = f"/api/cases/{case_id}/photos"
    assert asker.post(url, data=photo_form(jpeg())).status_code == 201
    asker.post(f"/api/cases/{case_id}/submit", json={})
    answer = world.client(who).post(url, data=photo_form(jpeg()))
    assert (answer.status_code, answer.get_json()["code"]) == (403, "wrong-role")


def test_photo_of_a_site_that_dicom_does_not_know_is_refused(world):
    case_id = world.derm_case()
    url = f"/api/cases/{case_id}/photos"
    answer = world.client("referrer@fjord").post(url, data=photo_form(jpeg(), site_code="1"))
    assert (answer.status_code, answer.get_json()["code"]) == (422, "unknown-site")


@pytest.mark.parametrize("in_request", [False, True])
@pytest.mark.parametrize(
    ("keyword", "told", "priority"),
    [("RequestedProcedurePriority", "STAT", "stat"), ("StudyPriorityID", "HIGH", "urgent")],
)
def test_a_study_that_says_it_is_urgent_when_it_is_sent_is_an_urgent_case(
    world, keyword, told, priority, in_request
):
    given = {keyword: told}
    if in_request:
        item = Dataset()
        setattr(item, keyword, told)
        given = {"RequestAttributesSequence": [item]}
    world.store("hammer", **given)
    case = world.client("referrer@hammer").get("/api/cases").get_json()["cases"][0]
    assert case["priority"] == priority
