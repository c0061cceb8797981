"""What issuers publish is taken for what it says, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from jwt.algorithms import OKPAlgorithm

from oidc_support import PRIVATE, URL, public_jwk
from otokura.access.oidc.documents import check_url, keys_url, metadata_url, read_keys
from otokura.access.oidc.errors import FetchError
from otokura.access.oidc.strict_json import strict_object


@pytest.mark.parametrize(
    "url",
    [
        "https://id.example",
        "https://id.example/",
        "https://id.example:8443/realms/calls",
        "https://login.microsoftonline.com/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0",
        "https://[2001:db8::1]/x",
        "https://203.0.113.7/",
    ],
)
def test_an_issuer_has_a_url_like_these(url: str) -> None:
    check_url(url, development=False)


@pytest.mark.guarantee("P11")
@pytest.mark.parametrize(
    "url",
    [
        "",
        "id.example",
        "//id.example",
        "http://id.example",
        "file:///etc/passwd",
        "ftp://id.example",
        "data:application/json,{}",
        "https://",
        "https:///x",
        "https://user@id.example",
        "https://user:pw@id.example",
        "https://id.example?x=1",
        "https://id.example/?",
        "https://id.example#x",
        "https://id.example/\n",
        "https://id.example/ x",
        "https://id.example:99999",
        "https://id.example:22",
        "https://id.example:x",
        "https://id.example:",
        "https://ID.example",
        "https://id..example",
        "https://-id.example",
        "https://id_x.example",
        "https://例え.jp",
        "https://id.example/パス",
        "https://[::1",
        "https://a" + ".b" * 200,
        "https://id.example/" + "a" * 1100,
        "https://id.example\\@other.example",
        "HTTPS://id.example",
        "http://127.0.0.1:8080",
    ],
)
def test_no_other_url_is_an_issuer(url: str) -> None:
    with pytest.raises(FetchError):
        check_url(url, development=False)


@pytest.mark.guarantee("P11")
@pytest.mark.parametrize(
    "url", ["http://localhost:8080", "http://127.0.0.2:8080", "http://[::1]:8080", "http://id.example"]
)
def test_without_tls_only_this_machine_and_only_in_development(url: str) -> None:
    check_url("http://127.0.0.1:8080", development=True)
    with pytest.raises(FetchError):
        check_url(url, development=True)


def test_metadata_stand_behind_the_issuer() -> None:
    """OpenID Connect Discovery 1.0 §4.1: one slash at the end is dropped."""
    assert metadata_url(URL) == f"{URL}/.well-known/openid-configuration"
    assert metadata_url(f"{URL}/realms/a/") == f"{URL}/realms/a/.well-known/openid-configuration"


@pytest.mark.guarantee("P11")
@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"issuer": URL + "/", "jwks_uri": f"{URL}/jwks"},
        {"issuer": URL.upper(), "jwks_uri": f"{URL}/jwks"},
        {"issuer": [URL], "jwks_uri": f"{URL}/jwks"},
        {"issuer": URL},
        {"issuer": URL, "jwks_uri": 1},
        {"issuer": URL, "jwks_uri": "http://id.example/jwks"},
        {"issuer": URL, "jwks_uri": "file:///etc/passwd"},
    ],
)
def test_metadata_that_lie_lead_to_no_keys(metadata: dict[str, Any]) -> None:
    with pytest.raises(FetchError):
        keys_url(URL, metadata, development=False)


def test_keys_may_be_at_another_host_and_behind_a_query() -> None:
    """As Google's and Azure's are."""
    url = "https://keys.example/discovery/keys?p=b2c"
    assert keys_url(URL, {"issuer": URL, "jwks_uri": url}, development=False) == url


def test_a_key_is_bound_to_what_its_kind_can_do() -> None:
    p384 = ec.generate_private_key(ec.SECP384R1())
    listed = [
        public_jwk(PRIVATE["rsa"], "r"),
        public_jwk(PRIVATE["rsa"], "only", alg="PS256"),
        public_jwk(PRIVATE["ec"], "e"),
        public_jwk(p384, "e3"),
        public_jwk(PRIVATE["ed"], "o"),
        {**OKPAlgorithm.to_jwk(ed448.Ed448PrivateKey.generate().public_key(), as_dict=True), "kid": "o4"},
    ]
    found = read_keys({"keys": listed})
    rsa_names = {("r", name) for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")}
    others = {("only", "PS256"), ("e", "ES256"), ("e3", "ES384"), ("o", "EdDSA"), ("o4", "EdDSA")}
    assert set(found) == rsa_names | others
    assert all(key.algorithm_name == name for (_, name), key in found.items())


@pytest.mark.guarantee("P11")
@pytest.mark.parametrize(
    "jwk",
    [
        1,
        {},
        {"kty": "RSA", "kid": "x", "n": "!", "e": "AQAB"},
        {"kty": "EC", "kid": "x", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
        {"kty": "EC", "kid": "x", "crv": "P-256"},
        {"kty": "EC", "kid": "x", "crv": ["P-256"]},
        {"kty": ["RSA"], "kid": "x"},
        {"kty": "OKP", "kid": "x", "crv": "X25519", "x": "AAAA"},
        {"kty": "oct", "kid": "x", "k": "c2VjcmV0"},
    ],
)
def test_what_is_no_key_is_passed_over(jwk: object) -> None:
    assert dict(read_keys({"keys": [jwk]})) == {}
    assert set(read_keys({"keys": [jwk, public_jwk(PRIVATE["ec"], "e")]})) == {("e", "ES256")}


@pytest.mark.guarantee("P11")
def test_a_short_key_is_none() -> None:
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - what is to be refused
    assert dict(read_keys({"keys": [public_jwk(short, "short")]})) == {}


@pytest.mark.parametrize("jwks", [{}, {"keys": None}, {"keys": {}}, {"keys": [{}] * 101}])
def test_what_is_no_set_of_keys_is_refused(jwks: dict[str, Any]) -> None:
    with pytest.raises(FetchError):
        read_keys(jwks)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":1}}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b"\xff",
        b'{"a":' + b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
    ids=range(12),
)
def test_json_that_means_two_things_or_nothing_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        strict_object(data)
