"""What the shared authenticator asks, answered for access: tokens only, and checked further on."""

from __future__ import annotations

from uuid import UUID

from otokura.shared.tokens import Principal


class TokensOnly:
    """Leaves tenant and revocation to `reader_from`.

    That looks at both for each request, in the query that it needs anyway: here they would cost two more.
    Every route that takes a token must come by `permission.permitted`, `reads.gate.permit` or
    `permission.identify`.
    """

    async def principal_by_api_key(self, key: str) -> Principal | None:
        """None: keys are for sending calls, and nobody reads with one."""
        del key
        return None

    async def is_active(self, tenant_id: UUID) -> bool:
        """True: see the class."""
        del tenant_id
        return True

    async def is_revoked(self, principal: Principal) -> bool:
        """False: see the class."""
        del principal
        return False
