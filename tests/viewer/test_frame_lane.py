"""The short way to a frame answers as the long way does, to the same people, and no one else."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import imagecodecs
import pytest
from sqlalchemy import update

from storage.casebook_tables import cases
from viewer.app import create_app
from viewer.dicomweb import lane
from viewer.guard import session_cookie_name
from viewer.services import services
from viewer.sight import FOR_S, Sight

STUDY, SERIES = "1.2.826.0.1.9", "1.2.826.0.1.9.0"
MULTIPART = 'multipart/related; type="application/octet-stream"'
ACCEPTS = (
    None,
    "*/*",
    MULTIPART,
    MULTIPART + "; transfer-syntax=*",
    "application/octet-stream",
    "application/octet-stream; transfer-syntax=*",
    "image/jpeg, application/octet-stream;q=0.5",
)


def url_of(number: int = 1, frame: str = "1") -> str:
    return f"/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{STUDY}.{number}/frames/{frame}"


def pixels_of(number: int) -> bytes:
    return bytes((number + n) % 256 for n in range(32))


def store(world: Any, site: str = "hammer", count: int = 3) -> None:
    for number in range(1, count + 1):
        world.store(
            site,
            SOPInstanceUID=f"{STUDY}.{number}",
            StudyInstanceUID=STUDY,
            SeriesInstanceUID=SERIES,
            InstanceNumber=number,
            PixelData=pixels_of(number),
        )


@pytest.fixture
def long_way(world: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the paths that were handed on to Flask."""
    handed_on: list[str] = []
    flask = world.app.wsgi_app._long_way

    def noting(environ: Any, start_response: Any) -> Any:
        handed_on.append(environ["PATH_INFO"])
        return flask(environ, start_response)

    monkeypatch.setattr(world.app.wsgi_app, "_long_way", noting)
    return handed_on


def told(answer: Any) -> tuple[int, dict[str, str], bytes]:
    """Return an answer with its boundary, which is always another one, made plain."""
    headers = {k: re.sub("lysbro-[0-9a-f]{32}", "B", v) for k, v in answer.headers.items()}
    return answer.status_code, headers, re.sub(b"lysbro-[0-9a-f]{32}", b"B", answer.data)


@pytest.mark.parametrize("accept", ACCEPTS)
def test_both_ways_answer_alike(world: Any, long_way: list[str], accept: str | None) -> None:
    store(world)
    client = world.client("radiologist@centre")
    headers = {} if accept is None else {"Accept": accept}
    short = client.get(url_of(2), headers=headers)
    assert not long_way
    long = client.get(url_of(2) + "?x=1", headers=headers)  # a query always goes the long way
    assert long_way == [url_of(2)]
    assert told(short) == told(long)
    assert short.status_code == 200
    assert pixels_of(2) in short.data
    assert int(short.headers["Content-Length"]) == len(short.data)


@pytest.mark.parametrize("accept", [None, "image/jpeg", "image/*"])
def test_both_ways_render_alike(world: Any, long_way: list[str], accept: str | None) -> None:
    store(world)
    client = world.client("radiologist@centre")
    headers = {} if accept is None else {"Accept": accept}
    short = client.get(url_of(2) + "/rendered", headers=headers)
    assert not long_way
    long = client.get(url_of(2) + "/rendered?quality=85", headers=headers)
    assert told(short) == told(long)
    assert (short.status_code, short.content_type) == (200, "image/jpeg")
    assert imagecodecs.jpeg8_decode(short.data).shape == (4, 4)
    whole = client.get(url_of(2).replace("/frames/1", "/rendered"), headers=headers)
    assert whole.data == short.data


def test_a_window_may_be_asked_for(world: Any) -> None:
    store(world)
    client = world.client("radiologist@centre")
    dark = client.get(url_of() + "/rendered?window=60000,10&quality=100")
    assert imagecodecs.jpeg8_decode(dark.data).max() == 0
    light = client.get(url_of() + "/rendered?window=-60000,10,linear&quality=100")
    assert imagecodecs.jpeg8_decode(light.data).min() == 255


@pytest.mark.parametrize(
    "query",
    [
        "window=1",
        "window=1,0",
        "window=nan,4",
        "window=1,inf",
        "window=1,2,cubic",
        "window=x,y",
        "quality=0",
        "quality=101",
        "quality=x",
        "viewport=10",
        "rotation=90",
    ],
)
def test_what_is_not_rendered_here_is_said(shared_world: Any, query: str) -> None:
    store(shared_world)
    client = shared_world.client("radiologist@centre")
    assert client.get(f"{url_of()}/rendered?{query}").status_code == 400


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (url_of() + "/rendered", {"Accept": "image/webp"}, 406),
        (url_of(frame="2") + "/rendered", {}, 404),
        (url_of(frame="2"), {}, 404),
        (url_of(frame="0"), {}, 404),
        (url_of(frame="1,1"), {"Accept": MULTIPART}, 200),
        (url_of(99), {}, 404),
        (url_of(), {"Accept": "image/jpeg"}, 406),
        (url_of(), {"Accept": "image/dicom-rle"}, 200),
        (url_of(), {"Accept": "application/octet-stream", "Range": "bytes=0-3"}, 206),
        (url_of(), {"Accept": "application/octet-stream", "Range": "bytes=99-"}, 416),
        (url_of(), {"If-None-Match": "*"}, 304),
        (url_of() + "/rendered", {"If-None-Match": "*"}, 304),
        (url_of(), {"Authorization": "Bearer lysbro_of_nobody"}, 401),
        (url_of(), {"Authorization": "Basic eDp5"}, 401),
    ],
)
def test_what_is_not_plain_goes_the_long_way(
    world: Any, long_way: list[str], path: str, headers: dict[str, str], status: int
) -> None:
    store(world)
    answer = world.client("radiologist@centre").get(path, headers=headers)
    assert (answer.status_code, long_way) == (status, [path])


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("radiologist@centre", 200),
        ("referrer@hammer", 200),
        ("referrer@berg", 404),
        ("dermatologist@centre", 404),
    ],
)
def test_who_sees_what_is_the_same_when_it_was_just_read_by_another(
    world: Any, who: str, status: int
) -> None:
    store(world)
    for _ in range(2):
        for number in (1, 2, 3):
            assert world.client("radiologist@centre").get(url_of(number)).status_code == 200
    answers = [world.client(who).get(url_of(number)).status_code for number in (1, 2, 3)]
    assert answers == [status] * 3
    assert world.anonymous().get(url_of()).status_code == 401


def test_one_who_signed_in_with_a_browser_takes_the_short_way_too(
    world: Any, long_way: list[str]
) -> None:
    store(world)
    actor = world.actors["radiologist@centre"]
    session = world.parts.people.open_session(actor.id, now=world.parts.clock())
    client = world.anonymous()
    client.set_cookie(session_cookie_name(https=False), session)
    assert pixels_of(1) in client.get(url_of()).data
    assert not long_way
    world.parts.people.close_session(session)


def test_frames_are_noted_once_and_counted(world: Any) -> None:
    store(world)
    client = world.client("radiologist@centre")
    for number in (1, 2, 3):
        client.get(url_of(number))
    assert len([e for e in world.audit("frames-retrieved") if e.subject == STUDY]) == 1
    counted = 'lysbro_http_requests_total{endpoint="dicomweb.retrieve_frames",status="200"} 3.0'
    text = world.anonymous().get("/metrics").text
    assert counted in text
    assert "lysbro_frame_cache_hit_ratio" in text


def test_a_frame_whose_reading_cannot_be_noted_is_not_given(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(world)
    client = world.client("radiologist@centre")
    with monkeypatch.context() as broken:
        broken.setattr(type(world.parts.ledger), "append", _refuses)
        assert client.get(url_of()).status_code == 500
    assert client.get(url_of()).status_code == 200
    assert len(world.audit("frames-retrieved")) == 1


def _refuses(*_: Any, **__: Any) -> None:
    raise RuntimeError("the ledger is closed")


def test_a_host_that_is_not_trusted_gets_no_frame(world: Any) -> None:
    store(world)
    with world.app.app_context():
        known = services()
    settings = replace(known.settings, trusted_hosts=("lysbro.example",))
    client = create_app(replace(known, settings=settings)).test_client()
    bearer = {"Authorization": f"Bearer {world.tokens['radiologist@centre']}"}
    assert client.get(url_of(), headers={**bearer, "Host": "lysbro.example"}).status_code == 200
    assert client.get(url_of(), headers={**bearer, "Host": "evil.example"}).status_code == 400


class Watch:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def sight(world: Any) -> tuple[Sight, Watch]:
    store(world, count=60)
    watch = Watch()
    with world.app.app_context():
        return Sight(services(), watch), watch


def test_a_revoked_token_is_refused_within_a_second(world: Any, sight: tuple[Sight, Watch]) -> None:
    seen, watch = sight
    token = world.parts.people.add_token(world.actors["radiologist@centre"].email)
    assert seen.actor(bearer=token) == world.actors["radiologist@centre"]
    world.parts.people.revoke_token(world.parts.people.tokens()[0].id)
    watch.now_s += FOR_S
    assert seen.actor(bearer=token) is None
    assert seen.actor(session=token) is None


def test_what_goes_out_of_sight_is_refused_within_a_second(
    world: Any, sight: tuple[Sight, Watch]
) -> None:
    seen, watch = sight
    reader = world.actors["radiologist@centre"]
    for number in range(1, 61):
        assert seen.instance(reader, STUDY, SERIES, f"{STUDY}.{number}") is not None
    _hide(world)
    watch.now_s += FOR_S
    for number in range(1, 61):
        assert seen.instance(reader, STUDY, SERIES, f"{STUDY}.{number}") is None


def _hide(world: Any) -> None:
    """Put the study's case back into a state in which only its own site sees it."""
    with world.parts.database.begin() as conn:
        conn.execute(update(cases).values(state="draft"))


def test_a_series_read_in_order_is_looked_up_together(
    world: Any, sight: tuple[Sight, Watch], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, _ = sight
    looked_up: list[str] = []
    index = type(world.parts.index)
    plain = index.unread_instance

    def noting(self: Any, *address: Any) -> Any:
        looked_up.append(address[-1])
        return plain(self, *address)

    monkeypatch.setattr(index, "unread_instance", noting)
    reader = world.actors["radiologist@centre"]
    for number in range(1, 61):
        found = seen.instance(reader, STUDY, SERIES, f"{STUDY}.{number}")
        assert found is not None
        assert found.number == number
    assert looked_up == [f"{STUDY}.{n}" for n in (1, 2, 51)]


def test_the_path_is_that_of_one_frame_only() -> None:
    assert lane._PATH.fullmatch(url_of())
    assert lane._PATH.fullmatch(url_of() + "/rendered")
    for path in (url_of(frame="rendered"), url_of(frame="1,2"), url_of() + "/", url_of(frame="")):
        assert lane._PATH.fullmatch(path) is None
