"""Logs: one JSON object a line on stdout, from our code and from libraries alike.

Every value passes `otokura.shared.redaction`: secrets, audio and text never reach a log line.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger

from otokura.shared.redaction import describe, sanitize, scrub

EventDict = MutableMapping[str, Any]

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request being served, for every line logged while it is."""

_QUIET = {
    "uvicorn.access": logging.CRITICAL,  # our own line says more, and leaves the query out
    "sqlalchemy": logging.WARNING,  # at INFO it logs statements with their parameters
    "aiokafka": logging.WARNING,
    "urllib3": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "websockets": logging.INFO,  # at DEBUG it logs frames
    "asyncio": logging.WARNING,
    "faster_whisper": logging.WARNING,
}
_RESERVED = frozenset({"time", "level", "service", "logger", "event", "request_id", "exception", "exc_info"})


def configure_defaults() -> None:
    """Makes logs safe before `configure`, and where it is never called: in child processes, say.

    structlog's own default prints tracebacks with local variables.
    """
    _configure_structlog("otokura", logging.INFO, None)
    structlog.configure(cache_logger_on_first_use=False)


def configure(service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Sends all logs of this process to `stream` (stdout) as JSON lines.

    Args:
        service: name of the service, in every line.
        level: the lowest level that is written.
        stream: where to write, for tests.
    """
    out = stream or sys.stdout
    number = logging.getLevelNamesMapping()[level]
    _configure_structlog(service, number, out)
    handler = logging.StreamHandler(out)
    handler.setFormatter(_LibraryFormatter(service))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(number)
    logging.captureWarnings(True)
    for name, quiet in _QUIET.items():
        library = logging.getLogger(name)
        library.handlers, library.propagate = [], True
        library.setLevel(max(quiet, number))
    for name in ("uvicorn", "uvicorn.error"):
        library = logging.getLogger(name)
        library.handlers, library.propagate = [], True
        library.addFilter(_no_connections)


def _configure_structlog(service: str, level: int, stream: TextIO | None) -> None:
    structlog.configure(
        processors=[_Line(service)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *names: _Writer(stream, *names),
        cache_logger_on_first_use=True,
    )


def _no_connections(record: logging.LogRecord) -> bool:
    """Leaves out uvicorn's lines about single WebSockets: they show the query, and ours say the same."""
    return '"WebSocket ' not in str(record.msg) and not str(record.msg).startswith("connection ")


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of a module. Say what happened in a fixed phrase, and the particulars as keywords.

    Pass exceptions as `exc_info=True` or `error=exception`; never put values into the phrase.
    """
    return cast("FilteringBoundLogger", structlog.get_logger(name))


class _Writer(structlog.WriteLogger):
    """Writes lines, and knows the name of the logger that it writes for."""

    def __init__(self, stream: TextIO | None, name: str = "") -> None:
        super().__init__(stream)
        self.name = name


class _Line:
    """The last structlog processor: sanitises the fields and renders the line."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, logger: object, method: str, event: EventDict) -> str:
        fields = {key: value for key, value in event.items() if key not in _RESERVED}
        return _render(
            self._service,
            level="error" if method == "exception" else method,
            logger=str(getattr(logger, "name", "")),
            message=str(event["event"]),
            fields=fields,
            error=_error_of(event.get("exc_info")),
        )


class _LibraryFormatter(logging.Formatter):
    """Renders what libraries log: the first line of the message, and the exception without its message.

    asyncio and others put the repr of objects, and so of their content, on the lines that follow.
    """

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        first, *_ = record.getMessage().split("\n", 1)
        return _render(
            self._service,
            level=record.levelname.lower(),
            logger=record.name,
            message=first,
            fields={},
            error=_error_of(record.exc_info),
        )


def _error_of(exc_info: object) -> BaseException | None:
    if exc_info is True:
        return sys.exc_info()[1]
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return cast("tuple[Any, BaseException | None, Any]", exc_info)[1]
    return None


def _render(
    service: str,
    *,
    level: str,
    logger: str,
    message: str,
    fields: dict[str, Any],
    error: BaseException | None,
) -> str:
    line: dict[str, Any] = {
        "time": datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "service": service,
        "logger": logger,
        "event": scrub(message),
    }
    current = request_id.get()
    if current is not None:
        line["request_id"] = current
    for key, value in fields.items():
        line[key] = sanitize(key, value)
    if error is not None:
        line["exception"] = describe(error)
    return _encode(line)


configure_defaults()
