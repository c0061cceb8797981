"""Who opens an AudioHook stream: Genesys signs the upgrade request with the client secret.

HTTP Message Signatures as Genesys uses them: HMAC-SHA256 over the request target, the authority, the three
`Audiohook-…` headers and `X-API-KEY` (RFC 9421 §2.5, §3.3.3; the components' serialization is RFC 8941). The
rules are those of Genesys' own sample verifier, github.com/purecloudlabs/audiohook-reference-implementation.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import http_sf

REQUIRED = (
    "@request-target",
    "@authority",
    "audiohook-organization-id",
    "audiohook-session-id",
    "audiohook-correlation-id",
    "x-api-key",
)
MAX_AGE_SECONDS = 10
"""A signature older than this is refused: with it goes a recorded request that is sent again."""
MAX_SKEW_SECONDS = 3
"""How far the signer's clock may be ahead of ours."""
LEAST_NONCE = 22
"""Characters: 128 bits in base64."""
ALGORITHM = "hmac-sha256"
_LONGEST_FIELD = 4096
_MOST_COMPONENTS = 32
_PARAMETERS: dict[str, type] = {"alg": str, "created": int, "expires": int, "keyid": str, "nonce": str}


class BadSignature(Exception):  # noqa: N818 - named after what it is
    """The request is not signed as it must be; the reason is for logs and tells a signer nothing."""


@dataclass(frozen=True)
class SignedRequest:
    """What a signature is over.

    Attributes:
        target: path and query as they came over the wire.
        authority: host, and port unless it is the scheme's own, as the signer addressed it.
        fields: the header fields by their lower-case name; several of one name joined with `, `.
    """

    target: str
    authority: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Signature:
    """A signature as it was presented, its form checked and nothing else.

    Attributes:
        base: what was signed (RFC 9421 §2.5), written again from what was parsed, so that no second way of
            writing the same parameters exists.
        value: the HMAC that was presented.
        key_id: names the key.
        nonce: made for this one request.
        created: seconds since 1970, by the signer's clock.
        expires: the same, when the signer does not want it accepted any more.
    """

    base: bytes
    value: bytes
    key_id: str
    nonce: str
    created: int
    expires: int | None


def read_signature(request: SignedRequest) -> Signature:
    """The request's one signature.

    Raises:
        BadSignature: it is missing, malformed, or does not cover what it must.
    """
    labels = _dictionary(request.fields, "signature-input")
    values = _dictionary(request.fields, "signature")
    if len(labels) != 1 or labels.keys() != values.keys():
        raise BadSignature("not exactly one signature")
    [(covered, parameters)] = labels.values()
    [(value, _)] = values.values()
    if not isinstance(covered, list) or type(value) is not bytes:
        raise BadSignature("wrong kinds of members")
    checked = _parameters(parameters)
    lines = _lines(cast("list[tuple[Any, dict[str, Any]]]", covered), request)
    lines.append(f'"@signature-params": {http_sf.ser([(covered, parameters)])}')
    if checked["keyid"] != request.fields.get("x-api-key"):
        raise BadSignature("another key id than the API key")
    return Signature(
        base="\n".join(lines).encode("ascii", "strict"),
        value=value,
        key_id=checked["keyid"],
        nonce=checked["nonce"],
        created=checked["created"],
        expires=checked.get("expires"),
    )


def verify(signature: Signature, key: bytes | None, now: float) -> None:
    """Check the HMAC and the time.

    Args:
        signature: as presented.
        key: the client secret; None if the key id is not known: then the work is done all the same, so that
            the time that it takes does not tell.
        now: seconds since 1970.

    Raises:
        BadSignature: it is not the key's, or not of this moment.
    """
    expected = hmac.new(key or secrets.token_bytes(32), signature.base, hashlib.sha256).digest()
    if not hmac.compare_digest(expected, signature.value) or key is None:
        raise BadSignature("not made with the client secret")
    if signature.created > now + MAX_SKEW_SECONDS:
        raise BadSignature("made in the future")
    if signature.created + MAX_AGE_SECONDS < now:
        raise BadSignature("too old")
    if signature.expires is not None and signature.expires + MAX_SKEW_SECONDS < now:
        raise BadSignature("expired")


def _dictionary(fields: Mapping[str, str], name: str) -> dict[str, tuple[Any, dict[str, Any]]]:
    """A header field as an RFC 8941 dictionary, no key of it twice."""
    text = fields.get(name, "")
    if len(text) > _LONGEST_FIELD:
        raise BadSignature(f"{name} is too long")
    try:
        parsed = http_sf.parse(text.encode("ascii"), tltype="dictionary", on_duplicate_key=_refuse_twice)
    except (ValueError, http_sf.StructuredFieldError) as error:
        raise BadSignature(f"{name} is malformed") from error
    return cast("dict[str, tuple[Any, dict[str, Any]]]", parsed)


def _refuse_twice(_key: str, _where: str) -> None:
    raise BadSignature("a key stands twice")


def _parameters(given: dict[str, Any]) -> dict[str, Any]:
    for name, value in given.items():
        if name not in _PARAMETERS or type(value) is not _PARAMETERS[name]:
            raise BadSignature("an unknown parameter, or one of the wrong kind")
    if not {"keyid", "nonce", "created"} <= given.keys():
        raise BadSignature("keyid, nonce or created is missing")
    if len(given["nonce"]) < LEAST_NONCE:
        raise BadSignature("the nonce is too short")
    if given.get("alg", ALGORITHM) != ALGORITHM:
        raise BadSignature("another algorithm")
    if given["created"] < 0 or given.get("expires", 0) < 0:
        raise BadSignature("a time before 1970")
    return given


def _lines(covered: list[tuple[Any, dict[str, Any]]], request: SignedRequest) -> list[str]:
    """The signature base but its last line; each component once, all that are required among them."""
    names = [name for name, _ in covered if type(name) is str]
    if len(names) != len(covered) or any(parameters for _, parameters in covered):
        raise BadSignature("components are plain names here")
    if len(set(names)) != len(names) or len(names) > _MOST_COMPONENTS:
        raise BadSignature("a component twice, or too many")
    if not set(REQUIRED) <= set(names):
        raise BadSignature("a required component is not covered")
    return [f"{http_sf.ser(name)}: {_value(name, request)}" for name in names]


def _value(name: str, request: SignedRequest) -> str:
    derived = {"@request-target": request.target, "@authority": request.authority, "@method": "GET"}
    if name.startswith("@"):
        value = derived.get(name)
    elif name in ("signature", "signature-input"):
        raise BadSignature("a signature over itself")
    else:
        value = request.fields.get(name)
    if value is None or not value.isascii() or not value.isprintable():
        raise BadSignature("a component that is not there, or not text")
    return value.strip(" ")
