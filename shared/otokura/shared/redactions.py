"""What is taken out of a transcript before it is published, and what a tenant leaves in.

Not to be confused with `otokura.shared.redaction`, which guards the service's own log lines.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_serializer, model_validator


class RedactionKind(StrEnum):
    """What a redacted stretch of speech is."""

    CARD_NUMBER = "card-number"
    BANK_ACCOUNT = "bank-account"
    PHONE_NUMBER = "phone-number"
    EMAIL = "email"
    POSTAL_CODE = "postal-code"
    ADDRESS = "address"
    MY_NUMBER = "my-number"
    NAME = "name"
    NUMBER = "number"
    """A row of digits of no known kind that nobody calls harmless: most often a number that was misheard."""


class Redaction(BaseModel):
    """A stretch of one turn that is not shown, and of the audio that said it.

    `start` and `end` count characters (code points) of `turns[turn].text`, end exclusive. `start_ms` and
    `end_ms` lie on the recording's clock.
    """

    model_config = ConfigDict(frozen=True)
    turn: int = Field(ge=0)
    start: int = Field(ge=0)
    end: int = Field(gt=0)
    kind: RedactionKind
    start_ms: int = Field(ge=0)
    end_ms: int = Field(ge=0)

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if self.end <= self.start or self.end_ms < self.start_ms:
            raise ValueError("A redaction ends after it starts.")
        return self


class RedactionPolicy(BaseModel):
    """Which kinds a tenant does not redact: by default none, so that a new kind is redacted everywhere.

    Names that this version does not know are ignored: they turn nothing off.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    off: frozenset[str] = frozenset()

    def redacts(self, kind: RedactionKind) -> bool:
        """Whether stretches of this kind are redacted."""
        return kind.value not in self.off

    @field_serializer("off")
    def _sorted(self, off: frozenset[str]) -> list[str]:
        return sorted(off)
