"""Asks for a C-ECHO again and again, in a process of its own, and says how long each took.

Run as `python watch.py PORT`, with the association request on standard input; it imports nothing of
ours, so that it is at work at once and waits for nobody's lock. Ends when its input does.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PAUSE_S = 0.15
GIVES_UP_S = 10.0
_ECHO = bytes.fromhex(
    "04000000004a 00000046 01 03"
    "00000000 04000000 38000000"
    "00000200 12000000 312e322e3834302e31303030382e312e3100"
    "00000001 02000000 3000 00001001 02000000 0100 00000008 02000000 0101"
)


@dataclass
class Watch:
    """What the watcher saw."""

    lines: list[str] = field(default_factory=list)

    @classmethod
    @contextlib.contextmanager
    def over(cls, port: int, request: bytes) -> Iterator[Watch]:
        """Watch a port while the block runs."""
        watch = cls()
        with subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__)), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(struct.pack(">L", len(request)) + request)
            process.stdin.flush()
            watch.lines.append(process.stdout.readline().decode())  # it is at work
            try:
                yield watch
            finally:
                process.stdin.close()
                watch.lines += process.stdout.read().decode().splitlines()

    @property
    def slowest_s(self) -> float:
        return max(float(line.split()[1]) for line in self.lines)

    def must_have_answered(self, within_s: float, *, may_be_refused: bool = False) -> None:
        """Fail unless every C-ECHO was answered in time."""
        allowed = {"answered", "rejected"} if may_be_refused else {"answered"}
        wrong = [line for line in self.lines if line.split()[0] not in allowed]
        assert wrong == [], wrong
        assert self.slowest_s < within_s, f"a C-ECHO took {self.slowest_s:.1f} s"


def ask(port: int, request: bytes) -> str:
    """Return what one association with a C-ECHO came to."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=GIVES_UP_S) as line:
            line.sendall(request)
            kind, body = read_pdu(line)
            if kind == 3:
                return "rejected" if body == b"\0\x02\x03\x02" else f"rejected:{body.hex()}"
            if kind != 2:
                return f"pdu-{kind}"
            line.sendall(_ECHO)
            kind, body = read_pdu(line)
            if kind != 4 or struct.pack("<HHLH", 0, 0x0900, 2, 0) not in body:
                return f"pdu-{kind}"
            line.sendall(b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00")
            return "answered" if read_pdu(line)[0] == 6 else "not-released"
    except OSError as error:
        return type(error).__name__


def read_pdu(line: socket.socket) -> tuple[int, bytes]:
    head = read(line, 6)
    kind, length = struct.unpack(">BxL", head) if len(head) == 6 else (0, 0)
    return kind, read(line, length)


def read(line: socket.socket, length: int) -> bytes:
    content = b""
    while len(content) < length:
        piece = line.recv(length - len(content))
        if not piece:
            break
        content += piece
    return content


def main() -> None:
    port = int(sys.argv[1])
    given = sys.stdin.buffer
    request = given.read(*struct.unpack(">L", given.read(4)))
    while True:
        began = time.monotonic()
        what = ask(port, request)
        sys.stdout.write(f"{what} {time.monotonic() - began:.3f}\n")
        sys.stdout.flush()
        ready, _, _ = select.select([given], [], [], PAUSE_S)
        if ready:
            return


if __name__ == "__main__":
    main()
