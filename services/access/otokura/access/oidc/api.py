"""Routes of identity providers and of who comes by them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Response

from otokura.access.errors import PreconditionRequired
from otokura.access.etags import etag_of, version_of
from otokura.access.oidc import administration, repository
from otokura.access.oidc.errors import FetchError, IssuerAmbiguous, IssuerUnusable
from otokura.access.oidc.views import (
    IssuerBody,
    IssuerChange,
    IssuerList,
    IssuerView,
    NotBeforeBody,
    SubjectBody,
    SubjectList,
    SubjectView,
)
from otokura.access.permission import PrincipalManager, tenant_of
from otokura.access.state import AccessState, State
from otokura.shared.errors import (
    Conflict,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Unauthenticated,
    Unprocessable,
)
from otokura.shared.idempotency import Created, Idempotency
from otokura.shared.problems import responses

router = APIRouter(
    prefix="/v1/oidc-issuers", tags=["identity"], responses=responses(Unauthenticated, Forbidden)
)


@router.post(
    "",
    status_code=201,
    response_model=IssuerView,
    responses=responses(Conflict, IssuerAmbiguous, IssuerUnusable),
)
async def create_issuer(
    body: IssuerBody, state: State, admin: PrincipalManager, idempotency: Idempotency
) -> Response:
    """Trusts an identity provider. Its metadata and keys are fetched first, so that it is known to work."""
    await _check(state, body.issuer)

    async def create() -> Created:
        record = await administration.create(session, body, admin, state.settings.issuer)
        return Created(IssuerView.of(record), headers={"ETag": etag_of(record.version)})

    async with state.database.session() as session:
        created = await idempotency.run(session, create)
    state.oidc.reconfigured()
    return created


@router.get("")
async def list_issuers(state: State, admin: PrincipalManager) -> IssuerList:
    """The tenant's identity providers."""
    async with state.database.session() as session:
        records = await repository.issuers(session, tenant_of(admin))
    return IssuerList(items=[IssuerView.of(record) for record in records])


@router.get("/{issuer_id}", responses=responses(NotFound))
async def get_issuer(
    issuer_id: UUID, state: State, admin: PrincipalManager, response: Response
) -> IssuerView:
    """One identity provider; the ETag is needed to change it."""
    async with state.database.session() as session:
        record = await repository.issuer(session, tenant_of(admin), issuer_id)
    if record is None:
        raise NotFound("There is no such issuer.")
    response.headers["ETag"] = etag_of(record.version)
    return IssuerView.of(record)


@router.put(
    "/{issuer_id}",
    responses=responses(NotFound, IssuerAmbiguous, PreconditionFailed, PreconditionRequired, Unprocessable),
)
async def change_issuer(
    issuer_id: UUID,
    body: IssuerChange,
    state: State,
    admin: PrincipalManager,
    response: Response,
    *,
    if_match: Annotated[str | None, Header(description="The ETag of the issuer as you read it.")] = None,
) -> IssuerView:
    """Replaces how its tokens are judged. All tokens so far end: everybody who came by it comes again."""
    if if_match is None:
        raise PreconditionRequired("Send If-Match with the ETag of the issuer as you read it.")
    async with state.database.session() as session:
        record = await administration.change(session, issuer_id, body, version_of(if_match), admin)
        view = IssuerView.of(record)
    state.oidc.reconfigured()
    response.headers["ETag"] = etag_of(record.version)
    return view


@router.delete("/{issuer_id}", status_code=204, responses=responses(NotFound, Conflict))
async def remove_issuer(issuer_id: UUID, state: State, admin: PrincipalManager) -> None:
    """Trusts it no more: no token of it is good from now on, and readings under way end."""
    async with state.database.session() as session:
        await administration.remove(session, issuer_id, admin)
    state.oidc.reconfigured()


@router.get("/{issuer_id}/subjects", responses=responses(NotFound))
async def list_subjects(issuer_id: UUID, state: State, admin: PrincipalManager) -> SubjectList:
    """Everybody whom the issuer's tokens stand for, in the order in which they came."""
    async with state.database.session() as session:
        record = await repository.issuer(session, tenant_of(admin), issuer_id)
        if record is None:
            raise NotFound("There is no such issuer.")
        found = await repository.subjects(session, record.tenant_id, record.issuer)
    return SubjectList(items=[SubjectView.of(subject, principal) for subject, principal in found])


@router.post(
    "/{issuer_id}/subjects",
    status_code=201,
    response_model=SubjectView,
    responses=responses(NotFound, Conflict, Unprocessable),
)
async def bind_subject(
    issuer_id: UUID, body: SubjectBody, state: State, admin: PrincipalManager, idempotency: Idempotency
) -> Response:
    """Says which principal a subject is, before its first token."""

    async def create() -> Created:
        bound = await administration.bind(session, issuer_id, body.subject, body.principal_id, admin)
        return Created(SubjectView.of(*bound))

    async with state.database.session() as session:
        return await idempotency.run(session, create)


@router.delete(
    "/{issuer_id}/subjects/{principal_id}", status_code=204, responses=responses(NotFound, Conflict)
)
async def unbind_subject(issuer_id: UUID, principal_id: UUID, state: State, admin: PrincipalManager) -> None:
    """The principal comes by this issuer no more; their tokens end at once."""
    async with state.database.session() as session:
        await administration.unbind(session, issuer_id, principal_id, admin)


@router.put(
    "/{issuer_id}/subjects/{principal_id}/not-before",
    status_code=204,
    responses=responses(NotFound, Unprocessable),
)
async def set_not_before(
    issuer_id: UUID, principal_id: UUID, body: NotBeforeBody, state: State, admin: PrincipalManager
) -> None:
    """Ends every token of a principal that was made before a time: here at once, and everywhere."""
    async with state.database.session() as session:
        await administration.not_before(session, issuer_id, principal_id, body.not_before, admin)


async def _check(state: AccessState, issuer: str) -> None:
    try:
        keys = await state.oidc.keys.fetch(issuer)
    except FetchError as error:
        raise IssuerUnusable(f"The issuer cannot be used: {error.why}.") from error
    if not keys:
        raise IssuerUnusable("The issuer cannot be used: it publishes no key that signs tokens.")
