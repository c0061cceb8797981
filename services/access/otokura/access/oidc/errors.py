"""What can go wrong with a token of an identity provider, and with the provider."""

from __future__ import annotations

from otokura.shared.errors import Conflict, Unauthenticated, Unprocessable


class IssuerAmbiguous(Conflict):
    """Nothing tells this configuration's tokens from those of another."""

    code, title = "issuer-ambiguous", "Tokens could not be told apart"


class IssuerUnusable(Unprocessable):
    """The issuer's documents cannot be had, or do not say what they must."""

    code, title = "issuer-unusable", "Issuer cannot be used"


class FetchError(Exception):
    """A document of an issuer cannot be had, or is not what it must be.

    Args:
        why: in a few words of our own, never the issuer's.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class TokenRefusedError(Exception):
    """A token is not good. Why is counted, and not told: who forges learns nothing by trying.

    Args:
        why: one of few words, as a label of a metric.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def refused() -> Unauthenticated:
    """The one answer to every bad token (RFC 6750 §3.1)."""
    return Unauthenticated(
        "The access token is not valid here: it is expired, was not made for Otokura, or its signature does "
        "not verify.",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )
