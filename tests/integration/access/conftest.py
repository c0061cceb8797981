"""What the integration tests of access start from."""

from access_fixtures import access, tenant

__all__ = ["access", "tenant"]
