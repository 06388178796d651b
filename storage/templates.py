"""Keeps the templates of findings that a centre has made its own, version by version.

What was never changed is as it is shipped. A version that a draft uses is kept, so that the draft
goes on with it whatever happens to the template.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from casework.diagnosis_table import known_diagnoses
from casework.errors import Invalid, NotFound
from casework.identifiers import is_slug
from casework.model import Actor
from casework.shipped_templates import SHIPPED_VERSION, shipped, shipped_text
from casework.template_text import parsed
from casework.templates import Template
from storage.casebook_tables import sites
from storage.database import Database, insert_if_absent
from storage.template_tables import templates


@dataclass(frozen=True)
class KeptTemplate:
    """A template as a centre has it: one version, its text, who made it (empty: shipped so)."""

    template: Template
    text: str
    is_enabled: bool = True
    made_by: str = ""
    made_at: datetime | None = None


class Templates:
    """The templates of the centres of one exchange."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def offered(self, centre: str) -> Sequence[Template]:
        """Return the templates that a centre's readers may choose, in the order of offering."""
        return [kept.template for kept in self.listed(centre) if kept.is_enabled]

    def listed(self, centre: str) -> Sequence[KeptTemplate]:
        """Return every template of a centre as it is now: the shipped ones, then its own."""
        with self._database.read() as conn:
            rows = conn.execute(
                select(templates)
                .where(templates.c.centre == centre, templates.c.made_by != "")
                .order_by(templates.c.name, templates.c.version)
            ).all()
        own = {row.name: _kept(row) for row in rows}  # the newest is the last
        found = [own.pop(name) if name in own else _shipped(name) for name in shipped()]
        return [*found, *own.values()]

    def one(self, centre: str, name: str, version: int = 0) -> KeptTemplate:
        """Return a template of a centre in a version, 0 being the present one; or NotFound."""
        with self._database.read() as conn:
            return kept_template(conn, centre, name, version)

    def versions(self, centre: str, name: str) -> Sequence[KeptTemplate]:
        """Return the versions of a template that are kept, the newest first."""
        with self._database.read() as conn:
            rows = conn.execute(
                select(templates)
                .where(templates.c.centre == centre, templates.c.name == name)
                .order_by(templates.c.version.desc())
            ).all()
        found = [_kept(row) for row in rows]
        has_shipped = any(kept.template.version == SHIPPED_VERSION for kept in found)
        return found if has_shipped or name not in shipped() else [*found, _shipped(name)]

    def save(self, centre: str, name: str, text: str, *, by: Actor) -> KeptTemplate:
        """Keep a text as the next version of a template; Invalid says which line is wrong."""
        require_sense(name, text)
        whole = text.replace("\r\n", "\n").strip() + "\n"
        return self._next(centre, name, whole, by=by, is_enabled=True)

    def set_enabled(self, centre: str, name: str, is_enabled: bool, *, by: Actor) -> KeptTemplate:
        """Offer a template or no longer offer it; drafts that use it go on."""
        present = self.one(centre, name)
        if present.is_enabled == is_enabled:
            return present
        return self._next(centre, name, present.text, by=by, is_enabled=is_enabled)

    def restore(self, centre: str, name: str, *, by: Actor) -> KeptTemplate:
        """Make the shipped text the present one again; what was made before stays kept."""
        text = shipped_text(name)
        if text is None:
            raise NotFound(
                f"The template {name} is not a shipped one. Edit it instead.",
                code="template-not-shipped",
            )
        return self._next(centre, name, text, by=by, is_enabled=True)

    def _next(
        self, centre: str, name: str, text: str, *, by: Actor, is_enabled: bool
    ) -> KeptTemplate:
        with self._database.begin() as conn:
            if conn.execute(select(sites.c.slug).where(sites.c.slug == centre)).first() is None:
                raise NotFound(f"There is no site {centre}.", code="no-such-site")
            if name in shipped():
                keep_in_use(conn, centre, _shipped(name), now=self._clock())
            latest = conn.execute(
                select(templates.c.version)
                .where(templates.c.centre == centre, templates.c.name == name)
                .order_by(templates.c.version.desc())
                .limit(1)
            ).scalar()
            made = conn.execute(
                insert(templates)
                .values(
                    centre=centre,
                    name=name,
                    version=(latest or 0) + 1,
                    body=text,
                    is_enabled=is_enabled,
                    made_by=by.name or by.id,
                    made_at=self._clock(),
                )
                .returning(templates)
            )
            return _kept(made.one())


def kept_template(conn: Connection, centre: str, name: str, version: int = 0) -> KeptTemplate:
    """Return a template of a centre in a version, 0 being the present one; or raise NotFound.

    A version that the centre does not have may be another's, whose reader handed a case over.
    """
    newest = templates.c.version.desc()
    of_name = select(templates).where(templates.c.name == name)
    own = of_name.where(templates.c.centre == centre)
    if not version:
        row = conn.execute(own.where(templates.c.made_by != "").order_by(newest)).first()
    else:
        row = conn.execute(own.where(templates.c.version == version)).first()
    if row is None and name in shipped() and version in (0, SHIPPED_VERSION):
        return _shipped(name)
    if row is None and version:
        row = conn.execute(of_name.where(templates.c.version == version)).first()
    if row is None:
        raise NotFound(
            f"There is no template {name}{f' in version {version}' if version else ''}. "
            "Choose another.",
            code="no-such-template",
        )
    return _kept(row)


def keep_in_use(conn: Connection, centre: str, kept: KeptTemplate, *, now: datetime) -> None:
    """Keep the version that a draft uses."""
    insert_if_absent(
        conn,
        templates,
        [
            {
                "centre": centre,
                "name": kept.template.name,
                "version": kept.template.version,
                "body": kept.text,
                "is_enabled": kept.is_enabled,
                "made_by": kept.made_by,
                "made_at": kept.made_at or now,
            }
        ],
    )


def require_sense(name: str, text: str) -> Template:
    """Return the template of a text, or raise Invalid when it could not be used."""
    if not is_slug(name):
        raise Invalid(
            f"{name!r} cannot name a template: use 1 to 32 of a-z, 0-9 and hyphen.",
            code="invalid-slug",
        )
    template = parsed(name, text)
    offers = (*template.advice, *template.follow_ups, *template.safety_nets)
    named = (*template.diagnoses, *(offer.diagnosis for offer in offers if offer.diagnosis))
    if unknown := [key for key in named if key not in known_diagnoses()]:
        raise Invalid(
            f"There is no diagnosis {unknown[0]} in the list. Use a key of it.",
            code="unknown-diagnosis",
        )
    return template


def _kept(row: Row[Any]) -> KeptTemplate:
    return KeptTemplate(
        template=parsed(row.name, row.body, version=row.version),
        text=row.body,
        is_enabled=row.is_enabled,
        made_by=row.made_by,
        made_at=row.made_at,
    )


def _shipped(name: str) -> KeptTemplate:
    return KeptTemplate(shipped()[name], shipped_text(name) or "")
