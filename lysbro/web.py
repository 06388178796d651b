"""The web application as the web server loads it: parts opened once, drained at the end."""

from __future__ import annotations

import atexit
import gc
import os
from contextlib import ExitStack

from flask import Flask

from lysbro import logs
from lysbro.services import web_services
from lysbro.settings import Settings
from lysbro.supervise import SETTINGS_VARIABLE, die_with_parent
from lysbro.wiring import open_parts
from viewer.app import create_app


def application() -> Flask:
    """Return the application, with the settings that the parent process left in the environment."""
    die_with_parent()
    settings = Settings.model_validate_json(os.environ[SETTINGS_VARIABLE])
    logs.configure(level=settings.log_level, as_json=settings.log_format == "json", process="web")
    stack = ExitStack()
    parts = stack.enter_context(open_parts(settings, intake=True))
    atexit.register(stack.close)
    app = create_app(web_services(parts))
    # what is loaded by now stays: a collection of garbage need not look through it again
    gc.collect()
    gc.freeze()
    return app
