"""One rehearsal of the loss: receive, pack, lose everything but the store, rebuild, verify.

Everything by the doors that an operator has: `lysbro serve` in its processes, DICOM associations,
the API, commands. Each stage is timed, and the most memory that its processes held is noted.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.costs import cost_of
from lysbro.settings import load
from storage.backup_tables import WHOLE
from storage.database import Database, open_database
from storage.ledger import Ledger
from tests.flows.conftest import Exchange, make_exchange
from tests.flows.waiting import until
from tests.rehearsal import contents
from tests.rehearsal.account import Account, command, stage
from tests.rehearsal.modalities import Acknowledged, Sending, send_all

RADIOLOGIST = "radiologist@nordlys.example"
_AFTER_THE_BACKUP = ("audit", "audit_head")  # the backup itself, and the rebuild, are noted there


@dataclass(frozen=True)
class Place:
    """Where an exchange keeps what it has: a folder for its data, a store, a way to a database."""

    data: Path
    variables: Mapping[str, str]  # of the store
    new_database: Callable[[], str]  # makes an empty one; an empty answer: SQLite in the folder
    describe: str = ""


def rehearse(
    place: Place,
    sending: Sending,
    *,
    reports: int = 3,
    kills: int = 1,
    tell: Callable[[str], None] = lambda _: None,
) -> Account:
    """Play the whole of it and return the account; what is missing is in its faults."""
    account = Account()
    exchange = make_exchange(
        place.data,
        LYSBRO_DATABASE_URL=place.new_database(),
        LYSBRO_QUIET_SECONDS="1",
        LYSBRO_SPOOL_GRACE="0",
        LYSBRO_LOG_LEVEL="warning",
        **place.variables,
    )
    try:
        acknowledged = _receive(exchange, sending, account, tell)
        _pack(exchange, account, tell)
        account.reports = _sign_reports(exchange, reports)
    finally:
        if exchange.alive():
            exchange.stop(signal.SIGKILL)
    with stage("back up", account, tell) as watch:
        watch(command(exchange, "backup"))
    with _opened(exchange) as database:
        before, packed = contents.casebook(database), contents.kept(database)
    account.faults += _missing(acknowledged.sha256, packed)
    account.replies = len(packed) - account.acknowledged  # made here, of the signed reports
    _lose(exchange, place)
    exchange.environment["LYSBRO_DATABASE_URL"] = place.new_database()
    _rebuild(exchange, account, kills, tell)
    with stage("verify", account, tell, instances=account.acknowledged) as watch:
        verified = watch(command(exchange, "verify", "--json"))
    for name in ("missing", "corrupt", "orphaned"):
        account.faults += [f"verify: {name} {each}" for each in verified[name]]
    if verified["checked"] != len(packed):
        account.faults.append(f"verify: {verified['checked']} of {len(packed)} checked")
    with _opened(exchange) as database:
        now = contents.kept(database)
        account.faults += _missing(packed, now) + [f"{k} never was" for k in now.keys() - packed]
        account.faults += _changed(before, contents.casebook(database))
        broken = Ledger(database).verify()
        if broken is not None:
            account.faults.append(f"the audit chain breaks at {broken}")
    return account


def _receive(
    exchange: Exchange, sending: Sending, account: Account, tell: Callable[[str], None]
) -> Acknowledged:
    exchange.start(only="bridge")
    with stage("receive", account, tell, instances=sending.instances) as watch:
        acknowledged = send_all(exchange.dicom_port, sending)
        assert exchange.process is not None
        watch(cost_of(exchange.process.pid))
    account.acknowledged = len(acknowledged.sha256)
    account.faults += [f"refused {uid}: {status:04x}" for uid, status in acknowledged.refused]
    if account.acknowledged != sending.instances:
        account.faults.append(f"{account.acknowledged} of {sending.instances} acknowledged")
    return acknowledged


def _pack(exchange: Exchange, account: Account, tell: Callable[[str], None]) -> None:
    with _opened(exchange) as database:
        until(
            lambda: contents.count(database) >= account.acknowledged,
            "the index to have all",
            timeout_s=600,
        )
        exchange.stop()
        exchange.start(only="web,worker")
        with stage("pack and put", account, tell, instances=account.acknowledged) as watch:
            until(
                lambda: contents.in_spool(database) == 0,
                "the spool to drain",
                alive=exchange.alive,
                timeout_s=7200,
            )
            assert exchange.process is not None
            watch(cost_of(exchange.process.pid))
        account.store_objects, account.store_bytes = contents.packed(database)


def _sign_reports(exchange: Exchange, wanted: int) -> int:
    """Read so many cases as a radiologist does."""
    _, found = exchange.call(RADIOLOGIST, "GET", "/api/cases?state=submitted&specialty=radiology")
    signed = 0
    for case in found["cases"][:wanted]:
        path = f"/api/cases/{case['case_id']}"
        for method, step, body in (
            ("POST", "claim", {}),
            ("PUT", "findings", {"findings": "A phantom.", "impression": "Nothing to see."}),
            ("POST", "sign", {}),
        ):
            status, told = exchange.call(RADIOLOGIST, method, f"{path}/{step}", body)
            assert status in {200, 201}, (step, status, told)
        signed += 1
    return signed


def _lose(exchange: Exchange, place: Place) -> None:
    """Delete the data folder, but for a store that lies in it."""
    for path in exchange.data.iterdir():
        if path.name == "store":
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _rebuild(exchange: Exchange, account: Account, kills: int, tell: Callable[[str], None]) -> None:
    """Rebuild, killed on the way so many times, each time a bit further."""
    with stage("rebuild", account, tell, instances=account.acknowledged) as watch:
        for number in range(1, kills + 1):
            at = account.acknowledged * number // (kills + 2)
            if _killed_at(exchange, at, account.acknowledged):
                account.kills += 1
            else:
                account.faults.append(f"the rebuild ended before it could be killed at {at}")
        told = watch(command(exchange, "rebuild", "--json"))
    if told["casebook"] != "restored" or told["broken"] or told["lost"]:
        account.faults.append(f"rebuild: {told}")
    if kills and not 0 < told["registered"] < account.acknowledged:
        account.faults.append(f"rebuild: {told['registered']} by the last call: it did not go on")


def _killed_at(exchange: Exchange, at: int, total: int) -> bool:
    process = subprocess.Popen(
        [sys.executable, "-m", "lysbro", "rebuild"],
        env=exchange.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with _opened(exchange) as database:
            until(
                lambda: process.poll() is not None or contents.count(database) > at,
                "the rebuild to be on its way",
                timeout_s=7200,
            )
            process.kill()
            process.wait()
            return contents.count(database) < total
    finally:
        process.kill()
        process.wait()


@contextmanager
def _opened(exchange: Exchange) -> Iterator[Database]:
    """Give the database of an exchange, made when it is not there yet; nothing is migrated."""
    settings = load(environment=exchange.environment)
    exchange.data.mkdir(exist_ok=True)
    database = open_database(settings.resolved_database_url, data=exchange.data)
    try:
        yield database
    finally:
        database.close()


def _missing(
    wanted: Mapping[tuple[str, str], str], kept: Mapping[tuple[str, str], str]
) -> list[str]:
    return [
        f"{site} {uid} is {'missing' if (site, uid) not in kept else 'not what it was'}"
        for (site, uid), sha256 in wanted.items()
        if kept.get((site, uid)) != sha256
    ]


def _changed(before: Mapping[str, list[Any]], after: Mapping[str, list[Any]]) -> list[str]:
    faults = [
        f"{table.name} is not as it was: {len(before[table.name])} rows, now "
        f"{len(after[table.name])}"
        for table in WHOLE
        if table.name not in _AFTER_THE_BACKUP and before[table.name] != after[table.name]
    ]
    # the last line before the loss says that the backup was made; the last after it, the rebuild
    if before["audit"][:-1] != after["audit"][:-1] or after["audit"][-1]["action"] != "rebuilt":
        faults.append("the audit is not as it was")
    return faults
