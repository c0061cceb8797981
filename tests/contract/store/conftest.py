"""The store, as services ask it, and as access does, which reads many ranges."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import servers
from otokura.shared.objects import ObjectStore
from otokura.shared.range_client import RangeClient


def open_store(settings: servers.ObjectStoreSettings, ranges: type[RangeClient] | None = None) -> ObjectStore:
    """A store of those settings; who opens it closes it."""
    where = settings.endpoint, settings.access_key, settings.secret_key, settings.region
    return ObjectStore(*where, ranges=ranges)


@pytest.fixture(params=[None, RangeClient], ids=["minio", "ranges"])
async def store(
    object_store: servers.ObjectStoreSettings, request: pytest.FixtureRequest
) -> AsyncIterator[ObjectStore]:
    """An open store, in both ways."""
    store = open_store(object_store, request.param)
    yield store
    await store.close()
