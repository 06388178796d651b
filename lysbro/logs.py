"""Structured logs: events with fields, for people on a terminal or for machines as JSON.

No patient data.
"""

from __future__ import annotations

import logging
import sys

import structlog

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_NEVER = frozenset({"patient_name", "name_of_patient", "birth_date", "patient_birth_date"})


def configure(*, level: str, as_json: bool, process: str = "") -> None:
    """Send every log line to standard error in one form, the libraries' warnings included."""
    renderer: structlog.typing.Processor
    if as_json:
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=24)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            drop_patient_fields,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(**({"process": process} if process else {}))
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )
    logging.getLogger("pynetdicom").setLevel(
        logging.CRITICAL
    )  # it writes identifiers into its lines


def drop_patient_fields(
    logger: object, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Remove fields that would name a patient, whoever passed them."""
    for name in _NEVER & event.keys():
        del event[name]
    return event
