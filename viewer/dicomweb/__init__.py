"""DICOMweb (PS3.18): QIDO-RS, WADO-RS, STOW-RS and UPS-RS over the parts of all faces."""

from __future__ import annotations

from flask import Blueprint

from viewer.dicomweb import metadata, qido, stow, wado, workitem_subscribers, workitems

bp = Blueprint("dicomweb", __name__, url_prefix="/dicom-web")

qido.add_to(bp)
wado.add_to(bp)
metadata.add_to(bp)
stow.add_to(bp)
workitems.add_to(bp)
workitem_subscribers.add_to(bp)
