"""Real images in each lossless form: each comes back, or stays as it came for a known reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from casework.errors import Invalid
from storage.as_received import as_stream, restored_part10
from storage.codec import Codec
from storage.part10 import BytesSource, read_file_meta, walk
from storage.recompressed_file import LeftAlone
from storage.recompression import why_not
from tests.storage.pictures import dataset_in, recompressed, row_of

pytestmark = [pytest.mark.fixtures, pytest.mark.slow]

FOLDERS = (
    "dicom_codec",
    "dicom_enhanced",
    "dicom_pet_nm",
    "dicom_series_ct",
    "dicom_us",
    "dicom_xray",
    "malformed",
)
_OF_A_KIND = 12
_LARGEST = 4 << 20


def images(collection: Path) -> Iterator[tuple[Path, bytes, str]]:
    """Yield the files that are taken in, with their transfer syntax; some of each folder."""
    for folder in FOLDERS:
        taken: Counter[Path] = Counter()
        for path in sorted((collection / folder).rglob("*")):
            if not path.is_file() or path.stat().st_size > _LARGEST:
                continue
            content = path.read_bytes()
            if content[128:132] != b"DICM" or taken[path.parent] >= _OF_A_KIND:
                continue
            try:
                meta = read_file_meta(BytesSource(content))
                dataset = content[meta.dataset_offset :]
                walk(dataset, transfer_syntax_uid=meta.transfer_syntax_uid)
            except Invalid:  # refused at the door
                continue
            taken[path.parent] += 1
            yield path, dataset, meta.transfer_syntax_uid


@pytest.mark.parametrize("codec", list(Codec))
def test_every_image_of_the_collection_comes_back_or_stays_as_it_came(
    fixtures_dir: Path, tmp_path: Path, codec: Codec
) -> None:
    outcomes: Counter[str] = Counter()
    for number, (path, content, syntax) in enumerate(images(fixtures_dir)):
        row = row_of(content, syntax)
        reason = why_not(row)
        if reason:
            outcomes[reason] += 1
            continue
        kept_in = tmp_path / f"{number}.dcm"
        try:
            kept = recompressed(content, kept_in, codec=codec, syntax=syntax)
        except LeftAlone as left:
            outcomes[left.reason] += 1
            continue
        assert kept.received is not None, path
        restored = as_stream(restored_part10(BytesSource(kept_in.read_bytes()), kept)).read()
        if kept.received.comes_back_whole:
            assert dataset_in(restored) == content, path
        outcomes["kept"] += 1
        kept_in.unlink()
    assert outcomes["kept"] > 50
    assert not outcomes.keys() & {"proof", "hash", "header"}, outcomes
