"""A small world for the tests of the web: hospitals, GP offices, a centre, over real storage."""

from __future__ import annotations

import functools
import io
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pydicom
import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from casework.custody import Door, Origin
from casework.model import Actor, Role, Site, SiteKind
from lysbro.services import web_services
from lysbro.settings import Settings
from lysbro.wiring import Parts, open_parts
from viewer import passwords
from viewer.app import create_app

PASSWORD = "long enough to keep 1"

SITES = {
    "hammer": SiteKind.HOSPITAL,
    "berg": SiteKind.HOSPITAL,
    "fjord": SiteKind.GP,
    "vik": SiteKind.GP,
    "centre": SiteKind.CENTRE,
}

HTML_NAME = "<script>alert(1)</script>^<b>Åse</b>"


@functools.cache
def password_hash() -> str:
    return passwords.hash_password(PASSWORD)


@dataclass
class World:
    """The parts of one exchange and its people, each with a client that sends a token."""

    parts: Parts
    app: Flask
    tokens: dict[str, str]
    actors: dict[str, Actor]
    clients: dict[str, FlaskClient]

    def client(self, who: str) -> FlaskClient:
        """Return a client of a person such as `referrer@hammer`."""
        if who not in self.clients:
            client = self.app.test_client()
            client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {self.tokens[who]}"
            self.clients[who] = client
        return self.clients[who]

    def anonymous(self) -> FlaskClient:
        return self.app.test_client()

    def store(self, site: str, **attributes: Any) -> Dataset:
        """Take in one CT slice of a site through the archive and return it."""
        dataset = ct_slice(**attributes)
        origin = Origin(site=site, door=Door.IMPORT, association="test")
        self.parts.archive.receive_part10(part10(dataset), origin)
        self.parts.archive.settle()
        return dataset

    def case_of(self, site: str, study_uid: str) -> str:
        """Return the case of a radiology study of a site."""
        rows = self.client(f"referrer@{site}").get("/api/cases").get_json()["cases"]
        for row in rows:
            case = self.client(f"referrer@{site}").get(f"/api/cases/{row['case_id']}").get_json()
            if study_uid in [study["study_uid"] for study in case["studies"]]:
                return str(row["case_id"])
        raise AssertionError(f"no case of {study_uid}")

    def derm_case(self, site: str = "fjord", **changes: Any) -> str:
        """Start a dermatology referral of a GP and return its case."""
        body = referral_body(**changes)
        answer = self.client(f"referrer@{site}").post("/api/referrals", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.get_json()["case_id"])

    def audit(self, action: str) -> list[Any]:
        return [e for e in self.parts.ledger.entries(limit=1000) if e.action == action]


def referral_body(**changes: Any) -> dict[str, Any]:
    return {
        "specialty": "dermatology",
        "patient": {
            "id": "13116900216",
            "name": "Nordmann^Kari",
            "birth_date": "1969-11-13",
            "sex": "F",
        },
        "question": "Is this mole benign?",
        "priority": "routine",
        "clinical": {"category": "mole"},
        "consent": {"care": True},
        **changes,
    }


def ct_slice(**attributes: Any) -> Dataset:
    """Return a small CT slice."""
    dataset = Dataset()
    values: Mapping[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": "1.2.826.0.1.1",
        "StudyInstanceUID": "1.2.826.0.1",
        "SeriesInstanceUID": "1.2.826.0.1.0",
        "Modality": "CT",
        "PatientID": "hammer-1",
        "PatientName": HTML_NAME,
        "PatientBirthDate": "19550214",
        "PatientSex": "F",
        "StudyDate": "20260102",
        "StudyTime": "101500",
        "AccessionNumber": "A1",
        "StudyID": "S1",
        "StudyDescription": "CT thorax",
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "Rows": 4,
        "Columns": 4,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelData": bytes(range(32)),
        **attributes,
    }
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset["PixelData"].VR = "OW"
    return dataset


def part10(dataset: Dataset) -> bytes:
    """Return a data set as a Part 10 file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Return a data folder with the sites and their people, and everybody's token."""
    folder, tokens = tmp_path_factory.mktemp("template"), {}
    with open_parts(Settings(data=folder)) as parts:
        for slug, kind in SITES.items():
            parts.people.add_site(Site(slug=slug, name=slug.title(), kind=kind))
            for role in Role:
                email, name = f"{role.value}@{slug}", f"{role.value} {slug}"
                parts.people.add_user(email, slug, role, name, password_hash())
                tokens[email] = parts.people.add_token(email, days=1, name="test")
    return folder, tokens


@contextmanager
def new_world(template: tuple[Path, dict[str, str]], folder: Path) -> Iterator[World]:
    """Open a copy of the template."""
    kept, tokens = template
    shutil.copytree(kept, folder / "data")
    with open_parts(Settings(data=folder / "data"), intake=True) as parts:
        services = web_services(parts)
        small = replace(services.settings, max_upload_bytes=1 << 20)
        actors = {row.actor.email: row.actor for row in parts.people.users()}
        yield World(parts, create_app(replace(services, settings=small)), dict(tokens), actors, {})


@pytest.fixture
def world(template: tuple[Path, dict[str, str]], tmp_path: Path) -> Iterator[World]:
    """Return a new world."""
    with new_world(template, tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def shared_world(
    template: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Return one world for the tests of a module that leave it as it was."""
    with new_world(template, tmp_path_factory.mktemp("world")) as found:
        yield found


@pytest.fixture
def part10_slice() -> Callable[..., bytes]:
    """Return the maker of a CT slice as a Part 10 file."""
    return lambda **attributes: part10(ct_slice(**attributes))
