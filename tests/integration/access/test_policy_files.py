"""Policies of a company's own, as a service that starts with them has them: `OTOKURA_POLICY_DIR`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

import access_service
import servers
from access_grants import read, why
from access_service import Access, Tenant
from otokura.cli.local.program import StartError
from otokura.shared.policy.engine import POLICY_DIR, PolicyEngine

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
LISTEN = 'Otokura::Action::"listen", '


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A copy of the built-in policies, to be changed."""
    return Path(shutil.copytree(POLICY_DIR, tmp_path / "policies"))


@contextmanager
def another(access: Access, policies: Path) -> Generator[Access]:
    """A second process on the same database, not started yet, with these policies."""
    with servers.scratch_folder("access") as folder:
        settings = {
            "OTOKURA_TOKEN_SIGNING_KEY_FILE": str(access.token_key_file),
            "OTOKURA_KEYRING_FILE": str(access.keyring),
            "OTOKURA_POLICY_DIR": str(policies),
        }
        where = access.store_settings, access.seal_settings, access.kafka
        other = access_service.Access(folder, access.database_url, *where, settings)
        try:
            yield other
        finally:
            other.program.stop()


@pytest.mark.guarantee("R51")
def test_a_rule_that_a_company_wrote_anew_takes_the_place_of_the_shipped_one(
    access: Access, tenant: Tenant, policies: Path
) -> None:
    """The same read, of two services that differ in their policies only."""
    call, supervisor = tenant.call(), tenant.person("supervisor")
    before, name, after = (policies / "reading.cedar").read_text().partition('@id("supervisor-all-calls")')
    (policies / "reading.cedar").write_text(before + name + after.replace(LISTEN, "", 1))
    assert read(access, supervisor, call).status_code == 200
    with another(access, policies) as other:
        other.start()
        assert why(read(other, supervisor, call)) == (403, ["no-policy-permits"])
        assert read(other, supervisor, call, what="transcript").status_code == 200
    assert read(access, supervisor, call).status_code == 200
    [refused] = access.audit.entries(action="read.denied", reader=str(supervisor.id))
    assert refused["detail"]["policy_version"] == PolicyEngine(policies).version
    assert refused["detail"]["policy_version"] != PolicyEngine().version


@pytest.mark.guarantee("R51")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('@id("own") permit everything;', ["cannot be parsed", "everything"]),
        (
            '@id("own") permit (principal, action == Otokura::Action::"fly", resource);',
            ["do not conform to the schema", "fly"],
        ),
        ("permit (principal, action, resource);", ["has no name"]),
        ('@id("readers-search") permit (principal, action, resource);', ["readers-search"]),
    ],
    ids=["does-not-parse", "speaks-of-what-is-not", "has-no-name", "has-a-name-of-another"],
)
def test_with_policies_that_cannot_be_used_the_service_does_not_start_and_says_why(
    access: Access, policies: Path, text: str, told: list[str]
) -> None:
    (policies / "own.cedar").write_text(text)
    with another(access, policies) as other:
        with pytest.raises(StartError):
            other.start()
        assert other.program.returncode == 1
        last_line = other.log_text().splitlines()[-1]
    assert "PolicyInvalid" in last_line
    for words in told:
        assert words in last_line


@pytest.mark.guarantee("R51")
def test_without_any_policy_the_service_does_not_start(access: Access, tmp_path: Path) -> None:
    with another(access, tmp_path) as other:
        with pytest.raises(StartError):
            other.start()
        assert (other.program.returncode, str(tmp_path) in other.log_text()) == (1, True)


@pytest.mark.guarantee("R51")
def test_a_policy_that_permits_everything_is_warned_of_in_the_log_at_start(
    access: Access, policies: Path
) -> None:
    (policies / "own.cedar").write_text('@id("wide-open") permit (principal, action, resource);')
    with another(access, policies) as other:
        other.start()
        lines = [json.loads(line) for line in other.log_text().splitlines() if line.startswith("{")]
    warnings = [line for line in lines if line["event"] == "a policy is wide open"]
    assert [(line["level"], line["warning"]) for line in warnings] == [
        ("warning", 'The policy "wide-open" permits everything to everybody.')
    ]
    assert "wide open" not in access.log_text()
