from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from otokura.shared import logs
from otokura.shared.errors import NotFound

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Logs configured at INFO; a call gives the lines written so far."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers, root.level
    logs.configure("ingest", "INFO", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.captureWarnings(False)
    logs.configure_defaults()
    root.handlers, root.level = handlers, level


class Colour(StrEnum):
    RED = "red"


def test_a_line_says_when_who_and_what(lines: Lines) -> None:
    logs.get_logger("otokura.ingest.api").info(
        "call started",
        call_id=UUID(int=1),
        at=datetime(2026, 1, 2, tzinfo=UTC),
        path=Path("/srv/x"),
        colour=Colour.RED,
        counts={"a": [1, 2.5, None, True]},
    )
    (line,) = lines()
    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert line == {
        "level": "info",
        "service": "ingest",
        "logger": "otokura.ingest.api",
        "event": "call started",
        "call_id": "00000000-0000-0000-0000-000000000001",
        "at": "2026-01-02T00:00:00+00:00",
        "path": "/srv/x",
        "colour": "red",
        "counts": {"a": [1, 2.5, None, True]},
    }


def test_lines_below_the_level_are_not_written(lines: Lines) -> None:
    logs.get_logger("x").debug("quiet")
    logging.getLogger("x").debug("quiet")
    assert lines() == []


def test_before_anything_is_configured_logs_are_safe_too(capsys: pytest.CaptureFixture[str]) -> None:
    """structlog's own default shows local variables in tracebacks."""
    logs.configure_defaults()
    local = "kanariya"
    try:
        int(local)
    except ValueError:
        logs.get_logger("x").exception("failed")
    shown = capsys.readouterr().out
    assert json.loads(shown)["exception"]["type"] == "builtins.ValueError"
    assert local not in shown


def test_a_line_carries_the_id_of_the_request(lines: Lines) -> None:
    token = logs.request_id.set("r1")
    logs.get_logger("x").info("inside")
    logging.getLogger("y").info("inside")
    logs.request_id.reset(token)
    logs.get_logger("x").info("outside")
    assert [line.get("request_id") for line in lines()] == ["r1", "r1", None]


def test_what_libraries_log_has_the_same_form(lines: Lines) -> None:
    logging.getLogger("aiokafka").error("broker %s is away\nfuture: <Task exception=ValueError('x')>", "b1")
    (line,) = lines()
    assert (line["level"], line["logger"], line["event"]) == ("error", "aiokafka", "broker b1 is away")


def test_warnings_are_lines_too(lines: Lines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old way", UserWarning, stacklevel=1)
        logging.captureWarnings(False)
    (line,) = lines()
    assert line["logger"] == "py.warnings"


def test_an_exception_is_told_by_type_place_and_cause(lines: Lines) -> None:
    log = logs.get_logger("x")
    try:
        try:
            raise ConnectionRefusedError(111, "Connection refused")
        except OSError as error:
            raise NotFound("No call of this id.") from error
    except NotFound:
        log.exception("failed")
    (line,) = lines()
    described = line["exception"]
    assert line["level"] == "error"
    assert described["type"] == "otokura.shared.errors.NotFound"
    assert described["message"] == "No call of this id."
    assert described["frames"][-1].endswith("test_an_exception_is_told_by_type_place_and_cause")
    assert described["causes"][0]["message"] == "Connection refused"


def test_an_exception_group_tells_its_members(lines: Lines) -> None:
    error = ExceptionGroup("both", [NotFound("a"), TimeoutError()])
    logs.get_logger("x").error("failed", exc_info=error)
    logs.get_logger("x").error("failed", error=error)
    first, second = lines()
    assert [member["type"] for member in first["exception"]["group"]] == [
        "otokura.shared.errors.NotFound",
        "builtins.TimeoutError",
    ]
    assert second["error"] == first["exception"]


def test_a_field_cannot_pass_for_the_line_itself(lines: Lines) -> None:
    logs.get_logger("x").info("real", level="critical", service="audit", time="never")
    (line,) = lines()
    assert (line["level"], line["service"], line["event"]) == ("info", "ingest", "real")
    assert line["time"] != "never"


def test_a_value_cannot_begin_a_line_of_its_own(lines: Lines) -> None:
    logs.get_logger("x").info("a\nb", path='/x\n{"level":"info"}')
    assert len(lines()) == 1


def test_uvicorns_lines_about_single_sockets_are_left_out(lines: Lines) -> None:
    """They show the query of a WebSocket's URL."""
    server = logging.getLogger("uvicorn.error")
    server.info('%s - "WebSocket %s" [accepted]', "192.0.2.1", "/v1/stream?token=hunter2")
    server.info("connection open")
    logging.getLogger("uvicorn.access").info("GET /v1/calls?token=hunter2")
    assert lines() == []
