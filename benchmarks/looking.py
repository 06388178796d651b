"""Measures in a browser how soon a viewer shows a study, and how fast it scrolls.

What counts is what is on the screen: a canvas with many shades of grey is an image, a large loaded
picture from a preview's address is a preview. Both viewers are looked at in the same way.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from playwright.sync_api import Browser, CDPSession, Page, StorageState
from playwright.sync_api import TimeoutError as TimedOut

SIZE = {"width": 1440, "height": 900}
_SAMPLED = 48

_WATCH = """() => {
  performance.setResourceTimingBufferSize(20000);
  const sample = new OffscreenCanvas(SIDE, SIDE)
    .getContext("2d", { willReadFrequently: true });
  window.sampleOf = canvas => {
    sample.drawImage(canvas, 0, 0, SIDE, SIDE);
    return sample.getImageData(0, 0, SIDE, SIDE).data;
  };
  const shades = canvas => {
    if (canvas.width < 200 || canvas.clientWidth < 200) return 0;
    const found = new Set(), data = window.sampleOf(canvas);
    for (let i = 0; i < data.length; i += 4) found.add(data[i]);
    return found.size;
  };
  window.imageCanvas = () => [...document.querySelectorAll("canvas")]
    .find(each => shades(each) > 40);
  window.bytesSoFar = () => [...performance.getEntriesByType("navigation"),
    ...performance.getEntriesByType("resource")].reduce((sum, each) => sum + each.transferSize, 0);
  window.framesSoFar = () => new Set(performance.getEntriesByType("resource").map(each => each.name)
    .filter(each => /frames\\/\\d+/.test(each) && !each.includes("/preview"))).size;
  window.seen = {};
  const isPreview = each => /preview/.test(each.src) && each.complete && each.naturalWidth > 0
    && each.getBoundingClientRect().width > 300;
  const timer = setInterval(() => {
    if (window.seen.preview === undefined && [...document.images].some(isPreview)) {
      window.seen.preview = performance.now();
    }
    if (!window.imageCanvas()) return;
    window.seen.image = performance.now();
    window.seen.bytes = window.bytesSoFar();
    clearInterval(timer);
  }, 15);
}""".replace("SIDE", str(_SAMPLED))

_SCROLL = """async ({ steps, wheel }) => {
  const canvas = window.imageCanvas();
  const target = wheel ? canvas.parentElement : document.activeElement;
  const box = canvas.getBoundingClientRect();
  const passed = { bubbles: true, cancelable: true };
  const at = { clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 };
  const press = up => target.dispatchEvent(wheel
    ? new WheelEvent("wheel", { ...at, ...passed, deltaY: up ? -100 : 100 })
    : new KeyboardEvent("keydown", { ...passed, key: up ? "ArrowUp" : "ArrowDown" }));
  const frame = () => new Promise(requestAnimationFrame);
  const sum = () => window.sampleOf(canvas).reduce((sum, each) => (sum * 31 + each) | 0, 0);
  const gaps = [];
  let drawn = 0, before = sum(), last = await frame();
  const begun = last;
  for (let step = 0; step < steps; step++) {
    press(step >= steps / 2);
    const now = await frame();
    const is = sum();
    if (is !== before) { drawn++; gaps.push(now - last); last = now; }
    before = is;
  }
  return { drawn, gaps, took: performance.now() - begun };
}"""


@dataclass(frozen=True)
class FirstSeen:
    """When a study was on the screen, in seconds from the beginning of the navigation."""

    preview_s: float | None
    image_s: float
    size_bytes: int


@dataclass(frozen=True)
class Scrolled:
    """What scrolling through a series gave: only images that were really drawn count."""

    frames_a_second: float
    p50_ms: float
    p95_ms: float
    heap_bytes: int


@dataclass(frozen=True)
class Network:
    """How fast the network is that the browser believes in; None is as fast as it goes."""

    name: str
    bytes_a_second: int | None = None
    latency_ms: int = 0


@contextlib.contextmanager
def page_of(
    browser: Browser, network: Network, state: StorageState | None
) -> Iterator[tuple[Page, CDPSession]]:
    """Open a page in a fresh profile, signed in as `state` says."""
    with browser.new_context(viewport=SIZE, storage_state=state, locale="en-GB") as context:
        page = context.new_page()
        page.set_default_timeout(300_000)
        page.add_init_script(f"({_WATCH})()")
        tools = context.new_cdp_session(page)
        tools.send("Network.enable")
        if network.bytes_a_second is not None:
            tools.send(
                "Network.emulateNetworkConditions",
                {
                    "offline": False,
                    "latency": network.latency_ms,
                    "downloadThroughput": network.bytes_a_second,
                    "uploadThroughput": network.bytes_a_second,
                },
            )
        yield page, tools


def first_seen(page: Page, address: str) -> FirstSeen:
    """Open a study and wait until an image of it is on the screen."""
    page.goto(address, wait_until="commit")
    page.wait_for_function("() => window.seen.image !== undefined", polling=20)
    seen = page.evaluate("() => window.seen")
    preview = seen.get("preview")
    return FirstSeen(
        preview_s=None if preview is None else preview / 1000,
        image_s=seen["image"] / 1000,
        size_bytes=seen["bytes"],
    )


def scrolled(page: Page, tools: CDPSession, *, images: int, wheel: bool) -> Scrolled:
    """Scroll a series forth and back once all of it has come, an image each time the screen is
    refreshed.
    """
    _wait_for_all(page, images)
    if not wheel:
        page.locator(".view").first.focus()
    told = page.evaluate(_SCROLL, {"steps": images * 2 - 2, "wheel": wheel})
    gaps = sorted(told["gaps"]) or [told["took"]]
    tools.send("HeapProfiler.collectGarbage")
    heap = tools.send("Runtime.getHeapUsage")
    return Scrolled(
        frames_a_second=1000 * told["drawn"] / told["took"],
        p50_ms=statistics.median(gaps),
        p95_ms=gaps[min(len(gaps) - 1, int(0.95 * len(gaps)))],
        heap_bytes=int(heap["usedSize"] + heap.get("backingStorageSize", 0)),
    )


def _wait_for_all(page: Page, images: int) -> None:
    """Wait until all images have come, or no more do: a viewer may hold back."""
    count, since = -1, time.monotonic()
    while time.monotonic() - since < 8:
        now = page.evaluate("() => window.framesSoFar()")
        if now >= images:
            break
        if now != count:
            count, since = now, time.monotonic()
        with contextlib.suppress(TimedOut):
            page.wait_for_function("n => window.framesSoFar() > n", arg=now, timeout=500)
    page.wait_for_timeout(500)
