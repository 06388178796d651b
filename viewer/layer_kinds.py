"""Says which objects are no images of their own but lie over images."""

from __future__ import annotations

from viewer.presentation import STATES
from viewer.segments import LABEL_MAP, SEGMENTATION
from viewer.structures import STRUCTURES

_KINDS = {SEGMENTATION: "segmentation", LABEL_MAP: "segmentation", STRUCTURES: "structures"}


def layer_kind(sop_class_uid: str) -> str:
    """Return state, segmentation, structures, or nothing for anything else."""
    if sop_class_uid.startswith(STATES):
        return "state"
    return _KINDS.get(sop_class_uid, "")
