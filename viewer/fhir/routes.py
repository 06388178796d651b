"""The FHIR addresses: read, search and the capability statement.

The resources are made in `resources`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from flask import Blueprint, Response, json, request

from casework.errors import Invalid, LysbroError, NotFound
from casework.lifecycle import REPLIED
from casework.model import Case, CaseState, Patient
from storage.levels import shown_issuer
from storage.rows import StudyRow
from viewer.fhir import bundle, resources
from viewer.fhir.resources import Resource
from viewer.guard import NotSignedIn, current_scope, open_to_all
from viewer.noting import note
from viewer.problems import status_of
from viewer.services import services

T = TypeVar("T")

bp = Blueprint("fhir", __name__, url_prefix="/fhir")

MEDIA_TYPE = "application/fhir+json"
_ISSUES = {401: "login", 403: "forbidden", 404: "not-found", 409: "conflict", 413: "too-long"}
_DEFAULT_COUNT = 20
_MOST = 100
_PAGE = 200


@dataclass(frozen=True)
class Kind:
    """A resource type that is searched through the cases."""

    name: str
    make: Callable[[Case], Resource | None]
    states: frozenset[CaseState] | None = None


def _report(case: Case) -> Resource | None:
    dossier = services().casebook.dossier(current_scope(), case.id)
    if not dossier.reports:
        return None
    studies = [study.study_uid for study in dossier.studies if study.instance_count]
    report = resources.diagnostic_report(case, dossier.reports, studies)
    if measured := bundle.observations(dossier, dossier.reports):
        report["result"] = [{"reference": f"Observation/{each['id']}"} for each in measured]
    return report


def _document(case: Case) -> Resource | None:
    dossier = services().casebook.dossier(current_scope(), case.id)
    if not dossier.reports:
        return None
    found = bundle.document_reference(dossier, dossier.reports[-1])
    found["content"][0]["attachment"]["url"] = f"{request.url_root}cases/{case.id}/report.pdf"
    return found


def _observations(case: Case) -> list[Resource]:
    dossier = services().casebook.dossier(current_scope(), case.id)
    return bundle.observations(dossier, dossier.reports) if dossier.reports else []


def _patient(case: Case) -> Resource | None:
    return resources.patient(case.site, case.patient)


_KINDS = {
    kind.name: kind
    for kind in (
        Kind("ServiceRequest", resources.service_request),
        Kind("Task", resources.task),
        Kind("DiagnosticReport", _report, REPLIED),
        Kind("DocumentReference", _document, REPLIED),
        Kind("Patient", _patient),
    )
}
_PARAMETERS = {
    "ServiceRequest": ("_id", "identifier", "patient", "subject", "status"),
    "Task": ("_id", "identifier", "patient", "subject", "status"),
    "DiagnosticReport": ("_id", "identifier", "patient", "subject", "status", "based-on"),
    "DocumentReference": ("_id", "identifier", "patient", "subject", "status"),
    "Observation": ("_id", "patient", "subject", "based-on"),
    "Patient": ("_id", "identifier"),
    "ImagingStudy": ("_id", "identifier", "patient", "subject", "basedon"),
}


@bp.errorhandler(LysbroError)
def _told(error: LysbroError) -> Response:
    return _outcome(status_of(error), error.message)


@bp.errorhandler(NotSignedIn)
def _stranger(error: NotSignedIn) -> Response:
    response = _outcome(401, "Sign in, or send a bearer token.")
    response.headers["WWW-Authenticate"] = 'Bearer realm="lysbro"'
    return response


@bp.get("/metadata")
@open_to_all
def metadata() -> Response:
    """Say what this server offers."""
    return _json(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": "2026-01-01",
            "kind": "instance",
            "implementation": {"description": "Lysbro", "url": request.url_root + "fhir"},
            "fhirVersion": "4.0.1",
            "format": ["json"],
            "rest": [{"mode": "server", "resource": [_offered(name) for name in _PARAMETERS]}],
        }
    )


@bp.get("/ImagingStudy")
def search_studies() -> Response:
    """Search the imaging studies within sight."""
    _require_known("ImagingStudy")
    uid = request.args.get("_id") or _identifier("urn:dicom:uid").removeprefix("urn:oid:")
    subject, based_on = _reference("patient", "subject"), _reference("basedon")
    count, page = _count(), _number("page", 1)
    found = [
        row
        for row in _studies(uid)
        if based_on in {"", row.case_id} and (not subject or subject == _patient_of(row))
    ]
    made = [
        resources.imaging_study(row, patient_reference=f"Patient/{_patient_of(row)}")
        for row in _sliced(found, count, page)
    ]
    return _bundle("ImagingStudy", made, total=len(found), count=count, page=page)


@bp.get("/ImagingStudy/<study_uid>")
def read_study(study_uid: str) -> Response:
    """Read one imaging study with its series."""
    row = next(iter(_studies(study_uid)), None)
    if row is None:
        raise NotFound(f"There is no ImagingStudy/{study_uid}.")
    series = services().index.series_of(current_scope(), study_uid, site=row.site)
    note("fhir-read", f"ImagingStudy/{study_uid}")
    reference = f"Patient/{_patient_of(row)}"
    return _json(resources.imaging_study(row, patient_reference=reference, series=series))


@bp.get("/Observation")
def search_observations() -> Response:
    """Search what was measured in the images of answered cases."""
    _require_known("Observation")
    asked, count, page = request.args.get("_id", ""), _count(), _number("page", 1)
    case_id, patient = _case_of(asked) or _reference("based-on"), _reference("patient", "subject")
    made = [
        each
        for case in _cases(_KINDS["DiagnosticReport"])
        if case_id in {"", case.id} and patient in {"", _patient_id(case)}
        for each in _observations(case)
        if asked in {"", each["id"]}
    ]
    shown = _sliced(made, count, page)
    return _bundle("Observation", shown, total=len(made), count=count, page=page)


@bp.get("/Observation/<logical_id>")
def read_observation(logical_id: str) -> Response:
    """Read one measurement."""
    case_id = _case_of(logical_id)
    found: list[Resource] = []
    if case_id:
        case = services().casebook.dossier(current_scope(), case_id).case
        found = [each for each in _observations(case) if each["id"] == logical_id]
    if not found:
        raise NotFound(f"There is no Observation/{logical_id}.")
    note("fhir-read", f"Observation/{logical_id}", case_id=case_id)
    return _json(found[0])


@bp.get("/<any(ServiceRequest, Task, DiagnosticReport, DocumentReference, Patient):name>")
def search(name: str) -> Response:
    """Search the resources of one type within sight."""
    _require_known(name)
    kind, status = _KINDS[name], request.args.get("status", "")
    count, page = _count(), _number("page", 1)
    found = _unique(name, [case for case in _cases(kind) if _fits(name, case)])
    if status:
        wanted = set(status.split(","))
        made = [r for case in found if (r := kind.make(case)) and r["status"] in wanted]
        return _bundle(name, _sliced(made, count, page), total=len(made), count=count, page=page)
    shown = [r for case in _sliced(found, count, page) if (r := kind.make(case))]
    return _bundle(name, shown, total=len(found), count=count, page=page)


@bp.get(
    "/<any(ServiceRequest, Task, DiagnosticReport, DocumentReference, Patient):name>/<logical_id>"
)
def read(name: str, logical_id: str) -> Response:
    """Read one resource."""
    kind = _KINDS[name]
    if name == "Patient":
        case = next((c for c in _cases(kind) if _patient_id(c) == logical_id), None)
    else:
        case = services().casebook.dossier(current_scope(), logical_id).case
    resource = kind.make(case) if case is not None else None
    if case is None or resource is None:
        raise NotFound(f"There is no {name}/{logical_id}.")
    note("fhir-read", f"{name}/{logical_id}", case_id="" if name == "Patient" else case.id)
    response = _json(resource)
    response.headers["ETag"] = f'W/"{resource.get("meta", {}).get("versionId", case.version)}"'
    return response


def _case_of(observation_id: str) -> str:
    """Return the case of a measurement by its logical id; empty when it is none."""
    case_id, mark, number = observation_id.rpartition("-m")
    return case_id if mark and number.isdecimal() else ""


def _cases(kind: Kind) -> Iterator[Case]:
    """Yield the cases within sight that such a resource can be made of."""
    page, has_more = 1, True
    while has_more:
        rows, has_more = services().casebook.list_cases(
            current_scope(), states=kind.states, limit=_PAGE, page=page
        )
        yield from (row.case for row in rows)
        page += 1


def _fits(name: str, case: Case) -> bool:
    """Tell whether a case is what the search parameters ask for; all must hold."""
    patient, asked = _patient_id(case), request.args
    own = patient if name == "Patient" else case.id
    identifier = _identifier("urn:lysbro:case")
    return (
        asked.get("_id", own) == own
        and _reference("patient", "subject") in {"", patient}
        and _reference("based-on") in {"", case.id}
        and identifier in {"", case.patient.id if name == "Patient" else case.id}
    )


def _unique(name: str, cases: list[Case]) -> list[Case]:
    """Return one case for each patient when patients are asked for."""
    if name != "Patient":
        return cases
    return list({_patient_id(case): case for case in cases}.values())


def _patient_id(case: Case) -> str:
    return resources.patient_id(case.site, case.patient)


def _studies(uid: str = "") -> Iterator[StudyRow]:
    """Yield the studies within sight, or those of one UID."""
    offset = 0
    while True:
        rows = services().index.studies(
            current_scope(), study_uid=uid or None, limit=_PAGE, offset=offset
        )
        yield from rows
        if len(rows) < _PAGE:
            return
        offset += _PAGE


def _patient_of(row: StudyRow) -> str:
    """Return the logical id of a study's patient: its case's, where it has one."""
    if row.case_id:
        return _patient_id(services().casebook.dossier(current_scope(), row.case_id).case)
    return resources.patient_id(row.site, Patient(row.patient_id, shown_issuer(row.issuer)))


def _require_known(name: str) -> None:
    """Raise Invalid for a search parameter that would be left out of account (strict handling)."""
    known = {*_PARAMETERS[name], "_count", "page", "_format"}
    if unknown := sorted(set(request.args) - known):
        raise Invalid(
            f"{name} cannot be searched by {', '.join(unknown)}; use {', '.join(sorted(known))}.",
            code="bad-request",
        )
    note("fhir-searched", name, detail={"by": sorted(request.args)})


def _reference(*names: str) -> str:
    given = next((request.args[name] for name in names if name in request.args), "")
    return given.rpartition("/")[2]


def _identifier(system: str) -> str:
    """Return the value of `identifier=[system|]value`; a foreign system finds nothing."""
    given = request.args.get("identifier", "")
    named, bar, value = given.rpartition("|")
    if bar and named != system and system == "urn:dicom:uid":
        return "none"
    return value


def _number(name: str, default: int) -> int:
    text = request.args.get(name, str(default))
    if not text.isdecimal() or not 0 < int(text[:9]) < 10**8:
        raise Invalid(f"{name} must be a whole number above 0.", code="bad-request")
    return int(text)


def _count() -> int:
    return min(_number("_count", _DEFAULT_COUNT), _MOST)


def _sliced(found: Sequence[T], count: int, page: int) -> Sequence[T]:
    return found[(page - 1) * count : page * count]


def _bundle(name: str, found: Sequence[Resource], *, total: int, count: int, page: int) -> Response:
    root = request.url_root + "fhir"
    links = [{"relation": "self", "url": request.url}]
    if page * count < total:
        following = urlencode({**request.args.to_dict(), "page": page + 1})
        links.append({"relation": "next", "url": f"{root}/{name}?{following}"})
    bundle: Resource = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": total,
        "link": links,
    }
    if found:
        bundle["entry"] = [
            {
                "fullUrl": f"{root}/{name}/{resource['id']}",
                "resource": resource,
                "search": {"mode": "match"},
            }
            for resource in found
        ]
    return _json(bundle)


def _offered(name: str) -> Resource:
    kinds = {"_id": "token", "identifier": "token", "status": "token"}
    return {
        "type": name,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [{"name": p, "type": kinds.get(p, "reference")} for p in _PARAMETERS[name]],
    }


def _outcome(status: int, detail: str) -> Response:
    issue = {
        "severity": "error",
        "code": _ISSUES.get(status, "exception" if status >= 500 else "invalid"),
        "diagnostics": detail,
    }
    response = _json({"resourceType": "OperationOutcome", "issue": [issue]})
    response.status_code = status
    return response


def _json(value: Resource) -> Response:
    return Response(json.dumps(value), content_type=MEDIA_TYPE)
