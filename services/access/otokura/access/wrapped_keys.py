"""Every table of access that keeps wrapped keys. Those of calls are copies, which ingest's events renew."""

from __future__ import annotations

from sqlalchemy import select
from sqlmodel import col

from otokura.access.logins.models import Invitation, Login
from otokura.access.reads.models import CallKeyRecord
from otokura.access.search.models import IndexKeyRecord
from otokura.access.state import AccessState
from otokura.access.tenancy.models import Tenant
from otokura.shared.rewrapping import Rewrapper
from otokura.shared.wrapped_keys import WrappedKeys, table_of

TENANTS = select(col(Tenant.id))
WRAPPED_KEYS = (
    WrappedKeys(table_of(CallKeyRecord), "call_id", by_events=True),
    WrappedKeys(table_of(IndexKeyRecord), "id"),
    WrappedKeys(table_of(Login), "principal_id"),
    WrappedKeys(table_of(Invitation), "id", context="principal_id"),
)


def rewrapper_of(state: AccessState) -> Rewrapper:
    """What wraps them anew, and knows the key-encryption keys of all tenants."""
    settle = state.settings.rewrap_settle
    return Rewrapper(state.database, state.keys, "access", WRAPPED_KEYS, TENANTS, settle)
