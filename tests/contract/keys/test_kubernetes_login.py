"""A pod logs in to the real server by its service account: Vault asks Kubernetes, which a test plays."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import trustme

from kubernetes_api import NAMESPACE, KubernetesApi, account_token
from otokura.shared import vault_client
from otokura.shared.errors import Unavailable
from otokura.shared.keys import KeyContext, KeyUse, new_dek
from otokura.shared.vault import VaultKeyProvider
from otokura.shared.vault_client import KubernetesToken, VaultClient
from vault_server import VaultServer

ROLE = "otokura-ingest"
ACCOUNT = "otokura-ingest"


@pytest.fixture(scope="module")
def kubernetes(vault: VaultServer) -> Iterator[KubernetesApi]:
    with KubernetesApi(ACCOUNT).serving() as api:
        vault.root.sys.enable_auth_method("kubernetes")
        vault.root.auth.kubernetes.configure(
            kubernetes_host=api.url,
            # Asked for, and unused: the test's API speaks HTTP.
            kubernetes_ca_cert=trustme.CA().cert_pem.bytes().decode(),
            token_reviewer_jwt="reviewer",
            disable_local_ca_jwt=True,
        )
        yield api


def role(vault: VaultServer, ttl: str) -> None:
    vault.root.auth.kubernetes.create_role(
        ROLE,
        bound_service_account_names=[ACCOUNT],
        bound_service_account_namespaces=[NAMESPACE],
        audience="vault",
        policies=["otokura-ingest", "default"],
        ttl=ttl,
        max_ttl="1h",
    )


def provider(vault: VaultServer, account: Path) -> VaultKeyProvider:
    tokens = KubernetesToken(ROLE, "kubernetes", account)
    return VaultKeyProvider(VaultClient(vault.address, tokens, timeout=3.0))


@pytest.fixture
def account(tmp_path: Path) -> Path:
    return written(tmp_path / "token", ACCOUNT)


@pytest.fixture
def context() -> KeyContext:
    return KeyContext(uuid4(), uuid4())


async def test_a_pod_logs_in_once_and_renews_its_token(
    vault: VaultServer,
    kubernetes: KubernetesApi,
    account: Path,
    context: KeyContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over several lives of the token: it is renewed, not asked for again."""
    del kubernetes
    monkeypatch.setattr(vault_client, "_RENEW_AT", 0.1)  # with time to spare on a slow machine
    role(vault, "2s")
    keys, dek = provider(vault, account), new_dek()
    wrapped = await keys.wrap(dek, context)
    first = newest_accessor(vault)
    for _ in range(10):
        await asyncio.sleep(0.5)
        assert await keys.unwrap(wrapped, context, KeyUse.SEAL, "call") == dek
    assert newest_accessor(vault) == first


async def test_a_token_that_was_taken_back_is_asked_for_anew(
    vault: VaultServer,
    kubernetes: KubernetesApi,
    account: Path,
    context: KeyContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    role(vault, "1m")
    before, keys, dek = kubernetes.asked, provider(vault, account), new_dek()
    wrapped = await keys.wrap(dek, context)
    vault.root.auth.token.revoke_accessor(newest_accessor(vault))
    monkeypatch.setattr(vault_client, "_YOUNG_SECONDS", 0)
    assert await keys.unwrap(wrapped, context, KeyUse.SEAL, "call") == dek
    assert kubernetes.asked == before + 2


async def test_a_token_that_ended_unrenewed_is_asked_for_anew(
    vault: VaultServer, kubernetes: KubernetesApi, account: Path, context: KeyContext
) -> None:
    role(vault, "2s")
    before, keys = kubernetes.asked, provider(vault, account)
    await keys.wrap(new_dek(), context)
    await asyncio.sleep(3)
    await keys.wrap(new_dek(), context)
    assert kubernetes.asked == before + 2


async def test_another_pod_is_refused(
    vault: VaultServer, kubernetes: KubernetesApi, account: Path, context: KeyContext
) -> None:
    del kubernetes
    role(vault, "1m")
    with pytest.raises(Unavailable, match="refuses"):
        await provider(vault, written(account, "somebody")).wrap(new_dek(), context)


async def test_a_pod_without_a_token_waits_for_one(
    vault: VaultServer, kubernetes: KubernetesApi, account: Path, context: KeyContext
) -> None:
    del kubernetes
    role(vault, "1m")
    keys = provider(vault, account.with_name("other"))
    with pytest.raises(Unavailable, match="service account"):
        await keys.wrap(new_dek(), context)
    written(account.with_name("other"), ACCOUNT)
    await keys.wrap(new_dek(), context)


def written(path: Path, account: str) -> Path:
    """The token that Kubernetes puts into the pod."""
    path.write_text(account_token(account))
    return path


def newest_accessor(vault: VaultServer) -> str:
    """Of the token that was made last for the pod."""
    accessors = vault.root.auth.token.list_accessors()["data"]["keys"]
    about = [vault.root.auth.token.lookup_accessor(accessor)["data"] for accessor in accessors]
    pods = [one for one in about if one["path"] == "auth/kubernetes/login"]
    return str(max(pods, key=lambda one: one["creation_time"])["accessor"])
