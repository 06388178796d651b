"""The large collection of real files, in rounds in which no UID comes twice with other bytes."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from casework.errors import Invalid
from storage.part10 import BytesSource, WalkLimits, peek_identity, read_file_meta


@dataclass(frozen=True)
class Sample:
    """One file of the collection: what its meta says and its data set as it lies there."""

    path: Path
    name: str  # within the collection
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    dataset: bytes

    def open_dataset(self) -> BinaryIO:
        return io.BytesIO(self.dataset)


def samples(folder: Path) -> Iterator[Sample]:
    """Give every Part 10 file of the collection that opens."""
    with (folder / "MANIFEST.tsv").open(encoding="utf-8") as manifest:
        rows = [row for row in csv.DictReader(manifest, delimiter="\t") if row["opens"] == "yes"]
    for row in rows:
        if row["sop_class_uid"] or row["transfer_syntax"].startswith("1.2."):
            found = _sample(folder, row["path"])
            if found is not None:
                yield found


def rounds(found: list[Sample]) -> list[list[Sample]]:
    """Cut the samples so that each round holds a UID once."""
    times: dict[str, dict[str, int]] = defaultdict(dict)
    cut: list[list[Sample]] = []
    for sample in found:
        digest = hashlib.sha256(sample.transfer_syntax_uid.encode() + sample.dataset).hexdigest()
        seen = times[sample.sop_instance_uid]
        number = seen.setdefault(digest, len(seen))
        if number == len(cut):
            cut.append([])
        cut[number].append(sample)
    return cut


def _sample(folder: Path, name: str) -> Sample | None:
    content = (folder / name).read_bytes()
    try:
        meta = read_file_meta(BytesSource(content))
    except Invalid:
        return None  # no Part 10 file
    dataset = content[meta.dataset_offset :]
    sop_class, instance = identity(dataset, meta.transfer_syntax_uid)
    sop_class, instance = sop_class or meta.sop_class_uid, instance or meta.sop_instance_uid
    if not (sop_class and instance and meta.transfer_syntax_uid):
        return None  # nothing that could be announced in a command
    return Sample(folder / name, name, sop_class, instance, meta.transfer_syntax_uid, dataset)


def identity(dataset: bytes, transfer_syntax_uid: str) -> tuple[str, str]:
    """Return what the data set says of itself, as a sender announces it; empty where it cannot."""
    try:
        return peek_identity(
            BytesSource(dataset), transfer_syntax_uid=transfer_syntax_uid, limits=WalkLimits()
        )
    except Invalid:
        return "", ""
