"""The log's part of the chart: keys of a hand-over, how long objects are locked, and who may remove what."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest

from chart import of_kind, pod_templates
from otokura.audit.settings import Settings
from otokura.audit.tiles import Tile


def environment(scenario: str) -> dict[str, str | None]:
    [container] = pod_templates(scenario)["otokura-audit"]["spec"]["containers"]
    return {item["name"]: item.get("value") for item in container["env"]}


@pytest.mark.guarantee("L17")
def test_other_keys_are_files_of_the_secret_when_they_are_asked_for() -> None:
    given = environment("external-store-values.yaml")
    assert given["OTOKURA_LOG_OTHER_KEYS_FILE"] == "/etc/otokura/log-other-keys"
    assert given["OTOKURA_LOG_SECOND_SIGNING_KEY_FILE"] == "/etc/otokura/log-second-signing-key.pem"
    without = environment("default-values.yaml")
    assert not {"OTOKURA_LOG_OTHER_KEYS_FILE", "OTOKURA_LOG_SECOND_SIGNING_KEY_FILE"} & without.keys()


@pytest.mark.guarantee("L18")
@pytest.mark.parametrize(
    ("scenario", "days"), [("default-values.yaml", "365"), ("external-store-values.yaml", "1000")]
)
def test_the_objects_are_locked_for_as_long_as_the_values_say(scenario: str, days: str) -> None:
    given = environment(scenario)
    assert given["OTOKURA_LOCK_DAYS"] == days
    assert "LOCK_DAYS" in {name.upper() for name in Settings.model_fields}


def test_a_start_of_audit_may_take_as_long_as_rewriting_a_large_log_does() -> None:
    probes = {
        name: pod["spec"]["containers"][0]["startupProbe"]
        for name, pod in pod_templates("default-values.yaml").items()
        if name in {"otokura-audit", "otokura-access"}
    }
    waited = {name: probe["periodSeconds"] * probe["failureThreshold"] for name, probe in probes.items()}
    assert waited == {"otokura-audit": 3600, "otokura-access": 180}


def _allows(statements: list[dict[str, Any]], action: str, name: str) -> bool:
    """Whether a policy of S3 lets its holder do something to an object of the log's bucket."""
    arn = f"arn:aws:s3:::audit-log/{name}"
    return any(
        action in statement["Action"] and any(fnmatchcase(arn, each) for each in statement["Resource"])
        for statement in statements
    )


@pytest.mark.guarantee("L18")
def test_audit_may_remove_partial_tiles_and_nothing_else() -> None:
    """Not even by a delete marker, which Object Lock would let pass."""
    maps = of_kind("default-values.yaml", "ConfigMap")
    (policies,) = [found["data"] for found in maps.values() if "audit.json" in found["data"]]
    statements = json.loads(policies["audit.json"])["Statement"]
    partial, full = f"2026/{Tile(0, 1, 17).path()}", f"2026/{Tile(0, 1).path()}"
    for action in ("s3:DeleteObject", "s3:DeleteObjectVersion"):
        assert _allows(statements, action, partial)
        for name in (full, "2026/checkpoint", "2026/checkpoints/2026-05-01T09", "2026/opening"):
            assert not _allows(statements, action, name)
    for name in (partial, full, "2026/checkpoint"):
        assert _allows(statements, "s3:PutObject", name)
        assert _allows(statements, "s3:GetObjectVersion", name)
    on_bucket = [item for item in statements if item["Resource"] == ["arn:aws:s3:::audit-log"]]
    assert {"s3:ListBucket", "s3:ListBucketVersions"} <= set(on_bucket[0]["Action"])
