"""Logs as JSON lines on standard error, with the call's and the trace's id, and nobody's words."""

import logging
import sys
from contextvars import ContextVar

from pythonjsonlogger.json import JsonFormatter

from callscope.serving import tracing

__all__ = ["CALL_ID_METADATA", "call_id", "configure"]

CALL_ID_METADATA = "callscope-call-id"
"""The gRPC metadata key under which a caller sends the call's id."""

call_id: ContextVar[str] = ContextVar("call_id", default="")
"""The call being worked on, for every log line of its work."""


def configure(service: str, level: str) -> None:
    """Send this process's logs to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_add_ids)
    handler.setFormatter(
        JsonFormatter(
            "{asctime}{levelname}{name}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            static_fields={"service": service},
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _add_ids(record: logging.LogRecord) -> bool:
    if identity := call_id.get():
        record.call_id = identity
    if trace := tracing.trace_id():
        record.trace_id = trace
    return True
