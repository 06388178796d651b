"""Keeps pynetdicom from logging identifiers, which name patients."""

from __future__ import annotations

import logging

from pynetdicom import _config


def quiet_pynetdicom() -> None:
    """Turn pynetdicom's own log off; what an operator needs to know is logged here."""
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    _config.LOG_HANDLER_LEVEL = "none"
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
