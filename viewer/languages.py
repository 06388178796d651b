"""Which language a request is answered in.

Chosen by the cookie that the EN|NO switch sets, else by what the browser asks for.
"""

from __future__ import annotations

from flask import g, has_request_context, request

from viewer.services import services
from viewer.texts import LANGUAGES

COOKIE = "lysbro-language"

_NORWEGIAN = ("nb", "no", "nn")


def language() -> str:
    """Return the language of this request."""
    if not has_request_context():
        return "en"
    if "language" not in g:
        g.language = _chosen()
    return str(g.language)


def _chosen() -> str:
    kept = request.cookies.get(COOKIE)
    if kept in LANGUAGES:
        return str(kept)
    asked = request.accept_languages.best_match(["en", *_NORWEGIAN])
    if asked is None:
        return services().settings.language
    return "nb" if asked in _NORWEGIAN else "en"
