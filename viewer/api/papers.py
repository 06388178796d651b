"""The calls that bring what is no picture: reports as documents, recorded curves.

Which objects are within sight is decided by the index with the scope of the one who asks.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from dataclasses import asdict

from flask import Blueprint, Response, request
from pydantic import BaseModel, Field
from pydicom import dcmread
from pydicom.dataset import Dataset

from casework.errors import Invalid, NotFound
from storage.index import InstanceRow
from viewer.api.calls import Answer, answer, describe, read_query
from viewer.guard import current_scope
from viewer.imaging import imaging
from viewer.languages import language
from viewer.manifest import kind_of
from viewer.report_document import document_of
from viewer.report_items import Item, Shown, Table
from viewer.services import services
from viewer.waveforms import GAP, MOST_SAMPLES, is_recording, recording_of, samples_of

bp = Blueprint("api_papers", __name__, url_prefix="/api/instances")

SAMPLES = "application/vnd.lysbro.samples"
"""16-bit counts, little endian, one channel after the other."""

_LIMIT_BYTES = 128 << 20
_KEPT_BYTES = 8 << 20  # larger ones are read for each call, not kept in memory


class ChannelAnswer(Answer):
    """One curve: a value is its count times `scale` plus `baseline`, in `unit`."""

    name: str
    unit: str = Field(description="UCUM; empty when nothing is calibrated")
    scale: float
    baseline: float
    skew_ms: float
    low_hz: float | None
    high_hz: float | None
    notch_hz: float | None


class GroupAnswer(Answer):
    """Channels that were sampled together."""

    label: str
    rate_hz: float
    samples: int
    offset_ms: float
    is_derived: bool
    channels: list[ChannelAnswer]


class NoteAnswer(Answer):
    """What was said of the recording: words, or a measurement with its unit."""

    name: str
    value: str
    unit: str
    at_ms: float | None = Field(description="from the start of its group")
    group: int = Field(description="from 1; 0: of all")
    channel: int


class WaveformAnswer(Answer):
    """A recording without its samples."""

    taken: str = Field(description="when it began, as the object says (DICOM DT)")
    gap: int = Field(description="the count that stands for no value")
    groups: list[GroupAnswer]
    notes: list[NoteAnswer]


class PartQuery(BaseModel):
    """Which samples are wanted."""

    first: int = Field(0, ge=0, description="from 0")
    count: int = Field(MOST_SAMPLES, ge=0, description="of each channel; fewer when it is too much")
    site: str = ""


class ShownAnswer(Answer):
    """An object that a report points to, and which of its frames; none named: all."""

    uid: str
    frames: list[int]


class TableAnswer(Answer):
    """Items of one name side by side."""

    columns: list[str]
    rows: list[list[str]]
    shown: list[list[ShownAnswer]] = Field(description="what each row points to")


class NamedAnswer(Answer):
    """A value with its name."""

    name: str
    value: str


class ItemAnswer(Answer):
    """One thing that a report says, with what stands under it."""

    kind: str = Field(description="heading, text, value, number, images, shape or uid")
    name: str
    value: str
    details: list[NamedAnswer]
    shown: list[ShownAnswer]
    items: list[ItemAnswer]
    table: TableAnswer | None
    is_aside: bool
    is_flow: bool


class ReportAnswer(Answer):
    """A structured report as a document."""

    title: str
    kind: str = Field(description="report, dose or key-objects")
    completion: str = Field(description="COMPLETE, PARTIAL or empty")
    verification: str = Field(description="VERIFIED, UNVERIFIED or empty")
    verified_by: list[NamedAnswer] = Field(description="who, and when")
    written_at: str
    context: list[NamedAnswer]
    items: list[ItemAnswer]
    is_cut: bool = Field(description="it goes on beyond what is given here")


@bp.get("/<uid>/report")
@describe("A structured report as a document", answers={200: ReportAnswer})
def report(uid: str) -> Response:
    """Give a structured report as a document: headings, sentences, measurements, tables."""
    ref = _instance(uid)
    if kind_of(ref) != "text":
        raise NotFound("The object is no structured report.", code="no-text")
    if ref.size_bytes > _KEPT_BYTES * 4:
        raise Invalid("The report is too large to show. Export the case.", code="too-large")
    found = document_of(imaging().source.header(ref), language())
    return answer(
        ReportAnswer(
            title=found.title,
            kind=found.kind,
            completion=found.completion,
            verification=found.verification,
            verified_by=_named(found.verified_by),
            written_at=found.written_at,
            context=_named(found.context),
            items=[_item(each) for each in found.items],
            is_cut=found.is_cut,
        )
    )


def _item(item: Item) -> ItemAnswer:
    return ItemAnswer(
        kind=item.kind,
        name=item.name,
        value=item.value,
        details=_named(item.details),
        shown=_shown(item.shown),
        items=[_item(each) for each in item.items],
        table=_table(item.table),
        is_aside=item.is_aside,
        is_flow=item.is_flow,
    )


def _table(table: Table | None) -> TableAnswer | None:
    if table is None:
        return None
    return TableAnswer(
        columns=list(table.columns),
        rows=[list(row) for row in table.rows],
        shown=[_shown(each) for each in table.shown],
    )


def _shown(shown: Sequence[Shown]) -> list[ShownAnswer]:
    return [ShownAnswer(uid=each.uid, frames=list(each.frames)) for each in shown]


def _named(pairs: Sequence[tuple[str, str]]) -> list[NamedAnswer]:
    return [NamedAnswer(name=name, value=value) for name, value in pairs]


@bp.get("/<uid>/waveform")
@describe("What an object with recorded curves holds", answers={200: WaveformAnswer})
def waveform(uid: str) -> Response:
    """Say which channels a recording has, how they are calibrated, and what was said of them."""
    ds = _recording(_instance(uid))
    found = recording_of(ds)
    taken = str(ds.get("AcquisitionDateTime") or "")
    return answer(
        WaveformAnswer(
            taken=taken,
            gap=GAP,
            groups=[
                GroupAnswer(
                    **asdict(group) | {"channels": [asdict(each) for each in group.channels]}
                )
                for group in found.groups
            ],
            notes=[NoteAnswer(**asdict(note)) for note in found.notes],
        )
    )


@bp.get("/<uid>/waveform/<int:group>")
@describe("Samples of a recording", answers={200: SAMPLES}, query=PartQuery)
def samples(uid: str, group: int) -> Response:
    """Give samples of a group, channel after channel; `Lysbro-Samples` counts those of each."""
    wanted = read_query(PartQuery)
    ref = _instance(uid)
    found = samples_of(_recording(ref), group, first=wanted.first, count=wanted.count)
    response = Response(
        gzip.compress(found.astype("<i2").tobytes(), compresslevel=4, mtime=0), content_type=SAMPLES
    )
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Lysbro-Samples"] = str(found.shape[1])
    response.set_etag(f"{ref.bytes_sha256[:32]}-{group}-{wanted.first}-{wanted.count}")
    response.make_conditional(request)
    return response


def _instance(uid: str) -> InstanceRow:
    return services().index.instance(current_scope(), uid, request.args.get("site") or None)


def _recording(ref: InstanceRow) -> Dataset:
    if not is_recording(ref.sop_class_uid):
        raise NotFound("The object holds no recorded curves.", code="no-waveform")
    if ref.size_bytes > _LIMIT_BYTES:
        raise Invalid("The recording is too large to show. Export the case.", code="too-large")
    if ref.size_bytes <= _KEPT_BYTES:
        return imaging().source.header(ref)
    return dcmread(io.BytesIO(services().archive.read_part10(ref)))
