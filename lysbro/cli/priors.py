"""Commands about earlier studies: the rules by which they are fetched, and what was given up."""

from __future__ import annotations

from typing import Any

import click

from casework.errors import NotFound
from casework.priors import IN_WORDS, PriorRule, nodes_to_ask, rule_for
from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import show, table
from lysbro.prefetching import Prefetcher, may_not_ask
from storage.prior_queue import PriorQuestion
from storage.quota_gate import in_units

_COLUMNS = (
    "id", "site", "modality", "body_part", "nodes", "years", "modalities", "studies", "images",
    "bytes", "large", "hours",
)  # fmt: skip


@click.group("prior-rule")
def prior_rule() -> None:
    """Earlier studies: which are fetched from the sites' own archives when a case comes."""


@prior_rule.command("add")
@click.option("--ask", "nodes", multiple=True, required=True, metavar="AET", help="A node to ask.")
@click.option("--site", default="", help="For cases of this site only.")
@click.option("--modality", default="", help="For cases of this modality only, as CT.")
@click.option("--body-part", default="", help="For cases of this part of the body only, as HEAD.")
@click.option("--years", default=5, show_default=True, help="How far to look back.")
@click.option("--fetch", "modalities", default="", help="Modalities to fetch, as CT,MR. [all]")
@click.option("--studies", default=3, show_default=True, help="Studies at most, for each case.")
@click.option("--images", type=int, help="Images at most, of all that is fetched for a case.")
@click.option("--megabytes", type=int, help="Megabytes at most, estimated by modality.")
@click.option("--large-images", type=int, help="A study of more images waits for the hours.")
@click.option("--from-hour", default=0, help="When large ones may be fetched, local time.")
@click.option("--to-hour", default=0, help="The same as --from-hour: at any hour.")
@json_option
@with_parts
def add(parts: Parts, as_json: bool, **given: Any) -> None:
    """Add a rule. Of several that are for a case and name a node, the most particular decides."""
    megabytes: int | None = given["megabytes"]
    rule = parts.prior_rules.add(
        PriorRule(
            id=0,
            nodes=given["nodes"],
            site=given["site"],
            modality=given["modality"].upper(),
            body_part=given["body_part"].upper(),
            years=given["years"],
            modalities=frozenset(given["modalities"].upper().replace(",", " ").split()),
            most_studies=given["studies"],
            most_images=given["images"],
            most_bytes=None if megabytes is None else megabytes * 1_000_000,
            large_images=given["large_images"],
            from_hour=given["from_hour"],
            to_hour=given["to_hour"],
        )
    )
    parts.note(OPERATOR, "prior-rule-added", str(rule.id), site=rule.site)
    show(_row(rule), as_json=as_json, text=f"Rule {rule.id} is kept; it is for cases from now on.")


@prior_rule.command("list")
@json_option
@with_parts
def list_(parts: Parts, as_json: bool) -> None:
    """List the rules."""
    rows = [_row(rule) for rule in parts.prior_rules.listed()]
    show(rows, as_json=as_json, text=table(rows, _COLUMNS))


@prior_rule.command("remove")
@click.argument("rule_id", metavar="ID", type=int)
@json_option
@with_parts
def remove(parts: Parts, rule_id: int, as_json: bool) -> None:
    """Forget a rule; what was fetched by it stays."""
    parts.prior_rules.remove(rule_id)
    parts.note(OPERATOR, "prior-rule-removed", str(rule_id))
    show({"id": rule_id}, as_json=as_json, text=f"Rule {rule_id} is removed.")


@prior_rule.command("test")
@click.argument("case_id", metavar="CASE")
@json_option
@with_parts
def test(parts: Parts, case_id: str, as_json: bool) -> None:
    """Ask the nodes for CASE now and show what would be fetched, and why the rest would not.

    Nothing is fetched, and nothing is kept.
    """
    asker = Prefetcher(parts)
    inquiry = parts.prior_queue.inquiry_of(PriorQuestion(0, case_id, "", 0))
    if inquiry is None:
        raise NotFound(f"There is no case {case_id} that waits for an answer.", code="no-such-case")
    rules = parts.prior_queue.rules(inquiry.site)
    rows: list[dict[str, Any]] = []
    for title in nodes_to_ask(rules, site=inquiry.site, subject=inquiry.subject):
        rule = rule_for(rules, title, site=inquiry.site, subject=inquiry.subject)
        node = parts.people.ae(title)
        if rule is None or node is None:
            continue
        if why := may_not_ask(inquiry, node):
            rows.append({"node": title, "rule": rule.id, "fetched": "no", "why": why})
            continue
        rows += [
            {
                "node": title,
                "rule": rule.id,
                "date": str(verdict.study.day or ""),
                "modalities": "/".join(sorted(verdict.study.modalities)),
                "images": verdict.study.images,
                "description": verdict.study.description,
                "fetched": "no" if verdict.refusal else "later" if verdict.is_large else "yes",
                "why": IN_WORDS[verdict.refusal] if verdict.refusal else "",
            }
            for verdict in asker.judged(inquiry, node, rule)
        ]
    columns = (
        "node", "rule", "date", "modalities", "images", "description", "fetched", "why",
    )  # fmt: skip
    show(rows, as_json=as_json, text=table(rows, columns))


@click.command("prior-replay")
@click.argument("kind", type=click.Choice(["question", "fetch"]))
@click.argument("job_id", metavar="ID", type=int)
@json_option
@with_parts
def prior_replay(parts: Parts, kind: str, job_id: int, as_json: bool) -> None:
    """Put a question or a fetch of earlier studies that was given up back in the queue."""
    again = parts.prior_queue.replay(kind, job_id)
    parts.note(OPERATOR, f"prior-{kind}-replayed", again.subject)
    show(
        {"kind": kind, "id": job_id, "node": again.node},
        as_json=as_json,
        text=f"The {kind} {job_id} to {again.node} is tried again.",
    )


def _row(rule: PriorRule) -> dict[str, Any]:
    hours = "any" if rule.from_hour == rule.to_hour else f"{rule.from_hour}-{rule.to_hour}"
    return {
        "id": rule.id,
        "site": rule.site or "any",
        "modality": rule.modality or "any",
        "body_part": rule.body_part or "any",
        "nodes": ",".join(rule.nodes),
        "years": rule.years,
        "modalities": ",".join(sorted(rule.modalities)) or "all",
        "studies": rule.most_studies,
        "images": rule.most_images if rule.most_images is not None else "",
        "bytes": in_units(rule.most_bytes) if rule.most_bytes is not None else "",
        "large": rule.large_images if rule.large_images is not None else "",
        "hours": hours,
    }
