"""Commands that register who takes part: sites, application entities, people, tokens."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from casework.errors import Invalid, NotFound
from casework.model import AePermission, Role, Site, SiteKind
from casework.token_scopes import MEANS, parse_scopes
from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import show, table
from lysbro.cli.quotas import site_quota
from pacs_bridge.certificate import read_certificate
from storage.certificates import is_fingerprint
from storage.destinations import FORMS
from storage.forms import CODECS
from viewer import passwords

_NEED_ADDRESS = frozenset({AePermission.REPLY, AePermission.ASK, AePermission.FETCH})
_ALL = ",".join(p.value for p in AePermission if p not in _NEED_ADDRESS)


@click.group()
def site() -> None:
    """Sites: the organisations that take part."""


@site.command("add")
@click.argument("slug")
@click.option("--name", required=True, help="The name that people read.")
@click.option("--kind", required=True, type=click.Choice([k.value for k in SiteKind]))
@click.option("--issuer", default="", help="OID of the authority that issues its patient numbers.")
@json_option
@with_parts
def site_add(parts: Parts, slug: str, name: str, kind: str, issuer: str, as_json: bool) -> None:
    """Register the site SLUG."""
    added = Site(slug=slug, name=name, kind=SiteKind(kind), issuer=issuer)
    parts.people.add_site(added)
    parts.note(OPERATOR, "site-added", slug, site=slug)
    show(
        {"slug": slug, "name": name, "kind": kind},
        as_json=as_json,
        text=f"Site {slug} ({name}) is registered.",
    )


site.add_command(site_quota)


@site.command("distance")
@click.argument("slug")
@click.argument("km", metavar="KM|none")
@json_option
@with_parts
def site_distance(parts: Parts, slug: str, km: str, as_json: bool) -> None:
    """Say how far the site SLUG is from the centre, one way, for the travel that is avoided."""
    try:
        travel_km = None if km == "none" else float(km)
    except ValueError as error:
        raise click.BadParameter(f"{km}: give kilometres, as 142, or none.") from error
    found = parts.people.set_travel(slug, travel_km)
    parts.note(OPERATOR, "travel-set", slug, site=slug, detail={"km": travel_km})
    said = "is not known" if travel_km is None else f"is {travel_km:g} km"
    told = {"slug": slug, "travel_km": found.travel_km}
    show(told, as_json=as_json, text=f"The way from {slug} to the centre {said}.")


@site.command("list")
@json_option
@with_parts
def site_list(parts: Parts, as_json: bool) -> None:
    """List the sites."""
    bound = Counter(c.site for c in parts.people.certificates() if c.revoked_at is None)
    rows = [
        {
            "slug": s.slug,
            "name": s.name,
            "kind": s.kind.value,
            "issuer": s.issuer,
            "certificates": bound[s.slug],
        }
        for s in parts.people.sites()
    ]
    columns = ("slug", "name", "kind", "issuer", "certificates")
    show(rows, as_json=as_json, text=table(rows, columns))


@site.command("certificate")
@click.argument("slug")
@click.argument("file", metavar="FILE.pem")
@click.option("--revoke", is_flag=True, help="End it for good; FILE may be its fingerprint.")
@json_option
@with_parts
def site_certificate(parts: Parts, slug: str, file: str, revoke: bool, as_json: bool) -> None:
    """Bind the TLS client certificate in FILE.pem to the site SLUG, or end that."""
    if revoke:
        fingerprint = file if is_fingerprint(file) else read_certificate(Path(file)).fingerprint
        row, action = parts.people.revoke_certificate(fingerprint, slug), "certificate-revoked"
        done = f"{row.subject} is no longer taken from {slug}."
    else:
        own = read_certificate(Path(file))
        if own.not_after <= parts.clock():
            raise Invalid(
                f"The certificate in {file} ended on {own.not_after:%Y-%m-%d}. Issue a new one.",
                code="certificate-expired",
            )
        row = parts.people.add_certificate(
            own.fingerprint, slug, subject=own.subject, not_after=own.not_after
        )
        action = "certificate-added"
        done = f"{row.subject} may call for {slug} until {row.not_after:%Y-%m-%d}."
    parts.note(OPERATOR, action, row.fingerprint, site=slug, detail={"subject": row.subject})
    told = {"fingerprint": row.fingerprint, "site": slug, "subject": row.subject}
    show(told | {"revoked": revoke}, as_json=as_json, text=f"{done}\n{row.fingerprint}")


@site.command("certificates")
@click.argument("slug", required=False)
@json_option
@with_parts
def site_certificates(parts: Parts, slug: str | None, as_json: bool) -> None:
    """List the TLS client certificates of the site SLUG, or of every site."""
    if slug is not None and parts.people.site(slug) is None:
        raise NotFound(f"There is no site {slug}.", code="no-such-site")
    now = parts.clock()
    rows = [
        {
            "site": row.site,
            "state": "revoked" if row.revoked_at else "ended" if row.not_after <= now else "active",
            "until": f"{row.not_after:%Y-%m-%d}",
            "subject": row.subject,
            "fingerprint": row.fingerprint,
        }
        for row in parts.people.certificates(slug)
    ]
    columns = ("site", "state", "until", "subject", "fingerprint")
    show(rows, as_json=as_json, text=table(rows, columns))


@site.command("recompress")
@click.argument("slug")
@click.argument("codec", type=click.Choice([*CODECS, "off"]), required=False)
@json_option
@with_parts
def site_recompress(parts: Parts, slug: str, codec: str | None, as_json: bool) -> None:
    """Say in which lossless form images of the site SLUG are packed; without one, what was done."""
    found = parts.people.site(slug)
    if found is None:
        raise NotFound(f"There is no site {slug}.", code="no-such-site")
    if codec is not None:
        found = parts.people.set_recompression(slug, "" if codec == "off" else codec)
        parts.note(OPERATOR, "site-recompression-set", slug, site=slug, detail={"codec": codec})
    rows = [
        {
            "outcome": each.outcome,
            "instances": each.instances,
            "received_bytes": each.received_bytes,
            "kept_bytes": each.kept_bytes,
        }
        for each in parts.index.recompressions(slug)
    ]
    state = f"packed as {found.recompress}, without loss" if found.recompress else "packed as sent"
    text = f"What {slug} sends is {state}."
    if rows:
        text += "\n" + table(rows, ("outcome", "instances", "received_bytes", "kept_bytes"))
    told = {"site": slug, "recompress": found.recompress or "off", "outcomes": rows}
    show(told, as_json=as_json, text=text)


@click.group()
def ae() -> None:
    """Application entities: the DICOM nodes of the sites."""


def _permissions(text: str) -> frozenset[AePermission]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = {p.value for p in AePermission}
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(
            f"{', '.join(unknown)}: use {', '.join(sorted(known))}", param_hint="--allow"
        )
    return frozenset(AePermission(name) for name in names)


@ae.command("add")
@click.argument("title", metavar="AET")
@click.option("--site", "site_slug", required=True, help="The site that it belongs to.")
@click.option("--host", default="", help="Where Lysbro reaches it.")
@click.option("--port", default=0, type=click.IntRange(0, 65535))
@click.option(
    "--allow",
    default=_ALL,
    show_default=True,
    help="What it may do; 'reply' sends it signed replies, 'ask' asks it how much it has.",
)
@click.option("--tls-only", is_flag=True, help="Refuse it on the plain port.")
@json_option
@with_parts
def ae_add(parts: Parts, **given: Any) -> None:
    """Register the application entity AET."""
    title, slug = given["title"], given["site_slug"]
    allowed = _permissions(given["allow"])
    if allowed & _NEED_ADDRESS and not (given["host"] and given["port"]):
        raise click.UsageError("--allow reply, ask and fetch need --host and --port to call there")
    parts.people.add_ae(
        title,
        site=slug,
        host=given["host"],
        port=given["port"],
        permissions=allowed,
        tls_only=given["tls_only"],
    )
    parts.note(OPERATOR, "ae-added", title, site=slug)
    names = sorted(p.value for p in allowed)
    show(
        {"title": title, "site": slug, "allow": names},
        as_json=given["as_json"],
        text=f"{title} of {slug} may {', '.join(names)}.",
    )


@ae.command("set")
@click.argument("title", metavar="AET")
@click.option("--at-once", "most_at_once", type=int, help="Associations to it at most.")
@click.option(
    "--form",
    type=click.Choice(["as-stored", *FORMS]),
    help="What it is sent where it takes that; else as stored, else uncompressed.",
)
@click.option(
    "--rate", "rate_bytes", type=int, help="Bytes a second at most; 0: as fast as it goes."
)
@click.option(
    "--commit/--no-commit", "asks_commitment", default=None, help="Ask it for storage commitment."
)
@click.option("--commit-wait", "commit_wait_s", type=int, help="Seconds until it is asked anew.")
@click.option("--attempts", "most_attempts", type=int, help="Then a person looks; 0: the default.")
@json_option
@with_parts
def ae_set(parts: Parts, title: str, as_json: bool, **given: Any) -> None:
    """Say how AET is sent to: how much at once, in which form, how fast; or show it."""
    changes = {name: value for name, value in given.items() if value is not None}
    if changes.get("form") == "as-stored":
        changes["form"] = ""
    for name in ("rate_bytes", "most_attempts"):
        if changes.get(name) == 0:
            changes[name] = None
    found = parts.destinations.set(title, **changes)
    if changes:
        parts.note(OPERATOR, "destination-set", found.title, detail=changes)
    told = asdict(found) | {"form": found.form or "as-stored"}
    lines = [f"{name.replace('_', ' '):<16} {value}" for name, value in told.items()]
    show(told, as_json=as_json, text="\n".join(lines))


@ae.command("list")
@json_option
@with_parts
def ae_list(parts: Parts, as_json: bool) -> None:
    """List the application entities."""
    rows = [
        {
            "title": e.title,
            "site": e.site,
            "address": f"{e.host}:{e.port}" if e.host else "",
            "allow": ",".join(sorted(p.value for p in e.permissions)),
        }
        for e in parts.people.aes()
    ]
    show(rows, as_json=as_json, text=table(rows, ("title", "site", "address", "allow")))


@click.group()
def user() -> None:
    """People who sign in."""


@user.command("add")
@click.argument("email")
@click.option("--site", "site_slug", required=True)
@click.option("--role", required=True, type=click.Choice([r.value for r in Role]))
@click.option("--name", default="", help="As it is signed: 'Dr Kari Nordmann'.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@json_option
@with_parts
def user_add(parts: Parts, **given: Any) -> None:
    """Register the person with the address EMAIL."""
    email, slug, role = given["email"], given["site_slug"], given["role"]
    password = _password(from_stdin=given["password_stdin"])
    passwords.require_acceptable(password, email=email)
    name = given["name"] or email.partition("@")[0]
    parts.people.add_user(
        email,
        site=slug,
        role=Role(role),
        name=name,
        password_hash=passwords.hash_password(password),
    )
    parts.note(OPERATOR, "user-added", email, site=slug)
    show(
        {"email": email, "site": slug, "role": role},
        as_json=given["as_json"],
        text=f"{email} is a {role} of {slug}.",
    )


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask for a password: use --password-stdin")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


@user.command("list")
@json_option
@with_parts
def user_list(parts: Parts, as_json: bool) -> None:
    """List the people."""
    rows = [
        {
            "email": row.actor.email,
            "name": row.actor.name,
            "site": row.actor.site,
            "role": row.actor.role.value if row.actor.role else "",
            "state": "disabled" if row.disabled else "active",
        }
        for row in parts.people.users()
    ]
    show(rows, as_json=as_json, text=table(rows, ("email", "name", "site", "role", "state")))


@user.command("disable")
@click.argument("email")
@with_parts
def user_disable(parts: Parts, email: str) -> None:
    """End a person's access at once."""
    row = parts.people.user_by_email(email)
    if row is None:
        raise NotFound(f"There is no person with the address {email}.")
    parts.people.disable_user(email)
    parts.note(OPERATOR, "user-disabled", email, site=row.actor.site)
    click.echo(f"{email} can no longer sign in.")


@click.group()
def token() -> None:
    """Bearer tokens for machine clients."""


@token.command("add")
@click.option("--user", "email", required=True, help="The person whose rights it has.")
@click.option("--days", default=365, show_default=True, type=click.IntRange(1, 3650))
@click.option("--name", default="", help="What it is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE,…",
    help=f"All that it may do: of {', '.join(MEANS)}. Without: all that the person may.",
)
@json_option
@with_parts
def token_add(
    parts: Parts, email: str, days: int, name: str, scopes: tuple[str, ...], as_json: bool
) -> None:
    """Print a new token; it is shown this once."""
    if days < 1:
        raise Invalid("A token lasts at least one day.")
    limits = sorted(parse_scopes(scopes))
    if scopes and not limits:
        raise Invalid("Name a scope, or leave --scope out.")
    secret = parts.people.add_token(email, days=days, name=name, scopes=limits)
    parts.note(OPERATOR, "token-added", email, detail={"scopes": limits} if limits else None)
    told = {"token": secret, "user": email, "days": days, "scopes": limits}
    show(told, as_json=as_json, text=secret)


@token.command("list")
@json_option
@with_parts
def token_list(parts: Parts, as_json: bool) -> None:
    """List the tokens, without their secrets."""
    rows = [
        {
            "id": row.id,
            "user": row.email,
            "name": row.name,
            "state": "revoked" if row.revoked_at else "active",
            "until": f"{row.expires_at:%Y-%m-%d}",
            "last_used": f"{row.seen_at:%Y-%m-%d}" if row.seen_at else "never",
            "scopes": row.scopes or "all",
        }
        for row in parts.people.tokens()
    ]
    columns = ("id", "user", "name", "state", "until", "last_used", "scopes")
    show(rows, as_json=as_json, text=table(rows, columns))


@token.command("revoke")
@click.argument("token_id", metavar="ID", type=int)
@with_parts
def token_revoke(parts: Parts, token_id: int) -> None:
    """End a token at once; 'lysbro token list' shows its ID."""
    parts.people.revoke_token(token_id)
    parts.note(OPERATOR, "token-revoked", str(token_id))
    click.echo(f"Token {token_id} is no longer taken.")
