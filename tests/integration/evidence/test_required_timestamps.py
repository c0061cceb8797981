"""Where no evidence is made without a timestamp: none is begun, and none is sealed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import evidence_site
import servers
from evidence_site import Site
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer
from otokura.cli.verify import VerificationError
from stamping_authority import StampingAuthority

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


@pytest.fixture(scope="module")
def site(
    postgres_server: PostgresServer,
    s3_server: SeaweedServer,
    kafka_server: servers.KafkaServer,
    authority: StampingAuthority,
) -> Iterator[Site]:
    """Where no evidence is made without a timestamp."""
    settings = authority.settings | {"OTOKURA_TIMESTAMP_REQUIRED": "true"}
    with evidence_site.running(postgres_server, s3_server, kafka_server, **settings) as found:
        yield found


@pytest.mark.guarantee("L28")
@pytest.mark.guarantee("L29")
def test_where_a_timestamp_is_required_nothing_is_opened_or_sealed_without(
    site: Site, authority: StampingAuthority, tmp_path: Path
) -> None:
    tenant = site.tenant()
    officer, call = tenant.person("evidence-officer"), site.call(tenant)
    path = tmp_path / "evidence.zip"
    authority.away = True
    try:
        refused = site.make(officer, call)
    finally:
        authority.away = False
    assert (refused.status_code, "time-stamping" in refused.json()["detail"]) == (503, True)
    assert site.access.audit.entries(action="read.opened", call_id=str(call.id)) == []

    authority.most = len(authority.answers) + 1  # it answers when it is asked whether it is there
    try:
        site.keep_what_comes(officer, call, path)
    finally:
        authority.most = None
    assert b"otokura.evidence-seal" not in path.read_bytes()
    with pytest.raises(VerificationError):
        site.verified(path)
    [opened] = site.access.audit.entries(action="read.opened", call_id=str(call.id))
    closed = site.access.audit.closed(opened["entry_id"])["detail"]
    assert (closed["outcome"], closed["bytes_sent"]) == ("unavailable", path.stat().st_size)

    path.write_bytes(site.make(officer, call).content)
    found = site.verified(path, tsa_roots=[authority.root.read_bytes()])
    assert found.stamp is not None
