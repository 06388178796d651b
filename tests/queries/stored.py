"""The objects that the cases of `cases` ask for, and the exchange that holds them.

A study is called by one letter, its series and instances by that and a number.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from pydicom import DataElement, Dataset
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.presentation import build_context

from casework.custody import Door, Origin
from casework.model import AePermission, Role, Site, SiteKind
from lysbro.services import web_services
from lysbro.settings import Settings
from lysbro.wiring import Parts, open_parts
from pacs_bridge.service import Bridge, BridgeSettings
from pacs_bridge.syntaxes import IMPLICIT_LE, PATIENT_ROOT_FIND, STUDY_ROOT_FIND, STUDY_ROOT_MOVE
from storage.testing import fresh_url
from tests.pacs_bridge.making import CT, part10
from viewer import passwords
from viewer.app import create_app

ROOT = "1.2.826.0.1.3680043.9"
SR = "1.2.840.10008.5.1.4.1.1.88.11"
SITES = (
    Site("hammer", "Hammer sykehus", SiteKind.HOSPITAL, issuer="2.16.578.1.1"),
    Site("utsira", "Utsira sykehus", SiteKind.HOSPITAL),
    Site("nordlys", "Nordlys sentralsykehus", SiteKind.CENTRE),
)
NODES = {"hammer": "HAMMER_WS", "utsira": "UTSIRA_WS", "nordlys": "NORDLYS_WS"}

STUDIES: Mapping[str, Mapping[str, Any]] = {
    "a": {
        "PatientID": "123", "PatientName": "Bjørnson^Åse", "PatientBirthDate": "19550214",
        "PatientSex": "F", "StudyDate": "20260102", "StudyTime": "101500", "StudyID": "S1",
        "AccessionNumber": "A1", "StudyDescription": "CT thorax", "PatientAge": "070Y",
        "ReferringPhysicianName": "Berg^Kari", "InstitutionName": "Hammer sykehus",
    },
    "b": {
        "PatientID": "0123", "PatientName": "BJORNSON^ASE", "PatientBirthDate": "19600101",
        "PatientSex": "M", "StudyDate": "20260103", "StudyTime": "1016", "StudyID": "S2",
        "AccessionNumber": "a1", "StudyDescription": "CT [thorax]", "Modality": "MR",
    },
    "c": {
        "PatientID": "C", "PatientName": "Šuoŋŋá^Máhtte", "StudyDate": "2026.01.04",
        "StudyTime": "10:17:30", "AccessionNumber": "A_1", "TimezoneOffsetFromUTC": "+0100",
    },
    "d": {
        "PatientID": "D", "PatientName": "Петров^Иван", "SpecificCharacterSet": "ISO_IR 144",
        "StudyDate": "20251231", "StudyTime": "235959.5", "AccessionNumber": "AX1",
    },
    "e": {
        "PatientID": "E", "PatientName": "Διονυσιος^Άννα", "SpecificCharacterSet": "ISO_IR 126",
        "StudyDate": "20260101", "StudyTime": "000000", "AccessionNumber": "A%1",
    },
    "f": {
        "PatientID": "F", "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "SpecificCharacterSet": ["", "ISO 2022 IR 87"], "StudyDate": "20260201",
        "StudyTime": "120000", "AccessionNumber": "A'1", "StudyDescription": "頭部",
    },
    "g": {
        "PatientID": "G%", "PatientName": "Ness-Moe^Kari Anne^^Dr.", "PatientSex": "F",
        "StudyDate": "20260301", "StudyTime": "080000", "AccessionNumber": "A-1",
        "StudyDescription": "100 % [x]", "ReferringPhysicianName": "Åsen^Ole",
    },
    "h": {  # with as little as may be
        "PatientID": "H", "PatientName": "", "PatientBirthDate": "", "PatientSex": "",
        "StudyDate": "", "StudyTime": "", "AccessionNumber": "", "StudyID": "",
    },
    "u": {
        "PatientID": "123", "PatientName": "Vik^Ola", "PatientBirthDate": "19550214",
        "StudyDate": "20260102", "StudyTime": "110000", "AccessionNumber": "A1",
    },
    "v": {  # Utsira knows a patient of Hammer by Hammer's number
        "PatientID": "123", "IssuerOfPatientID": "2.16.578.1.1", "PatientName": "BJORNSEN^AASE",
        "PatientBirthDate": "19550214", "StudyDate": "20260501", "AccessionNumber": "V1",
    },
}  # fmt: skip

_ITEMS = [
    {"RequestedProcedureID": "R1", "ScheduledProcedureStepID": "P1",
     "ScheduledProcedureStepDescription": "Thorax"},
    {"RequestedProcedureID": "R2", "ScheduledProcedureStepID": "P2"},
]  # fmt: skip

PARTS: Mapping[str, Mapping[str, Any]] = {
    "a1.1": {"InstanceNumber": 1, "SeriesNumber": 1, "SeriesDescription": "axial",
             "BodyPartExamined": "CHEST", "RequestAttributesSequence": _ITEMS,
             "AcquisitionDateTime": "20260102101530.5", "ImageType": ["ORIGINAL", "PRIMARY"],
             "SeriesDate": "20260102", "SeriesTime": "101500", "StationName": "CT1",
             "SliceThickness": "2.5"},
    "a1.2": {"InstanceNumber": 2, "SeriesNumber": 1, "Rows": 4, "Columns": 1,
             "AcquisitionDateTime": "20260102101530+0100", "ImageType": ["DERIVED", "SECONDARY"]},
    "a2.1": {"InstanceNumber": 1, "SeriesNumber": 2, "Modality": "SR", "SOPClassUID": SR,
             "SeriesDescription": "report", "SeriesDate": "20260103", "SeriesTime": "090000"},
}  # fmt: skip


def uid(label: str) -> str:
    """Return the UID of a study (`a`), a series (`a1`) or an instance (`a1.2`)."""
    letter, rest = label[0], label[1:]
    return ".".join([ROOT, str(ord(letter)), *rest.split(".")]) if rest else f"{ROOT}.{ord(letter)}"


def label(of: str) -> str:
    """Return what a UID is called."""
    letter, *rest = of[len(ROOT) + 1 :].split(".")
    return chr(int(letter)) + ".".join(rest)


def datasets() -> Iterator[tuple[str, Dataset]]:
    """Give every object with the site that it is of."""
    for letter, study in STUDIES.items():
        parts = [name for name in PARTS if name.startswith(letter)] or [f"{letter}1.1"]
        for name in parts:
            site = "utsira" if letter in "uv" else "hammer"
            yield site, _dataset(name, {**study, **PARTS.get(name, {})})


def _dataset(name: str, values: Mapping[str, Any]) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = CT, uid(name)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid(name[0]), uid(name.split(".")[0])
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "CT", 1, 1
    ds.Rows = ds.Columns = 2
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    ds.PixelData = bytes(8)
    for keyword, value in values.items():
        if keyword.endswith("Sequence"):
            value = [_item(item) for item in value]  # noqa: PLW2901
        put(ds, keyword, value)
    return ds


def put(ds: Dataset, keyword: str, value: Any) -> None:
    """Put a value in without judging it; text for a binary number comes as that number."""
    vr, tag = dictionary_VR(keyword), tag_for_keyword(keyword)
    assert tag is not None
    if vr in ("US", "UL") and isinstance(value, str) and value:
        value = int(value)
    try:
        ds.add(DataElement(tag, vr, value, validation_mode=IGNORE))
    except ValueError:  # as in a key that is no number
        ds.add(DataElement(tag, "LO", value, validation_mode=IGNORE))


def _item(values: Mapping[str, Any]) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        put(item, keyword, value)
    return item


@dataclass
class Exchange:
    """An exchange with both of its doors."""

    parts: Parts
    bridge: Bridge
    clients: Mapping[str, FlaskClient]

    @contextmanager
    def associated(
        self,
        site: str = "hammer",
        *,
        options: bytes = b"",
        syntax: str = IMPLICIT_LE,
        with_retrieve: bool = False,
    ) -> Iterator[Association]:
        """Give an association for queries of a site's node, with options that were negotiated.

        One that proposes a retrieve too is carried by another part of the bridge.
        """
        classes = [PATIENT_ROOT_FIND, STUDY_ROOT_FIND, *[STUDY_ROOT_MOVE] * with_retrieve]
        asked = []
        for sop_class in classes[:2] if options else ():
            item = SOPClassExtendedNegotiation()
            item.sop_class_uid = UID(sop_class)
            item.service_class_application_information = options
            asked.append(item)
        entity = AE(ae_title=NODES[site])
        entity.maximum_pdu_size = 0
        association = entity.associate(
            "127.0.0.1",
            self.bridge.port,
            contexts=[build_context(UID(c), [UID(syntax)]) for c in classes],
            ae_title="LYSBRO",
            ext_neg=asked,
        )
        assert association.is_established
        with reactor_paused(association):
            yield association
        association.release()


@contextmanager
def reactor_paused(association: Association) -> Iterator[None]:
    """Keep the association's own thread from taking the responses that are waited for.

    pynetdicom pauses it for each request, and may go on before it has paused.
    """
    checkpoint: Any = association._reactor_checkpoint
    let_go = checkpoint.set
    checkpoint.clear()
    time.sleep(0.02)  # it looks at the checkpoint every millisecond
    checkpoint.set = lambda: None
    try:
        yield
    finally:
        checkpoint.set = let_go
        let_go()


@contextmanager
def open_exchange(folder: Path, *, server: str = "", **settings: Any) -> Iterator[Exchange]:
    """Open an exchange with nothing in it, on a database of a server or on SQLite."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        fresh_url(folder, server=server) as url,
        open_parts(Settings(data=folder / "data", database_url=url), intake=True) as parts,
    ):
        tokens = {}
        for site in SITES:
            parts.people.add_site(site)
            allowed = frozenset({AePermission.QUERY, AePermission.RETRIEVE})
            parts.people.add_ae(NODES[site.slug], site.slug, permissions=allowed)
            role = Role.RADIOLOGIST if site.kind is SiteKind.CENTRE else Role.REFERRER
            email, hashed = f"reader@{site.slug}", passwords.hash_password("long enough to keep 1")
            parts.people.add_user(email, site.slug, role, email, hashed)
            tokens[site.slug] = parts.people.add_token(email, days=1, name="test")
        app = create_app(web_services(parts))
        clients = {}
        for slug, token in tokens.items():
            clients[slug] = app.test_client()
            clients[slug].environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        wanted = replace(BridgeSettings(port=0), **settings)
        bridge = Bridge(wanted, parts.archive, parts.index, parts.people, parts.ledger)
        bridge.start()
        try:
            yield Exchange(parts, bridge, clients)
        finally:
            bridge.stop()


def fill(exchange: Exchange) -> None:
    """Take every object in."""
    for site, ds in datasets():
        origin = Origin(site=site, door=Door.IMPORT, association="test")
        exchange.parts.archive.receive_part10(BytesIO(part10(ds)), origin)
    exchange.parts.archive.settle()


def identifier(level: str, keys: Mapping[str, Any]) -> Dataset:
    """Return a query; a sequence's key is a mapping or None for none of its items."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        if keyword.endswith("Sequence"):
            value = [_item(value)] if value is not None else []  # noqa: PLW2901
        put(ds, keyword, value)
    return ds
