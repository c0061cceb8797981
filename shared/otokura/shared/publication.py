"""What a company publishes about its recordings.

Act on the Protection of Personal Information (個人情報保護法), article 21: the purposes of use are published
before personal information is obtained, or told at once. Article 32(1): who keeps it (name, address,
representative), all purposes, how to ask for disclosure, correction or deletion and what it costs, and whom
to complain to. `otokura.ingest.notice` shows them.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""One line of text."""
Text = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[^\x00-\x09\x0b-\x1f\x7f]+$")]
"""Text with line breaks."""
Email = Annotated[str, Field(max_length=254, pattern=r"^[^\s@<>\"'?&%,;:\\]+@[A-Za-z0-9.-]+\.[A-Za-z0-9-]+$")]
"""An address as a person writes it; it becomes a `mailto:` link (RFC 6068) as it stands."""
Phone = Annotated[str, Field(max_length=40, pattern=r"^\+?[0-9][0-9 ()-]{2,38}$")]
WebAddress = Annotated[str, Field(max_length=500, pattern=r"^https://[^\s\"'<>\\]+$")]


class Company(BaseModel):
    """Who answers for the recordings. Without it the tenant's name stands for it.

    What has no English form is shown as it is on the English page, too.
    """

    model_config = ConfigDict(frozen=True)
    name: Line
    name_en: Line | None = None
    address: Line | None = None
    address_en: Line | None = None
    representative: Line | None = None
    representative_en: Line | None = None


class Contact(BaseModel):
    """Whom to ask, and to complain to: at least one way to reach them."""

    model_config = ConfigDict(frozen=True)
    name: Line
    name_en: Line | None = None
    email: Email | None = None
    phone: Phone | None = None
    url: WebAddress | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.email is None and self.phone is None and self.url is None:
            raise ValueError("a contact needs an email, a phone or a url")
        return self
