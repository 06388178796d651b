"""The command that hashes what is kept, compares store and index, and puts right what it can."""

from __future__ import annotations

from dataclasses import asdict

import click

from casework.errors import NotFound
from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import counter, show
from storage import care
from storage.care import VerifyReport
from storage.report_checks import ReportsChecked, check_reports

_NAMED = ("missing", "corrupt", "orphaned", "foreign", "repaired", "set_aside")
_TOLD_AT_MOST = 20


@click.command()
@click.option("--repair", is_flag=True, help="Mend what can be mended from mirror, spool or copy.")
@click.option("--study", "study_uid", default=None, help="One study only.")
@click.option(
    "--sample", type=click.IntRange(min=1), default=None, help="So many objects, by chance."
)
@json_option
@with_parts
def verify(
    parts: Parts, repair: bool, study_uid: str | None, sample: int | None, as_json: bool
) -> None:
    """Hash every object again and compare with the index, both ways; then the signed reports; then
    walk the audit log.
    """
    if study_uid is not None and not parts.index.sites_of_study(study_uid):
        raise NotFound(f"There is no study {study_uid}.", code="no-such-study")
    with counter("Verifying") as watch:
        report = care.verify(
            parts.archive, study_uid=study_uid, sample=sample, repair=repair, progress=watch
        )
    broken_at = parts.ledger.verify() if study_uid is None else None
    signed = check_reports(parts.database) if study_uid is None else ReportsChecked(0, ())
    if report.repaired:
        parts.note(
            OPERATOR,
            "repaired",
            study_uid or "store",
            detail={
                "repaired": len(report.repaired),
                "left": len(report.left),
                "names": list(report.repaired[:_TOLD_AT_MOST]),
                "set_aside": list(report.set_aside[:_TOLD_AT_MOST]),
            },
        )
    told = asdict(report) | {
        "audit_broken_at": broken_at,
        "reports_checked": signed.checked,
        "reports_broken": list(signed.broken),
    }
    show(told, as_json=as_json, text="\n".join(_in_words(report, broken_at, signed, repair=repair)))
    if report.left or broken_at is not None or signed.broken:
        raise click.exceptions.Exit(1)


def _in_words(
    report: VerifyReport, broken_at: int | None, signed: ReportsChecked, *, repair: bool
) -> list[str]:
    lines = [f"{report.checked} objects checked."]
    told = asdict(report)
    for kind in _NAMED:
        names = told[kind]
        title = kind.replace("_", " ")
        lines += [f"{len(names)} {title}:"] + [f"  {name}" for name in names] if names else []
    if report.is_clean:
        lines.append("Every object has the hash that it was received with.")
    elif report.left and not repair:
        lines.append("Nothing was changed. Call it with --repair to mend what can be mended.")
    elif report.left:
        lines.append(
            f"{len(report.left)} are as bad as they were, and nothing was deleted. Restore what is "
            "missing from a backup of the store, or ask the site to send again."
        )
    else:
        lines.append("Everything has been put right; what was damaged is kept aside.")
    if report.orphaned:
        lines.append(
            "What is orphaned takes room only. `lysbro rebuild --into-existing` takes it in, if it "
            "is to be known."
        )
    if report.miscounted:
        done = "was put right" if repair else "--repair puts it right"
        lines.append(f"The use of {', '.join(report.miscounted)} was miscounted; {done}.")
    if broken_at is not None:
        lines.append(
            f"The audit log is not as it was written, from entry {broken_at} on. "
            "Compare it with a backup of the database."
        )
    return lines + _signed_in_words(signed)


def _signed_in_words(signed: ReportsChecked) -> list[str]:
    if signed.broken:
        told = [f"  {each}" for each in signed.broken]
        said = f"{len(signed.broken)} signed reports are not as they were signed:"
        return [said, *told, "Compare them with a backup of the database."]
    if not signed.checked:
        return []
    return [f"{signed.checked} signed reports are as they were signed."]
