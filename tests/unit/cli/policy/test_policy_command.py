"""`otokura policy`: what it says of cases, and of decisions that other policies would make otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from typer.testing import CliRunner

from otokura.cli.__main__ import app
from otokura.cli.api.http import Api
from otokura.cli.policy import command
from otokura.cli.policy.replay import DECIDED
from otokura.shared.audit_entries import Action
from otokura.shared.policy.engine import POLICY_DIR

RUN = CliRunner()
UNDECIDED = """
    source.opened source.closed shard.opened details.removed policies.changed
    entries.listed entries.exported alerts.listed
    signal.raised bootstrap.completed bootstrap.refused
    read.closed disclosure.closed grant.used token.accepted token.denied password.changed
    call.settled recording.sealed recording.transcribed key.handed-over keys.rotated keys.destroyed
    connection.registered connection.removed webhook.registered webhook.changed webhook.removed
    webhook.enabled webhook.secret-changed
    erasure.announced erasure.begun erasure.applied erasure.final
"""
"""Kinds of entries of which none holds a decision that an auditor sees: nobody asked the policies, or what
they said stands in another entry, or it is the installation's."""
CALL, TENANT, READER = (str(UUID(int=number)) for number in (3, 1, 2))


@pytest.fixture
def stricter(tmp_path: Path) -> Path:
    """The built-in policies, and one that keeps everybody from listening."""
    for file in POLICY_DIR.iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "own.cedar").write_text(
        '@id("nobody-listens") forbid (principal, action == Otokura::Action::"listen", resource);'
    )
    return tmp_path


def test_the_shipped_cases_hold_for_the_shipped_policies() -> None:
    result = RUN.invoke(app, ["policy", "test", "--complete", str(POLICY_DIR / "cases.yaml")])
    assert (result.exit_code, result.stderr) == (0, "")


def test_what_is_decided_otherwise_is_told_by_name(stricter: Path) -> None:
    result = RUN.invoke(app, ["policy", "test", str(stricter / "cases.yaml"), "--policies", str(stricter)])
    assert result.exit_code == 1
    assert "✗ an agent hears and reads their own calls (listen): denied by nobody-listens" in result.stderr


def test_policies_that_cannot_be_used_are_told(stricter: Path) -> None:
    (stricter / "own.cedar").write_text("permit everything;")
    result = RUN.invoke(app, ["policy", "test", str(stricter / "cases.yaml"), "--policies", str(stricter)])
    assert result.exit_code == 2
    assert "cannot be parsed" in result.stderr


def entry(action: str, asked: str, zones: list[str], **detail: Any) -> dict[str, Any]:
    """An entry as audit lists it, of a supervisor and a call."""
    question = {
        "action": asked,
        "reader": {"id": READER, "tenant_id": TENANT, "roles": ["supervisor"]},
        "call": {"id": CALL, "tenant_id": TENANT, "purposes": ["quality"]},
        "address": "203.0.113.7",
        "zones": zones,
        "purpose": "quality",
    }
    about = {"entry_id": CALL, "time": "2026-04-01T00:00:00Z", "reader": READER, "call_id": CALL}
    return {**about, "action": action, "detail": {"question": question} | detail}


def searched(action: str, asked: str, **circumstances: Any) -> dict[str, Any]:
    """An entry of a decision about the tenant."""
    made = entry(action, asked, ["office"])
    question = made["detail"]["question"]
    del question["call"], question["purpose"]
    question |= {"tenant": TENANT, **circumstances}
    return {**made, "call_id": None}


LOG = [
    entry("read.opened", "listen", ["office"]),
    entry("read.opened", "listen", ["office"]),
    entry("read.opened", "read-transcript", ["office"]),
    entry("read.denied", "listen", []),
    entry("read.denied", "listen", ["office"]),
    {**entry("read.denied", "listen", []), "detail": None},
    {**entry("read.denied", "listen", []), "detail": {"why": ["absent"]}},
    searched("calls.searched", "search"),
    searched("calls.searched", "search"),
    searched("transcripts.searched", "search-text", purpose="quality"),
]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[httpx.URL]:
    """An audit service that holds `LOG`, a page of one entry at a time; returns what it is asked."""
    asked: list[httpx.URL] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        found = [one for one in LOG if one["action"] == request.url.params["action"]]
        start = int(request.url.params.get("cursor", 0))
        after = start + 1 if start + 1 < len(found) else None
        return httpx.Response(
            200, json={"items": found[start : start + 1], "next_cursor": after and str(after)}
        )

    def audit(*_: object) -> Api:
        api = Api("http://audit.test")
        api._client = httpx.Client(base_url=api.url, transport=httpx.MockTransport(respond))
        return api

    monkeypatch.setattr(command, "audit_as_auditor", audit)
    return asked


def test_a_replay_says_whom_other_policies_would_have_refused_and_let_in(
    stricter: Path, log: list[httpx.URL]
) -> None:
    again = ["policy", "replay", "--since", "2026-04-01", "--json"]
    result = RUN.invoke(app, [*again, "--policies", str(stricter)])
    found = json.loads(result.stdout)
    assert [change["policies"] for change in found["refused"]] == [["nobody-listens"]] * 2
    assert (found["let_in"], found["same"], found["unjudged"]) == ([], 6, 2)
    assert {url.params["from"] for url in log} == {"2026-04-01T00:00:00+00:00"}
    # By the policies of today the denial in the zone would not have been one.
    found = json.loads(RUN.invoke(app, again).stdout)
    assert [change["question"]["zones"] for change in found["let_in"]] == [["office"]]
    assert (found["refused"], found["same"], found["unjudged"]) == ([], 7, 2)


def test_a_replay_is_told_in_a_table(stricter: Path, log: list[httpx.URL]) -> None:
    del log
    result = RUN.invoke(app, ["policy", "replay", "--since", "2026-04-01", "--policies", str(stricter)])
    assert "Would have been refused: 2" in result.stdout
    assert "nobody-listens" in result.stdout
    assert "Would have been let in: nobody." in result.stdout
    assert "6 would be decided as they were; 2 cannot be judged again." in result.stdout
    rows = {cells[0]: cells[1:] for cells in map(str.split, result.stdout.splitlines()) if len(cells) == 5}
    assert rows["read.opened"] == ["1", "2", "0", "0"]
    assert rows["read.denied"] == ["2", "0", "0", "2"]
    assert rows["calls.searched"] == ["2", "0", "0", "0"]
    assert rows["transcripts.searched"] == ["1", "0", "0", "0"]


@pytest.mark.guarantee("R13")
def test_searches_are_judged_again_as_reads_are(stricter: Path, log: list[httpx.URL]) -> None:
    del log
    (stricter / "own.cedar").write_text(
        '@id("nobody-searches") forbid (principal, action == Otokura::Action::"search-text", resource);'
    )
    again = ["policy", "replay", "--since", "2026-04-01", "--json", "--policies", str(stricter)]
    found = json.loads(RUN.invoke(app, again).stdout)
    assert [change["policies"] for change in found["refused"]] == [["nobody-searches"]]
    assert found["kinds"] == {
        "read.opened": {"same": 3, "refused": 0, "let_in": 0, "unjudged": 0},
        "read.denied": {"same": 1, "refused": 0, "let_in": 1, "unjudged": 2},
        "calls.searched": {"same": 2, "refused": 0, "let_in": 0, "unjudged": 0},
        "transcripts.searched": {"same": 0, "refused": 1, "let_in": 0, "unjudged": 0},
    }


@pytest.mark.guarantee("R13")
def test_no_kind_of_entry_is_left_out_of_a_replay_unseen() -> None:
    """A new kind must say which it is."""
    assert sorted([*DECIDED, *UNDECIDED.split()]) == sorted(Action)
