"""The Helm chart, rendered."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

ROOT = Path(__file__).parents[1]
CHART = ROOT / "deploy" / "helm" / "otokura"
SERVICES = ["ingest", "transcribe", "access", "audit"]
SCENARIOS = sorted(path.name for path in (CHART / "ci").glob("*-values.yaml"))
KUBERNETES = ["1.28", "1.31", "1.34", "1.37"]


@cache
def values_of(scenario: str) -> dict[str, Any]:
    """What a scenario of `ci/` sets."""
    return yaml.safe_load((CHART / "ci" / scenario).read_text()) or {}


@cache
def rendered(scenario: str) -> list[dict[str, Any]]:
    """The documents that the chart makes of a scenario."""
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values=values_of(scenario), name="otokura", namespace="otokura")
    return [document for text in files.values() for document in yaml.safe_load_all(text) if document]


def of_kind(scenario: str, kind: str) -> dict[str, dict[str, Any]]:
    """Those of one kind, by name."""
    return {item["metadata"]["name"]: item for item in rendered(scenario) if item["kind"] == kind}


def pod_templates(scenario: str) -> dict[str, dict[str, Any]]:
    """The pods of all workloads, by the workload's name."""
    workloads = of_kind(scenario, "Deployment") | of_kind(scenario, "StatefulSet") | of_kind(scenario, "Job")
    return {name: item["spec"]["template"] for name, item in workloads.items()}
