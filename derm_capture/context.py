"""What is known of a photograph beside its pixels: of whom, where on the body, of which lesion, by
which device.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from casework.model import Patient
from casework.photo_links import Link
from derm_capture.anatomy import Code


class Kind(StrEnum):
    """The three pictures of a lesion, a film of it, and any other picture of a case."""

    OVERVIEW = "overview"
    CLOSEUP = "closeup"
    DERMOSCOPIC = "dermoscopic"
    CLIP = "clip"
    OTHER = "other"  # a wound chart, an old photograph: its site may be unknown


@dataclass(frozen=True)
class Device:
    """The camera or dermatoscope; what is empty is taken from the picture, or said to be not
    stated.
    """

    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    software: str = ""
    polarization: str = ""  # POLARIZED | NON_POLARIZED (0016,1001)
    contact: str = ""  # CONTACT | NON_CONTACT (0016,1003)
    immersion: str = ""  # CID of (0016,1004); with CONTACT only
    magnification: float | None = None
    is_camera: bool = False  # then the picture itself knows better which camera took it


@dataclass(frozen=True)
class Lesion:
    """One skin change, followed over time by one UID."""

    label: str
    uid: str


@dataclass(frozen=True)
class Counted:
    """A number of things, as an answer."""

    number: int


@dataclass(frozen=True)
class ContextItem:
    """One item of the acquisition context (PS3.16 TID 8300): a question and its answer."""

    concept: Code
    value: Code | Counted


@dataclass(frozen=True)
class CaptureContext:
    """The circumstances of one photograph.

    A repeat with the same context and the same bytes gives the same object, so nothing here may
    come from the clock of the moment: `study_at` is when the case was made, `captured_at` what the
    phone said.
    """

    patient: Patient
    kind: Kind
    site_code: str
    laterality: str = ""  # L, R, B or empty
    lesion: Lesion | None = None
    device: Device = Device()
    capture_id: str = ""  # empty: the bytes themselves name the capture
    study_uid: str = ""  # empty: made from the patient and the capture
    study_at: datetime | None = None
    captured_at: datetime | None = None
    case_id: str = ""
    referrer: str = ""
    institution: str = ""
    question: str = ""
    title: str = ""  # what the referrer calls a picture of no kind
    timezone: str = "Europe/Oslo"
    series_number: int | None = None
    instance_number: int | None = None
    acquisition: tuple[ContextItem, ...] = ()
    links: tuple[Link, ...] = ()  # to other photographs of the same lesion in this study
    burned_in: bool = False
    recognizable: bool = False
