"""Compressed images and a video of the collection, taken apart sent as metadata with bulk data."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.encaps import generate_fragments, generate_frames

from casework.errors import Invalid
from viewer.dicomweb.assemble import assemble
from viewer.dicomweb.bulk import Shelf
from viewer.dicomweb.multipart import Head, Piece

ROOT = "1.2.840.10008.1.2.4."
TYPES = {
    **dict.fromkeys((ROOT + "50", ROOT + "51", ROOT + "57", ROOT + "70"), "image/jpeg"),
    **dict.fromkeys((ROOT + "80", ROOT + "81"), "image/jls"),
    **dict.fromkeys((ROOT + "90", ROOT + "91"), "image/jp2"),
    ROOT + "201": "image/jphc",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    ROOT + "102": "video/mp4",
}
TAKEN_AWAY = ("00280010", "00280011", "00280002", "00280004", "00280100", "00280101", "00280102")
MAY_DIFFER = {ROOT + "51": {ROOT + "50"}, ROOT + "91": {ROOT + "90"}, ROOT + "57": {ROOT + "70"}}
"""What a stream may as well be: named, it keeps its own; unnamed, it is what it says."""


def frames_of(dataset: pydicom.Dataset) -> list[bytes]:
    if dataset.file_meta.TransferSyntaxUID == ROOT + "102":
        return [b"".join(generate_fragments(dataset.PixelData))]
    count = int(dataset.get("NumberOfFrames") or 1)
    return list(generate_frames(dataset.PixelData, number_of_frames=count))


def metadata_of(dataset: pydicom.Dataset, *, keeps_image: bool) -> dict[str, Any]:
    found: dict[str, Any] = dataset.to_json_dict(
        bulk_data_threshold=1 << 30, bulk_data_element_handler=lambda _: "never"
    )
    found = {tag: element for tag, element in found.items() if tag[:4] != "0002"}
    if not keeps_image:
        found = {tag: element for tag, element in found.items() if tag not in TAKEN_AWAY}
    names = {t: {"vr": "UI", "Value": ["1.2.3"]} for t in ("00080018", "0020000D", "0020000E")}
    return names | found | {"7FE00010": {"vr": "OB", "BulkDataURI": "pixels"}}


def sent(dataset: pydicom.Dataset, *, names_syntax: bool) -> tuple[pydicom.Dataset, str]:
    """Return what is made of the parts of an object, and its syntax."""
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    options = {"transfer-syntax": syntax} if names_syntax else {}
    head = Head(TYPES[syntax], options, "pixels")
    is_rle = syntax == "1.2.840.10008.1.2.5"
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as made:
        shelf = Shelf(file, base="http://localhost/")
        for frame in frames_of(dataset):
            shelf.put(Piece(head, file.tell(), len(frame)))
            file.write(frame)
        file.flush()
        given = assemble(metadata_of(dataset, keeps_image=is_rle or names_syntax), shelf, made)
        made.seek(0)
        found = pydicom.dcmread(io.BytesIO(made.read()), force=True)
    return found, given


@pytest.mark.fixtures
@pytest.mark.filterwarnings("ignore")
def test_streams_of_the_collection_are_known_for_what_they_are(fixtures_dir: Path) -> None:
    """Each is made whole again with its syntax named and not named; RLE says nothing of itself."""
    lines = (fixtures_dir / "MANIFEST.tsv").read_text("utf-8").splitlines()
    names = lines[0].split("\t")
    rows = [dict(zip(names, line.split("\t"), strict=False)) for line in lines[1:]]
    seen: dict[str, int] = {}
    wrong: list[str] = []
    for row in rows:
        syntax = row["transfer_syntax"].split(" ")[0]
        is_whole = row["opens"] == "yes" and row["decode_first_frame"] == "ok"
        if syntax not in TYPES or not is_whole or row["path"].startswith("malformed/"):
            continue
        dataset = pydicom.dcmread(fixtures_dir / row["path"])
        if "PixelData" not in dataset:
            continue
        for names_syntax in (True, False):
            try:
                found, given = sent(dataset, names_syntax=names_syntax)
            except Invalid as error:
                wrong.append(f"{row['path']} {syntax}: {error}")
                continue
            allowed = {syntax} | (set() if names_syntax else MAY_DIFFER.get(syntax, set()))
            same = all(
                found.get(k) == dataset.get(k) for k in ("Rows", "Columns", "SamplesPerPixel")
            )
            if given not in allowed or not same:
                wrong.append(f"{row['path']} {syntax}: made {given}, {found.Rows}x{found.Columns}")
        seen[syntax] = seen.get(syntax, 0) + 1
    assert not wrong, "\n".join(wrong)
    assert len(seen) >= 9, seen
    assert sum(seen.values()) >= 30
