"""DICOMweb (PS3.18): search, retrieve, store, commit, erase, work items, over all faces."""

from __future__ import annotations

from flask import Blueprint

from viewer.dicomweb import (
    capabilities,
    commitment,
    deleting,
    metadata,
    qido,
    stow,
    wado,
    workitem_subscribers,
    workitems,
)

bp = Blueprint("dicomweb", __name__, url_prefix="/dicom-web")

qido.add_to(bp)
wado.add_to(bp)
metadata.add_to(bp)
stow.add_to(bp)
workitems.add_to(bp)
workitem_subscribers.add_to(bp)
deleting.add_to(bp)
commitment.add_to(bp)
capabilities.add_to(bp)
