"""What a vendor may register, and the calls that a dialect starts with it."""

from __future__ import annotations

import base64
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from otokura.ingest.connections.errors import UnfitConnection
from otokura.ingest.connections.lookup import Connection, Told, start_call
from otokura.ingest.connections.views import CallDefaults, ConnectionInput, Dialect
from otokura.shared.events import ChannelRole, Direction, TenantSettings

SECRET = base64.b64encode(b"a client secret of many bytes").decode()
CLIENT = UUID(int=7)


def registered(**members: Any) -> ConnectionInput:
    return ConnectionInput.model_validate(members)


def tenant(*purposes: str) -> TenantSettings:
    known = [{"name": name, "label_ja": name, "label_en": name} for name in purposes]
    return TenantSettings.model_validate({"purposes": known})


def test_a_client_secret_is_computed_with_as_bytes() -> None:
    """As Genesys does: the configured text is base64 of the key."""
    assert registered(client_secret=SECRET).secret_for(Dialect.AUDIOHOOK) == b"a client secret of many bytes"


def test_an_auth_token_is_computed_with_as_text() -> None:
    assert registered(auth_token="0123456789abcdef").secret_for(Dialect.TWILIO) == b"0123456789abcdef"


@pytest.mark.parametrize(
    ("dialect", "members"),
    [
        (Dialect.AUDIOHOOK, {"client_secret": "not base64!"}),
        (Dialect.AUDIOHOOK, {"client_secret": base64.b64encode(b"short").decode()}),
        (Dialect.AUDIOHOOK, {"client_secret": "AAAA\nAAAA"}),
        (Dialect.AUDIOHOOK, {"auth_token": "0123456789abcdef"}),
        (Dialect.AUDIOHOOK, {"networks": ["10.0.0.0/8"]}),
        (Dialect.TWILIO, {"client_secret": SECRET}),
        (Dialect.TWILIO, {"auth_token": "short"}),
        (Dialect.AUDIOSOCKET, {"organization_id": str(CLIENT)}),
        (Dialect.JAMBONZ, {"auth_token": "0123456789abcdef"}),
    ],
)
def test_what_does_not_fit_the_dialect_is_refused_in_words(dialect: Dialect, members: dict[str, Any]) -> None:
    """And the words repeat nothing of the secret."""
    with pytest.raises(UnfitConnection) as refused:
        registered(**members).secret_for(dialect)
    for value in members.values():
        assert str(value) not in refused.value.detail


@pytest.mark.parametrize(
    "members",
    [
        {"networks": ["10.0.0.1/8"]},
        {"networks": []},
        {"secret": "x"},
        {"defaults": {"direction": "sideways"}},
        {"defaults": {"notice": {"given": "told"}}},
        {"defaults": {"language": "japanese"}},
        {"defaults": {"channels": []}},
    ],
)
def test_what_has_not_the_form_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        registered(**members)


@pytest.mark.guarantee("A55")
def test_a_secret_shows_nowhere() -> None:
    """Not in the input's representation, nor in what is kept in the clear, nor in the connection found."""
    asked = registered(client_secret=SECRET)
    found = Connection(CLIENT, CLIENT, Dialect.AUDIOHOOK, b"very secret", None, None, CallDefaults())
    shown = repr(asked) + asked.settings().model_dump_json() + asked.model_dump_json() + repr(found)
    assert SECRET not in shown
    assert "very secret" not in shown


def test_networks_bound_where_a_socket_comes_from() -> None:
    """An address that cannot be known is in no network; without networks any is allowed."""
    anywhere = Connection(CLIENT, CLIENT, Dialect.AUDIOSOCKET, None, None, None, CallDefaults())
    inside = Connection(
        CLIENT, CLIENT, Dialect.AUDIOSOCKET, None, None, (ip_network("10.1.0.0/16"),), CallDefaults()
    )
    assert anywhere.allows(ip_address("192.0.2.1"))
    assert anywhere.allows(None)
    assert inside.allows(ip_address("10.1.2.3"))
    assert not inside.allows(ip_address("10.2.2.3"))
    assert not inside.allows(ip_address("2001:db8::1"))
    assert not inside.allows(None)


def test_mapped_networks_are_kept_as_what_they_mean() -> None:
    settings = registered(networks=["::ffff:10.1.0.0/112"]).settings()
    assert settings.networks == [ip_network("10.1.0.0/16")]


def test_a_dialects_own_words_go_before_the_defaults() -> None:
    defaults = CallDefaults.model_validate(
        {
            "direction": "outbound",
            "language": "ja",
            "purposes": ["quality"],
            "notice": {"given": "attested", "version": "2026-04"},
            "channels": [{"role": "agent"}, {"role": "customer"}],
        }
    )
    roles = [ChannelRole.CUSTOMER, ChannelRole.AGENT]
    silent, _ = start_call(Told(external_id="c1", channels=roles), defaults, tenant("quality"))
    assert (silent.direction, silent.language) == (Direction.OUTBOUND, "ja")
    assert [channel.role for channel in silent.channels] == [ChannelRole.AGENT, ChannelRole.CUSTOMER]
    assert (silent.notice.given, silent.notice.version) == ("attested", "2026-04")
    told, _ = start_call(
        Told(external_id="c1", channels=[ChannelRole.MIXED], direction=Direction.INBOUND, language="en"),
        defaults,
        tenant("quality"),
    )
    assert (told.direction, told.language) == (Direction.INBOUND, "en")
    assert [channel.role for channel in told.channels] == [ChannelRole.MIXED]


def test_a_withdrawn_purpose_does_not_lose_the_call() -> None:
    """It is recorded without the purpose, and so cannot be read for it; the caller of this is told."""
    defaults = CallDefaults(purposes=["quality", "training"])
    asked, withdrawn = start_call(
        Told(external_id="c1", channels=[ChannelRole.MIXED]), defaults, tenant("quality")
    )
    assert asked.purposes == ["quality"]
    assert withdrawn == ["training"]
