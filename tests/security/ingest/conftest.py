"""The fixtures of ingest's tests."""

from ingest_fixtures import client, complaints, credentials, ingest, make_ingest

__all__ = ["client", "complaints", "credentials", "ingest", "make_ingest"]
