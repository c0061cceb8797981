"""Every table of transcribe that keeps wrapped keys: copies, which ingest's events brought and renew."""

from __future__ import annotations

from sqlalchemy import select

from otokura.shared.directory_tables import tenants
from otokura.shared.wrapped_keys import WrappedKeys
from otokura.transcribe.models import CallKey, Table

TENANTS = select(tenants.c.tenant_id)
WRAPPED_KEYS = (WrappedKeys(Table.metadata.tables[str(CallKey.__tablename__)], "call_id", by_events=True),)
