"""Routes of people who log in: sessions, invitations as the person sees them, the own password."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse

from otokura.access.errors import InvitationOver, LoginRefused, SessionOver, TooManyTries
from otokura.access.identity.api import refusal_throttle
from otokura.access.identity.oauth import NO_STORE
from otokura.access.identity.throttle import RefusalThrottle
from otokura.access.logins import accepting, log_in, password_change, sessions
from otokura.access.logins.log_in import Attempt
from otokura.access.logins.views import (
    AcceptBody,
    Accepted,
    ConfirmBody,
    LogInBody,
    PasswordBody,
    RefreshBody,
    SessionTokens,
)
from otokura.access.permission import identify
from otokura.access.state import State
from otokura.shared.address import ClientAddress
from otokura.shared.authentication import Authenticated
from otokura.shared.errors import Conflict, Forbidden, Unauthenticated, Unavailable, Unprocessable
from otokura.shared.problems import responses

router = APIRouter(prefix="/v1", tags=["people"])
Throttle = Annotated[RefusalThrottle, Depends(refusal_throttle)]
_PUBLIC: dict[str, Any] = {"security": []}


@router.post(
    "/sessions",
    status_code=201,
    response_model=SessionTokens,
    responses=responses(LoginRefused, Forbidden, TooManyTries, Unavailable),
    openapi_extra=_PUBLIC,
)
async def begin_session(body: LogInBody, state: State, place: ClientAddress, throttle: Throttle) -> Response:
    """Logs a person in: password, and the code of the authenticator app.

    Whatever is wrong, the answer is the same. After 5 tries that went wrong from one network, or 20 from
    networks that the person never logged in from, no more are looked at for 15 minutes. Who sends the
    `device` of an earlier log-in has 5 of their own.
    """
    code = body.code.get_secret_value() if body.code else None
    device = body.device.get_secret_value() if body.device else None
    attempt = Attempt(body.company, body.login, body.password.get_secret_value(), code, device, place)
    made = await log_in.log_in(state, attempt, throttle)
    return JSONResponse(made.model_dump(mode="json"), 201, NO_STORE)


@router.post(
    "/sessions/refresh",
    response_model=SessionTokens,
    responses=responses(SessionOver, Forbidden, Unavailable),
    openapi_extra=_PUBLIC,
)
async def refresh_session(body: RefreshBody, state: State, place: ClientAddress) -> Response:
    """New tokens for a session that goes on. A refresh token is good once; coming again ends the session."""
    made = await sessions.go_on(state, body.refresh_token.get_secret_value(), place)
    return JSONResponse(made.model_dump(mode="json"), headers=NO_STORE)


@router.delete("/sessions/current", status_code=204, responses=responses(Unauthenticated))
async def end_session(state: State, token: Authenticated, place: ClientAddress) -> None:
    """Logs out: the session and all its tokens end at once, and readings under way with them."""
    reader = await identify(state, token, place)
    async with state.database.session() as session:
        await sessions.leave(session, token, reader)


@router.put(
    "/password",
    status_code=204,
    responses=responses(LoginRefused, Conflict, Unprocessable, TooManyTries, Unavailable),
)
async def change_password(
    body: PasswordBody, state: State, token: Authenticated, place: ClientAddress, throttle: Throttle
) -> None:
    """Changes the own password; all other sessions end."""
    reader = await identify(state, token, place)
    wanted = password_change.Change(body.password.get_secret_value(), body.new_password.get_secret_value())
    await password_change.change(state, token, reader, wanted, throttle)


@router.post(
    "/invitations/accept",
    response_model=Accepted,
    responses=responses(
        LoginRefused, Forbidden, InvitationOver, Conflict, Unprocessable, TooManyTries, Unavailable
    ),
    openapi_extra=_PUBLIC,
)
async def accept_invitation(
    body: AcceptBody, state: State, place: ClientAddress, throttle: Throttle
) -> Response:
    """Chooses a password, and gets the key for an authenticator app, which a code then confirms."""
    accepted = await accepting.accept(
        state,
        body.token.get_secret_value(),
        body.password.get_secret_value(),
        place,
        throttle,
        wants_factor=body.second_factor,
    )
    return JSONResponse(accepted.model_dump(mode="json"), headers=NO_STORE)


@router.post(
    "/invitations/confirm",
    status_code=204,
    responses=responses(Forbidden, InvitationOver, Conflict, Unprocessable, Unavailable),
    openapi_extra=_PUBLIC,
)
async def confirm_invitation(body: ConfirmBody, state: State, place: ClientAddress) -> None:
    """Confirms the app with a code. From now on the person logs in so, and in no other way."""
    await accepting.confirm(state, body.token.get_secret_value(), body.code.get_secret_value(), place)
