"""HTML in what a modality or a referrer wrote comes out as text on every page."""

HTML = "<script>alert(1)</script>"


def pages(app):
    """Yield the address of every page that takes no argument but a case."""
    for rule in app.url_map.iter_rules():
        machine = rule.rule.startswith(
            ("/api", "/dicom-web", "/fhir", "/metrics", "/healthz", "/readyz")
        )
        if "GET" in rule.methods and not machine and rule.arguments <= {"case_id"}:
            yield rule


def test_html_in_a_patient_name_is_text(shared_world):
    world = shared_world
    world.store("hammer", StudyDescription=HTML, ReasonForTheRequestedProcedure=HTML)
    case_id = world.case_of("hammer", "1.2.826.0.1")
    shown = 0
    for who in ("referrer@hammer", "radiologist@centre", "coordinator@centre", "admin@centre"):
        for rule in pages(world.app):
            url = rule.rule.replace("<case_id>", case_id)
            answer = world.client(who).get(url)
            assert answer.status_code in {200, 302, 403, 404, 503}, (who, url)  # 503: not built
            if answer.mimetype == "text/html":
                assert HTML not in answer.text, (who, url)
                shown += "&lt;script&gt;alert(1)" in answer.text
    assert shown >= 2


def test_html_in_a_search_is_text(shared_world):
    answer = shared_world.client("coordinator@centre").get("/", query_string={"q": HTML})
    assert HTML not in answer.text
