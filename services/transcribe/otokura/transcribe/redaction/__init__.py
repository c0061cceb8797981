"""Finding what of a call is nobody else's business: numbers, addresses, names."""

from __future__ import annotations

from otokura.transcribe.redaction.finding import find

__all__ = ["find"]
