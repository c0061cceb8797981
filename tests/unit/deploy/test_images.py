"""Each image is one service and what all share, pinned by hash, and does not run as root."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
SERVICES = ["ingest", "transcribe", "access", "audit"]


def instructions(service: str) -> list[str]:
    text = (ROOT / "services" / service / "Dockerfile").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_its_own_service_only(service: str) -> None:
    copied = [line.split()[1:-1] for line in instructions(service) if line.startswith("COPY ")]
    from_context = [source for sources in copied for source in sources if not sources[0].startswith("--from")]
    pins = ["requirements/uv.txt", f"requirements/{service}.txt"]
    assert from_context == [*pins, "shared", f"services/{service}"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_package_is_checked_against_its_hash(service: str) -> None:
    installs = [
        part
        for line in instructions(service)
        if line.startswith("RUN ")
        for part in line.split("&&")
        if "install" in part and "uninstall" not in part
    ]
    assert len(installs) == 3
    assert all("--require-hashes" in part or "--no-deps" in part for part in installs)


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_starts_its_service_without_root(service: str) -> None:
    lines = instructions(service)
    assert "USER 10001:10001" in lines
    assert lines[-1] == f'ENTRYPOINT ["python", "-m", "otokura.{service}"]'


def test_skaffold_builds_the_four_images_that_the_chart_runs() -> None:
    skaffold = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
    images = {artifact["image"] for artifact in skaffold["build"]["artifacts"]}
    assert images == {f"otokura/otokura-{service}" for service in SERVICES}
    assert all((ROOT / item["docker"]["dockerfile"]).exists() for item in skaffold["build"]["artifacts"])
