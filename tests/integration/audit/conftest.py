"""The log on real servers."""

from audit_fixtures import audit, auditor, database, hour, log, make_audit, open_log, store, tenant_id

__all__ = ["audit", "auditor", "database", "hour", "log", "make_audit", "open_log", "store", "tenant_id"]
