"""Which TLS client certificate speaks for which site. Reads no certificate and trusts none."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from casework.errors import Conflict, Invalid, NotFound
from storage.casebook_tables import site_certificates as certificates
from storage.casebook_tables import sites
from storage.database import Database

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class CertificateRow:
    """A certificate that is or was bound to a site."""

    fingerprint: str  # SHA-256 of the DER form, in hex
    site: str
    subject: str
    not_after: datetime
    added_at: datetime
    revoked_at: datetime | None


class Certificates:
    """The certificates of the sites; one belongs to one site, and a revoked one stays revoked."""

    _database: Database
    _clock: Callable[[], datetime]

    def add_certificate(
        self, fingerprint: str, site: str, *, subject: str, not_after: datetime
    ) -> CertificateRow:
        """Bind a certificate to a site; a repeat changes nothing."""
        if not is_fingerprint(fingerprint):
            raise Invalid(
                f"{fingerprint!r} is not a SHA-256 fingerprint of 64 hexadecimal digits.",
                code="invalid-fingerprint",
            )
        with self._database.begin() as conn:
            if conn.execute(select(sites.c.slug).where(sites.c.slug == site)).first() is None:
                raise NotFound(f"There is no site {site}. Add it first.", code="no-such-site")
            asked = select(certificates).where(certificates.c.fingerprint == fingerprint)
            present = conn.execute(asked).one_or_none()
            if present is None:
                conn.execute(
                    insert(certificates).values(
                        fingerprint=fingerprint,
                        site=site,
                        subject=subject,
                        not_after=not_after,
                        added_at=self._clock(),
                    )
                )
                return _as_row(conn.execute(asked).one())
        if present.site != site:
            raise Conflict(
                f"This certificate is bound to the site {present.site}. Give each site its own.",
                code="certificate-exists",
            )
        if present.revoked_at is not None:
            raise Conflict(
                f"This certificate was revoked on {present.revoked_at:%Y-%m-%d}. Issue a new one.",
                code="certificate-revoked",
            )
        return _as_row(present)

    def revoke_certificate(self, fingerprint: str, site: str) -> CertificateRow:
        """End what a certificate of a site grants, at once and for good."""
        mine = (certificates.c.fingerprint == fingerprint) & (certificates.c.site == site)
        with self._database.begin() as conn:
            conn.execute(
                update(certificates)
                .where(mine, certificates.c.revoked_at.is_(None))
                .values(revoked_at=self._clock())
            )
            row = conn.execute(select(certificates).where(mine)).one_or_none()
        if row is None:
            raise NotFound(
                f"The site {site} has no certificate {fingerprint}. "
                f"'lysbro site certificates {site}' lists those that it has.",
                code="no-such-certificate",
            )
        return _as_row(row)

    def certificates(self, site: str | None = None) -> tuple[CertificateRow, ...]:
        """Return every certificate, or those of a site, revoked ones too; by site and age."""
        asked = select(certificates).order_by(
            certificates.c.site, certificates.c.added_at, certificates.c.fingerprint
        )
        if site is not None:
            asked = asked.where(certificates.c.site == site)
        with self._database.read() as conn:
            return tuple(_as_row(row) for row in conn.execute(asked))

    def site_of_certificate(self, fingerprint: str) -> str | None:
        """Return the site that a certificate speaks for now; None when it is unknown or revoked."""
        asked = select(certificates.c.site).where(
            certificates.c.fingerprint == fingerprint, certificates.c.revoked_at.is_(None)
        )
        with self._database.read() as conn:
            site: str | None = conn.execute(asked).scalar_one_or_none()
        return site


def is_fingerprint(text: str) -> bool:
    """Tell whether a text is a SHA-256 in lower case hexadecimal digits."""
    return _FINGERPRINT.fullmatch(text) is not None


def _as_row(row: Row[*tuple[Any, ...]]) -> CertificateRow:
    return CertificateRow(
        fingerprint=row.fingerprint,
        site=row.site,
        subject=row.subject,
        not_after=row.not_after,
        added_at=row.added_at,
        revoked_at=row.revoked_at,
    )
