"""Structured logs: readable lines for people, JSON for machines."""

import logging
import sys
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from services.runtime.settings import LogFormat


def configure(level: str, log_format: LogFormat, **context: Any) -> None:
    """Set up logging once for the process; `context` stands in every line."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, *_rendering(log_format)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**context)
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr, force=True)


def get_logger(name: str) -> Any:
    """Give a logger that says where a line comes from."""
    return structlog.get_logger(part=name)


def _rendering(log_format: LogFormat) -> list[Any]:
    if log_format is LogFormat.JSON:
        # Local variables may hold keys, so tracebacks go without them.
        tracebacks = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
        return [tracebacks, structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
