"""Messaging on a real broker and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import servers
from messaging import Broker, make_effects, messaging_database, settings_of
from otokura.shared.database import Database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with messaging_database(database_url) as database:
        await make_effects(database)
        yield database


@pytest.fixture
def broker(kafka_server: servers.KafkaServer) -> Broker:
    return settings_of(kafka_server)
