"""Short films: what becomes of them, what must not travel along, what is refused and why."""

from __future__ import annotations

import hashlib
import struct
import subprocess
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.encaps import generate_fragments

from casework.errors import Invalid, TooLarge
from derm_capture import clip, validate
from derm_capture.clip import ClipLimits, open_clip
from derm_capture.clip_object import wrap_clip
from derm_capture.clip_samples import Sample
from derm_capture.clip_track import Edit, Track, read_track, shown_samples
from derm_capture.context import Kind, Lesion
from derm_capture.dicomize import VIDEO_PHOTOGRAPHIC
from derm_capture.h264 import Coding, pictures_of, syntax_of
from derm_capture.mp4 import box
from derm_capture.times import times_of
from tests.derm_capture.films import (
    BROWSER,
    SECRETS,
    TAKEN,
    kinds_of,
    phone_film,
    samples_of,
    user_data,
)
from tests.derm_capture.wrapping import context, dciodvfy, read

FILM = "derived_gapfill/derived/video_photographic_h264.dcm"


def clean(data: bytes) -> bytes:
    return b"".join(open_clip(data).file.pieces)


def hashes(data: bytes) -> list[str]:
    return [hashlib.sha256(each).hexdigest() for each in samples_of(data)]


def code_of(data: bytes, limits: ClipLimits | None = None) -> str:
    with pytest.raises(Invalid) as caught:
        open_clip(data, limits=limits)
    assert caught.value.message.endswith(".")
    return caught.value.code


@pytest.mark.parametrize("data", [BROWSER, phone_film(), phone_film(moov_first=True)])
def test_pictures_of_a_film_are_the_same_bytes_before_and_after(data: bytes) -> None:
    assert hashes(clean(data)) == hashes(data) == hashes(BROWSER)


@pytest.mark.fixtures
def test_real_film_with_b_pictures_keeps_every_picture_but_what_its_coder_says_of_itself(
    fixtures_dir: Path,
) -> None:
    ds = pydicom.dcmread(fixtures_dir / FILM)
    source = list(generate_fragments(ds.PixelData))[1]
    made = clean(source)
    before, after = read_track(source), read_track(made)
    assert hashes(made)[1:] == hashes(source)[1:]
    assert b"x264" in source
    assert b"x264" not in made
    kept = pictures_of(samples_of(source)[0], before.configuration)
    assert b"".join(kept) == samples_of(made)[0]
    assert [s.shift - after.samples[0].shift for s in after.samples] == [
        s.shift - before.samples[0].shift for s in before.samples
    ]
    assert code_of(source[:-3000]) in ("truncated-clip", "damaged-clip")


def test_nothing_that_tells_who_or_where_stays_in_a_film() -> None:
    source = phone_film(first=user_data(b"Kari Nordmann 59.9139"))
    assert all(secret in source for secret in SECRETS)
    made = clean(source)
    assert not [secret for secret in (*SECRETS, b"59.9139") if secret in made]
    assert kinds_of(made) == [b"ftyp", b"moov", b"free", b"mdat"]
    assert kinds_of(made, b"moov") == [b"mvhd", b"trak"]
    assert kinds_of(made, b"moov", b"trak") == [b"tkhd", b"mdia"]
    assert struct.pack(">I", TAKEN) not in made
    assert len(made) % 2 == 0


def test_sound_of_a_browsers_film_is_left_out() -> None:
    assert b"Opus" in BROWSER
    assert b"Opus" not in clean(BROWSER)
    assert len(clean(BROWSER)) < sum(map(len, samples_of(BROWSER))) + 3000


def test_time_of_the_film_becomes_the_objects_and_not_the_files() -> None:
    opened = open_clip(phone_film())
    taken = times_of(opened.camera, context(kind=Kind.CLIP)).taken
    assert (taken.year, taken.month) == (2025, 12)
    assert times_of(opened.camera, context(kind=Kind.CLIP)).offset == "+0100"


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_turn_of_a_film_stays_in_its_file_and_is_told_in_words(turn: int) -> None:
    opened = open_clip(phone_film(turn=turn))
    assert read_track(b"".join(opened.file.pieces)).turn == turn
    sizes = {pixels.shape[:2] for pixels in opened.judged}
    assert sizes == ({(480, 360)} if turn in (90, 270) else {(360, 480)})
    ds = read(wrap_clip(opened, context(kind=Kind.CLIP)))
    assert (ds.Rows, ds.Columns) == (360, 480)
    assert (f"{turn} degrees" in ds.get("ImageComments", "")) == bool(turn)


def test_object_of_a_film_says_what_its_stream_is() -> None:
    lesion = Lesion("A", "2.25.77")
    opened = open_clip(phone_film())
    made = wrap_clip(opened, context(kind=Kind.CLIP, lesion=lesion, laterality="L"))
    ds = read(made)
    assert ds.SOPClassUID == VIDEO_PHOTOGRAPHIC
    assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.102"
    assert list(ds.ImageType) == ["ORIGINAL", "PRIMARY", "", "CLIP"]
    assert (ds.PhotometricInterpretation, ds.NumberOfFrames) == ("YBR_PARTIAL_420", 45)
    assert len(ds.FrameTimeVector) == 45
    assert ds.FrameIncrementPointer == 0x00181065
    assert float(ds.EffectiveDuration) == pytest.approx(2.19, abs=0.01)
    assert (ds.TrackingID, ds.TrackingUID) == ("A", "2.25.77")
    assert ds.AnatomicRegionSequence[0].CodeValue == "23747009"
    assert (ds.LossyImageCompression, ds.LossyImageCompressionMethod) == ("01", "ISO_14496_10")
    assert list(generate_fragments(ds.PixelData))[1] == b"".join(opened.file.pieces)
    assert validate.check(made.part10) == ()


def test_same_film_in_the_same_context_is_the_same_object() -> None:
    one, two = (wrap_clip(open_clip(phone_film()), context(kind=Kind.CLIP)) for _ in range(2))
    assert one.part10 == two.part10


@pytest.mark.peers
@pytest.mark.parametrize("data", [BROWSER, phone_film(turn=90)])
def test_checkers_find_no_error_in_the_object_of_a_film(data: bytes, tmp_path: Path) -> None:
    made = wrap_clip(open_clip(data), context(kind=Kind.CLIP, lesion=Lesion("A", "2.25.7")))
    assert not [line for line in dciodvfy(made, tmp_path) if line.startswith("Error")]
    told = subprocess.run(
        ["dcmdump", "-q", str(tmp_path / "object.dcm")], capture_output=True, text=True, check=True
    ).stdout
    assert "VideoPhotographicImageStorage" in told
    assert "=MPEG4HighProfile" in told
    assert not [secret for secret in SECRETS if secret.decode() in told]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not-a-clip"),
        (b"\xff\xd8\xff\xe0 a photograph", "not-a-clip"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "not-a-clip"),
        (b"\x1a\x45\xdf\xa3" + bytes(40), "clip-coding"),
        (phone_film(coding=b"hvc1"), "clip-coding"),
        (phone_film(coding=b"av01"), "clip-coding"),
        (phone_film(coding=b"abcd"), "clip-coding"),
        (phone_film(turn="mirrored"), "clip-mirrored"),
        (phone_film()[:-3000], "truncated-clip"),
        (phone_film(moov_first=True)[:30_000], "truncated-clip"),
        (BROWSER[:40_000], "truncated-clip"),
        (box(b"ftyp", b"isom" + bytes(4)) + box(b"moov"), "no-video"),
        (phone_film(edit=(30_000, 30_000)), "clip-edited"),
        (phone_film(first=b"\0\0\0\x09\x41"), "damaged-clip"),
    ],
)  # fmt: skip
def test_what_is_no_usable_film_is_refused_with_its_code(data: bytes, code: str) -> None:
    assert code_of(data) == code


def test_film_that_names_one_stretch_many_times_is_refused() -> None:
    source = bytearray(phone_film())
    at = source.index(b"stsz") + 12
    count = 45
    source[at : at + 4 * count] = struct.pack(">I", 40_000) * count
    assert code_of(bytes(source)) in ("damaged-clip", "truncated-clip")


def test_long_or_large_film_is_refused_by_the_limits() -> None:
    assert code_of(BROWSER, ClipLimits(max_seconds=2)) == "clip-long"
    assert code_of(BROWSER, ClipLimits(max_bytes=1000)) == "clip-large"
    with pytest.raises(TooLarge, match="2 seconds is the most"):
        open_clip(BROWSER, limits=ClipLimits(max_seconds=2))


def test_end_that_was_cut_away_on_the_phone_is_left_out() -> None:
    opened = open_clip(phone_film(edit=(0, 30_000)))
    assert opened.frames < 45
    assert opened.seconds == pytest.approx(1, abs=0.1)
    assert "cut away" in opened.changes[0]
    assert read(wrap_clip(opened, context(kind=Kind.CLIP))).ImageType[0] == "DERIVED"


@pytest.mark.parametrize(
    ("edit", "kept"),
    [
        (None, range(30)),
        (Edit(0, None), range(30)),
        (Edit(100, 200), range(10, 20)),  # begins with a picture that stands alone
        (Edit(0, 295), range(30)),  # rounding takes no picture away
        (Edit(0, 201), range(21)),
        (Edit(150, 200), None),  # five pictures before it would be hidden
        (Edit(400, 500), None),
    ],
)
def test_what_an_edit_hides_is_left_out_or_refused(edit: Edit | None, kept: range | None) -> None:
    samples = tuple(Sample(10 * i, 10, 10, is_sync=i % 10 == 0) for i in range(30))
    track = Track(1000, samples, read_track(BROWSER).configuration, edit=edit)
    if kept is not None:
        assert shown_samples(track) == tuple(samples[i] for i in kept)
        return
    with pytest.raises(Invalid) as caught:
        shown_samples(track)
    assert caught.value.code == "clip-edited"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, "1.2.840.10008.1.2.4.102"),
        ({"profile": 77}, "1.2.840.10008.1.2.4.102"),
        ({"profile": 66, "is_constrained": True}, "1.2.840.10008.1.2.4.102"),
        ({"level": 42}, "1.2.840.10008.1.2.4.104"),
        ({"profile": 66}, "clip-profile"),
        ({"profile": 110, "bits": 10}, "clip-profile"),
        ({"is_420": False}, "clip-profile"),
        ({"level": 51}, "clip-level"),
        ({"is_progressive": False}, "clip-interlaced"),
    ],
)
def test_transfer_syntax_follows_from_profile_and_level(
    changes: dict[str, object], found: str
) -> None:
    usual = {
        "profile": 100, "level": 41, "is_constrained": False, "columns": 1920, "rows": 1080,
        "is_progressive": True, "is_420": True, "bits": 8,
    }  # fmt: skip
    coding = Coding(**(usual | changes))  # type: ignore[arg-type]
    if found.startswith("1."):
        assert syntax_of(coding) == found
        return
    with pytest.raises(Invalid) as caught:
        syntax_of(coding)
    assert caught.value.code == found


def test_advice_on_a_film_is_of_focus_and_light() -> None:
    advice = clip.assess(open_clip(BROWSER))
    assert {each.check for each in advice} == {"focus", "motion", "exposure"}
    assert all(each.verdict.value == "good" for each in advice)


def test_validator_finds_what_a_film_must_not_have() -> None:
    made = wrap_clip(open_clip(BROWSER), context(kind=Kind.CLIP))
    stream = b"".join(open_clip(BROWSER).file.pieces)
    for broken, word in (
        (stream.replace(b"vide", b"soun", 1), "no video"),
        (phone_film(), "box"),
        (phone_film(first=user_data(b"x")), "user data"),
    ):
        ds = read(made)
        ds.PixelData = pydicom.encaps.encapsulate([broken], has_bot=False)
        path = pydicom.filebase.DicomBytesIO()
        ds.save_as(path, enforce_file_format=True)
        assert any(word in each for each in validate.check(path.getvalue())), word
    for keyword, value in (("Rows", 4), ("NumberOfFrames", 3), ("LossyImageCompression", "00")):
        ds = read(made)
        setattr(ds, keyword, value)
        path = pydicom.filebase.DicomBytesIO()
        ds.save_as(path, enforce_file_format=True)
        assert validate.check(path.getvalue())


SOURCES = (BROWSER, phone_film(turn=90, edit=(0, 60_000)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    source=st.sampled_from(SOURCES),
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=6)), max_size=4),
    end=st.integers(0, 10**6),
)
def test_broken_film_is_opened_or_refused_and_never_more(
    source: bytes, edits: list[tuple[int, bytes]], end: int
) -> None:
    data = bytearray(source)
    marks = [at for at in range(len(data) - 4) if data[at : at + 2] in (b"st", b"mo", b"tr", b"md")]
    for place, text in edits:
        at = marks[place % len(marks)] + place % 24 if place % 3 else place % len(data)
        data[at : at + len(text)] = text
    try:
        opened = open_clip(bytes(data[: end or None]) if end % 2 else bytes(data))
    except Invalid:
        return
    made = wrap_clip(opened, context(kind=Kind.CLIP))
    assert validate.check(made.part10) == ()


@given(data=st.binary(max_size=200))
def test_any_bytes_are_opened_or_refused(data: bytes) -> None:
    for head in (b"", b"\0\0\0\x10ftypisom\0\0\0\0"):
        with pytest.raises(Invalid):
            open_clip(head + data)
