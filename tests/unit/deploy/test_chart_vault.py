"""With keys in Vault each service is somebody of its own to it, by a token that nobody else takes."""

from __future__ import annotations

import importlib

import pytest

from chart import SERVICES, of_kind, pod_templates


@pytest.mark.guarantee("S21")
@pytest.mark.parametrize("service", SERVICES)
def test_each_service_that_keeps_keys_is_somebody_of_its_own_to_vault(service: str) -> None:
    """With a token that Vault alone takes; its environment is that of its settings."""
    spec = pod_templates("external-store-values.yaml")[f"otokura-{service}"]["spec"]
    [container] = spec["containers"]
    given = {item["name"]: item.get("value") for item in container["env"]}
    tokens = [volume for volume in spec["volumes"] if "projected" in volume]
    policy = of_kind("external-store-values.yaml", "NetworkPolicy")[f"otokura-{service}"]["spec"]
    reaches = 8200 in {port["port"] for rule in policy["egress"] for port in rule.get("ports", [])}
    if service == "audit":
        assert ("serviceAccountName" not in spec, tokens, reaches) == (True, [], False)
        return
    assert spec["serviceAccountName"] == f"otokura-{service}"
    assert f"otokura-{service}" in of_kind("external-store-values.yaml", "ServiceAccount")
    [token] = tokens
    assert token["projected"]["sources"][0]["serviceAccountToken"]["audience"] == "vault"
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert given["OTOKURA_VAULT_KUBERNETES_TOKEN_FILE"] == f"{mounted[token['name']]}/token"
    assert given["OTOKURA_VAULT_KUBERNETES_ROLE"] == f"otokura-{service}"
    assert "OTOKURA_KEYRING_FILE" not in given
    assert reaches
    settings = importlib.import_module(f"otokura.{service}.settings").Settings
    known = {f"OTOKURA_{name}".upper() for name in settings.model_fields}
    assert sorted(given.keys() - known) == []


def test_without_vault_no_pod_is_anybody() -> None:
    assert of_kind("default-values.yaml", "ServiceAccount") == {}
