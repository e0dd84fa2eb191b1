"""Logs: one line an event, with its fields, on standard error; JSON where nobody looks on."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from weighlock import redact


def configure(level: int = logging.INFO) -> None:
    """Send what is at least of that level from structlog and the standard library's loggers to standard error; crashes as well."""
    redact.guard_crashes()
    renderer = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer(sort_keys=False)
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.StackInfoRenderer(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
                _scrub,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers, root.level = [handler], level
    for noisy in ("httpx", "httpcore", "aiokafka"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _scrub(logger: object, method: str, line: Any) -> str:
    return redact.scrub(str(line))
