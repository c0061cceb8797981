"""What we send is what the Standard Webhooks library of others verifies, and nothing else passes it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from otokura.ingest.webhooks.signing import new_secret, shown, signed_headers
from otokura.shared.ids import uuid7

BODY = '{"type":"call.sealed","data":{"external_id":"通話-1"}}'.encode()


def now() -> int:
    return int(time.time())


@pytest.mark.guarantee("A32")
@given(st.text(st.characters(codec="utf-8")))
def test_any_body_verifies(text: str) -> None:
    secret, body = new_secret(), text.encode()
    headers = signed_headers([secret], uuid7(), now(), body)
    Webhook(shown(secret)).verify(body, headers, json_parse=False)


@pytest.mark.guarantee("A32")
def test_during_a_rotation_either_secret_verifies() -> None:
    old, new = new_secret(), new_secret()
    headers = signed_headers([old, new], uuid7(), now(), BODY)
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (old, new):
        assert Webhook(shown(secret)).verify(BODY, headers)["type"] == "call.sealed"


@pytest.mark.guarantee("A32")
@pytest.mark.parametrize(
    "changed", ["body", "webhook-id", "webhook-timestamp", "webhook-signature", "secret"]
)
def test_whatever_is_changed_no_longer_verifies(changed: str) -> None:
    secret = new_secret()
    headers, body = signed_headers([secret], uuid7(), now(), BODY), BODY
    others = signed_headers([new_secret()], uuid7(), now() + 1, BODY)
    if changed == "body":
        body += b" "
    elif changed == "secret":
        secret = new_secret()
    else:
        headers[changed] = others[changed]
    with pytest.raises(WebhookVerificationError):
        Webhook(shown(secret)).verify(body, headers)


def test_an_old_request_sent_again_by_somebody_else_is_refused() -> None:
    secret = new_secret()
    headers = signed_headers([secret], uuid7(), now() - 3600, BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(shown(secret)).verify(BODY, headers)


def test_secrets_have_the_form_and_length_that_the_specification_asks_for() -> None:
    secrets = {shown(new_secret()) for _ in range(100)}
    assert len(secrets) == 100
    assert all(secret.startswith("whsec_") for secret in secrets)
    assert 24 <= len(new_secret()) <= 64
