from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from sqlalchemy import func, insert, select
from starlette.requests import HTTPConnection

from core import AUDIENCE, ISSUER, principal, settings
from otokura.shared import api_keys, directory
from otokura.shared.clients import ClientKey, ClientLimits
from otokura.shared.consumer import EventContext
from otokura.shared.database import Database
from otokura.shared.directory import Directory
from otokura.shared.directory_tables import clients, directory_metadata, revocations
from otokura.shared.errors import Unauthenticated
from otokura.shared.events import (
    ClientUpdated,
    EventData,
    IssuerUpdated,
    Role,
    TenantSettings,
    TenantUpdated,
    TokenRevoked,
)
from otokura.shared.ids import uuid7
from otokura.shared.tokens import TokenIssuer, new_jti

pytestmark = pytest.mark.postgres

TENANT, CLIENT = uuid7(), uuid7()
KEY = api_keys.new_api_key(CLIENT)
NOW = datetime.now(UTC)
PRIVATE_KEY = Ed25519PrivateKey.generate()


def jwk(key: Any, kid: str) -> dict[str, Any]:
    algorithm = "EdDSA" if isinstance(key, Ed25519PrivateKey) else "RS256"
    found = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {**found, "kid": kid}


def tenant(version: int, **changes: Any) -> TenantUpdated:
    values = {"tenant_id": TENANT, "version": version, "name": f"v{version}", "settings": TenantSettings()}
    return TenantUpdated(**{**values, **changes})


def client(version: int, **changes: Any) -> ClientUpdated:
    values = {
        "client_id": CLIENT,
        "tenant_id": TENANT,
        "version": version,
        "name": "CTI",
        "roles": [Role.VENDOR],
        "api_key_sha256": api_keys.hash_api_key(KEY),
    }
    return ClientUpdated(**{**values, **changes})


def issuer(version: int, *keys: dict[str, Any], name: str = ISSUER) -> IssuerUpdated:
    return IssuerUpdated(issuer=name, version=version, jwks={"keys": list(keys)})


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    async with database.engine.begin() as connection:
        await connection.run_sync(directory_metadata.create_all)
    yield database
    await database.close()


@pytest.fixture
def known(database: Database) -> Directory:
    """A directory that remembers nothing, so that a test sees what was just told."""
    return Directory(database, max_age=0)


async def tell(database: Database, *events: EventData) -> None:
    """Handles the events as the consumer does: each in a transaction of its own."""
    handlers = {subscription.model: subscription.handler for subscription in directory.handlers()}
    for event in events:
        async with database.session() as session:
            await handlers[type(event)](session, event, cast("EventContext", None))


@pytest.mark.guarantee("W4")
@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])), ids=str)
async def test_the_newest_word_wins_in_whatever_order_it_comes(
    database: Database, known: Directory, order: Sequence[int]
) -> None:
    events = {
        1: tenant(1, settings=TenantSettings(require_notice=True)),
        2: tenant(2),
        3: tenant(3, disabled=True, settings=TenantSettings(language="ja")),
    }
    for number in [*order, *order]:
        await tell(database, events[number])
    found = await known.tenant(TENANT)
    assert found is not None
    assert (found.name, found.disabled, found.settings) == ("v3", True, TenantSettings(language="ja"))
    assert not await known.is_active(TENANT)


async def test_what_was_never_told_is_not_known(known: Directory) -> None:
    assert await known.tenant(TENANT) is None
    assert not await known.is_active(TENANT)
    assert await known.client_by_api_key(KEY) is None
    assert await known.issuer_key(ISSUER, "k1") is None
    assert not await known.is_revoked(principal(TENANT))


@pytest.mark.guarantee("W4")
async def test_a_client_is_known_by_its_newest_key_until_it_is_disabled(
    database: Database, known: Directory
) -> None:
    await tell(database, client(1))
    found = await known.principal_by_api_key(KEY)
    assert found is not None
    assert (found.subject, found.tenant_id, found.roles) == (CLIENT, TENANT, frozenset({Role.VENDOR}))
    other = api_keys.new_api_key(CLIENT)
    assert await known.client_by_api_key(other) is None
    assert await known.client_by_api_key("otk_") is None
    await tell(database, client(2, api_key_sha256=api_keys.hash_api_key(other)))
    assert await known.client_by_api_key(KEY) is None
    assert await known.client_by_api_key(other) is not None
    await tell(database, client(3, disabled=True, api_key_sha256=api_keys.hash_api_key(other)))
    assert await known.client_by_api_key(other) is None
    await tell(database, client(4, api_key_sha256=None))
    assert await known.client_by_api_key(other) is None


@pytest.mark.guarantee("W5")
async def test_both_keys_are_good_until_they_are_withdrawn_or_expire(
    database: Database, known: Directory
) -> None:
    """Nobody has to be told when a key expires."""
    other = api_keys.new_api_key(CLIENT)
    both = [ClientKey(sha256=api_keys.hash_api_key(key)) for key in (KEY, other)]
    await tell(database, client(1, api_keys=both))
    assert None not in [await known.client_by_api_key(key) for key in (KEY, other)]
    later = both[0].model_copy(update={"expires_at": datetime.now(UTC) + timedelta(hours=1)})
    await tell(database, client(2, api_keys=[later, both[1]], limits=ClientLimits(calls=7)))
    found = await known.client_by_api_key(KEY)
    assert found is not None
    assert found.limits == ClientLimits(calls=7)
    expiry = datetime.now(UTC) + timedelta(milliseconds=300)
    soon = both[0].model_copy(update={"expires_at": expiry})
    await tell(database, client(3, api_keys=[soon, both[1]]))
    while await known.client_by_api_key(KEY) is not None:
        assert datetime.now(UTC) < expiry + timedelta(seconds=20)
        await asyncio.sleep(0.02)
    assert datetime.now(UTC) >= expiry
    assert await known.client_by_api_key(other) is not None
    await tell(database, client(4, api_keys=[]))
    assert await known.client_by_api_key(other) is None


@pytest.mark.guarantee("W4")
async def test_a_row_of_an_instance_that_knew_one_key_is_read(database: Database, known: Directory) -> None:
    """While services are replaced one by one, old ones go on writing rows."""
    values = client(1).model_dump(mode="json", exclude={"api_keys", "limits"})
    async with database.session() as session:
        await (await session.connection()).execute(insert(clients).values(values))
    found = await known.client_by_api_key(KEY)
    assert found is not None
    assert found.limits == ClientLimits()


async def test_only_ed25519_keys_of_that_issuer_are_used(database: Database, known: Directory) -> None:
    rsa = generate_private_key(65537, 2048)
    keys = [jwk(PRIVATE_KEY, "k1"), jwk(rsa, "r1"), {"kty": "oct", "k": "AAAA", "kid": "o1"}]
    await tell(database, issuer(1, *keys), issuer(1, jwk(PRIVATE_KEY, "k2"), name="https://other.example"))
    assert await known.issuer_key(ISSUER, "k1") == PRIVATE_KEY.public_key()
    for kid in ("r1", "o1", "k2"):
        assert await known.issuer_key(ISSUER, kid) is None
    await tell(database, issuer(2, jwk(PRIVATE_KEY, "k3")))
    assert await known.issuer_key(ISSUER, "k1") is None
    assert await known.issuer_key(ISSUER, "k3") is not None


@pytest.mark.guarantee("W4")
async def test_a_revocation_means_its_token_or_all_earlier_ones(database: Database, known: Directory) -> None:
    who = principal(TENANT, issued_at=NOW)
    await tell(database, TokenRevoked(jti=str(uuid7()), at=NOW), TokenRevoked(subject=uuid7(), at=NOW))
    assert not await known.is_revoked(who)
    await tell(database, TokenRevoked(subject=who.subject, at=NOW - timedelta(minutes=1)))
    assert not await known.is_revoked(who)
    later = TokenRevoked(subject=who.subject, at=NOW + timedelta(seconds=1))
    await tell(database, later, TokenRevoked(subject=who.subject, at=NOW - timedelta(minutes=2)))
    assert await known.is_revoked(who)
    other = principal(TENANT, issued_at=NOW)
    await tell(database, TokenRevoked(jti=other.jti, at=NOW - timedelta(hours=1)))
    assert await known.is_revoked(other)


@pytest.mark.guarantee("P6")
async def test_a_session_that_is_revoked_ends_all_its_tokens(database: Database, known: Directory) -> None:
    session, other = uuid7(), uuid7()
    first, second = (principal(TENANT, jti=new_jti(session), kind="person") for _ in range(2))
    elsewhere = principal(TENANT, jti=new_jti(other), kind="person")
    await tell(database, TokenRevoked(jti=str(session), at=NOW))
    assert [await known.is_revoked(each) for each in (first, second, elsewhere)] == [True, True, False]


async def test_a_revocation_is_forgotten_when_no_token_is_left_that_it_could_mean(
    database: Database,
) -> None:
    now = datetime.now(UTC)
    await tell(database, TokenRevoked(jti="old", at=now - timedelta(hours=24, minutes=30)))
    async with database.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(revocations)) == 1
    await tell(database, TokenRevoked(jti="ancient", at=now - timedelta(hours=26)))
    async with database.engine.connect() as connection:
        assert (await connection.scalars(select(revocations.c.revoked))).all() == ["jti:old"]


async def test_an_answer_is_remembered_for_its_age_only(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr("otokura.shared.directory.time.monotonic", lambda: clock)
    known = Directory(database, max_age=1.0)
    assert not await known.is_active(TENANT)
    await tell(database, tenant(1))
    assert not await known.is_active(TENANT)
    clock += 1.0
    assert await known.is_active(TENANT)


async def test_memory_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "_MAX_ENTRIES", 3)
    known = Directory(database)
    for number in range(10):
        await known.tenant(UUID(int=number))
    assert len(known._cache) <= 3


@pytest.mark.guarantee("W4")
async def test_a_service_authenticates_by_itself(database: Database, known: Directory) -> None:
    """Token and API key, with nothing but this service's own database."""
    authenticator = known.authenticator(settings())
    who = principal(TENANT)
    token = TokenIssuer(PRIVATE_KEY, "k1", ISSUER, AUDIENCE).issue(who, timedelta(minutes=5))

    def connection(name: str, value: str) -> HTTPConnection:
        return HTTPConnection({"type": "http", "headers": [(name.encode(), value.encode())]})

    by_token, by_key = connection("authorization", f"Bearer {token}"), connection("x-api-key", KEY)
    for credential in (by_token, by_key):
        with pytest.raises(Unauthenticated):
            await authenticator.authenticate(credential)
    await tell(database, tenant(1), client(1), issuer(1, jwk(PRIVATE_KEY, "k1")))
    assert replace(await authenticator.authenticate(by_token), good_until=None) == who
    assert (await authenticator.authenticate(by_key)).subject == CLIENT
    await tell(database, TokenRevoked(jti=who.jti, at=NOW), tenant(2, disabled=True))
    for credential in (by_token, by_key):
        with pytest.raises(Unauthenticated):
            await authenticator.authenticate(credential)
