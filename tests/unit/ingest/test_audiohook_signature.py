"""Genesys' signature: its own published example, an independent signer, and everything that is not one."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesys_signing import COVERED, Signer
from otokura.ingest.dialects.audiohook_signature import (
    MAX_AGE_SECONDS,
    MAX_SKEW_SECONDS,
    BadSignature,
    SignedRequest,
    read_signature,
    verify,
)

KEY = b"0123456789abcdef0123456789abcdef"
URL = "https://ingest.example.com/v1/streams/audiohook?site=tokyo"
SIGNER = Signer("otk_key", KEY)
SESSION, ORGANIZATION = "30b0e395-84d3-4570-ac13-9a62d8f514c0", "d7934305-0972-4844-938e-9060eef73d05"
NOW = 1_800_000_000.0


def request(signer: Signer = SIGNER, created: float = NOW, nonce: str | None = None) -> SignedRequest:
    moment = datetime.fromtimestamp(created, UTC)
    headers = signer.headers(URL, SESSION, ORGANIZATION, created=moment, nonce=nonce)
    fields = {name.lower(): value for name, value in headers.items()}
    return SignedRequest("/v1/streams/audiohook?site=tokyo", "ingest.example.com", fields)


def changed(original: SignedRequest, **fields: str | None) -> SignedRequest:
    """With header fields replaced, or taken away."""
    wanted = {name.replace("_", "-"): value for name, value in fields.items()}
    kept = {name: value for name, value in {**original.fields, **wanted}.items() if value is not None}
    return replace(original, fields=kept)


def rewritten(original: SignedRequest, old: str, new: str) -> SignedRequest:
    """With another signature-input."""
    text = original.fields["signature-input"]
    assert old in text
    return changed(original, signature_input=text.replace(old, new, 1))


@pytest.mark.guarantee("A56")
def test_the_example_in_genesys_documentation_verifies() -> None:
    """Published with the AudioHook protocol, and in the tests of Genesys' own sample."""
    key_id = "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh"
    covered = " ".join(f'"{name}"' for name in COVERED)
    parameters = f'keyid="{key_id}";nonce="VGhpc0lzQVVuaXF1ZU5vbmNl";alg="hmac-sha256"'
    parameters += ";created=1641013200;expires=3282026430"
    signed = SignedRequest(
        "/api/v1/voicebiometrics/ws",
        "audiohook.example.com",
        {
            "host": "audiohook.example.com",
            "audiohook-organization-id": ORGANIZATION,
            "audiohook-session-id": SESSION,
            "audiohook-correlation-id": "e160e428-53e2-487c-977d-96989bf5c99d",
            "x-api-key": key_id,
            "signature": "sig1=:NZBwyBHRRyRoeLqy1IzOa9VYBuI8TgMFt2GRDkDuJh4=:",
            "signature-input": f"sig1=({covered});{parameters}",
        },
    )
    signature = read_signature(signed)
    verify(signature, base64.b64decode("TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU="), 1641013200.5)
    assert signature.key_id == key_id
    assert signature.nonce == "VGhpc0lzQVVuaXF1ZU5vbmNl"


@pytest.mark.guarantee("A56")
def test_what_an_independent_signer_signs_verifies() -> None:
    verify(read_signature(request()), KEY, NOW)


def test_more_components_than_needed_verify() -> None:
    verify(read_signature(request(Signer("otk_key", KEY, (*COVERED, "@method")))), KEY, NOW)


@pytest.mark.parametrize(
    ("age", "good"),
    [
        (-MAX_SKEW_SECONDS, True),
        (-MAX_SKEW_SECONDS - 1, False),
        (0, True),
        (MAX_AGE_SECONDS, True),
        (MAX_AGE_SECONDS + 1, False),
    ],
)
def test_a_signature_is_good_for_seconds(age: int, good: bool) -> None:
    """Ten of age, and three for a signer whose clock is ahead."""
    signature = read_signature(request(created=NOW - age))
    if good:
        verify(signature, KEY, NOW)
    else:
        with pytest.raises(BadSignature):
            verify(signature, KEY, NOW)


def test_a_signature_that_has_expired_is_refused() -> None:
    signature = replace(read_signature(request()), expires=int(NOW) - MAX_SKEW_SECONDS - 1)
    with pytest.raises(BadSignature, match="expired"):
        verify(signature, KEY, NOW)


@pytest.mark.guarantee("A56")
@pytest.mark.parametrize(
    "forge",
    [
        lambda good: replace(good, target="/v1/streams/audiohook?site=osaka"),
        lambda good: replace(good, authority="other.example.com"),
        lambda good: changed(good, audiohook_organization_id="0" * 36),
        lambda good: changed(good, audiohook_session_id="0" * 36),
        lambda good: changed(good, audiohook_correlation_id="0" * 36),
        lambda good: rewritten(good, "created=1800000000", "created=1800000001"),
        lambda good: rewritten(good, 'nonce="', 'nonce="x'),
        lambda good: changed(good, signature="sig1=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"),
        lambda good: changed(good, signature="sig1=::"),
    ],
)
def test_a_change_of_anything_covered_is_seen(forge: Callable[[SignedRequest], SignedRequest]) -> None:
    with pytest.raises(BadSignature, match="client secret"):
        verify(read_signature(forge(request())), KEY, NOW)


@pytest.mark.parametrize("key", [None, b"another client secret, also long"])
def test_another_key_or_none_is_refused_alike(key: bytes | None) -> None:
    with pytest.raises(BadSignature, match="not made with the client secret"):
        verify(read_signature(request()), key, NOW)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda good: changed(good, signature=None),
        lambda good: changed(good, signature_input=None),
        lambda good: changed(good, signature=None, signature_input=None),
        lambda good: changed(good, signature="sig2=:AAAA:"),
        lambda good: changed(good, signature=good.fields["signature"] + ", sig2=:AAAA:"),
        lambda good: changed(good, signature="sig1=AAAA"),
        lambda good: changed(good, signature="sig1=(:AAAA:)"),
        lambda good: changed(good, signature="sig1=:AAAA:, sig1=:BBBB:"),
        lambda good: changed(good, signature="sig1=:Aé:"),
        lambda good: changed(good, signature_input="sig1=5"),
        lambda good: changed(good, signature_input="sig1=(" + '"a" ' * 2000 + ")"),
        lambda good: changed(good, x_api_key=None),
        lambda good: changed(good, x_api_key="otk_other"),
        lambda good: rewritten(good, '"x-api-key"', ""),
        lambda good: rewritten(good, '"@authority" ', ""),
        lambda good: rewritten(good, '"@authority"', '"@authority" "@authority"'),
        lambda good: rewritten(good, '"@authority"', '"@authority";req'),
        lambda good: rewritten(good, '"@authority"', '"@authority" "@query-params"'),
        lambda good: rewritten(good, '"@authority"', '"@authority" "signature"'),
        lambda good: rewritten(good, '"@authority"', '"@authority" "x-absent"'),
        lambda good: rewritten(good, '"@authority"', "5"),
        lambda good: rewritten(good, "hmac-sha256", "none"),
        lambda good: rewritten(good, 'keyid="otk_key"', "keyid=otk_key"),
        lambda good: rewritten(good, 'keyid="otk_key";', ""),
        lambda good: rewritten(good, "created=1800000000;", ""),
        lambda good: rewritten(good, "created=1800000000", "created=1800000000.0"),
        lambda good: rewritten(good, "created=1800000000", "created=-1"),
        lambda good: rewritten(good, "created=1800000000", "created"),
        lambda good: rewritten(good, "created=1800000000", "created=1800000000;created=1800000000"),
        lambda good: rewritten(good, "created=1800000000", 'created=1800000000;tag="x"'),
    ],
)
def test_what_is_not_one_whole_signature_is_refused(spoil: Callable[[SignedRequest], SignedRequest]) -> None:
    with pytest.raises(BadSignature):
        read_signature(spoil(request()))


def test_a_short_nonce_is_refused() -> None:
    with pytest.raises(BadSignature, match="nonce"):
        read_signature(request(nonce="x" * 21))


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_is_read_or_refused(signature: str, signature_input: str) -> None:
    """Nothing but the one exception, whatever comes."""
    with pytest.raises(BadSignature):
        read_signature(changed(request(), signature=signature, signature_input=signature_input))


@given(st.data())
def test_a_good_signature_with_bytes_changed_never_passes_for_another(data: st.DataObject) -> None:
    """One character of either header replaced: refused, or it says and signs exactly what it did before."""
    good = request(created=time.time() // 1)
    name = data.draw(st.sampled_from(["signature", "signature-input"]))
    text = good.fields[name]
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(min_codepoint=32, max_codepoint=126))
    spoiled = replace(good, fields={**good.fields, name: text[:place] + letter + text[place + 1 :]})
    original = read_signature(good)
    try:
        found = read_signature(spoiled)
        verify(found, KEY, float(original.created))
    except BadSignature:
        return
    assert (found.base, found.value) == (original.base, original.value)
