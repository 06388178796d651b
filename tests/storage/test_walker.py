"""The walk at the door: what is kept, what is refused under which code, and that it ends."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casework.errors import Invalid, TooLarge
from storage.part10 import (
    DEFLATED_LE,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    FileSource,
    Header,
    WalkLimits,
    check_identity,
    walk,
)
from tests.storage.building import (
    UNDEFINED,
    dataset,
    deflated,
    element,
    encapsulated,
    item,
    sequence,
    us,
)

JPEG = "1.2.840.10008.1.2.4.50"
CODES = ("truncated", "bad-structure", "uid-missing", "uid-malformed", "too-large")


def seen(content: bytes, syntax: str = EXPLICIT_LE, **limits: Any) -> Header:
    return walk(content, transfer_syntax_uid=syntax, limits=WalkLimits(**limits))


def outcome(content: bytes, syntax: str) -> Header | str:
    """Return the header, or the code of the refusal; any other exception is a failure."""
    try:
        return walk(content, transfer_syntax_uid=syntax)
    except Invalid as error:
        return error.code


def refusal(content: bytes, syntax: str = EXPLICIT_LE, **limits: Any) -> str:
    with pytest.raises(Invalid) as caught:
        seen(content, syntax, **limits)
    return caught.value.code


@pytest.mark.parametrize(
    ("syntax", "how"),
    [
        (EXPLICIT_LE, {}),
        (IMPLICIT_LE, {"implicit": True}),
        (EXPLICIT_BE, {"big": True}),
    ],
)
def test_a_data_set_is_read_the_same_in_every_encoding(syntax: str, how: dict[str, Any]) -> None:
    nested = element(0x0040A124, "UI", "1.9", **how) + element(0x00400007, "LO", "Thorax", **how)
    extra = sequence(0x00400275, [item(nested, big=how.get("big", False))], **how)
    header = seen(dataset(number=7, extra=extra, **how), syntax)
    assert (header.sop_instance_uid, header.study_uid, header.series_uid) == (
        "1.2.3.4",
        "1.2.3",
        "1.2.3.1",
    )
    assert header.attributes["Rows"] == 4
    assert header.attributes["InstanceNumber"] == 7
    assert header.attributes["PatientName"] == "NESS^KARI"
    assert header.attributes["RequestAttributesSequence"] == [
        {"ScheduledProcedureStepDescription": "Thorax"}
    ]
    assert header.pixel is not None
    assert header.pixel.length == 32
    assert header.warnings == ()


def test_a_deflated_data_set_is_read_inside() -> None:
    content = dataset()
    header = seen(deflated(content), DEFLATED_LE)
    assert header.pixel is not None
    assert content[header.pixel.offset :] == bytes(range(32))


def test_a_deflated_bomb_is_refused() -> None:
    bomb = deflated(dataset(extra=element(0x00091001, "OB", bytes(20 << 20))))
    assert len(bomb) < 100_000
    with pytest.raises(TooLarge):
        seen(bomb, DEFLATED_LE)
    with pytest.raises(TooLarge):
        seen(deflated(dataset(pixels=None, extra=bytes(9000))), DEFLATED_LE, inflate_bytes=1000)


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_deflated_data_set_that_is_cut_off_is_truncated(cut: int) -> None:
    assert refusal(deflated(dataset())[:-cut], DEFLATED_LE) == "truncated"


def test_a_data_set_cut_anywhere_is_refused_or_a_whole_shorter_one() -> None:
    content = dataset(extra=sequence(0x00081140, [item(us(0x00280010, 1))], undefined=True))
    for cut in range(len(content)):
        found = outcome(content[:cut], EXPLICIT_LE)
        if isinstance(found, Header):  # cut exactly between two elements, after the identity
            assert found.pixel is None
        else:
            assert found in ("truncated", "uid-missing"), cut


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (dataset(pixels=bytes(30)), "bad-structure"),
        (dataset(frames=2), "bad-structure"),
        (dataset(study=""), "uid-missing"),
        (dataset(series=""), "uid-missing"),
        (dataset(uid=""), "uid-missing"),
        (dataset(study="1.2.x"), "uid-malformed"),
        (dataset(uid="1." * 33), "uid-malformed"),
        (dataset(extra=element(0x00020010, "UI", EXPLICIT_LE)), "bad-structure"),
        (dataset(extra=struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)), "bad-structure"),
        (dataset(extra=struct.pack("<HHL", 0xFFFE, 0xE00D, 0)), "bad-structure"),
        (dataset(extra=item(b"")), "bad-structure"),
        (dataset(extra=sequence(0x00081140, [b"\x08\x00\x60\x00CS\x02\x00CT"])), "bad-structure"),
        (dataset(extra=element(0x00091001, "OB", b"", length=1 << 31)), "truncated"),
        (
            dataset(extra=sequence(0x00081140, [item(element(0x00080060, "CS", "CT", length=50))])),
            "bad-structure",
        ),
        (dataset(pixels=None) + b"\x00", "truncated"),
        (b"", "uid-missing"),
        (b"\x00" * 7, "truncated"),
    ],
)
def test_what_is_not_whole_is_refused(content: bytes, code: str) -> None:
    assert refusal(content) == code


def test_pixel_data_that_is_longer_than_its_frames_is_kept_with_a_warning() -> None:
    header = seen(dataset(pixels=bytes(132)))
    assert header.warnings == ("the pixel data is 100 bytes longer than its frames",)


def test_a_missing_sequence_delimiter_is_truncated() -> None:
    assert refusal(dataset(pixels=None) + encapsulated([b"\xff\xd8"], ended=False), JPEG) == (
        "truncated"
    )


def test_sequences_nest_64_deep_and_no_deeper() -> None:
    def nested(depth: int, *, undefined: bool) -> bytes:
        content = b""
        for _ in range(depth):
            content = sequence(
                0x00081140, [item(content, undefined=undefined)], undefined=undefined
            )
        return dataset(pixels=None) + content

    for undefined in (False, True):
        assert seen(nested(64, undefined=undefined)).sop_instance_uid
        assert refusal(nested(65, undefined=undefined)) == "bad-structure"
        assert refusal(nested(1500, undefined=undefined)) == "bad-structure"


def test_elements_are_counted() -> None:
    content = dataset(pixels=None) + us(0x00280010, 1) * 100
    assert refusal(content, max_elements=50) == "bad-structure"


def test_what_real_senders_do_is_tolerated() -> None:
    private = sequence(
        0x00091002, [item(us(0x00280010, 1, implicit=True))], undefined=True, vr="UN"
    )
    icon = sequence(
        0x00880200, [item(encapsulated([b"\xff\xd8\xff\xd9"]), undefined=True)], undefined=True
    )
    odd = (
        private
        + icon
        + element(0x00091003, "UN", b"opaque \xff\xfe\x00\xe0")
        + element(0x00091004, "LO", "implicit among explicit", implicit=True)
        + sequence(0x00081140, [])
        + element(0x00091005, "ZZ", "")
    )
    header = seen(dataset(extra=odd))
    assert "elements in implicit VR stand among explicit ones" in header.warnings
    assert header.pixel is not None
    assert not header.pixel.encapsulated


def test_identity_that_is_not_the_announced_one_is_refused() -> None:
    header = seen(dataset())
    check_identity(header, sop_class_uid=header.sop_class_uid, sop_instance_uid="1.2.3.4")
    with pytest.raises(Invalid) as caught:
        check_identity(header, sop_class_uid=header.sop_class_uid, sop_instance_uid="1.2.3.5")
    assert caught.value.code == "uid-mismatch"


def test_a_walk_over_a_file_gives_what_a_walk_over_memory_gives(tmp_path: Any) -> None:
    long = element(0x00091001, "OB", bytes(200_000))
    content = dataset(
        extra=long + sequence(0x00081140, [item(us(0x00280010, 1))] * 9000, undefined=True)
    )
    path = tmp_path / "file"
    path.write_bytes(b"before" + content + b"after")
    with path.open("rb") as stream:
        source = FileSource(stream.fileno(), offset=6, size=len(content))
        assert walk(source, transfer_syntax_uid=EXPLICIT_LE) == seen(content)


@pytest.mark.parametrize(
    ("fragments", "table", "frames", "expected"),
    [
        ([b"aaaa", b"bb"], [0, 12], 2, [[b"aaaa"], [b"bb"]]),
        ([b"aaaa", b"bb", b"cc"], [0, 22], 2, [[b"aaaa", b"bb"], [b"cc"]]),
        ([b"aaaa", b"bb"], [], 2, [[b"aaaa"], [b"bb"]]),
        ([b"aaaa", b"bb"], [], None, [[b"aaaa", b"bb"]]),
        ([b"aaaa", b"bb"], [7, 99], 2, [[b"aaaa"], [b"bb"]]),
        (
            [b"\xff\xd8\xff\xe0", b"rest", b"\xff\xd8\xff\xe1"],
            [],
            2,
            [[b"\xff\xd8\xff\xe0", b"rest"], [b"\xff\xd8\xff\xe1"]],
        ),
        ([b"aaaa", b"bb", b"cc"], [], 2, None),
        ([], [], 1, None),
    ],
)
def test_frames_of_encapsulated_data_are_told_apart(
    fragments: list[bytes],
    table: list[int],
    frames: int | None,
    expected: list[list[bytes]] | None,
) -> None:
    content = dataset(pixels=None, frames=frames) + encapsulated(fragments, table=table)
    pixel = seen(content, JPEG).pixel
    assert pixel is not None
    assert pixel.encapsulated
    if expected is None:
        assert pixel.frame_table is None
        return
    assert pixel.frame_table is not None
    found = [[content[o : o + n] for o, n in spans] for spans in pixel.frame_table]
    assert found == expected


def test_an_extended_offset_table_is_used() -> None:
    fragments = [b"\x01" * 4, b"\x02" * 6, b"\x03" * 8]
    tables = element(0x7FE00001, "OV", struct.pack("<QQ", 0, 26)) + element(
        0x7FE00002, "OV", struct.pack("<QQ", 10, 8)
    )
    content = dataset(pixels=None, frames=2) + tables + encapsulated(fragments)
    pixel = seen(content, JPEG).pixel
    assert pixel is not None
    assert pixel.frame_table is not None
    assert [len(spans) for spans in pixel.frame_table] == [2, 1]


@pytest.mark.parametrize(
    ("tag", "vr", "raw", "keyword", "value"),
    [
        (0x00281050, "DS", b"40\\-600 ", "WindowCenter", [40.0, -600.0]),
        (0x00281050, "DS", b"nonsense", "WindowCenter", None),
        (0x00281050, "DS", b"1e999 ", "WindowCenter", None),
        (0x00280008, "IS", b"1.0 ", "NumberOfFrames", 1),
        (0x00080008, "CS", b"ORIGINAL\\PRIMARY ", "ImageType", ["ORIGINAL", "PRIMARY"]),
        (0x00080050, "SH", b"  A1  ", "AccessionNumber", "A1"),
        (0x00080050, "SH", b"    ", "AccessionNumber", None),
        (0x00280120, "SS", b"\x00\x80", "PixelPaddingValue", 32768),
    ],
)
def test_values_are_plain(tag: int, vr: str, raw: bytes, keyword: str, value: Any) -> None:
    assert seen(dataset(extra=element(tag, vr, raw))).attributes.get(keyword) == value


def test_a_signed_padding_value_follows_the_pixel_representation() -> None:
    extra = us(0x00280103, 1) + element(0x00280120, "SS", b"\x00\x80")
    assert seen(dataset(extra=extra)).attributes["PixelPaddingValue"] == -32768


@pytest.mark.parametrize(
    ("terms", "raw", "text"),
    [
        ("", b"NESS^KARI", "NESS^KARI"),
        ("ISO_IR 100", b"\xc5SHEIM^B\xf8", "ÅSHEIM^Bø"),
        ("ISO_IR 192", "ÅSHEIM^Bø".encode(), "ÅSHEIM^Bø"),
        ("ISO_IR 144", "Люкceмбypг".encode("iso8859_5"), "Люкceмбypг"),
        ("GB18030", "王^小东".encode("gb18030"), "王^小东"),
        # PS3.5 sections H.3.1 and I.2
        (
            "\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        (
            "\\ISO 2022 IR 149",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
        ("NONSENSE", b"\xc5SHEIM", "ÅSHEIM"),
        ("ISO_IR 192", b"\xc5SHEIM", "�SHEIM"),
        ("ISO 2022 IR 87", b"\x1b$B;3\x1b", "山\ufffd"),
    ],
)
def test_text_is_decoded_and_never_fails(terms: str, raw: bytes, text: str) -> None:
    extra = element(0x00080005, "CS", terms) + element(0x00081030, "LO", raw)
    found = seen(dataset(extra=extra)).attributes["StudyDescription"]
    assert found == text


SEED = dataset(
    extra=sequence(0x00081140, [item(us(0x00280010, 1), undefined=True)], undefined=True)
    + sequence(0x00400275, [item(element(0x00400007, "LO", "Thorax"))]),
)
SEEDS = {
    EXPLICIT_LE: SEED,
    IMPLICIT_LE: dataset(implicit=True),
    EXPLICIT_BE: dataset(big=True),
    DEFLATED_LE: deflated(SEED),
    JPEG: dataset(pixels=None, frames=2) + encapsulated([b"\xff\xd8", b"ab"], table=[0, 10]),
}


@given(data=st.data(), syntax=st.sampled_from(sorted(SEEDS)))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_bytes_are_read_or_refused_and_nothing_else(data: Any, syntax: str) -> None:
    damaged = bytearray(SEEDS[syntax])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        kind = data.draw(st.sampled_from(["set", "cut", "grow", "double"]))
        if kind == "set":
            damaged[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del damaged[at : at + data.draw(st.integers(1, 20))]
        elif kind == "grow":
            damaged[at:at] = data.draw(st.binary(min_size=1, max_size=12))
        else:
            damaged[at:at] = damaged[at : at + 40]
        if not damaged:
            break
    found = outcome(bytes(damaged), syntax)
    if isinstance(found, Header):
        assert found.sop_instance_uid
    else:
        assert found in CODES


@given(st.binary(max_size=400), st.sampled_from(sorted(SEEDS)))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_read_or_refused(content: bytes, syntax: str) -> None:
    found = outcome(content, syntax)
    assert isinstance(found, Header) or found in CODES


def test_an_undefined_length_where_none_may_be_is_refused() -> None:
    fragments = element(0x7FE00010, "OB", b"", length=UNDEFINED) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, UNDEFINED
    )
    assert refusal(dataset(pixels=None) + fragments, JPEG) == "truncated"
