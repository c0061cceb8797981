"""A running audit service with a SIEM's file: entries are there as they come, and again after a kill."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest

from audit_fixtures import MakeAudit
from audit_service import AuditService, until
from otokura.cli.local.ports import free_ports
from otokura.cli.local.program import StartError
from otokura.shared.audit_entries import Action, AuditDraft
from siem_servers import Syslog

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]


async def read_by(audit: AuditService, tenant_id: UUID, count: int) -> set[str]:
    """The ids of so many entries, which the broker has."""
    async with audit.source() as writer:
        drafts = [AuditDraft(action=Action.READ_OPENED, tenant_id=tenant_id) for _ in range(count)]
        return {str(await writer.write(draft)) for draft in drafts}


def siem_file(folder: Path, url: str) -> Path:
    file = folder / "siem.json"
    file.write_text(json.dumps([{"name": "siem", "kind": "syslog", "url": url, "from_beginning": True}]))
    return file


@pytest.fixture
def siem() -> Syslog:
    return Syslog(free_ports(1)[0])


@pytest.fixture
def audit(make_audit: MakeAudit, siem: Syslog, tmp_path: Path) -> AuditService:
    """A running service that knows this SIEM."""
    return make_audit(siem_file=siem_file(tmp_path, f"tcp://127.0.0.1:{siem.port}"))


@pytest.mark.guarantee("L20")
async def test_what_a_service_takes_is_at_the_siem_though_it_is_killed(
    audit: AuditService, siem: Syslog
) -> None:
    tenant_id = await audit.add_tenant()
    async with siem.running():

        async def has(ids: set[str]) -> bool:
            return ids <= set(siem.ids())

        first = await read_by(audit, tenant_id, 20)
        await until(lambda: has(first))
        audit.program.kill()
        meanwhile = await read_by(audit, tenant_id, 20)
        assert not await has(meanwhile)
        audit.start()
        await until(lambda: has(meanwhile))
        came = list(dict.fromkeys(siem.ids()))  # a kill may repeat some
    rows = await audit.query("SELECT entry_id FROM entries ORDER BY index")
    assert came == [str(row.entry_id) for row in rows[: len(came)]]


@pytest.mark.parametrize("setting", ["siem_file", "witnesses_file"])
def test_a_file_of_receivers_that_cannot_be_used_stops_the_start_and_is_named(
    make_audit: MakeAudit, tmp_path: Path, setting: str
) -> None:
    file = siem_file(tmp_path, "tcp://siem.example:99999")
    with pytest.raises(StartError, match=r"siem\.json") as refused:
        make_audit(**{setting: file})
    assert "siem.example" not in str(refused.value)
