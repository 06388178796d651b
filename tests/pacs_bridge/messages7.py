"""HL7 order messages as a hospital's system writes them, and a client that sends them raw."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.core import Message
from hl7apy.parser import parse_message, parse_segments

from pacs_bridge.mllp import Unframer, framed


def orm(
    *,
    control: str = "NW",
    control_id: str = "M1",
    placer: str = "P1",
    version: str = "2.3.1",
    charset: str = "",
    kind: str = "ORM^O01",
    application: str = "RIS",
    facility: str = "HAMMER",
    processing: str = "P",
    patient: str = "12345^^^HAMMER^PI",
    name: str = "NESS^KARI^ANNE",
    status: str = "",
    start: str = "20260303090000",
    modality: str = "CT",
    step: str = "S1",
    reason: str = "^Embolism?",
    history: str = "",
    accession: str = "A100",
    study: str = "1.2.826.0.1.55",
    station: str = "HAMMER_CT",
    priority: str = "",
    extra: Sequence[str] = (),
    encoding: str = "utf-8",
) -> bytes:
    """Return an order of one scheduled step (IHE RAD-4)."""
    obr = {
        1: "1", 2: placer, 4: "CTTHX^CT thorax^L^CTPE^CT pulmonary angiography^L", 5: priority,
        13: history, 16: "77^HANSEN^OLA", 18: accession, 19: "RP1", 20: step, 24: modality,
        31: reason, 36: start,
    }  # fmt: skip
    orc = {1: control, 2: placer, 5: status, 12: "77^HANSEN^OLA", 18: station}
    lines = [
        f"MSH|^~\\&|{application}|{facility}|LYSBRO|NORDLYS|20260302101500||{kind}|{control_id}|"
        f"{processing}|{version}||||||{charset}",
        f"PID|||{patient}||{name}||19500102|F",
        "PV1||O||||||88^BERG^LIV",
        line("ORC", orc),
        line("OBR", obr),
        *extra,
    ]
    if study:
        lines.append(f"ZDS|{study}^^Application^DICOM")
    return ("\r".join(lines) + "\r").encode(encoding)


def omi(*steps: dict[int, str], control_id: str = "M1", placer: str = "P2") -> bytes:
    """Return an imaging order of 2.5.1, an IPC for each of its steps."""
    lines = [
        f"MSH|^~\\&|RIS|HAMMER|LYSBRO|NORDLYS|20260302101500+0100||OMI^O23^OMI_O23|{control_id}|P|"
        "2.5.1|||||NOR|UNICODE UTF-8",
        "PID|1||12345^^^HAMMER^PI||ØDEGÅRD^ÅSE^^^^^L||19500102|F",
        "PV1|1|O",
        line("ORC", {1: "NW", 2: placer, 3: "F2", 12: "77^HANSEN^OLA"}),
        "TQ1|1||||||20260303080000+0000||S",
        line("OBR", {1: "1", 2: placer, 3: "F2", 4: "MRCAP^MR hode^L", 13: "Hodepine",
                     31: "G43^Migrene?^ICD10~^Tumor?"}),
        *(line("IPC", {1: "A200", 2: "RP2", 3: "1.2.826.0.1.56", **step}) for step in steps),
    ]  # fmt: skip
    return ("\r".join(lines) + "\r").encode()


def line(name: str, fields: dict[int, str]) -> str:
    return "|".join([name, *(fields.get(n, "") for n in range(1, max(fields) + 1))])


def strictly(answer: bytes) -> Any:
    """Return an answer as hl7apy reads it when it forgives nothing.

    It finds the structure by the third component of MSH-9; 2.3 has none, so there it is told.
    """
    text = answer.decode()
    if "|2.3\r" not in text and "|2.3|" not in text:
        return parse_message(text, validation_level=VALIDATION_LEVEL.STRICT)
    message = Message("ACK", version="2.3", validation_level=VALIDATION_LEVEL.STRICT)
    message.children = parse_segments(
        text, "2.3", message.encoding_chars, VALIDATION_LEVEL.STRICT, message.reference
    )
    assert message.validate()
    return message


class Sender:
    """A client that speaks MLLP over a plain socket."""

    def __init__(self, port: int, connection: socket.socket | None = None) -> None:
        self.connection = connection or socket.create_connection(("127.0.0.1", port), timeout=10)
        self._unframer = Unframer(max_bytes=1 << 20)
        self._waiting: list[bytes] = []

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def answer(self) -> bytes | None:
        """Return the next answer; None when the other end has closed."""
        while not self._waiting:
            try:
                portion = self.connection.recv(65536)
            except ConnectionError:
                return None
            if not portion:
                return None
            self._waiting += self._unframer.received(portion)
        return self._waiting.pop(0)

    def ask(self, message: bytes) -> str:
        """Send a message and return its answer as text."""
        self.send(framed(message))
        answer = self.answer()
        assert answer is not None
        return answer.decode()
