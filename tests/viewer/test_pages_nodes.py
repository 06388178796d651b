"""The operator's page and the figures say how the nodes of an exchange do."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from lysbro.wiring import utc_now
from storage.nodes import Nodes, Told
from tests.viewer.conftest import World
from tests.viewer.test_pages import page, words_of
from tests.viewer.test_pages_browser import Visit, address, browser, desk, phone

__all__ = ["address", "browser", "desk", "phone"]

PICTURES = os.environ.get("LYSBRO_SCREENSHOTS")


@pytest.fixture
def nodes(world: World) -> World:
    """Return an exchange of three nodes, of which one is silent and one was stopped too early."""
    now = utc_now()
    hear(world, "bridge-1", Told("bridge,packer", "0.1.0", 1204, 640_000_000, now, 95.0))
    hear(world, "worker-1", Told("worker", "0.1.0"))
    long_ago = Told("bridge,packer", "0.1.0", 31, 16_000_000, now - timedelta(hours=3))
    hear(world, "bridge-2", long_ago, ago_s=9000)
    hear(world, "web-3", Told())
    world.parts.nodes.leave("web-3", "web-3", told=Told("", "0.1.0", 2, 900_000, now))
    return world


def hear(world: World, name: str, told: Told, *, ago_s: float = 0) -> None:
    at = utc_now() - timedelta(seconds=ago_s)
    told_then = Nodes(world.parts.database, lambda: at)
    told_then.claim(name, name)
    told_then.heard(name, name, address=f"{name}:8082", told=told)


def test_a_silent_node_is_named_with_what_to_do(nodes: World) -> None:
    said = words_of(page(nodes.client("admin@centre"), "/admin"))
    for expected in (
        "1 thing wants you",
        "bridge-2 has not been heard for 2 h 30 min",
        "31 objects lie in its spool and nowhere else",
        "web-3 was stopped with objects in its spool",
        "lysbro node forget bridge-2",
        "1204 objects, 640 MB",
    ):
        assert expected in said
    assert "bridge-1 has not been heard" not in said


def test_one_node_alone_is_not_spoken_of(world: World) -> None:
    assert "Nodes of the exchange" not in page(world.client("admin@centre"), "/admin")


def test_the_figures_have_a_line_for_each_node(nodes: World) -> None:
    text = nodes.client("admin@centre").get("/metrics").text
    for expected in (
        'lysbro_node_up{node="bridge-1"} 1.0',
        'lysbro_node_up{node="bridge-2"} 0.0',
        'lysbro_node_spool_instances{node="bridge-2"} 31.0',
        'lysbro_node_spool_bytes{node="bridge-1"} 6.4e+08',
        'lysbro_node_drain_seconds{node="bridge-1"} 95.0',
        'lysbro_node_drain_seconds{node="bridge-2"} -1.0',
        'lysbro_node_info{kinds="bridge,packer",node="bridge-1",version="0.1.0"} 1.0',
    ):
        assert expected in text


@pytest.mark.browser
@pytest.mark.parametrize("size", ["desk", "phone"])
def test_the_nodes_fit_on_the_page(nodes: World, size: str, request: pytest.FixtureRequest) -> None:
    visit: Visit = request.getfixturevalue(size)
    shown = visit.sign_in("admin@centre")
    shown.goto(visit.address + "/admin", wait_until="networkidle")
    line = shown.locator("#nodes")
    assert line.is_visible()
    widths = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    wide, there = shown.evaluate(widths)
    assert wide <= there
    if PICTURES:
        line.screenshot(path=Path(PICTURES) / f"nodes-{size}.png")
        shown.screenshot(path=Path(PICTURES) / f"admin-{size}.png", full_page=True)
    assert visit.said == []
