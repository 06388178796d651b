"""Short films for the tests: one that a browser recorded, and others made of it as phones write
them, with what must not travel along planted in every place.
"""

from __future__ import annotations

import struct
from pathlib import Path

from derm_capture.clip_track import read_track
from derm_capture.mp4 import box, boxes, full_box, need

BROWSER = (Path(__file__).parent / "clips" / "browser.mp4").read_bytes()
"""480x360, 45 pictures in 2.2 s, in fragments, with a tone as Opus (`clips/record.py`)."""

SECRETS = (b"+59.9139+010.7522", b"Kari Nordmann", b"iPhone of Kari", b"VOICES", b"SPOKEN", b"Ola")
_MATRICES = {
    0: (1, 0, 0, 1),
    90: (0, 1, -1, 0),
    180: (-1, 0, 0, -1),
    270: (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
}
TAKEN = 3_850_000_000  # seconds since 1904: in December 2025


def samples_of(data: bytes) -> list[bytes]:
    """Return the coded pictures of a film."""
    return [data[s.offset : s.offset + s.size] for s in read_track(data).samples]


def phone_film(
    source: bytes = BROWSER,
    *,
    turn: int | str = 0,
    first: bytes = b"",
    coding: bytes = b"avc1",
    edit: tuple[int, int] | None = None,
    record: bytes = b"",
    moov_first: bool = False,
) -> bytes:
    """Return a film as a phone writes it: QuickTime, movie box last, sound, place, names, times.

    `first` goes into the first sample as further units; `edit` are start and length in the track's
    units.
    """
    track = read_track(source)
    pictures = samples_of(source)
    pictures[0] = first + pictures[0]
    head = box(b"ftyp", b"qt  ", bytes(4), b"qt  ") + box(b"wide")
    voice = b"VOICES" * 40
    content = b"".join(pictures[:20]) + voice + b"".join(pictures[20:])
    record = record or track.configuration.record

    def movie(begins: int) -> bytes:
        size = sum(map(len, pictures[:20]))
        places = (begins, begins + size + len(voice))
        return _movie(
            track.timescale,
            track.samples,
            pictures,
            places,
            begins + size,
            turn=turn,
            coding=coding,
            edit=edit,
            record=record,
            sizes=track.configuration.coding,
        )

    trailer = box(b"uuid", b"Kari Nordmann film 17") + box(b"free", b"SPOKEN")
    if moov_first:
        begins = len(head) + len(movie(0)) + 8
        return head + movie(begins) + box(b"mdat", content) + trailer
    begins = len(head) + 8
    return head + box(b"mdat", content) + movie(begins) + trailer


def _movie(scale, samples, pictures, places, voice_at, *, turn, coding, edit, record, sizes):
    duration = sum(s.duration for s in samples)
    times = struct.pack(">II", TAKEN, TAKEN)
    a, b, c, d = (each << 16 if each >= 0 else each * 65536 for each in _MATRICES[turn])
    matrix = struct.pack(">9i", a, b, 0, c, d, 0, sizes.rows << 16, 0, 1 << 30)
    plain = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    mvhd = full_box(
        b"mvhd",
        times,
        struct.pack(">II", scale, duration),
        struct.pack(">IH10x", 1 << 16, 256),
        plain,
        bytes(24),
        struct.pack(">I", 4),
    )

    def trak(number, handler, stbl, edits=b"", matrix=plain, name=b"Kari Nordmann's camera\0"):
        tkhd = full_box(
            b"tkhd",
            times,
            struct.pack(">III", number, 0, duration),
            bytes(16),
            matrix,
            struct.pack(">II", sizes.columns << 16, sizes.rows << 16),
            flags=15,
        )
        mdia = box(
            b"mdia",
            full_box(b"mdhd", times, struct.pack(">IIHH", scale, duration, 0, 0)),
            full_box(b"hdlr", b"mhlr" + handler + b"appl" + bytes(8), name),
            box(b"minf", full_box(b"vmhd", bytes(8), flags=1), stbl),
        )
        return box(b"trak", tkhd, edits, mdia, box(b"udta", box(b"name", b"iPhone of Kari")))

    entry = box(
        coding,
        struct.pack(">6xH16x2H", 1, sizes.columns, sizes.rows),
        struct.pack(">3IH", 72 << 16, 72 << 16, 0, 1),
        b"\x03Ola".ljust(32, b"\0"),
        struct.pack(">2H", 24, 0xFFFF),
        box(b"avcC", record),
        box(b"colr", b"nclx" + bytes(7)),
    )
    count = len(pictures)
    stbl = box(
        b"stbl",
        full_box(b"stsd", struct.pack(">I", 1), entry),
        full_box(
            b"stts",
            struct.pack(">I", count),
            b"".join(struct.pack(">II", 1, s.duration) for s in samples),
        ),
        full_box(b"stss", struct.pack(">II", 1, 1)),
        full_box(b"stsc", struct.pack(">I6I", 2, 1, 20, 1, 2, count - 20, 1)),
        full_box(b"stsz", struct.pack(f">II{count}I", 0, count, *map(len, pictures))),
        full_box(b"stco", struct.pack(">III", 2, *places)),
    )
    sound = box(
        b"stbl",
        full_box(b"stsd", struct.pack(">I", 1), box(b"mp4a", bytes(28))),
        full_box(b"stts", struct.pack(">III", 1, 1, 1024)),
        full_box(b"stsc", struct.pack(">4I", 1, 1, 1, 1)),
        full_box(b"stsz", struct.pack(">III", 0, 1, 240)),
        full_box(b"stco", struct.pack(">II", 1, voice_at)),
    )
    edits = b""
    if edit is not None:
        edits = box(b"edts", full_box(b"elst", struct.pack(">IIiI", 1, edit[1], edit[0], 1 << 16)))
    place = box(
        b"udta",
        box(b"\xa9xyz", struct.pack(">HH", 17, 0x15C7) + SECRETS[0]),
        box(b"\xa9nam", b"Kari Nordmann"),
    )
    meta = full_box(b"meta", box(b"keys", b"com.apple.quicktime.location.ISO6709 " + SECRETS[0]))
    return box(
        b"moov",
        mvhd,
        trak(2, b"soun", sound),
        trak(1, b"vide", stbl, edits, matrix),
        trak(3, b"meta", sound),
        place,
        meta,
    )


def user_data(text: bytes) -> bytes:
    """Return an SEI unit with unregistered user data, with its length before it."""
    payload = bytes(16) + text
    unit = bytes((6, 5, len(payload))) + payload.replace(b"\0\0", b"\0\0\3") + b"\x80"
    return struct.pack(">I", len(unit)) + unit


def kinds_of(data: bytes, *path: bytes) -> list[bytes]:
    """Return the kinds of the boxes at a path."""
    return [kind for kind, _ in boxes(need(data, *path) if path else data)]
