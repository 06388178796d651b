"""Says where the certificates of DICOM over TLS lie, and whether they can be used."""

from __future__ import annotations

from lysbro.settings import Settings
from pacs_bridge.tls import TlsFiles, server_context


def tls_files(settings: Settings) -> TlsFiles | None:
    """Return where our certificate and those that we trust lie, or None where there is none."""
    cert, key, ca = settings.dicom_tls_cert, settings.dicom_tls_key, settings.dicom_tls_ca
    if cert is None or key is None or ca is None:
        return None
    return TlsFiles(cert, key, ca, settings.dicom_tls_crl, settings.dicom_tls_profile)


def require_tls(settings: Settings) -> None:
    """Raise Invalid, with every fault, when DICOM over TLS is asked for and cannot be had."""
    files = tls_files(settings)
    if files is not None:
        server_context(files)
