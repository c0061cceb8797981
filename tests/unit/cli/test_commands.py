"""The command: what it offers, and what it says when it cannot do what it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from otokura.cli.__main__ import app
from otokura.cli.up import parse_ports

RUN = CliRunner()


def test_every_command_is_there() -> None:
    assert set(typer.main.get_command(app).commands) == {  # type: ignore[attr-defined]
        "admin",
        "call",
        "demo",
        "dlq",
        "evidence",
        "kafka",
        "keys",
        "open",
        "policy",
        "schemas",
        "token",
        "transcribe",
        "up",
        "verify",
        "witness",
    }


@pytest.mark.parametrize(
    "command",
    [
        ["token", "supervisor"],
        ["dlq", "list"],
        ["verify"],
        ["transcribe", "again"],
        ["keys", "rotate"],
        ["keys", "status"],
        ["policy", "replay", "--since", "2026-04-01"],
    ],
)
def test_without_a_running_otokura_a_command_says_how_to_start_one(
    command: list[str], tmp_path: Path
) -> None:
    result = RUN.invoke(app, [*command, "--data", str(tmp_path)])
    assert result.exit_code == 2
    assert "o Otokura runs on" in result.stderr


def test_a_file_that_is_not_there_is_not_sent(tmp_path: Path) -> None:
    result = RUN.invoke(app, ["call", "send", str(tmp_path / "none.wav")])
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


def test_ports_are_given_by_name() -> None:
    assert parse_ports(["access=8443", "s3=9000"]) == {"access": 8443, "s3": 9000}


@pytest.mark.parametrize("text", ["access", "access=", "access=x", "access=0", "access=65536"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="name=port"):
        parse_ports([text])
