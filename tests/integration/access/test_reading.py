"""Reading calls through the service as it runs."""

from __future__ import annotations

import pytest

from access_service import OFFICE, Access, Tenant

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]


def test_a_supervisor_hears_a_recording(access: Access, tenant: Tenant) -> None:
    call = tenant.call()
    supervisor = tenant.person("supervisor")
    with access.client(supervisor.token) as client:
        response = client.get(f"/v1/calls/{call.id}/audio", params={"purpose": "quality"})
    assert response.status_code == 200, response.text
    assert response.content == call.audio
    assert response.headers["Content-Type"] == "audio/flac"
