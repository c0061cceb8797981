"""Routes of identity: tokens and their keys, bootstrap, principals."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import JSONResponse

from otokura.access.errors import BootstrapRefused, PreconditionRequired, RoleNotAssignable
from otokura.access.etags import etag_of, version_of
from otokura.access.identity import bootstrap as bootstrapping
from otokura.access.identity import oauth, principals, repository, tokens
from otokura.access.identity import principal_change as changing
from otokura.access.identity.throttle import RefusalThrottle
from otokura.access.identity.views import (
    BootstrapBody,
    Credentials,
    Jwks,
    OAuthProblem,
    PrincipalBody,
    PrincipalChange,
    PrincipalCreated,
    PrincipalList,
    PrincipalView,
    TokenResponse,
)
from otokura.access.oidc import exchange
from otokura.access.oidc.views import ExchangedToken
from otokura.access.permission import PrincipalManager, identify, tenant_of
from otokura.access.state import State
from otokura.shared.address import ClientAddress
from otokura.shared.authentication import Authenticated
from otokura.shared.errors import (
    Conflict,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Unauthenticated,
    Unavailable,
)
from otokura.shared.idempotency import Created, Idempotency
from otokura.shared.problems import responses

router = APIRouter()

_FORM_DOC: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            oauth.FORM: {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"type": "string", "enum": ["client_credentials", exchange.GRANT]},
                        "client_id": {"type": "string", "format": "uuid"},
                        "client_secret": {"type": "string", "format": "password"},
                        "subject_token": {"type": "string", "format": "password"},
                        "subject_token_type": {"type": "string", "enum": list(exchange.TAKEN)},
                    },
                }
            }
        },
    }
}
_OAUTH_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": OAuthProblem},
    401: {"model": OAuthProblem},
    **responses(Forbidden, Unavailable),
}


async def refusal_throttle(state: State) -> RefusalThrottle:
    """The app's throttle of refusals that become entries."""
    return state.refusals


@router.post(
    "/oauth2/token",
    tags=["identity"],
    response_model=TokenResponse | ExchangedToken,
    responses=_OAUTH_RESPONSES,
    openapi_extra=_FORM_DOC,
)
async def token(
    request: Request,
    state: State,
    place: ClientAddress,
    throttle: Annotated[RefusalThrottle, Depends(refusal_throttle)],
) -> Response:
    """A token for a client (RFC 6749 §4.4), or for one of an identity provider's tokens (RFC 8693)."""
    try:
        fields = await oauth.read_form(request)
        if fields.get("grant_type") == exchange.GRANT:
            exchanged = await exchange.exchange(state, fields, place)
            return JSONResponse(exchanged.model_dump(), headers=oauth.NO_STORE)
        credentials = oauth.read_credentials(request.headers.get("authorization"), fields)
        oauth.check_grant_type(fields)
        issued = await tokens.issue(state, credentials, place, throttle)
    except oauth.OAuthError as error:
        return error.response()
    return JSONResponse(issued.model_dump(), headers=oauth.NO_STORE)


@router.post("/oauth2/revoke", tags=["identity"], status_code=204, responses=responses(Unauthenticated))
async def revoke(state: State, principal: Authenticated, place: ClientAddress) -> None:
    """Takes back the very token that comes with the request, at once."""
    await identify(state, principal, place)
    await tokens.revoke(state, principal)


@router.get("/.well-known/jwks.json", tags=["identity"], response_model=Jwks)
async def jwks(state: State) -> JSONResponse:
    """The keys by which tokens verify."""
    async with state.database.session() as session:
        keys = await state.signing.jwks(session)
    return JSONResponse(keys, headers={"Cache-Control": "public, max-age=60"})


@router.post(
    "/v1/bootstrap", tags=["identity"], status_code=201, responses=responses(BootstrapRefused, Unavailable)
)
async def bootstrap(
    body: BootstrapBody,
    state: State,
    place: ClientAddress,
    throttle: Annotated[RefusalThrottle, Depends(refusal_throttle)],
) -> Credentials:
    """Makes the first operator: once, with the token from the service's configuration."""
    try:
        async with state.database.session() as session:
            return await bootstrapping.bootstrap(session, state.settings, body, place)
    except BootstrapRefused as error:
        await bootstrapping.refuse(state, throttle, place, error)
        raise


@router.post(
    "/v1/principals",
    tags=["identity"],
    status_code=201,
    response_model=PrincipalCreated,
    responses=responses(Unauthenticated, Forbidden, Conflict, RoleNotAssignable),
)
async def create_principal(
    body: PrincipalBody, state: State, manager: PrincipalManager, idempotency: Idempotency
) -> Response:
    """A new person or client of the tenant, with credentials that are shown this once."""

    async def create() -> Created:
        new = await principals.create_in_tenant(session, body, manager)
        created = PrincipalCreated.model_validate(
            new.record.model_dump()
            | {
                "agent_ids": sorted(set(body.agent_ids)),
                "client_id": new.record.id,
                "client_secret": new.secret,
                "api_key": new.api_key,
            }
        )
        return Created(created, replay=created.model_copy(update={"client_secret": None, "api_key": None}))

    async with state.database.session() as session:
        return await idempotency.run(session, create)


@router.get("/v1/principals", tags=["identity"], responses=responses(Unauthenticated, Forbidden))
async def list_principals(state: State, manager: PrincipalManager) -> PrincipalList:
    """Everybody of the tenant, also those who are disabled."""
    async with state.database.session() as session:
        records = await repository.principals(session, tenant_of(manager))
        names = await repository.agent_ids(session, [record.id for record in records])
    return PrincipalList(items=[PrincipalView.of(record, names[record.id]) for record in records])


@router.get(
    "/v1/principals/{principal_id}",
    responses=responses(Unauthenticated, Forbidden, NotFound),
    tags=["identity"],
)
async def get_principal(
    principal_id: UUID, state: State, manager: PrincipalManager, response: Response
) -> PrincipalView:
    """One principal; the ETag is needed to change it."""
    async with state.database.session() as session:
        record = await repository.principal(session, tenant_of(manager), principal_id)
        names = await repository.agent_ids(session, [principal_id])
    if record is None:
        raise NotFound("There is no such principal.")
    response.headers["ETag"] = etag_of(record.version)
    return PrincipalView.of(record, names[principal_id])


@router.put(
    "/v1/principals/{principal_id}",
    tags=["identity"],
    responses=responses(
        Unauthenticated,
        Forbidden,
        NotFound,
        Conflict,
        PreconditionFailed,
        RoleNotAssignable,
        PreconditionRequired,
    ),
)
async def change_principal(
    principal_id: UUID,
    body: PrincipalChange,
    state: State,
    manager: PrincipalManager,
    response: Response,
    if_match: Annotated[str | None, Header(description="The ETag of the principal as you read it.")] = None,
) -> PrincipalView:
    """Replaces name, roles, team and agent ids; holds at once, also for readings under way."""
    if if_match is None:
        raise PreconditionRequired("Send If-Match with the ETag of the principal as you read it.")
    async with state.database.session() as session:
        record = await changing.change_principal(session, principal_id, body, version_of(if_match), manager)
        names = await repository.agent_ids(session, [principal_id])
    response.headers["ETag"] = etag_of(record.version)
    return PrincipalView.of(record, names[principal_id])


@router.delete(
    "/v1/principals/{principal_id}",
    tags=["identity"],
    status_code=204,
    responses=responses(Unauthenticated, Forbidden, NotFound, Conflict),
)
async def disable_principal(principal_id: UUID, state: State, manager: PrincipalManager) -> None:
    """Disables a principal; their tokens and keys stop working at once. Their past stays."""
    async with state.database.session() as session:
        await principals.disable(session, principal_id, manager)
