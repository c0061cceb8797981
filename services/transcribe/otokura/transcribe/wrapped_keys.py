"""Every table of transcribe that keeps wrapped keys: copies, which ingest's events brought and renew."""

from __future__ import annotations

from sqlalchemy import select

from otokura.shared.directory_tables import tenants
from otokura.shared.wrapped_keys import WrappedKeys, table_of
from otokura.transcribe.models import CallKey

TENANTS = select(tenants.c.tenant_id)
WRAPPED_KEYS = (WrappedKeys(table_of(CallKey), "call_id", by_events=True),)
