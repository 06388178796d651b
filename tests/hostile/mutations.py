"""Changes sound data sets and PDUs into bad ones, each by its number alone: it can be repeated.

A data set of the run's own has one UID of fixed length, which is put in before it is changed.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from casework.errors import Invalid
from pacs_bridge import dimse
from pacs_bridge.syntaxes import TRANSFER_SYNTAXES
from storage.part10 import IMPLICIT_LE, BytesSource, read_file_meta
from tests.hostile.sending import EXPLICIT
from tests.pacs_bridge.collection import identity
from tests.pacs_bridge.wire import CT, p_data
from tests.storage.building import dataset, deflated, element, encapsulated, item, sequence

PLACE = "1.2.826.0.1.3680043.9.7433.2.1000000000"
"""Stands in the seeds where each input gets a UID of its own, of the same length."""

LENGTHS = (
    0,
    1,
    2,
    7,
    8,
    0x7FFF,
    0x8000,
    0xFFFE,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0xFFFFFFFE,
    0xFFFFFFFF,
)
OWN = 7  # seeds of the run's own, which come first
JPEG, BIG, DEFLATED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
SR = "1.2.840.10008.5.1.4.1.1.88.11"


@dataclass(frozen=True)
class Seed:
    """A data set to start from; `uid` is what stands in it, empty when none can be told."""

    name: str
    sop_class: str
    syntax: str
    uid: str
    data: bytes


def own_seeds() -> list[Seed]:
    """Return data sets of every shape that the walk knows."""
    reference = element(0x00081155, "UI", "1.2.9.1") + element(0x00081150, "UI", CT)
    nested = sequence(
        0x00081140,
        [item(reference, undefined=True), item(sequence(0x00081199, [item(reference)]))],
        undefined=True,
    )
    private = element(0x00090010, "LO", "LYSBRO TEST") + element(0x00091001, "UN", bytes(40))
    text = "".join(chr(97 + n % 26) for n in range(400))
    report = (
        element(0x00080016, "UI", SR)
        + element(0x00080018, "UI", PLACE)
        + element(0x00080005, "CS", "ISO_IR 192")
        + element(0x00080060, "CS", "SR")
        + element(0x00100010, "PN", "Bjørnsen^Åse".encode())
        + element(0x00100020, "LO", "1")
        + element(0x0020000D, "UI", "1.2.3")
        + element(0x0020000E, "UI", "1.2.3.2")
        + sequence(0x0040A730, [item(element(0x0040A160, "UT", text))] * 3)
    )
    small: dict[str, int] = {"rows": 4, "columns": 4}
    return [
        Seed("explicit", CT, EXPLICIT, PLACE, dataset(PLACE, extra=nested + private, **small)),
        Seed("implicit", CT, IMPLICIT_LE, PLACE, dataset(PLACE, implicit=True, **small)),
        Seed("big", CT, BIG, PLACE, dataset(PLACE, big=True, **small)),
        Seed(
            "jpeg",
            CT,
            JPEG,
            PLACE,
            dataset(PLACE, pixels=None, frames=2)
            + encapsulated([bytes(30), b"\xff\xd8" + bytes(8)], table=[0, 38]),
        ),
        Seed("report", SR, EXPLICIT, PLACE, report),
        Seed("deflated", CT, DEFLATED, PLACE, deflated(dataset(PLACE))),
        Seed("frames", CT, EXPLICIT, PLACE, dataset(PLACE, frames=3, pixels=bytes(96))),
    ]


def file_seeds(folder: Path, *, at_most_bytes: int = 20_000) -> list[Seed]:
    """Return the small malformed files of the collection, as data sets that can be announced."""
    found = []
    for path in sorted(folder.rglob("*.dcm")):
        content = path.read_bytes()
        seed = _file_seed(path.name, content) if len(content) <= at_most_bytes else None
        if seed is not None:
            found.append(seed)
    return found


def _file_seed(name: str, content: bytes) -> Seed | None:
    start, syntax = _meta(content)
    data = content[start:]
    sop_class, uid = identity(data, syntax)
    if len(uid) < 20 or not uid.replace(".", "").isdigit():
        return Seed(name, CT, syntax, "", data)
    return Seed(name, sop_class or CT, syntax, uid, data)


def _meta(content: bytes) -> tuple[int, str]:
    """Return where the data set begins, and its transfer syntax, of files that may be no files."""
    try:
        meta = read_file_meta(BytesSource(content))
    except Invalid:
        return 0, IMPLICIT_LE
    is_known = meta.transfer_syntax_uid in TRANSFER_SYNTAXES
    return meta.dataset_offset, meta.transfer_syntax_uid if is_known else EXPLICIT


@dataclass(frozen=True)
class Bad:
    """A changed data set and how it is announced."""

    number: int
    seed: Seed
    uid: str
    data: bytes


def bad_dataset(number: int, seeds: Sequence[Seed]) -> Bad:
    """Return the changed data set of this number."""
    chosen = random.Random(f"data set {number}")
    seed = chosen.choice(seeds[:OWN] if chosen.random() < 0.5 else seeds)
    uid, data = uid_of(number, seed), seed.data
    if seed.uid:
        data = data.replace(seed.uid.encode(), uid.encode())
    for _ in range(chosen.choice((1, 1, 1, 2, 3))):
        change = chosen.choice(CHANGES)
        data = change(chosen, data, seeds)[:200_000]
    return Bad(number, seed, uid, data)


def uid_of(number: int, seed: Seed) -> str:
    """Return a UID as long as the seed's that ends in the number, else one of the run's own."""
    if seed.uid.encode() not in seed.data:
        return seed.uid  # it stands there deflated
    if not seed.uid:
        return f"{PLACE[:-10]}{1_000_000_000 + number}"
    return f"{seed.uid[:-10].rstrip('.')}"[: len(seed.uid) - 10].ljust(
        len(seed.uid) - 10, "1"
    ) + str(1_000_000_000 + number)


def flip_bits(chosen: random.Random, data: bytes, _: Sequence[Seed]) -> bytes:
    changed = bytearray(data)
    for _n in range(chosen.randint(1, 8)):
        if changed:
            changed[chosen.randrange(len(changed))] ^= 1 << chosen.randrange(8)
    return bytes(changed)


def change_a_length(chosen: random.Random, data: bytes, _: Sequence[Seed]) -> bytes:
    """Write another length where one may stand: behind a tag or a value representation."""
    if len(data) < 12:
        return data
    changed = bytearray(data)
    at = chosen.randrange(0, len(data) - 8)
    if chosen.random() < 0.7:  # where elements begin, as far as can be told
        found = [i for i in range(0, len(data) - 12, 2) if data[i + 4 : i + 6].isalpha()]
        at = chosen.choice(found) + 6 if found else at
    length = chosen.choice((*LENGTHS, len(data), len(data) - at, chosen.randrange(1 << 16)))
    if chosen.random() < 0.5:
        struct.pack_into("<H", changed, at, length & 0xFFFF)
    else:
        at = min(at, len(data) - 4)
        struct.pack_into("<L", changed, at, length & 0xFFFFFFFF)
    return bytes(changed)


def cut_short(chosen: random.Random, data: bytes, _: Sequence[Seed]) -> bytes:
    return data[: chosen.randint(0, len(data))]


def splice(chosen: random.Random, data: bytes, seeds: Sequence[Seed]) -> bytes:
    """Go on with another data set in the middle of this one."""
    other = chosen.choice(seeds).data
    return data[: chosen.randint(0, len(data))] + other[chosen.randint(0, len(other)) :]


def repeat_a_piece(chosen: random.Random, data: bytes, _: Sequence[Seed]) -> bytes:
    start = chosen.randrange(0, len(data) + 1)
    piece = data[start : start + chosen.randint(1, 200)]
    return data[:start] + piece * chosen.choice((2, 2, 3, 50)) + data[start + len(piece) :]


def repeat_an_element(chosen: random.Random, data: bytes, _: Sequence[Seed]) -> bytes:
    """Repeat a whole short element, where one can be told."""
    found = [i for i in range(0, len(data) - 8, 2) if data[i + 4 : i + 6].isalpha()]
    if not found:
        return data
    start = chosen.choice(found)
    (length,) = struct.unpack_from("<H", data, start + 6)
    end = min(len(data), start + 8 + length)
    return data[:end] + data[start:end] + data[end:]


def leave_a_piece_out(chosen: random.Random, data: bytes, _: Sequence[Seed]) -> bytes:
    start = chosen.randrange(0, len(data) + 1)
    return data[:start] + data[start + chosen.randint(1, 64) :]


def put_noise_in(chosen: random.Random, data: bytes, _: Sequence[Seed]) -> bytes:
    start = chosen.randrange(0, len(data) + 1)
    return data[:start] + chosen.randbytes(chosen.randint(1, 64)) + data[start:]


def swap_pieces(chosen: random.Random, data: bytes, _: Sequence[Seed]) -> bytes:
    a, b, c = sorted(chosen.randrange(0, len(data) + 1) for _n in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def end_of_values(chosen: random.Random, data: bytes, _: Sequence[Seed]) -> bytes:
    """Write delimiters and the like where they do not belong."""
    tags = (
        (0xFFFE, 0xE000),
        (0xFFFE, 0xE00D),
        (0xFFFE, 0xE0DD),
        (0x7FE0, 0x0010),
        (0x0002, 0x0010),
    )
    start = chosen.randrange(0, len(data) + 1) & ~1
    return (
        data[:start]
        + struct.pack("<HHL", *chosen.choice(tags), chosen.choice(LENGTHS))
        + data[start:]
    )


Change = Callable[[random.Random, bytes, Sequence[Seed]], bytes]
CHANGES: tuple[Change, ...] = (
    flip_bits,
    flip_bits,
    change_a_length,
    change_a_length,
    cut_short,
    splice,
    repeat_a_piece,
    repeat_an_element,
    leave_a_piece_out,
    put_noise_in,
    swap_pieces,
    end_of_values,
)


@dataclass(frozen=True)
class BadStream:
    """What is sent after (or instead of) a request: PDUs, changed."""

    number: int
    contexts: tuple[tuple[str, str], ...]
    request: bytes | None  # sent in place of the sound one
    content: bytes


def bad_stream(number: int, seeds: Sequence[Seed], request: bytes) -> BadStream:
    """Return the changed PDUs of this number: of two objects and a release, or of the request."""
    chosen = random.Random(f"stream {number}")
    pdus = []
    seed = chosen.choice([s for s in seeds if s.uid])
    for turn in range(2):
        uid = uid_of(10 * number + turn, seed)
        data = seed.data.replace(seed.uid.encode(), uid.encode())
        pdus.append(p_data(1, 3, dimse.write_store_request(turn + 1, seed.sop_class, uid)))
        size = chosen.choice((7, 100, 1000, 30_000))
        pieces = [
            data[i : i + max(size, len(data) // 20 + 1)]
            for i in range(0, len(data), max(size, len(data) // 20 + 1))
        ]
        pdus += [p_data(1, 2 if last else 0, piece) for piece, last in _with_last(pieces)]
    pdus.append(b"\x05\0\0\0\0\x04\0\0\0\0")
    contexts = ((seed.sop_class, seed.syntax),)
    if chosen.random() < 0.2:
        changed = _changed_pdus(chosen, [request])
        return BadStream(number, contexts, changed, b"".join(pdus))
    return BadStream(number, contexts, None, _changed_pdus(chosen, pdus))


def _changed_pdus(chosen: random.Random, pdus: list[bytes]) -> bytes:
    """Change the heads, order and contents of PDUs."""
    pdus = list(pdus)
    for _ in range(chosen.choice((1, 1, 2, 3))):
        at = chosen.randrange(len(pdus))
        what = chosen.randrange(8)
        one = bytearray(pdus[at])
        if what == 0 and one:
            one[0] = chosen.choice((*range(9), 255))
        elif what == 1 and len(one) >= 6:
            struct.pack_into(">L", one, 2, chosen.choice((*LENGTHS, len(one) - 7, len(one) - 5)))
        elif what == 2 and len(one) >= 12:
            struct.pack_into(">L", one, 6, chosen.choice((*LENGTHS, len(one) - 11, len(one) - 9)))
        elif what == 3 and len(one) >= 12:
            one[chosen.choice((10, 11))] = chosen.choice((0, 1, 2, 3, 4, 255))
        elif what == 4:
            pdus.insert(at, pdus[at])
        elif what == 5:
            other = chosen.randrange(len(pdus))
            pdus[at], pdus[other] = pdus[other], pdus[at]
            continue
        elif what == 6:
            one = one[: chosen.randrange(len(one) + 1)]
        else:
            one = bytearray(flip_bits(chosen, bytes(one), ()))
        pdus[at] = bytes(one)
    return b"".join(pdus)


def _with_last(pieces: list[bytes]) -> list[tuple[bytes, bool]]:
    return [(piece, n == len(pieces) - 1) for n, piece in enumerate(pieces)]


def messages_in(content: bytes) -> list[tuple[str, bytes]]:
    """Return UID and data set of each C-STORE that a reader of PS3.8 finds in a stream of PDUs.

    It reads on where a receiver would abort, so it finds what may be kept and more.
    """
    found: list[tuple[str, bytes]] = []
    command, data, announced = b"", b"", ""
    position = 0
    while position + 6 <= len(content):
        kind, length = struct.unpack_from(">BxL", content, position)
        body, position = content[position + 6 : position + 6 + length], position + 6 + length
        at = 0
        while kind == 4 and at + 6 <= len(body):
            size, _, control = struct.unpack_from(">LBB", body, at)
            value, at = body[at + 6 : at + 4 + size], at + 4 + max(size, 2)
            if control & 1:
                command += value
                if control & 2:
                    announced, command, data = announced_in(command), b"", b""
            else:
                data += value
                if control & 2:
                    found.append((announced, data))
                    data = b""
    return found


def announced_in(command: bytes) -> str:
    """Return the instance that a command set announces, however broken the rest of it is."""
    position = 0
    while position + 8 <= len(command):
        group, number, length = struct.unpack_from("<HHL", command, position)
        if (group, number) == (0, 0x1000):
            return command[position + 8 : position + 8 + length].decode("latin-1").strip(" \0")
        position += 8 + length
    return ""
