"""How fast a 12-megapixel JPEG becomes a DICOM object, beside DCMTK's img2dcm, and what each keeps.

    python -m benchmarks wrap

Both write the object to a file. As processes each photograph is a process of its own; in one
process Lysbro wraps one after the other, without a look at the samples (as img2dcm has none) and
with it (as at the door, where a damaged one is refused and the advice is given).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms
from pydicom import dcmread
from pydicom.uid import UID

from casework.model import Patient
from derm_capture import quality
from derm_capture.context import CaptureContext, Kind
from derm_capture.dicomize import wrap
from derm_capture.photo import open_photo
from derm_capture.raster import Pixels

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "lysbro" / "samples" / "photos" / "closeup.png"
RESULT = Path(__file__).parent / "results" / "wrap.md"
SIZE = (4032, 3024)
SITE = "68698007"  # skin of forehead
_GPS_NOTE = b"here it was taken"
_NAMES = {
    "1.2.840.10008.1.2.4.50": "baseline",
    "1.2.840.10008.1.2.4.55": "progressive (a retired transfer syntax)",
    "1.2.840.10008.1.2.4.80": "lossless (JPEG-LS)",
}
_LAUNCHER = """
import os, sys
child = os.fork()
if child == 0:
    os.dup2(2, 1)
    os.execvp(sys.argv[1], sys.argv[1:])
print(os.wait4(child, 0)[2].ru_maxrss)
"""
"""Tells the most memory of a program; small itself, since a child begins with its parent's."""


@dataclass(frozen=True)
class Took:
    """How long some photographs took, and the most memory of a process."""

    seconds: float
    peak_bytes: int


@dataclass
class Way:
    """One way to wrap a photograph, and what was measured of it."""

    name: str
    run: Callable[[Path, Path, int], Took]  # photograph, folder, how many
    per_second: list[float] = field(default_factory=list)
    peak_bytes: int = 0


def main(arguments: list[str] | None = None) -> None:
    """Measure, print the tables, and write them down."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--photos", type=int, default=20, help="of each way, in each round")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("-o", "--output", type=Path, default=RESULT)
    options.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = options.parse_args(arguments)
    if given.child:
        how, source = given.child
        _child(how, Path(source), given.output, given.photos)
        return
    if shutil.which("img2dcm") is None:
        raise SystemExit(
            "img2dcm (DCMTK) is not on this machine: there is nothing to compare with."
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told = "\n".join([*_rates(folder, given.photos, given.rounds), "", *_keeping(folder)])
    print(told)
    given.output.write_text(told + "\n", encoding="utf-8")


def twelve_megapixels() -> bytes:
    """Return the sample photograph enlarged to what a phone takes, with the noise of its sensor."""
    with Image.open(SAMPLE) as opened:
        large = np.asarray(opened.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS))
    noise = np.random.default_rng(1).normal(0, 3, (*large.shape[:2], 1))
    return jpeg((large + noise).clip(0, 255).astype(np.uint8), quality=92)


def jpeg(pixels: Pixels, **options: object) -> bytes:
    """Return pixels as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def _rates(folder: Path, photos: int, rounds: int) -> list[str]:
    source = folder / "photo.jpg"
    if os.fork() == 0:  # in a child, whose memory is not counted
        source.write_bytes(twelve_megapixels())
        os._exit(0)
    os.wait()
    ways = [
        Way("DCMTK img2dcm, a process each", _img2dcm),
        Way("Lysbro, a process each (`lysbro wrap`)", _lysbro_processes),
        Way("Lysbro, one process", _one_process("pass")),
        Way("Lysbro, one process, looked at and judged", _one_process("look")),
    ]
    for _ in range(rounds):
        for way in ways:
            count = max(2, photos // 5) if way.run is _lysbro_processes else photos
            took = way.run(source, folder, count)
            way.per_second.append(count / took.seconds)
            way.peak_bytes = max(way.peak_bytes, took.peak_bytes)
    peer = ways[0].per_second
    lines = [
        "# A photograph becomes an object",
        "",
        f"One JPEG of {SIZE[0]} x {SIZE[1]} pixels and {source.stat().st_size / 1e6:.1f} MB, "
        f"baseline, upright; {photos} a round, {rounds} rounds, medians; {platform.machine()}, "
        f"{os.cpu_count()} cores. `python -m benchmarks wrap`.",
        "",
        "| | photographs a second | beside img2dcm | most memory |",
        "|---|---:|---:|---:|",
    ]
    for way in ways:
        ratio = statistics.median(a / b for a, b in zip(way.per_second, peer, strict=True))
        lines.append(
            f"| {way.name} | {statistics.median(way.per_second):.1f} | {ratio:.1f} "
            f"| {way.peak_bytes / 1e6:.0f} MB |"
        )
    return lines


def _img2dcm(source: Path, folder: Path, count: int) -> Took:
    command = ["img2dcm", "-vlp", str(source), str(folder / "peer.dcm")]
    return _processes(command, count)


def _lysbro_processes(source: Path, folder: Path, count: int) -> Took:
    meta = folder / "meta.json"
    patient = {"id": "1", "name": "Prøve^Anna", "birth_date": "1970-01-01", "sex": "F"}
    meta.write_text(json.dumps({"patient": patient, "kind": "closeup", "site_code": SITE}))
    command = [sys.executable, "-m", "lysbro", "wrap", str(source), "--meta", str(meta)]
    return _processes([*command, "-o", str(folder / "ours.dcm")], count)


def _processes(command: Sequence[str], count: int) -> Took:
    started = time.perf_counter()
    for _ in range(count):
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    took_s = time.perf_counter() - started
    launched = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command],
        check=True, capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    return Took(took_s, int(launched.stdout.split()[-1]) * 1024)


def _one_process(how: str) -> Callable[[Path, Path, int], Took]:
    def run(source: Path, folder: Path, count: int) -> Took:
        """Wrap in a process that was begun for it, so that its memory is its own."""
        command = [sys.executable, "-m", "benchmarks.wrap", "--child", how, str(source)]
        done = subprocess.run(
            [*command, "--photos", str(count), "-o", str(folder / "ours.dcm")],
            check=True, capture_output=True, text=True, cwd=ROOT,
        )  # fmt: skip
        return Took(**json.loads(done.stdout))

    return run


def _child(how: str, source: Path, target: Path, count: int) -> None:
    """Wrap a photograph again and again, and print how long it took."""
    _wrap_one(source, target, "first", look=how == "look")
    started = time.perf_counter()
    for number in range(count):
        _wrap_one(source, target, str(number), look=how == "look")
    took_s = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(asdict(Took(took_s, peak))))


def _wrap_one(source: Path, target: Path, capture_id: str, *, look: bool) -> None:
    photo = open_photo(source.read_bytes(), look=look)
    if look:
        quality.assess(photo)
    wrap(photo, _context(capture_id)).write(target)


def _context(capture_id: str = "") -> CaptureContext:
    return CaptureContext(
        patient=Patient("1", name="Prøve^Anna"),
        kind=Kind.CLOSEUP,
        site_code=SITE,
        capture_id=capture_id,
    )


def _keeping(folder: Path) -> list[str]:
    """Return a table of what becomes of photographs that are not as plain as the one above."""
    lines = [
        "## What each keeps",
        "",
        "| the photograph | DCMTK img2dcm | Lysbro |",
        "|---|---|---|",
    ]
    for name, data in _odd_ones().items():
        source = folder / "odd.jpg"
        source.write_bytes(data)
        peer, ours = folder / "odd-peer.dcm", folder / "odd-ours.dcm"
        peer.unlink(missing_ok=True)
        subprocess.run(
            ["img2dcm", "-vlp", str(source), str(peer)], check=False, capture_output=True
        )
        _wrap_one(source, ours, name, look=True)
        cells = (_found(name, data, made) for made in (peer, ours))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _odd_ones() -> Mapping[str, bytes]:
    with Image.open(SAMPLE) as opened:
        small = np.asarray(opened.convert("RGB").resize((640, 480)))
    turned, placed = Image.Exif(), Image.Exif()
    turned[0x0112] = 6
    placed[0x0112] = 1
    placed.get_ifd(0x8825)[29] = _GPS_NOTE.decode()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return {
        "turned by its Exif orientation (6)": jpeg(small, exif=turned, quality=90),
        "with a colour profile (ICC)": jpeg(small, icc_profile=profile, quality=90),
        "progressive": jpeg(small, progressive=True, quality=90),
        "RGB, not YCbCr": jpeg(small, keep_rgb=True, quality=90),
        "with its place (GPS)": jpeg(small, exif=placed, quality=90),
    }


def _found(name: str, data: bytes, made: Path) -> str:
    """Return in words what became of a photograph."""
    if not made.exists():
        return "refused"
    content = made.read_bytes()
    ds = dcmread(io.BytesIO(content))
    if "GPS" in name:
        return "the place is still in it" if _GPS_NOTE in content else "the place is gone"
    if "ICC" in name:
        return "kept" if ds.get("ICCProfile") else "lost"
    syntax = UID(ds.file_meta.TransferSyntaxUID)
    shown = _shown(made)
    if shown is None:
        return f"{syntax.name}: DCMTK does not show it"
    with Image.open(io.BytesIO(data)) as opened:
        right = _upright(opened)
    if shown.shape != right.shape:
        return f"lies on its side ({shown.shape[1]} x {shown.shape[0]})"
    off = int(np.abs(shown.astype(int) - right.astype(int)).max())
    return f"{_NAMES.get(syntax, syntax.name)}; pixels off by {off} of 255 at most"


def _shown(made: Path) -> Pixels | None:
    """Return the picture as DCMTK decodes it, or None when it does not."""
    picture = made.with_suffix(".ppm")
    for tool in ("dcmj2pnm", "dcml2pnm"):
        picture.unlink(missing_ok=True)
        subprocess.run([tool, "+op", made, picture], check=False, capture_output=True)
        if picture.exists() and picture.stat().st_size:
            with Image.open(picture) as opened:
                return np.asarray(opened.convert("RGB"))
    return None


def _upright(image: Image.Image) -> Pixels:
    turned = image.getexif().get(0x0112, 1)
    upright = image.transpose(Image.Transpose.ROTATE_270) if turned == 6 else image
    return np.asarray(upright.convert("RGB"))


if __name__ == "__main__":
    main(sys.argv[1:])
