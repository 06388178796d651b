"""Who takes part: sites, application entities, people. Takes passwords hashed; knows no cases."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from casework.errors import Conflict, Invalid, NotFound
from casework.identifiers import is_ae_title, is_slug, is_standard_uid, normal_ae_title
from casework.model import Actor, AePermission, ApplicationEntity, Role, Site, SiteKind
from storage.casebook_tables import aes, destinations, sessions, sites, users
from storage.certificates import Certificates
from storage.forms import CODECS
from storage.phrases import forget_phrases
from storage.saved_filters import forget_filters_of
from storage.sign_in import SignIn, actor_of

_FARTHEST_KM = 20_000.0


@dataclass(frozen=True)
class UserRow:
    """A person who may sign in, with the hash of the password."""

    actor: Actor
    password_hash: str
    created_at: datetime
    disabled_at: datetime | None = None

    @property
    def disabled(self) -> bool:
        """Tell whether the person's access has been ended."""
        return self.disabled_at is not None


class People(SignIn, Certificates):
    """The sites, nodes and people of one exchange, and how people sign in."""

    def add_site(self, site: Site) -> Site:
        """Register a site."""
        if not is_slug(site.slug):
            raise Invalid(
                f"{site.slug!r} cannot name a site: use 1 to 32 of a-z, 0-9 and hyphen.",
                code="invalid-slug",
            )
        if site.issuer and not is_standard_uid(site.issuer):
            raise Invalid(f"The issuer {site.issuer!r} is not an OID.", code="invalid-issuer")
        if not site.name.strip():
            raise Invalid("Give the site a name that people read.", code="name-missing")
        with self._database.begin() as conn:
            if _site(conn, site.slug) is not None:
                raise Conflict(f"The site {site.slug} is registered already.", code="site-exists")
            conn.execute(
                insert(sites).values(
                    slug=site.slug,
                    name=site.name.strip(),
                    kind=site.kind,
                    issuer=site.issuer,
                    travel_km=site.travel_km,
                )
            )
        return site

    def site(self, slug: str) -> Site | None:
        """Return a site, or None."""
        with self._database.read() as conn:
            return _site(conn, slug)

    def set_recompression(self, slug: str, codec: str) -> Site:
        """Say in which lossless form the images of a site are packed; empty: as they came."""
        if codec and codec not in CODECS:
            raise Invalid(
                f"{codec!r} is no lossless form. Use {', '.join(CODECS)} or off.",
                code="invalid-codec",
            )
        with self._database.begin() as conn:
            found = _site(conn, slug)
            if found is None:
                raise _no_site(slug)
            conn.execute(update(sites).where(sites.c.slug == slug).values(recompress=codec))
        return replace(found, recompress=codec)

    def set_travel(self, slug: str, travel_km: float | None) -> Site:
        """Say how far a site is from the centre; None: not known."""
        if travel_km is not None and not 0 <= travel_km <= _FARTHEST_KM:
            raise Invalid(
                f"{travel_km:g} km is no way to the centre. Give 0 to {_FARTHEST_KM:g} km.",
                code="invalid-distance",
            )
        with self._database.begin() as conn:
            found = _site(conn, slug)
            if found is None:
                raise _no_site(slug)
            conn.execute(update(sites).where(sites.c.slug == slug).values(travel_km=travel_km))
        return replace(found, travel_km=travel_km)

    def sites(self) -> tuple[Site, ...]:
        """Return every site, by name."""
        with self._database.read() as conn:
            return tuple(
                _as_site(row) for row in conn.execute(select(sites).order_by(sites.c.name))
            )

    def add_ae(
        self,
        title: str,
        site: str,
        host: str = "",
        port: int = 0,
        permissions: frozenset[AePermission] = frozenset(),
        tls_only: bool = False,
    ) -> ApplicationEntity:
        """Register an application entity, or change the one of that title and site."""
        title = normal_ae_title(title)
        if not is_ae_title(title):
            raise Invalid(
                f"{title!r} cannot be an AE title: 1 to 16 characters of ASCII, no backslash.",
                code="invalid-ae-title",
            )
        if AePermission.REPLY in permissions and not (host and port):
            raise Invalid(
                f"{title} needs a host and a port to be sent replies.", code="address-missing"
            )
        if permissions & {AePermission.ASK, AePermission.FETCH} and not (host and port):
            raise Invalid(f"{title} needs a host and a port to be asked.", code="address-missing")
        values = {
            "site": site,
            "host": host,
            "port": port,
            "permissions": sorted(permission.value for permission in permissions),
            "tls_only": tls_only,
        }
        with self._database.begin() as conn:
            if _site(conn, site) is None:
                raise _no_site(site)
            present = conn.execute(select(aes.c.site).where(aes.c.title == title)).scalar()
            if present is not None and present != site:
                raise Conflict(f"{title} is a node of {present}.", code="ae-exists")
            if present is None:
                conn.execute(insert(aes).values(title=title, **values))
            else:
                conn.execute(update(aes).where(aes.c.title == title).values(**values))
            return _as_ae(conn.execute(_ae_rows().where(aes.c.title == title)).one())

    def remove_ae(self, title: str) -> None:
        """Take an application entity out; its calls are refused from now on."""
        with self._database.begin() as conn:
            gone = conn.execute(delete(aes).where(aes.c.title == title)).rowcount
            conn.execute(delete(destinations).where(destinations.c.title == title))
        if not gone:
            raise NotFound(f"There is no application entity {title}.", code="no-such-ae")

    def ae(self, title: str) -> ApplicationEntity | None:
        """Return an application entity by its title, padded or not, or None."""
        with self._database.read() as conn:
            asked = _ae_rows().where(aes.c.title == normal_ae_title(title))
            row = conn.execute(asked).one_or_none()
        return None if row is None else _as_ae(row)

    def aes(self) -> tuple[ApplicationEntity, ...]:
        """Return every application entity, by title."""
        with self._database.read() as conn:
            return tuple(_as_ae(row) for row in conn.execute(_ae_rows().order_by(aes.c.title)))

    def reply_aes(self, site: str) -> tuple[ApplicationEntity, ...]:
        """Return the nodes that a site's signed replies are sent to."""
        return tuple(
            ae for ae in self.aes() if ae.site == site and AePermission.REPLY in ae.permissions
        )

    def add_user(self, email: str, site: str, role: Role, name: str, password_hash: str) -> UserRow:
        """Register a person."""
        email = normal_email(email)
        if not name.strip():
            raise Invalid("Give the person's name as it is signed.", code="name-missing")
        with self._database.begin() as conn:
            if _site(conn, site) is None:
                raise _no_site(site)
            if conn.execute(select(users.c.id).where(users.c.email == email)).first():
                raise Conflict(f"{email} is registered already.", code="user-exists")
            conn.execute(
                insert(users).values(
                    email=email,
                    name=name.strip(),
                    site=site,
                    role=role,
                    password_hash=password_hash,
                    created_at=self._clock(),
                )
            )
            return _as_user(conn.execute(_user_rows().where(users.c.email == email)).one())

    def user_by_email(self, email: str) -> UserRow | None:
        """Return the person with an address, or None."""
        with self._database.read() as conn:
            asked = _user_rows().where(users.c.email == email.strip().casefold())
            row = conn.execute(asked).one_or_none()
        return None if row is None else _as_user(row)

    def users(self) -> tuple[UserRow, ...]:
        """Return every person, by site and name."""
        with self._database.read() as conn:
            asked = _user_rows().order_by(users.c.site, users.c.name, users.c.id)
            return tuple(_as_user(row) for row in conn.execute(asked))

    def set_password(self, email: str, password_hash: str) -> None:
        """Keep another hash of a person's password."""
        self._change(email, password_hash=password_hash)

    def disable_user(self, email: str) -> None:
        """End a person's access at once: no sign-in, no session, no token; what they kept
        for themselves (phrases, filters) goes.
        """
        with self._database.begin() as conn:
            user_id = _changed(conn, email, disabled_at=self._clock())
            conn.execute(delete(sessions).where(sessions.c.user_id == user_id))
            forget_phrases(conn, f"user:{user_id}")
            forget_filters_of(conn, f"user:{user_id}")

    def enable_user(self, email: str) -> None:
        """Let a person sign in again."""
        self._change(email, disabled_at=None)

    def _change(self, email: str, **values: Any) -> None:
        with self._database.begin() as conn:
            _changed(conn, email, **values)


def normal_email(text: str) -> str:
    """Return an address without case, or raise Invalid when it cannot be one."""
    email = text.strip().casefold()
    local, _, domain = email.partition("@")
    if not local or not domain or len(email) > 254 or any(c.isspace() for c in email):
        raise Invalid(f"{text!r} is not an e-mail address.", code="invalid-email")
    return email


def _changed(conn: Connection, email: str, **values: Any) -> int:
    changed = (
        update(users)
        .where(users.c.email == email.strip().casefold())
        .values(**values)
        .returning(users.c.id)
    )
    user_id: int | None = conn.execute(changed).scalar_one_or_none()
    if user_id is None:
        raise NotFound(f"There is no person with the address {email}.", code="no-such-user")
    return user_id


def _site(conn: Connection, slug: str) -> Site | None:
    row = conn.execute(select(sites).where(sites.c.slug == slug)).one_or_none()
    return None if row is None else _as_site(row)


def _no_site(slug: str) -> NotFound:
    return NotFound(f"There is no site {slug}. Add it first.", code="no-such-site")


def _ae_rows() -> Select[Any]:
    return select(aes, sites.c.kind.label("site_kind")).join(sites, sites.c.slug == aes.c.site)


def _user_rows() -> Select[Any]:
    return select(users, sites.c.kind.label("site_kind")).join(sites, sites.c.slug == users.c.site)


def _as_site(row: Row[*tuple[Any, ...]]) -> Site:
    return Site(
        slug=row.slug,
        name=row.name,
        kind=SiteKind(row.kind),
        issuer=row.issuer,
        recompress=row.recompress,
        travel_km=row.travel_km,
    )


def _as_ae(row: Row[*tuple[Any, ...]]) -> ApplicationEntity:
    return ApplicationEntity(
        title=row.title,
        site=row.site,
        site_kind=SiteKind(row.site_kind),
        host=row.host,
        port=row.port,
        permissions=frozenset(AePermission(name) for name in row.permissions),
        tls_only=row.tls_only,
    )


def _as_user(row: Row[*tuple[Any, ...]]) -> UserRow:
    return UserRow(
        actor=actor_of(row),
        password_hash=row.password_hash,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )
