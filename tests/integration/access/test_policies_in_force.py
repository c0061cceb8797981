"""Policies are files: whoever starts with others than were in force last writes that down, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from access_audit import AuditTopic
from access_service import Access
from otokura.access.policy import in_force
from otokura.shared.database import Database, migrate
from otokura.shared.policy.engine import POLICY_DIR, PolicyEngine

pytestmark = pytest.mark.postgres


async def told(database: Database) -> list[dict[str, Any]]:
    async with database.session() as session:
        rows = await (await session.connection()).execute(text("SELECT data FROM outbox ORDER BY id"))
        return [json.loads(row.data) for row in rows]


@pytest.mark.guarantee("L20")
async def test_other_policies_than_before_are_an_entry_and_the_same_are_none(
    database_url: str, tmp_path: Path
) -> None:
    await migrate(database_url, "otokura.access.migrations")
    for file in POLICY_DIR.iterdir():
        if file.suffix in {".cedar", ".cedarschema"}:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    shipped = PolicyEngine()
    (tmp_path / "own.cedar").write_text(
        '@id("nobody-listens")\nforbid (principal, action == Otokura::Action::"listen", resource);\n'
    )
    own = PolicyEngine(tmp_path)
    database = Database(database_url)
    try:
        for engine, changed in ((shipped, True), (shipped, False), (own, True), (own, False)):
            async with database.session() as session:
                assert await in_force.note(session, engine) is changed
        first, second = await told(database)
    finally:
        await database.close()
    assert (first["action"], first["tenant_id"]) == ("policies.changed", None)
    assert (first["detail"]["before"], first["detail"]["after"]) == (None, shipped.version)
    assert (second["detail"]["before"], second["detail"]["after"]) == (shipped.version, own.version)
    assert (second["detail"]["added"], second["detail"]["removed"]) == (["nobody-listens"], [])


@pytest.mark.s3
@pytest.mark.kafka
@pytest.mark.guarantee("L20")
def test_an_access_that_starts_tells_the_log_which_are_in_force(access: Access) -> None:
    entry = AuditTopic(str(access.kafka["kafka_bootstrap"])).entry(action="policies.changed")
    assert (entry["source"].split("/")[0], entry["tenant_id"]) == ("access", None)
    assert (entry["detail"]["before"], entry["detail"]["after"]) == (None, PolicyEngine().version)
