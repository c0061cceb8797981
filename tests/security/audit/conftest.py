"""The log on real servers."""

from audit_fixtures import database, log, open_log, store

__all__ = ["database", "log", "open_log", "store"]
