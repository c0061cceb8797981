"""The bucket away: entries are taken all the same, publication waits and catches up; there is no alarm."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

import servers
from audit_fixtures import MakeAudit
from audit_service import AuditService
from otokura.cli.local.seaweedfs import SeaweedServer
from otokura.cli.verify import verify_log
from otokura.shared.audit_entries import Action, AuditDraft
from tcp_line import TcpLine, tcp_line

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.any_broker, pytest.mark.slow]


@pytest.fixture(scope="module")
def line(s3_server: SeaweedServer) -> Iterator[TcpLine]:
    """The way to the store, which can be cut."""
    with tcp_line(urlsplit(servers.object_store_settings(s3_server, "test").endpoint).port or 0) as found:
        yield found


@pytest.fixture(scope="module")
def far(make_audit: MakeAudit, line: TcpLine) -> AuditService:
    """A service whose store lies behind the line."""
    return make_audit(s3_endpoint=f"http://127.0.0.1:{line.port}")


@pytest.mark.guarantee("L1")
@pytest.mark.guarantee("L14")
async def test_publication_waits_for_the_bucket_and_nothing_else_does(
    far: AuditService, line: TcpLine
) -> None:
    async with far.source() as writer:
        await far.write(writer, [AuditDraft(action=Action.READ_OPENED)])
        published = await far.published()
        for round_number in range(3):
            line.cut()
            await asyncio.gather(*(writer.write(AuditDraft(action=Action.READ_OPENED)) for _ in range(150)))
            rows = await far.sequenced(writer.source, 2 + 150 * (round_number + 1))
            assert len({row.entry_id for row in rows}) == len(rows)
            assert await far.published() - published < 150
            if round_number == 1:
                far.program.kill()
                far.start()
            line.mend()
            published = await far.published(max(row.index for row in rows) + 1)
    report = await asyncio.to_thread(verify_log, far.log_url, far.vkey)
    assert report.ok, report.findings
    assert report.sources[writer.source] >= 2 + 450
    assert await far.query("SELECT kind FROM alerts") == []
