"""The token endpoint's own rules: how clients name themselves, and errors as OAuth writes them (RFC 6749)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, unquote_plus
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse

from otokura.access.identity.views import OAuthProblem

FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 16
NO_STORE = {"Cache-Control": "no-store"}

ErrorCode = Literal["invalid_request", "invalid_client", "unsupported_grant_type"]


class OAuthError(Exception):
    """An error of the token endpoint (RFC 6749 §5.2)."""

    def __init__(self, code: ErrorCode, description: str) -> None:
        super().__init__(description)
        self.code: ErrorCode = code
        self.description = description

    def response(self) -> JSONResponse:
        """401 with a challenge for a bad client, else 400."""
        body = OAuthProblem(error=self.code, error_description=self.description).model_dump()
        if self.code != "invalid_client":
            return JSONResponse(body, 400, NO_STORE)
        return JSONResponse(body, 401, NO_STORE | {"WWW-Authenticate": 'Basic realm="otokura"'})


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What a client says of itself. `client_id` is None when it cannot be one of ours."""

    client_id: UUID | None
    secret: str

    def __repr__(self) -> str:
        return f"ClientCredentials({self.client_id})"


async def read_form(request: Request) -> dict[str, str]:
    """The form's fields.

    Raises:
        OAuthError: it is no form, or a field comes twice (§3.2).
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise OAuthError("invalid_request", f"Send the parameters as {FORM}.")
    body = await request.body()
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=_MAX_FIELDS
        )
    except ValueError as error:  # UnicodeDecodeError is one
        raise OAuthError("invalid_request", "The form cannot be read.") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise OAuthError("invalid_request", "A parameter comes more than once.")
    return fields


def check_grant_type(fields: Mapping[str, str]) -> None:
    """Refuses every grant but that of client credentials (§4.4.2).

    Raises:
        OAuthError: another grant, or none.
    """
    if "grant_type" not in fields:
        raise OAuthError("invalid_request", "Send grant_type=client_credentials.")
    if fields["grant_type"] != "client_credentials":
        raise OAuthError(
            "unsupported_grant_type", "The grant types are client_credentials and token exchange (RFC 8693)."
        )


def read_credentials(authorization: str | None, fields: Mapping[str, str]) -> ClientCredentials:
    """The client's id and secret, from Basic authentication or the form (§2.3.1), never both.

    Raises:
        OAuthError: there are none, two, or none that can be read.
    """
    in_form = "client_id" in fields or "client_secret" in fields
    if authorization is not None:
        if "client_secret" in fields:
            raise OAuthError("invalid_request", "Send the client's secret in one place only.")
        return _basic(authorization)
    if not in_form:
        raise OAuthError("invalid_client", "Send client_id and client_secret, in the form or by Basic.")
    return _credentials(fields.get("client_id", ""), fields.get("client_secret", ""))


def _basic(authorization: str) -> ClientCredentials:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise OAuthError("invalid_client", "This endpoint takes Basic authentication.")
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise OAuthError("invalid_client", "The Basic credentials cannot be read.") from error
    if not colon:
        raise OAuthError("invalid_client", "The Basic credentials cannot be read.")
    return _credentials(unquote_plus(user), unquote_plus(password))


def _credentials(client_id: str, secret: str) -> ClientCredentials:
    try:
        return ClientCredentials(UUID(client_id), secret)
    except ValueError:
        return ClientCredentials(None, secret)
