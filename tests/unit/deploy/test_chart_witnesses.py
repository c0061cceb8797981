"""Witnesses in the chart: what audit is given is what it reads, and the way out is theirs alone."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest

from chart import CHART, of_kind, pod_templates, values_of
from otokura.audit.witnesses import read_witnesses

SCENARIO = "external-store-values.yaml"
ONE = {"url": "https://w.example", "vkey": "w.example+00000000+AAAA"}


def test_audit_is_given_the_list_that_it_reads(tmp_path: Path) -> None:
    spec = pod_templates(SCENARIO)["otokura-audit"]["spec"]
    [container] = spec["containers"]
    given = {item["name"]: item.get("value") for item in container["env"]}
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert given["OTOKURA_WITNESSES_FILE"] == f"{mounted['witnesses']}/witnesses.json"
    [volume] = [volume for volume in spec["volumes"] if volume["name"] == "witnesses"]
    held = of_kind(SCENARIO, "ConfigMap")[volume["configMap"]["name"]]["data"]["witnesses.json"]
    path = tmp_path / "witnesses.json"
    path.write_text(held)
    found = read_witnesses(path, development=False)
    assert [each.name for each in found] == ["w1.example", "w2.example"]
    assert given["OTOKURA_WITNESS_QUORUM"] == "1"
    known = importlib.import_module("otokura.audit.settings").Settings.model_fields
    assert {"witnesses_file", "witness_quorum"} <= known.keys()


def test_the_way_out_is_to_public_addresses_and_those_listed_on_the_ports_listed() -> None:
    policy = of_kind(SCENARIO, "NetworkPolicy")["otokura-audit"]["spec"]
    [rule] = [
        rule for rule in policy["egress"] if {"ipBlock": {"cidr": "10.60.0.0/16"}} in rule.get("to", ())
    ]
    assert [port["port"] for port in rule["ports"]] == [443, 8443]
    assert [peer["ipBlock"]["cidr"] for peer in rule["to"]] == ["0.0.0.0/0", "2000::/3", "10.60.0.0/16"]


def test_without_witnesses_audit_reaches_nobody_outside() -> None:
    policy = of_kind("default-values.yaml", "NetworkPolicy")["otokura-audit"]["spec"]
    assert not [peer for rule in policy["egress"] for peer in rule.get("to", ()) if "ipBlock" in peer]
    [container] = pod_templates("default-values.yaml")["otokura-audit"]["spec"]["containers"]
    assert not [item for item in container["env"] if "WITNESS" in item["name"]]
    assert "otokura-witnesses" not in of_kind("default-values.yaml", "ConfigMap")


@pytest.mark.parametrize(
    "wrong",
    [
        {"list": [{**ONE, "url": "http://w.example"}]},
        {"list": [{**ONE, "vkey": "w.example"}]},
        {"list": [{"url": ONE["url"]}]},
        {"list": [ONE], "quorum": 2},
        {"ports": [80]},
        {"allowedNetworks": ["0.0.0.0/0"]},
    ],
)
def test_witnesses_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    values = values_of("default-values.yaml")
    with helm.Chart.load(CHART) as chart, pytest.raises(helm.HelmError):
        chart.render(values={**values, "witnesses": wrong}, name="otokura", namespace="otokura")
