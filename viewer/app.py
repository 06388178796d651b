"""Makes the Flask application from its services: limits, guard, headers, errors, blueprints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from viewer import blueprints, cors, guard, headers, metrics, problems
from viewer.answers import WholeResponse
from viewer.dicomweb import metadata
from viewer.dicomweb.lane import FrameLane
from viewer.services import Services, WebSettings, attach

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def create_app(services: Services) -> Flask:
    """Return the web application over these services."""
    app = Flask("viewer", static_folder="static", template_folder="templates")
    settings = services.settings
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_upload_bytes,
        MAX_FORM_MEMORY_SIZE=settings.max_form_bytes,
        MAX_FORM_PARTS=settings.max_form_parts,
        TRUSTED_HOSTS=list(settings.trusted_hosts) or None,
    )
    app.response_class = WholeResponse
    attach(app.extensions, services)
    metadata.install(app, services)
    app.wsgi_app = FrameLane(app, services)  # type: ignore[method-assign]
    _believe_the_front(app, settings)
    metrics.install(app, services)
    problems.install(app)
    cors.install(app)
    guard.install(app)
    headers.install(app)
    for blueprint in blueprints.blueprints():
        app.register_blueprint(blueprint)
    return app


def _believe_the_front(app: Flask, settings: WebSettings) -> None:
    """Take caller's address and scheme from the proxies that the operator counts, and no others."""
    if settings.trusted_proxies:
        n = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]
    elif settings.https:
        app.wsgi_app = _Https(app.wsgi_app)  # type: ignore[method-assign]


class _Https:
    """Says that the browser came by https, where a TLS front does not say so itself."""

    def __init__(self, inner: WSGIApplication) -> None:
        self._inner = inner

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.url_scheme"] = "https"
        return self._inner(environ, start_response)
