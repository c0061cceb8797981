from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network

import pytest
from pydantic import ValidationError

from core import ENVIRONMENT, Settings, settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Only what a service needs; nothing of whoever runs the tests."""
    for name in [name for name in os.environ if name.upper().startswith("OTOKURA_")]:
        monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_settings_come_from_the_environment_and_cannot_be_changed() -> None:
    loaded = Settings.load()
    assert loaded.port == 8001
    assert loaded.database_url.get_secret_value() == ENVIRONMENT["OTOKURA_DATABASE_URL"]
    assert loaded.trusted_proxies == ()
    with pytest.raises(ValidationError):
        loaded.port = 1  # type: ignore[misc] # what a careless caller might try


def test_proxies_are_networks_separated_by_commas(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OTOKURA_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1,::ffff:198.51.100.0/120,fd00::/8")
    assert Settings.load().trusted_proxies == (
        IPv4Network("10.0.0.0/8"),
        IPv4Network("192.0.2.1/32"),
        IPv4Network("198.51.100.0/24"),
        IPv6Network("fd00::/8"),
    )


@pytest.mark.parametrize("name", ["OTOKURA_TRUSTED_PROXY", "otokura_trusted_proxy", "OTOKURA_PROT"])
def test_a_misspelt_variable_ends_the_start(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    environment.setenv(name, "hunter4")
    with pytest.raises(SystemExit) as caught:
        Settings.load()
    shown = capsys.readouterr().err
    assert caught.value.code == 2
    assert name.upper() in shown
    assert "hunter" not in shown


def test_a_misspelt_variable_ends_the_start_however_settings_are_made(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("OTOKURA_PROT", "1")
    with pytest.raises(ValidationError, match="OTOKURA_PROT"):
        settings()


def test_variables_of_the_test_suite_are_none_of_ours(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OTOKURA_TEST_KAFKA", "apache")
    assert Settings.load().port == 8001


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTOKURA_PORT", "70000"),
        ("OTOKURA_DATABASE_URL", "mysql://hunter2@db"),
        ("OTOKURA_S3_ENDPOINT", "s3.example:9000"),
        ("OTOKURA_S3_ENDPOINT", "http://s3.example/path"),
        ("OTOKURA_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("OTOKURA_TRUSTED_PROXIES", "*"),
        ("OTOKURA_LOG_LEVEL", "LOUD"),
        ("OTOKURA_KAFKA_REPLICATION", "0"),
    ],
)
def test_a_wrong_value_is_named_and_not_shown(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(SystemExit):
        Settings.load()
    shown = capsys.readouterr().err
    assert shown.startswith(f"{name}: ")
    assert "hunter" not in shown


def test_every_missing_variable_is_named_at_once(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.delenv("OTOKURA_PORT")
    environment.delenv("OTOKURA_ISSUER")
    with pytest.raises(SystemExit):
        Settings.load()
    assert capsys.readouterr().err.splitlines() == [
        "OTOKURA_PORT: Field required",
        "OTOKURA_ISSUER: Field required",
    ]


def test_settings_shown_do_not_show_secrets() -> None:
    assert "hunter" not in repr(settings())
    assert "hunter" not in settings().model_dump_json()
