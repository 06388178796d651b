"""What a referrer says of a photograph beside its bytes: values only, for the capture face."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PhotoFacts:
    """What is said of one photograph when it is handed in."""

    kind: str  # overview | closeup | dermoscopic | clip
    site_code: str  # of CID 4029
    laterality: str = ""  # L, R, B or empty
    lesion: str = ""  # the referrer's name for the lesion, of this patient
    kept_anyway: bool = False  # although the check had told the one who took it what is wrong
    recognizable: str = ""  # whether a face or a tattoo is seen: yes, no, or empty when unsaid
    capture_id: str = ""  # names one press of the shutter: the same again is the same object
    device_id: int | None = None  # of the site's register; None: nobody said
