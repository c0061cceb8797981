"""What the tests with an identity provider start from."""

from oidc_fixtures import access, issuer, provider, tenant, trusted

__all__ = ["access", "issuer", "provider", "tenant", "trusted"]
