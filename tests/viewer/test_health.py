"""Alive, ready, and the figures for Prometheus."""

from dataclasses import replace

from casework.errors import Unavailable
from viewer.app import create_app
from viewer.services import services


def with_changes(world, **changes):
    with world.app.app_context():
        return create_app(replace(services(), **changes))


def test_alive_and_ready(shared_world):
    client = shared_world.anonymous()
    assert client.get("/healthz").get_json() == {"status": "alive"}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert {"database", "spool"} <= set(ready.get_json()["parts"])


def test_part_that_does_not_answer_is_named(shared_world):
    def out():
        raise Unavailable("The store does not answer at s3://secret.")

    answer = with_changes(shared_world, checks={"store": out}).test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json() == {"status": "not ready", "failing": ["store"]}


def test_a_bridge_that_takes_nothing_in_is_not_ready_and_an_alarm(world):
    notices, client = world.parts.archive.spool.notices, world.anonymous()
    assert "lysbro_spool_read_only 0.0" in client.get("/metrics").text
    notices.put_up("read-only", "syncing x.seg failed (Input/output error)", at=world.parts.clock())
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json() == {"status": "not ready", "failing": ["spool"]}
    assert "lysbro_spool_read_only 1.0" in client.get("/metrics").text
    notices.take_down("read-only")
    assert client.get("/readyz").status_code == 200


def test_metrics_count_requests_and_the_spool(shared_world):
    client = shared_world.anonymous()
    client.get("/healthz")
    text = client.get("/metrics").text
    assert 'lysbro_http_requests_total{endpoint="health.alive",status="200"}' in text
    assert "lysbro_spool_bytes" in text


def test_metrics_are_for_this_machine_and_administrators(shared_world):
    away = {"REMOTE_ADDR": "10.0.0.7"}
    assert shared_world.anonymous().get("/metrics", environ_base=away).status_code == 404
    referrer = shared_world.client("referrer@hammer")
    assert referrer.get("/metrics", environ_overrides=away).status_code == 404
    admin = shared_world.client("admin@centre")
    assert admin.get("/metrics", environ_overrides=away).status_code == 200


def test_proxy_on_this_machine_does_not_open_the_metrics(shared_world):
    answer = shared_world.anonymous().get("/metrics", headers={"X-Forwarded-For": "10.0.0.7"})
    assert answer.status_code == 404


def test_metrics_are_public_where_that_is_set(shared_world):
    with shared_world.app.app_context():
        settings = replace(services().settings, metrics_public=True)
    client = with_changes(shared_world, settings=settings).test_client()
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "10.0.0.7"}).status_code == 200
