"""The list of blueprints that the application is made of. A module that is written adds its line here."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint


def blueprints() -> Sequence[Blueprint]:
    """Return every blueprint of the application."""
    return ()
