"""Commands about what goes and what must not: erase, hold, retention."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from casework.erasure import Plan, Target, require_erasable, require_reason
from casework.errors import Invalid
from casework.retention import CLOSED, RECEIVED, Rule, days_of
from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import show, table
from lysbro.erasing import apply_to, going, left_today
from storage.erasure_steps import Eraser, without_node
from storage.tombstones import DONE, Erasure

_F = TypeVar("_F", bound=Callable[..., Any])
_REASON = "Why; it is kept for good, so name nobody."


def _target_options(command: _F) -> _F:
    """Give a command `--study`, `--patient`, `--issuer` and `--site`."""
    for option in (
        click.option("--site", default="", help="Of this site only; else of every site."),
        click.option("--issuer", default="", help="OID of the authority whose number it is."),
        click.option("--patient", "patient_id", default="", metavar="ID", help="All of a patient."),
        click.option("--study", "study_uid", default="", metavar="UID", help="One study."),
    ):
        command = option(command)
    return command


@click.command()
@_target_options
@click.option("--reason", default="", help=_REASON)
@click.option("--yes", is_flag=True, help="Do it; without, what would go is shown only.")
@click.option("--list", "listed", is_flag=True, help="What was erased, and what is under way.")
@click.option(
    "--without-node", "lost", default="", metavar="NAME", help="Its disk is gone: do not wait."
)
@json_option
@with_parts
def erase(  # noqa: PLR0913 - each an option of its own
    parts: Parts,
    *,
    study_uid: str,
    patient_id: str,
    issuer: str,
    site: str,
    reason: str,
    yes: bool,
    listed: bool,
    lost: str,
    as_json: bool,
) -> None:
    """Erase a study or a patient for good: images, cases, copies, packs, backups.

    Shows first what would go. A tombstone stays, which names nobody.
    """
    if lost:
        count = without_node(parts.archive, lost, actor=OPERATOR, now=parts.clock())
        show({"erasures": count}, as_json=as_json, text=f"{count} erasures do not wait for {lost}.")
        return
    if listed:
        rows = [_row(each) for each in parts.erasures.listed()]
        columns = ("id", "kind", "state", "instances", "reason", "waits_for")
        show(rows, as_json=as_json, text=table(rows, columns))
        return
    target = Target(study_uid=study_uid, patient_id=patient_id, issuer=issuer, site=site)
    plan = parts.erasures.plan(target)
    if yes:
        require_reason(reason)
    elif as_json or not sys.stdin.isatty():
        told = _plan_row(plan)
        show(
            told, as_json=as_json, text="\n".join([*_in_words(plan), "Nothing was erased: --yes."])
        )
        return
    else:
        click.echo("\n".join(_in_words(plan)))
        require_erasable(plan)
        require_reason(reason)
        click.confirm("Erase it for good?", abort=True)
    stone = parts.erasures.erase(target, actor=OPERATOR, reason=reason, digest=plan.digest)
    done = Eraser(parts.archive, actor=OPERATOR).finish(stone.id, parts.clock())
    told = _plan_row(plan) | ({} if done is None else _row(done))
    show(told, as_json=as_json, text="\n".join(_outcome(plan, done)))


def _outcome(plan: Plan, done: Erasure | None) -> list[str]:
    lines = [f"{plan.instances} objects of {len(plan.studies)} studies can be found no more."]
    if done is not None and done.state == DONE:
        return [
            *lines,
            f"Every byte is gone from data folder and store. Tombstone {done.stone.id}.",
        ]
    waits = done.waits_for if done is not None else ""
    return [*lines, f"Their bytes go as soon as it may be: {waits or 'the worker is at it'}."]


def _in_words(plan: Plan) -> list[str]:
    lines = [
        f"{plan.instances} objects ({plan.size_bytes} bytes) of {len(plan.studies)} studies in "
        f"{plan.packs} packs, {plan.quarantined} of them second versions in quarantine:"
    ]
    lines += [f"  {s.site} {s.study_uid}: {s.instances} objects" for s in plan.studies]
    for case in plan.cases:
        stays = "stays, without this study" if case.stays else f"goes, with {case.reports} reports"
        lines.append(f"  case {case.id} ({case.state.value}) {stays}")
    lines += [f"  HELD by legal hold {hold.id}: {hold.reason}" for hold in plan.holds]
    return lines


def _plan_row(plan: Plan) -> dict[str, Any]:
    return {
        "studies": [
            {
                "site": s.site,
                "study_uid": s.study_uid,
                "instances": s.instances,
                "bytes": s.size_bytes,
            }
            for s in plan.studies
        ],
        "cases": [
            {"case_id": c.id, "state": c.state.value, "reports": c.reports, "stays": c.stays}
            for c in plan.cases
        ],
        "instances": plan.instances,
        "bytes": plan.size_bytes,
        "packs": plan.packs,
        "quarantined": plan.quarantined,
        "holds": [{"id": hold.id, "reason": hold.reason} for hold in plan.holds],
        "erased": False,
    }


def _row(erasure: Erasure) -> dict[str, Any]:
    stone = erasure.stone
    return {
        "erased": True,
        "id": stone.id,
        "kind": stone.kind,
        "state": erasure.state,
        "at": stone.at.isoformat(),
        "by": stone.actor_name,
        "reason": stone.reason,
        "instances": stone.instances,
        "digest": stone.digest,
        "waits_for": erasure.waits_for,
    }


@click.group()
def hold() -> None:
    """Legal holds: what is held can be erased by nobody."""


@hold.command("add")
@_target_options
@click.option("--reason", required=True, help=_REASON)
@json_option
@with_parts
def hold_add(
    parts: Parts,
    study_uid: str,
    patient_id: str,
    issuer: str,
    site: str,
    reason: str,
    as_json: bool,
) -> None:
    """Hold a study, or all of a patient; it need not have come yet."""
    target = Target(study_uid=study_uid, patient_id=patient_id, issuer=issuer, site=site)
    added = parts.holds.add(target, reason=reason, actor=OPERATOR)
    show({"id": added.id}, as_json=as_json, text=f"Legal hold {added.id} stands.")


@hold.command("remove")
@click.argument("hold_id", metavar="ID", type=int)
@click.option("--reason", required=True, help=_REASON)
@json_option
@with_parts
def hold_remove(parts: Parts, hold_id: int, reason: str, as_json: bool) -> None:
    """Lift a legal hold."""
    lifted = parts.holds.remove(hold_id, reason=reason, actor=OPERATOR)
    show({"id": lifted.id}, as_json=as_json, text=f"Legal hold {lifted.id} is lifted.")


@hold.command("list")
@json_option
@with_parts
def hold_list(parts: Parts, as_json: bool) -> None:
    """List the legal holds that stand."""
    rows = [
        {
            "id": h.id,
            "site": h.site or "every",
            "study": h.study_uid,
            "patient": h.patient_id,
            "issuer": h.patient_issuer,
            "placed_at": h.placed_at.isoformat(),
            "reason": h.reason,
        }
        for h in parts.holds.listed()
    ]
    columns = ("id", "site", "study", "patient", "issuer", "reason")
    show(rows, as_json=as_json, text=table(rows, columns))


@click.group()
def retention() -> None:
    """Retention: how long what a site has sent is kept. Without a rule for ever."""


@retention.command("set")
@click.argument("site")
@click.option("--keep", required=True, metavar="TIME", help="Days, or 18m, or 10y.")
@click.option("--modality", default="", help="Of this modality; else all that have no rule.")
@click.option(
    "--since",
    default=RECEIVED,
    type=click.Choice([RECEIVED, CLOSED]),
    help="Counted from the last object, or from when the case was closed.",
)
@json_option
@with_parts
def retention_set(
    parts: Parts, site: str, keep: str, modality: str, since: str, as_json: bool
) -> None:
    """Let what SITE has sent go after a time."""
    if len(modality) > 16:
        raise Invalid("A modality is a code such as CT (PS3.3 C.7.3.1.1.1).", code="bad-modality")
    rule = parts.retention.set_rule(
        site, modality=modality.upper(), keep_days=days_of(keep), since=since, actor=OPERATOR
    )
    show(_rule_row(rule), as_json=as_json, text=f"Rule {rule.id}: kept {rule.keep_days} days.")


@retention.command("remove")
@click.argument("rule_id", metavar="ID", type=int)
@json_option
@with_parts
def retention_remove(parts: Parts, rule_id: int, as_json: bool) -> None:
    """Take a rule away: what it was for is kept."""
    rule = parts.retention.remove_rule(rule_id, actor=OPERATOR)
    show(_rule_row(rule), as_json=as_json, text=f"Rule {rule.id} is no more.")


@retention.command("list")
@json_option
@with_parts
def retention_list(parts: Parts, as_json: bool) -> None:
    """List the rules."""
    rows = [_rule_row(rule) for rule in parts.retention.rules()]
    columns = ("id", "site", "modality", "keep_days", "since")
    show(rows, as_json=as_json, text=table(rows, columns))


@retention.command("run")
@click.option("--dry-run", is_flag=True, help="Only show what would go.")
@json_option
@with_parts
def retention_run(parts: Parts, dry_run: bool, as_json: bool) -> None:
    """Erase now what the rules let go, up to what a day may take; the worker does so by itself."""
    limit = left_today(parts)
    rows = []
    for due in parts.retention.due(limit=limit) if dry_run else going(parts, limit=limit):
        erased = not dry_run and apply_to(parts, due, actor=OPERATOR)
        rows.append(
            {
                "site": due.site,
                "study": due.study_uid,
                "since": due.since.isoformat(),
                "rule": due.rule.id,
                "held": due.hold,
                "erased": erased,
            }
        )
    if not dry_run:
        eraser = Eraser(parts.archive, actor=OPERATOR)
        while eraser.run_once(parts.clock(), at_once=True):
            pass
    columns = ("site", "study", "since", "rule", "held", "erased")
    show(rows, as_json=as_json, text=table(rows, columns))


def _rule_row(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "site": rule.site,
        "modality": rule.modality,
        "keep_days": rule.keep_days,
        "since": rule.since,
    }
