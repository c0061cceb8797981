"""What the security tests of access start from."""

from access_fixtures import access, tenant

__all__ = ["access", "tenant"]
