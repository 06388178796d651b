"""Makes the Flask application from its services: limits, guard, headers, errors, blueprints."""

from __future__ import annotations

from flask import Flask

from viewer import blueprints, guard, headers, metrics, problems
from viewer.services import Services, attach


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
    attach(app.extensions, services)
    metrics.install(app, services)
    problems.install(app)
    guard.install(app)
    headers.install(app)
    for blueprint in blueprints.blueprints():
        app.register_blueprint(blueprint)
    return app
