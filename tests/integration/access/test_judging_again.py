"""Decisions that were made are judged again from what the log holds of them."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from access_service import ELSEWHERE, Access, Tenant
from otokura.cli.policy.replay import replay
from otokura.shared.policy.engine import POLICY_DIR, PolicyEngine

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
QUALITY = {"purpose": "quality"}


@pytest.mark.guarantee("R13")
def test_every_decision_about_a_call_can_be_judged_again(
    access: Access, tenant: Tenant, tmp_path: Path
) -> None:
    """Of a call that is not there nothing was decided."""
    call, supervisor = tenant.call(), tenant.person("supervisor")
    stranger, path = tenant.person("agent", agent_ids=["nobody"]), f"/v1/calls/{call.id}/audio"
    attempts = [
        (supervisor, path, QUALITY, None, 200),
        (supervisor, path, {"purpose": "marketing"}, None, 403),
        (supervisor, path, QUALITY, ELSEWHERE, 403),
        (stranger, path, QUALITY, None, 404),
        (supervisor, f"/v1/calls/{uuid4()}/audio", QUALITY, None, 404),
    ]
    for person, where, params, address, status in attempts:
        with access.client(person.token, **({"address": address} if address else {})) as client:
            assert client.get(where, params=params).status_code == status
    entries = [
        entry
        for action in ("read.opened", "read.denied")
        for person in (supervisor, stranger)
        for entry in access.audit.entries(action=action, reader=str(person.id))
    ]
    again = replay(PolicyEngine(), entries)
    assert (again.changes, again.same, again.unjudged) == ([], 4, 1)
    for file in POLICY_DIR.iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    own = '@id("nobody-listens") forbid (principal, action == Otokura::Action::"listen", resource);'
    (tmp_path / "own.cedar").write_text(own)
    again = replay(PolicyEngine(tmp_path), entries)
    assert [change.now.policies for change in again.refused] == [("nobody-listens",)]
    assert [str(change.question.subject.id) for change in again.refused] == [str(supervisor.id)]
