"""Pure decisions about principals, secrets, keys and the token endpoint's parameters."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from otokura.access.errors import BootstrapRefused, RoleNotAssignable
from otokura.access.identity import tokens
from otokura.access.identity.oauth import OAuthError, check_grant_type, read_credentials
from otokura.access.identity.secrets import hash_secret, new_secret, secret_matches
from otokura.access.identity.service import PrincipalKind, check_bootstrap, check_roles
from otokura.access.identity.signing import load_private_key, public_jwk, public_key
from otokura.access.identity.throttle import RefusalThrottle
from otokura.shared.address import Reason, ResolvedAddress
from otokura.shared.audit_entries import AuditDraft
from otokura.shared.events import Role

NOW = datetime(2026, 4, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("roles", "kind"),
    [
        ({Role.OPERATOR}, PrincipalKind.PERSON),
        ({Role.ADMIN, Role.OPERATOR}, PrincipalKind.PERSON),
        ({Role.VENDOR, Role.ADMIN}, PrincipalKind.CLIENT),
        ({Role.VENDOR}, PrincipalKind.PERSON),
        ({Role.AUDITOR, Role.SUPERVISOR}, PrincipalKind.PERSON),
    ],
)
def test_roles_that_must_not_be_given_are_refused(roles: set[Role], kind: PrincipalKind) -> None:
    with pytest.raises(RoleNotAssignable):
        check_roles(roles, kind)


def test_an_agent_may_also_supervise() -> None:
    check_roles({Role.AGENT, Role.SUPERVISOR}, PrincipalKind.PERSON)
    check_roles({Role.VENDOR}, PrincipalKind.CLIENT)


def refused(**changes: object) -> str:
    facts: dict[str, object] = {"seen_at": NOW, "used_at": None, "operators": 0, "now": NOW, "lifetime": HOUR}
    with pytest.raises(BootstrapRefused) as caught:
        check_bootstrap(**{**facts, **changes})  # type: ignore[arg-type]
    return f"{caught.value.extensions['why']} {caught.value.detail}"


@pytest.mark.guarantee("R9")
def test_a_bootstrap_token_works_once_and_not_for_long() -> None:
    check_bootstrap(seen_at=NOW, used_at=None, operators=0, now=NOW + HOUR / 2, lifetime=HOUR)
    assert "['no-such-token'] This is not the bootstrap token" in refused(seen_at=None)
    assert "['token-used'] This bootstrap token has been used" in refused(used_at=NOW)
    assert "['token-expired'] This bootstrap token has expired" in refused(now=NOW + HOUR)
    assert "['operator-exists'] There is an operator already" in refused(operators=1)


def test_a_secret_matches_its_own_hash_only() -> None:
    secret = new_secret()
    assert secret_matches(secret, hash_secret(secret))
    assert not secret_matches(secret, hash_secret(new_secret()))
    assert not secret_matches(secret, None)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@given(st.uuids(), st.text(alphabet=st.characters(codec="ascii", exclude_characters="%+"), min_size=1))
def test_basic_and_form_credentials_say_the_same(client_id: UUID, secret: str) -> None:
    by_header = read_credentials(basic(str(client_id), secret), {})
    by_form = read_credentials(None, {"client_id": str(client_id), "client_secret": secret})
    assert by_header == by_form


def test_credentials_in_basic_are_form_encoded() -> None:
    assert read_credentials(basic(str(uuid4()), "a%2Bb+c"), {}).secret == "a+b c"


@pytest.mark.parametrize(
    ("header", "fields", "code"),
    [
        (None, {}, "invalid_client"),
        ("Bearer x", {}, "invalid_client"),
        ("Basic !!!", {}, "invalid_client"),
        ("Basic " + base64.b64encode(b"no-colon").decode(), {}, "invalid_client"),
        ("Basic " + base64.b64encode(b"\xff:\xff").decode(), {}, "invalid_client"),
        (basic("a", "b"), {"client_id": "a", "client_secret": "b"}, "invalid_request"),
    ],
)
def test_credentials_that_cannot_be_read_are_refused(
    header: str | None, fields: dict[str, str], code: str
) -> None:
    with pytest.raises(OAuthError) as caught:
        read_credentials(header, fields)
    assert caught.value.code == code


def test_a_client_id_that_is_none_of_ours_is_nobody() -> None:
    assert read_credentials(None, {"client_id": "admin' --", "client_secret": "x"}).client_id is None


def test_secrets_do_not_show_in_a_repr() -> None:
    credentials = read_credentials(None, {"client_id": str(uuid4()), "client_secret": "hunter2"})
    assert "hunter2" not in repr(credentials)


@pytest.mark.parametrize(
    ("fields", "code"),
    [({}, "invalid_request"), ({"grant_type": "password"}, "unsupported_grant_type")],
)
def test_only_client_credentials_are_granted(fields: dict[str, str], code: str) -> None:
    with pytest.raises(OAuthError) as caught:
        check_grant_type(fields)
    assert caught.value.code == code


def test_a_key_is_named_by_its_thumbprint() -> None:
    """RFC 8037 appendix A.3 computes the thumbprint of this key."""
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    key = public_key(jwk)
    assert public_jwk(key)["kid"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert public_jwk(key)["x"] == jwk["x"]


def test_only_an_ed25519_key_signs_tokens(tmp_path: Path) -> None:
    def written(key: Ed25519PrivateKey) -> Path:
        path = tmp_path / "key.pem"
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return path

    key = Ed25519PrivateKey.generate()
    assert load_private_key(written(key)).public_key() == key.public_key()
    with pytest.raises(ValueError, match="Ed25519"):
        load_private_key(written(generate_private_key(65537, 2048)))  # type: ignore[arg-type]


def test_one_refusal_a_minute_of_a_client_from_an_address_is_written_down() -> None:
    throttle, client = RefusalThrottle(), uuid4()
    assert [throttle.counted(client, "10.0.0.1") for _ in range(3)] == [1, 0, 0]
    assert throttle.counted(client, "10.0.0.2")
    assert throttle.counted(uuid4(), "10.0.0.1")


class Log:
    """A log that keeps what is written, and counts how often it was waited for."""

    def __init__(self) -> None:
        self.entries: list[AuditDraft] = []
        self.waits = 0

    async def write(self, draft: AuditDraft, *, entry_id: UUID | None = None) -> UUID:
        self.waits += 1
        self.entries.append(draft)
        return entry_id or uuid4()

    async def reach(self) -> None:
        self.waits += 1

    def holds(self, entry_id: UUID) -> bool:
        del entry_id
        return False


async def refuse(log: Log, throttle: RefusalThrottle, client: UUID | None, address: str) -> None:
    """A wrong secret of a client, from an address."""
    record = SimpleNamespace(id=client, tenant_id=uuid4(), name="Vendor") if client else None
    place = ResolvedAddress(ip_address(address), address, (), Reason.DIRECT)
    state = SimpleNamespace(audit=log)
    await tokens._refuse(cast("Any", state), cast("Any", record), place, throttle, why="secret")


@pytest.mark.guarantee("W1")
async def test_who_has_a_network_full_of_addresses_leaves_one_trace_a_minute() -> None:
    """A /64 is what one customer of a provider has."""
    log, throttle, client = Log(), RefusalThrottle(), uuid4()
    for number in range(50):
        await refuse(log, throttle, client, f"2001:db8:1:2::{number:x}")
    [first] = log.entries
    assert (first.detail["count"], first.detail["address"]) == (1, "2001:db8:1:2::")
    assert len(throttle._written) == 1
    await refuse(log, throttle, client, "2001:db8:1:3::1")
    assert len(log.entries) == 2


async def test_clients_that_exist_and_others_wait_for_the_log_as_long() -> None:
    log, throttle, client = Log(), RefusalThrottle(), uuid4()
    for who in (client, client, None, None):
        await refuse(log, throttle, who, "10.0.0.1")
    assert (log.waits, len(log.entries)) == (4, 1)
