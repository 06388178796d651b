"""What the sample senders do: a modality that stores a series over DICOM, a GP's program that
refers over HTTP.
"""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE

from casework.errors import Unavailable
from lysbro.settings import Settings

CT_STORY: Mapping[str, str] = {
    "PatientName": "Bjørnson^Åse",
    "PatientID": "hammer-1007",
    "PatientBirthDate": "19550214",
    "PatientSex": "F",
    "ReasonForTheRequestedProcedure": "Speech trouble since last night, on apixaban. Bleed?",
    "StudyDescription": "CT head",
    "AccessionNumber": "H26-1007",
    "InstitutionName": "Hammer sykehus",
}
MR_STORY: Mapping[str, str] = {
    "PatientName": "Nygård^Tor",
    "PatientID": "hammer-2040",
    "PatientBirthDate": "19710902",
    "PatientSex": "M",
    "ReasonForTheRequestedProcedure": "New headache, worse in the morning. Tumour?",
    "StudyDescription": "MR head",
    "AccessionNumber": "H26-2040",
    "InstitutionName": "Hammer sykehus",
}


def is_ready(settings: Settings) -> bool:
    """Tell whether both doors of the exchange are open."""
    try:
        with urllib.request.urlopen(_address(settings) + "/readyz", timeout=2) as answer:  # noqa: S310
            if answer.status != 200:
                return False
    except (urllib.error.URLError, OSError):
        return False
    entity = AE(ae_title="HAMMER_CT")
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate(
        settings.dicom_host, settings.dicom_port, ae_title=settings.ae_title
    )
    established = bool(association.is_established)
    if established:
        association.release()
    return established


def send_series(settings: Settings, folder: Path, *, calling: str, story: Mapping[str, str]) -> int:
    """Store the files of a folder over one association, as the given patient; return how many."""
    datasets = [_told(dcmread(path), story) for path in sorted(folder.rglob("*.dcm"))]
    entity = AE(ae_title=calling)
    for sop_class, syntax in sorted(
        {(d.SOPClassUID, d.file_meta.TransferSyntaxUID) for d in datasets}
    ):
        entity.add_requested_context(sop_class, syntax)
    association = entity.associate(
        settings.dicom_host, settings.dicom_port, ae_title=settings.ae_title
    )
    if not association.is_established:
        raise Unavailable(f"The exchange did not accept an association from {calling}.")
    try:
        for ds in datasets:
            status = association.send_c_store(ds)
            if not status or status.Status != 0x0000:
                raise Unavailable(f"The exchange did not take {ds.SOPInstanceUID}: {status}")
    finally:
        association.release()
    return len(datasets)


def _told(ds: Dataset, story: Mapping[str, str]) -> Dataset:
    """Return the sample under a made-up name, since the true ones were removed long ago."""
    ds.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in story.items():
        setattr(ds, keyword, value)
    return ds


def refer(settings: Settings, folder: Path, *, token: str) -> tuple[str, int]:
    """Send the sample referral with its photographs; return the case number and how many
    photographs.
    """
    referral = json.loads((folder / "referral.json").read_text("utf-8"))
    case_id = _call(settings, token, "/api/referrals", _as_json(referral["referral"]))["case_id"]
    for photo in referral["photos"]:
        fields = {k: v for k, v in photo.items() if k != "file"} | {
            "capture_id": f"demo-{photo['file']}"
        }
        path = folder / photo["file"]
        _call(settings, token, f"/api/cases/{case_id}/photos", _as_form(fields, path))
    _call(settings, token, f"/api/cases/{case_id}/submit", _as_json({}))
    return case_id, len(referral["photos"])


def _address(settings: Settings) -> str:
    return f"http://{settings.web_host}:{settings.web_port}"


def _as_json(value: Any) -> tuple[str, bytes]:
    return "application/json", json.dumps(value).encode()


def _as_form(fields: Mapping[str, str], photo: Path) -> tuple[str, bytes]:
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="photo"; filename="photo.jpg"\r\n'
    parts += [head.encode(), b"Content-Type: image/jpeg\r\n\r\n", photo.read_bytes(), b"\r\n"]
    return f"multipart/form-data; boundary={boundary}", b"".join(
        parts
    ) + f"--{boundary}--\r\n".encode()


def _call(settings: Settings, token: str, path: str, body: tuple[str, bytes]) -> dict[str, Any]:
    kind, content = body
    request = urllib.request.Request(  # noqa: S310 - our own address
        _address(settings) + path,
        data=content,
        headers={"Content-Type": kind, "Authorization": f"Bearer {token}"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return dict(json.loads(answer.read() or b"{}"))
    except urllib.error.HTTPError as error:
        with error:
            told = error.read().decode("utf-8", "replace")
        raise Unavailable(f"The exchange answered {error.code} to {path}: {told}") from error
