"""The Helm chart lints, renders in every scenario of ci/, is valid Kubernetes, and keeps its promises."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "helm" / "otokura"
SERVICES = ["ingest", "transcribe", "access", "audit"]
SCENARIOS = sorted(path.name for path in (CHART / "ci").glob("*-values.yaml"))
KUBERNETES = ["1.28", "1.31", "1.34", "1.37"]


@cache
def values_of(scenario: str) -> dict[str, Any]:
    return yaml.safe_load((CHART / "ci" / scenario).read_text()) or {}


@cache
def rendered(scenario: str) -> list[dict[str, Any]]:
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values=values_of(scenario), name="otokura", namespace="otokura")
    return [document for text in files.values() for document in yaml.safe_load_all(text) if document]


def of_kind(scenario: str, kind: str) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["name"]: item for item in rendered(scenario) if item["kind"] == kind}


def pod_templates(scenario: str) -> dict[str, dict[str, Any]]:
    workloads = of_kind(scenario, "Deployment") | of_kind(scenario, "StatefulSet") | of_kind(scenario, "Job")
    return {name: item["spec"]["template"] for name, item in workloads.items()}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_lints_without_a_warning(scenario: str) -> None:
    report = helm.lint(CHART, values_of(scenario), strict=True)
    assert report["errors"] == []
    assert [message for message in report["messages"] if message["severity"] > 1] == []


@pytest.mark.parametrize("kubernetes", KUBERNETES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_manifest_is_valid_strictly(scenario: str, kubernetes: str) -> None:
    manifests = rendered(scenario)
    assert len(manifests) > len(SERVICES)
    for manifest in manifests:
        kubernetes_validate.validate(manifest, kubernetes, strict=True)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_service_has_its_four_parts(scenario: str) -> None:
    for kind in ["Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"]:
        assert {f"otokura-{service}" for service in SERVICES} <= of_kind(scenario, kind).keys(), kind


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_pod_is_root_or_can_write_its_image(scenario: str) -> None:
    templates = pod_templates(scenario)
    assert len(templates) >= len(SERVICES)
    for name, template in templates.items():
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["automountServiceAccountToken"] is False, name
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_writes_to_tmp_stays_in_memory(service: str) -> None:
    volumes = pod_templates("default-values.yaml")[f"otokura-{service}"]["spec"]["volumes"]
    assert [volume["emptyDir"]["medium"] for volume in volumes if "emptyDir" in volume] == ["Memory"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_secrets_come_by_reference_only(scenario: str) -> None:
    assert of_kind(scenario, "Secret") == {}
    for config in of_kind(scenario, "ConfigMap").values():
        assert not [key for key in config["data"] if "SECRET" in key or "PASSWORD" in key or "TOKEN" in key]


@pytest.mark.parametrize("service", SERVICES)
def test_the_environment_is_the_settings_of_the_service(service: str) -> None:
    """A variable that is not known, or a needed one that is missing, fails here and not in a cluster."""
    settings = importlib.import_module(f"otokura.{service}.settings").Settings
    prefix = settings.model_config["env_prefix"]
    container = pod_templates("default-values.yaml")[f"otokura-{service}"]["spec"]["containers"][0]
    config = of_kind("default-values.yaml", "ConfigMap")["otokura-config"]["data"]
    given = {item["name"] for item in container["env"]} | set(config)
    known = {f"{prefix}{name}".upper() for name in settings.model_fields}
    needed = {f"{prefix}{name}".upper() for name, f in settings.model_fields.items() if f.is_required()}
    assert sorted(given - known) == []
    assert sorted(needed - given) == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reaches_only_what_it_needs(service: str) -> None:
    policy = of_kind("default-values.yaml", "NetworkPolicy")[f"otokura-{service}"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    ports = sorted({port["port"] for rule in policy["egress"] for port in rule["ports"]})
    assert ports == [53, 5432, 9000, 9092]
    assert all("to" in rule for rule in policy["egress"])


def test_the_default_store_is_minio_and_can_be_replaced() -> None:
    assert "otokura-minio" in of_kind("default-values.yaml", "StatefulSet")
    assert of_kind("external-store-values.yaml", "StatefulSet") == {}
    config = of_kind("external-store-values.yaml", "ConfigMap")["otokura-config"]["data"]
    assert config["OTOKURA_S3_ENDPOINT"] == "https://s3.example.com"


@pytest.mark.parametrize(
    "wrong",
    [
        {"trustedProxies": ["*"]},
        {"trustedProxies": ["0.0.0.0/0"]},
        {"issuer": "access.example.com"},
        {"ingest": {"replicas": 0}},
        {"kafkaa": {}},
        {"s3": {"endpoint": ""}, "minio": {"enabled": False}},
    ],
)
def test_values_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    with helm.Chart.load(CHART) as chart, pytest.raises(helm.HelmError):
        chart.render(values=wrong, name="otokura", namespace="otokura")
