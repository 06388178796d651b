"""How an answer is handed to the web server: what is whole already, as a list of its bytes.

A server sends a list at once; anything else it asks for piece by piece, from another thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class WholeResponse(Response):
    """The response of the application."""

    def get_app_iter(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Return the body: a list where it is in memory and nothing is to be closed behind it."""
        body = self.response
        has_body = environ["REQUEST_METHOD"] != "HEAD" and self.status_code not in {204, 304}
        if has_body and isinstance(body, list) and not self._on_close:
            return [part.encode() if isinstance(part, str) else part for part in body]
        return super().get_app_iter(environ)
