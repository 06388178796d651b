"""DICOMweb (PS3.18): search, retrieve, store, commit, erase, over the parts of all faces."""

from __future__ import annotations

from flask import Blueprint

from viewer.dicomweb import capabilities, commitment, deleting, qido, stow, wado

bp = Blueprint("dicomweb", __name__, url_prefix="/dicom-web")

qido.add_to(bp)
wado.add_to(bp)
stow.add_to(bp)
deleting.add_to(bp)
commitment.add_to(bp)
capabilities.add_to(bp)
