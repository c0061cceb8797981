"""Floods of requests of nobody at audit: the log does not grow by them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID, uuid4

import httpx
import pytest

from audit_service import AuditService, until

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

EACH = 300
PATHS = ("/v1/entries", "/v1/alerts", "/v1/questions/denials", "/v1/entries/export")


def of_nobody(number: int) -> tuple[str, dict[str, str]]:
    return PATHS[number % len(PATHS)], {}


def with_a_wrong_token(number: int) -> tuple[str, dict[str, str]]:
    return PATHS[number % len(PATHS)], {"Authorization": f"Bearer {uuid4()}"}


def of_a_receipt_that_is_not(_: int) -> tuple[str, dict[str, str]]:
    return f"/v1/receipts/{uuid4()}", {"X-API-Key": str(uuid4())}


def of_a_wrong_path(_: int) -> tuple[str, dict[str, str]]:
    return f"/v1/{uuid4()}", {}


def of_the_public_log(number: int) -> tuple[str, dict[str, str]]:
    return f"/log/2001/tile/0/{number % 1000:03d}", {}


FLOODS: list[tuple[Callable[[int], tuple[str, dict[str, str]]], set[int]]] = [
    (of_nobody, {401}),
    (with_a_wrong_token, {401}),
    (of_a_receipt_that_is_not, {401}),
    (of_a_wrong_path, {404}),
    (of_the_public_log, {404}),
]


@pytest.mark.guarantee("L11")
async def test_a_thousand_requests_of_nobody_add_nothing_to_the_log(
    audit: AuditService, tenant_id: UUID
) -> None:
    async with httpx.AsyncClient(base_url=audit.url, timeout=60) as client:
        for asked, refused in FLOODS:
            answers = await asyncio.gather(
                *(client.get(path, headers=headers) for path, headers in map(asked, range(EACH)))
            )
            assert {answer.status_code for answer in answers} == refused, asked.__name__
    # What audit wrote of itself, and had acknowledged, is in the log before what somebody asks afterwards.
    async with audit.client(tenant_id) as auditor:
        assert (await auditor.get("/v1/entries")).status_code == 200
    listed = "SELECT seq FROM entries WHERE tenant_id = :tenant AND action = 'entries.listed'"
    [own] = await until(lambda: audit.query(listed, tenant=tenant_id))
    assert own.seq == 2, "the first is that audit began"
