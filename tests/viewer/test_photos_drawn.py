"""A browser draws of each photograph what it draws of the file that was taken, pixel for pixel."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from playwright.sync_api import Page, Route, sync_playwright

from casework.custody import Door, Origin
from derm_capture.dicomize import Wrapped, wrap
from derm_capture.photo import open_photo
from tests.derm_capture import matrix
from tests.derm_capture.wrapping import context
from tests.viewer.conftest import World

pytestmark = [pytest.mark.browser, pytest.mark.fixtures, pytest.mark.slow]

TAKEN = {path: row for path, row in matrix.table().items() if not row.is_refused}
DRAWN_BY_BROWSERS = {
    ".jpg": "image/jpeg", ".mpo": "image/jpeg", ".png": "image/png", ".webp": "image/webp",
    ".avif": "image/avif", ".bmp": "image/bmp",
}  # fmt: skip
NOT_TURNED_BY_CHROMIUM = ("webp", "xmp_tags_orientation", "exif_imagemagick_orientation")
"""It turns JPEG, PNG and AVIF by Exif or properties, not WebP, nor by XMP or a raw profile."""
WITH_GAMMA = ("exif.png", "exif_imagemagick.png", "hopper.png", "tbgn2c16.png")
"""PNG files whose gAMA chunk Chromium follows where we say sRGB."""
BY_ONE = ("rgb16", "cmyk", "CMYK", "transparent")
"""5 bits a sample made 8, CMYK made RGB, and white behind a veil are rounded in another way."""
MOST_TURNED, MEAN_TURNED = 4, 0.15
"""A turned block has the same coefficients, and its cosines are rounded in another order."""
MOST_MANAGED = 3
"""Chromium and Little CMS round a profile's curves and matrix in their own ways."""

BATCH = 20
_DRAW = """
const drawn = async (name) => {
  const answer = await fetch(name);
  const picture = await createImageBitmap(await answer.blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const on = canvas.getContext("2d", { willReadFrequently: true });
  on.fillStyle = "white";
  on.fillRect(0, 0, picture.width, picture.height);
  on.drawImage(picture, 0, 0);
  picture.close();
  return on.getImageData(0, 0, canvas.width, canvas.height);
};
"""
_COMPARE = (
    "async (pairs) => {"
    + _DRAW
    + """
  const results = [];
  for (const [one, other] of pairs) {
    const [a, b] = [await drawn(one), await drawn(other)];
    const isSame = a.width === b.width && a.height === b.height;
    const [x, y] = [new Uint32Array(a.data.buffer), new Uint32Array(b.data.buffer)];
    let most = isSame ? 0 : 255, sum = 0;
    for (let i = 0; isSame && i < x.length; i++) {
      if (x[i] === y[i]) continue;
      for (let j = 4 * i; j < 4 * i + 3; j++) {
        const off = Math.abs(a.data[j] - b.data[j]);
        if (off > most) most = off;
        sum += off;
      }
    }
    results.push({ size: `${b.width}x${b.height}`, most, mean: sum / (3 * x.length) });
  }
  return results;
}"""
)
_PIXELS = (
    "async (name) => {"
    + _DRAW
    + """
  const { width, height, data } = await drawn(name);
  let text = "";
  for (let i = 0; i < data.length; i += 8192)
    text += String.fromCharCode(...data.subarray(i, i + 8192));
  return { width, height, data: btoa(text) };
}"""
)


@dataclass(frozen=True)
class Served:
    """What an address gives."""

    body: bytes
    media_type: str


@dataclass(frozen=True)
class Gallery:
    """The photographs as they came and as the exchange gives them, on a page of a browser."""

    page: Page
    addresses: dict[str, Served]
    profiles: Mapping[str, bytes]

    def draw(self, paths: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        for first in range(0, len(paths), BATCH):
            batch = paths[first : first + BATCH]
            pairs = [(f"source/{path}", f"served/{path}") for path in batch]
            yield from zip(batch, self.page.evaluate(_COMPARE, pairs), strict=True)

    def pixels(self, address: str) -> np.ndarray:
        found = self.page.evaluate(_PIXELS, address)
        data = np.frombuffer(base64.b64decode(found["data"]), np.uint8)
        return data.reshape(found["height"], found["width"], 4)[..., :3].astype(int)


@pytest.fixture(scope="module")
def gallery(shared_world: World, fixtures_dir: Path) -> Iterator[Gallery]:
    addresses: dict[str, Served] = {}
    profiles: dict[str, bytes] = {}
    made: dict[str, Wrapped] = {}
    for path in TAKEN:
        data = (fixtures_dir / path).read_bytes()
        photo = open_photo(data, look=False)
        made[path] = wrap(photo, context(capture_id=path))
        profiles[path] = photo.icc
        media_type = DRAWN_BY_BROWSERS.get(Path(path).suffix, "")
        turned_by_us = any(name in path for name in NOT_TURNED_BY_CHROMIUM)
        if not media_type or "tbgn2c16" in path or turned_by_us:
            data, media_type = png(photo.pixels(), photo.icc), "image/png"
        addresses[f"source/{path}"] = Served(data, media_type)
    served_by(shared_world, made, addresses)

    def answer(route: Route) -> None:
        name = route.request.url.partition("photos.test/")[2]
        found = addresses.get(
            name, Served(b"<!doctype html><title>Photographs</title>", "text/html")
        )
        route.fulfill(body=found.body, content_type=found.media_type)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.route("http://photos.test/**", answer)
        page.goto("http://photos.test/")
        yield Gallery(page, addresses, profiles)
        browser.close()


def served_by(world: World, made: Mapping[str, Wrapped], addresses: dict[str, Served]) -> None:
    """Store the objects and note what the exchange answers a page that shows them."""
    origin = Origin(site="fjord", door=Door.CAPTURE, actor="user:1", association="capture-1")
    for wrapped in made.values():
        world.parts.archive.receive(
            wrapped.dataset,
            origin,
            sop_class_uid=wrapped.sop_class_uid,
            sop_instance_uid=wrapped.sop_instance_uid,
            transfer_syntax_uid=wrapped.transfer_syntax_uid,
        )
    world.parts.archive.settle()
    client = world.client("referrer@fjord")
    for path, wrapped in made.items():
        address, headers = f"/api/instances/{wrapped.sop_instance_uid}/photo", {}
        if TAKEN[path].photometric == "MONOCHROME2":  # the reading room draws those by a window
            address = (
                f"/dicom-web/studies/{wrapped.study_uid}/series/{wrapped.series_uid}"
                f"/instances/{wrapped.sop_instance_uid}/rendered"
            )
            headers = {"Accept": "image/png"}
        answer = client.get(address, headers=headers)
        assert answer.status_code == 200, (path, answer.text)
        addresses[f"served/{path}"] = Served(answer.data, answer.content_type)


def png(pixels: np.ndarray, icc: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1, icc_profile=icc or None)
    return buffer.getvalue()


def most_of(path: str) -> int:
    """Return by how much a browser may draw an object otherwise than the file."""
    if "turned" in TAKEN[path].outcome:
        return MOST_TURNED
    if Path(path).name in WITH_GAMMA[:3]:
        return 9
    return 1 if any(name in path for name in BY_ONE) else 0


def test_photographs_when_drawn_from_the_exchange_then_they_are_the_files(gallery):
    off = {}
    for path, found in gallery.draw(list(TAKEN)):
        assert found["size"] == TAKEN[path].size, path
        if found["most"] > most_of(path):
            off[path] = found
        if "turned" in TAKEN[path].outcome:
            assert found["mean"] <= MEAN_TURNED, path
    assert off == {}


def test_photographs_when_they_bring_a_profile_then_their_colours_are_managed(gallery):
    """The browser shows what Little CMS makes of the pixels and their profile."""
    managed = [path for path, row in TAKEN.items() if row.profile == "own" and is_small(row.size)]
    seen = 0
    for path in managed:
        answer = gallery.addresses[f"served/{path}"]
        with Image.open(io.BytesIO(answer.body)) as image:
            assert image.info["icc_profile"] == gallery.profiles[path]
            source = ImageCms.ImageCmsProfile(io.BytesIO(gallery.profiles[path]))
            turned = ImageCms.profileToProfile(
                image.convert("RGB"), source, ImageCms.createProfile("sRGB"), renderingIntent=1
            )
            plain = np.asarray(image.convert("RGB")).astype(int)
        expected = np.asarray(turned).astype(int)
        drawn = gallery.pixels(f"served/{path}")
        assert np.abs(drawn - expected).max() <= MOST_MANAGED, path
        seen += int(np.abs(drawn - plain).max() > MOST_MANAGED)
    assert seen >= 2, "profiles that matter are among them"


def test_comparison_when_pixels_differ_then_it_tells(gallery):
    """Held against what a re-encoder would have made, the comparison fails."""
    path = "skin_clinical/pad_ufes_20/PAT_1400_1372_276.png"
    kept = gallery.addresses[f"served/{path}"]
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(kept.body)) as image:
        image.save(buffer, "JPEG", quality=95)
    gallery.addresses[f"served/{path}"] = Served(buffer.getvalue(), "image/jpeg")
    ((_, found),) = gallery.draw([path])
    gallery.addresses[f"served/{path}"] = kept
    assert found["most"] > 2


def is_small(size: str) -> bool:
    width, height = map(int, size.split("x"))
    return width * height < 500_000
