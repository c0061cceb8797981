"""The Helm chart lints, renders in every scenario of ci/, is valid Kubernetes, and keeps its promises."""

from __future__ import annotations

import importlib
from ipaddress import ip_address, ip_network
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
import yaml

import core
from chart import CHART, KUBERNETES, SCENARIOS, SERVICES, of_kind, pod_templates, rendered, values_of


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
    [tmp] = [volume for volume in volumes if volume["name"] == "tmp"]
    assert tmp["emptyDir"]["medium"] == "Memory"


def test_only_the_spool_of_ingest_lies_on_a_disk() -> None:
    """What waits there is encrypted; it outlives the container, and the volume is larger than the bound."""
    pods = pod_templates("default-values.yaml")
    on_disk = {
        (name, volume["name"])
        for name in map("otokura-{}".format, SERVICES)
        for volume in pods[name]["spec"]["volumes"]
        if "emptyDir" in volume and volume["emptyDir"].get("medium") != "Memory"
    }
    assert on_disk == {("otokura-ingest", "spool")}
    [container] = pods["otokura-ingest"]["spec"]["containers"]
    given = {item["name"]: item.get("value") for item in container["env"]}
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert given["OTOKURA_SPOOL_FOLDER"] == mounted["spool"]
    [spool] = [volume for volume in pods["otokura-ingest"]["spec"]["volumes"] if volume["name"] == "spool"]
    assert int(given["OTOKURA_SPOOL_BYTES"]) < int(spool["emptyDir"]["sizeLimit"].removesuffix("Mi")) << 20


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
    more = {"ingest": [443], "access": [8004]}.get(service, [])
    assert ports == sorted([53, 5432, 9000, 9092, *more])
    assert all("to" in rule for rule in policy["egress"])


def test_audit_is_reached_by_access_alone_of_the_services() -> None:
    policy = of_kind("default-values.yaml", "NetworkPolicy")["otokura-audit"]["spec"]
    peers = [peer for rule in policy["ingress"] for peer in rule["from"] if "podSelector" in peer]
    names = [peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for peer in peers]
    assert names == ["access"]
    [container] = pod_templates("default-values.yaml")["otokura-access"]["spec"]["containers"]
    given = {item["name"]: item.get("value") for item in container["env"]}
    assert given["OTOKURA_AUDIT_URL"] == "http://otokura-audit"


def test_access_reaches_a_time_stamping_authority_where_there_is_one() -> None:
    """Without one there is no way out (`test_a_service_reaches_only_what_it_needs`), and no setting."""
    scenario = "external-store-values.yaml"
    blocks = ways_out(scenario, 3161, "access")
    assert [block["cidr"] for block in blocks] == ["0.0.0.0/0", "2000::/3", "10.60.0.0/16"]
    [container] = pod_templates(scenario)["otokura-access"]["spec"]["containers"]
    given = {item["name"]: item.get("value") for item in container["env"]}
    assert given["OTOKURA_TIMESTAMP_URL"] == "https://tsa.example:3161/tsr"
    assert given["OTOKURA_TIMESTAMP_REQUIRED"] == "true"
    assert given["OTOKURA_TIMESTAMP_CA_FILE"] == "/etc/otokura/timestamp-ca.pem"
    assert given["OTOKURA_TIMESTAMP_SECONDS"] == "5"
    [bare] = pod_templates("default-values.yaml")["otokura-access"]["spec"]["containers"]
    assert not [item for item in bare["env"] if "TIMESTAMP" in item["name"]]


def policy_with(values: dict[str, Any], service: str) -> dict[str, Any]:
    """The NetworkPolicy of a service when the chart is given these values."""
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values=values, name="otokura", namespace="otokura")
    policies: list[dict[str, Any]] = [
        one["spec"]
        for text in files.values()
        for one in yaml.safe_load_all(text)
        if one and one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == f"otokura-{service}"
    ]
    [policy] = policies
    return policy


def ways_out(scenario: str, port: int, service: str = "ingest") -> list[dict[str, Any]]:
    """The address blocks that a service may reach on a port."""
    policy = of_kind(scenario, "NetworkPolicy")[f"otokura-{service}"]["spec"]
    rules = [rule for rule in policy["egress"] if port in {one["port"] for one in rule["ports"]}]
    return [peer["ipBlock"] for rule in rules for peer in rule.get("to", []) if "ipBlock" in peer]


def test_transcribe_reaches_the_model_that_writes_summaries_where_there_is_one() -> None:
    """Without one there is no way out (`test_a_service_reaches_only_what_it_needs`), and no setting."""
    scenario = "external-store-values.yaml"
    assert [block["cidr"] for block in ways_out(scenario, 8000, "transcribe")] == ["10.40.0.0/16"]
    policy = of_kind(scenario, "NetworkPolicy")["otokura-transcribe"]["spec"]
    [rule] = [rule for rule in policy["egress"] if rule["ports"] == [{"port": 8000}]]
    assert {"kubernetes.io/metadata.name": "models"} in [
        peer["namespaceSelector"]["matchLabels"] for peer in rule["to"] if "namespaceSelector" in peer
    ]
    [container] = pod_templates(scenario)["otokura-transcribe"]["spec"]["containers"]
    given = {item["name"]: item for item in container["env"] if item["name"].startswith("OTOKURA_SUMMARY_")}
    key = given.pop("OTOKURA_SUMMARY_KEY")["valueFrom"]["secretKeyRef"]
    assert key == {"name": "transcribe-secrets", "key": "summary-key", "optional": True}
    settings = importlib.import_module("otokura.transcribe.settings").Settings
    assert set(given) <= {f"OTOKURA_{name}".upper() for name in settings.model_fields}
    assert {name: item["value"] for name, item in given.items()} == {
        "OTOKURA_SUMMARY_URL": "http://vllm.models.svc:8000/v1",
        "OTOKURA_SUMMARY_MODEL": "a-model",
        "OTOKURA_SUMMARY_TIMEOUT_SECONDS": "20",
    }
    [bare] = pod_templates("default-values.yaml")["otokura-transcribe"]["spec"]["containers"]
    assert not [item for item in bare["env"] if "SUMMARY" in item["name"]]


def test_a_model_of_which_only_the_name_is_known_is_reached_at_public_addresses() -> None:
    values = {"summaries": {"url": "https://llm.example/v1", "model": "a-model"}}
    [rule] = [
        rule for rule in policy_with(values, "transcribe")["egress"] if rule["ports"] == [{"port": 443}]
    ]
    everywhere, six = (peer["ipBlock"] for peer in rule["to"])
    assert (everywhere["cidr"], six["cidr"]) == ("0.0.0.0/0", "2000::/3")
    assert "10.0.0.0/8" in everywhere["except"]


def test_webhooks_leave_for_no_private_address_but_those_that_are_listed() -> None:
    everywhere, six = ways_out("default-values.yaml", 443)
    assert (everywhere["cidr"], six["cidr"]) == ("0.0.0.0/0", "2000::/3")
    closed = [ip_network(network) for network in everywhere["except"]]
    for private in ("10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200"):
        assert any(ip_address(private) in network for network in closed), private
    listed = [block["cidr"] for block in ways_out("external-store-values.yaml", 8443)]
    assert listed == ["0.0.0.0/0", "2000::/3", "10.30.0.0/16", "fd00:30::/64"]
    container = pod_templates("external-store-values.yaml")["otokura-ingest"]["spec"]["containers"][0]
    given = {item["name"]: item.get("value") for item in container["env"]}
    assert given["OTOKURA_WEBHOOK_ALLOWED_NETWORKS"] == "10.30.0.0/16,fd00:30::/64"


def test_access_reaches_identity_providers_where_that_is_wanted() -> None:
    """Without it there is no way out (`test_a_service_reaches_only_what_it_needs`)."""
    scenario = "external-store-values.yaml"
    blocks = ways_out(scenario, 8443, "access")
    assert [block["cidr"] for block in blocks] == ["0.0.0.0/0", "2000::/3", "10.50.0.0/16"]
    assert "10.0.0.0/8" in blocks[0]["except"]
    [container] = pod_templates(scenario)["otokura-access"]["spec"]["containers"]
    given = {item["name"]: item.get("value") for item in container["env"]}
    assert given["OTOKURA_OIDC_ALLOWED_NETWORKS"] == "10.50.0.0/16"


def test_audit_reaches_the_receivers_of_entries_where_there_are_any() -> None:
    """Without them there is no way out (`test_a_service_reaches_only_what_it_needs`)."""
    scenario = "external-store-values.yaml"
    assert ways_out(scenario, 6514, "audit") == [{"cidr": "10.60.0.0/24"}]
    [container] = pod_templates(scenario)["otokura-audit"]["spec"]["containers"]
    given = {item["name"]: item.get("value") for item in container["env"]}
    assert given["OTOKURA_SIEM_FILE"] == "/etc/otokura/siem.json"
    assert given["OTOKURA_DETAIL_DAYS"] == "1826"
    [without] = pod_templates("default-values.yaml")["otokura-audit"]["spec"]["containers"]
    assert "OTOKURA_SIEM_FILE" not in {item["name"] for item in without["env"]}


def test_the_way_out_can_be_closed() -> None:
    policy = policy_with({"webhooks": {"enabled": False}}, "ingest")
    assert 443 not in {port["port"] for rule in policy["egress"] for port in rule["ports"]}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_lists_of_networks_are_written_as_the_settings_read_them(scenario: str) -> None:
    config = of_kind(scenario, "ConfigMap")["otokura-config"]["data"]
    expected = tuple(map(ip_network, values_of(scenario).get("trustedProxies", [])))
    assert core.settings(trusted_proxies=config["OTOKURA_TRUSTED_PROXIES"]).trusted_proxies == expected


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
        {"webhooks": {"ports": [22]}},
        {"webhooks": {"ports": []}},
        {"webhooks": {"allowedNetworks": ["0.0.0.0/0"]}},
        {"webhooks": {"allowedNetworks": ["everywhere"]}},
        {"oidc": {"ports": [80]}},
        {"oidc": {"allowedNetworks": ["0.0.0.0/0"]}},
        {"summaries": {"url": "https://llm.example/v1"}},
        {"summaries": {"url": "llm.example", "model": "a-model"}},
        {"timestamp": {"url": "https://me:secret@tsa.example/tsr"}},
        {"timestamp": {"url": "https://tsa.example/tsr?token=secret"}},
        {"summaries": {"networks": ["0.0.0.0/0"]}},
        {"s3": {"endpoint": ""}, "minio": {"enabled": False}},
        {"auditDetailDays": 30},
        {"siem": {"enabled": True}},
        {"siem": {"enabled": True, "networks": ["0.0.0.0/0"]}},
    ],
)
def test_values_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    with helm.Chart.load(CHART) as chart, pytest.raises(helm.HelmError):
        chart.render(values=wrong, name="otokura", namespace="otokura")


def test_audiosocket_is_off_unless_it_is_asked_for() -> None:
    assert "otokura-audiosocket" not in of_kind("default-values.yaml", "Service")
    policy = of_kind("default-values.yaml", "NetworkPolicy")["otokura-ingest"]["spec"]
    assert len(policy["ingress"]) == 1


def test_audiosocket_comes_from_the_named_networks_to_one_pod_a_caller() -> None:
    """It has no TLS; both legs of a call must reach one process; the pod sees whence they come."""
    scenario = "external-store-values.yaml"
    spec = of_kind(scenario, "Service")["otokura-audiosocket"]["spec"]
    assert (spec["sessionAffinity"], spec["externalTrafficPolicy"]) == ("ClientIP", "Local")
    _, rule = of_kind(scenario, "NetworkPolicy")["otokura-ingest"]["spec"]["ingress"]
    assert [peer["ipBlock"]["cidr"] for peer in rule["from"]] == ["10.20.0.0/16", "fd00:20::/64"]
    [container] = pod_templates(scenario)["otokura-ingest"]["spec"]["containers"]
    given = {item["name"]: item.get("value") for item in container["env"]}
    assert given["OTOKURA_AUDIOSOCKET_PORT"] == str(rule["ports"][0]["port"]) == "9019"
    assert given["OTOKURA_AUDIOSOCKET_ADDRESS"] == "pbx-gateway.example.com:9019"


@pytest.mark.parametrize("networks", [[], ["0.0.0.0/0"]])
def test_audiosocket_from_everywhere_is_refused(networks: list[str]) -> None:
    report = helm.lint(CHART, {"audiosocket": {"enabled": True, "networks": networks}}, strict=True)
    assert any("networks" in error for error in report["errors"])


def test_transcription_scales_by_the_queue_where_that_is_wanted() -> None:
    scaled = "external-store-values.yaml"
    [scaler] = of_kind(scaled, "HorizontalPodAutoscaler").values()
    assert scaler["spec"]["scaleTargetRef"]["name"] == "otokura-transcribe"
    [metric] = scaler["spec"]["metrics"]
    assert metric["external"]["metric"]["name"] == "otokura_transcribe_queued"
    assert "replicas" not in of_kind(scaled, "Deployment")["otokura-transcribe"]["spec"]
    assert of_kind("default-values.yaml", "HorizontalPodAutoscaler") == {}
    assert of_kind("default-values.yaml", "Deployment")["otokura-transcribe"]["spec"]["replicas"] == 1
