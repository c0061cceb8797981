"""Where identity providers say that somebody logged out (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from otokura.access.identity import oauth
from otokura.access.identity.views import OAuthProblem
from otokura.access.oidc import administration
from otokura.access.oidc.errors import TokenRefusedError
from otokura.access.oidc.verifier import REFUSED
from otokura.access.state import State
from otokura.shared.errors import Unavailable
from otokura.shared.problems import responses

router = APIRouter()
_FORM_DOC: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            oauth.FORM: {
                "schema": {
                    "type": "object",
                    "required": ["logout_token"],
                    "properties": {"logout_token": {"type": "string"}},
                }
            }
        },
    }
}


@router.post(
    "/oidc/backchannel-logout",
    tags=["identity"],
    response_class=Response,
    responses={400: {"model": OAuthProblem}, **responses(Unavailable)},
    openapi_extra=_FORM_DOC,
)
async def backchannel_logout(request: Request, state: State) -> Response:
    """Ends the tokens of whom the logout token names, made until then; its signature is all that counts."""
    try:
        token = (await oauth.read_form(request)).get("logout_token", "")
        concerned = await state.oidc.logged_out(token)
    except oauth.OAuthError as error:
        return error.response()
    except TokenRefusedError as error:
        REFUSED.labels(error.why).inc()
        return oauth.OAuthError("invalid_request", "The logout token is not good.").response()
    async with state.database.session() as session:
        for trusted, subject, at in concerned:
            await administration.logged_out(session, trusted, subject, at)
    return Response(headers=oauth.NO_STORE)
