"""What the routes of the end of a recording take and give."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from otokura.access.identity.views import Body
from otokura.access.numbers import Number
from otokura.access.reads.views import View
from otokura.shared.events import ErasedKind
from otokura.shared.moments import Moment
from otokura.shared.pagination import Cursor

Why = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]
Days = Annotated[int, Field(ge=1, le=36_500)]
MOST_CALLS = 1000
"""That one request names."""
_LEAST_DIGITS = 3


class Ground(StrEnum):
    """On what ground a call is erased; articles are those of Japan's 個人情報保護法."""

    CEASE_USE = "cease-use"
    """利用停止・消去: the person asked that it be used no more (art. 35)."""
    CORRECTION = "correction"
    """訂正・削除: what it says of the person is not true (art. 34)."""
    NOT_NEEDED = "not-needed"
    """It is no longer needed for any purpose (art. 22)."""
    OTHER = "other"
    """Another one; the reason says which."""
    RETENTION = "retention"
    """Its time has come; only retention itself gives it."""


class HoldBody(Body):
    """Why a call must be kept."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"reason": "訴訟に備えて保全", "case_number": "令和8年(ワ)第1234号"}]
        },
    )
    reason: Why
    case_number: Annotated[str, Field(min_length=1, max_length=128, pattern=r"\S")] | None = None
    ends_at: Annotated[Moment | None, Field(description="It ends then by itself.")] = None


class LiftBody(Body):
    """Why a hold is lifted."""

    reason: Why


class HoldView(BaseModel):
    """A hold. It keeps what there is of the call as long as it is neither lifted nor ended."""

    id: UUID
    call_id: UUID
    reason: str
    case_number: str | None
    set_by: UUID
    set_at: datetime
    ends_at: datetime | None
    lifted_by: UUID | None
    lifted_at: datetime | None
    lifted_because: str | None
    erased: Annotated[
        list[ErasedKind],
        Field(description="What of the call is erased by now, or is being erased: no hold keeps that."),
    ]


class HoldList(BaseModel):
    """The holds of a call, oldest first; those that ended or were lifted, too."""

    items: list[HoldView]


def _comparable(number: str) -> str:
    compared = Number.of(number)
    if compared.is_account or (compared.is_number and len(compared.folded.lstrip("+")) >= _LEAST_DIGITS):
        return number
    raise ValueError("say a telephone number, or the URI of a SIP account")


class WhatMayBe(StrEnum):
    """What becomes of calls that may be the customer's, when nobody can say."""

    LEAVE = "leave"
    INCLUDE = "include"


class CustomerBody(Body):
    """A customer, by the numbers under which they called or were called."""

    numbers: Annotated[
        list[
            Annotated[
                str,
                Field(min_length=3, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$"),
                AfterValidator(_comparable),
            ]
        ],
        Field(
            min_length=1,
            max_length=8,
            description="However they are written: `03-1234-5678`, `+81312345678`, `tel:`, `sip:`.",
        ),
    ]
    possible: Annotated[
        WhatMayBe | None,
        Field(description="What becomes of calls that may be the customer's; if there are any, say."),
    ] = None
    since: Annotated[Moment | None, Field(description="Calls that began at or after.")] = None
    until: Annotated[Moment | None, Field(description="Calls that began before.")] = None


class CallSelection(Body):
    """Which calls: some by their ids, or all of a customer's."""

    call_ids: Annotated[list[UUID] | None, Field(min_length=1, max_length=MOST_CALLS)] = None
    customer: CustomerBody | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.call_ids is None) is (self.customer is None):
            raise ValueError("say either call_ids or customer")
        return self


class ExportBody(CallSelection):
    """Calls that are given to the person concerned."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "customer": {"numbers": ["+81312345678"]},
                    "reason": "ご本人からの開示のご請求 (受付 2026-131)",
                }
            ]
        },
    )
    reason: Why
    view: Annotated[
        View, Field(description="`raw` needs a permission of its own, which nobody has by default.")
    ] = View.REDACTED


class ErasureBody(CallSelection):
    """Calls to be erased, with everything that there is of them."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "customer": {"numbers": ["+81312345678"]},
                    "ground": "cease-use",
                    "reason": "ご本人からの消去のご請求 (受付 2026-118)",
                }
            ]
        },
    )
    ground: Literal[Ground.CEASE_USE, Ground.CORRECTION, Ground.NOT_NEEDED, Ground.OTHER]
    reason: Why


class ErasureView(BaseModel):
    """An erasure, and how many of its calls are where.

    `waiting`: it has not begun (`GET …/calls` says why); `erasing`: not every service has confirmed;
    `erased`: all have; `final`: no copy of a key opens any more; `withdrawn`: before it began.
    """

    id: UUID
    kind: ErasedKind
    selected_by: Literal["calls", "customer", "retention"]
    ground: Ground
    reason: str | None
    requested_by: UUID | None
    requested_at: datetime
    withdrawn_at: datetime | None
    waiting: int
    erasing: int
    erased: int
    final: int
    withdrawn: int


class ServiceConfirmation(BaseModel):
    """What a service has erased of a call."""

    service: str
    counts: dict[str, int]
    shredded_at: datetime
    applied_at: datetime


class ErasedCallView(BaseModel):
    """One call of an erasure. The certificate comes from the audit service."""

    call_id: UUID
    state: Literal["waiting", "erasing", "erased", "final", "withdrawn"]
    waits_for: Literal["live", "held", "minimum"] | None
    begun_at: datetime | None
    erased_at: datetime | None
    final_at: datetime | None
    confirmations: list[ServiceConfirmation]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> ErasedCallView:
        """The view of a row of `repository.items`."""
        return cls.model_validate(dict(row))


class PreviewCall(BaseModel):
    """A call that an erasure would cover."""

    call_id: UUID
    external_id: str
    started_at: datetime
    waits_for: Literal["live", "held", "minimum"] | None


class Preview(BaseModel):
    """What an erasure would cover; nothing is asked of anybody.

    `possible`: calls with a number that may be the customer's, written so that nobody can say. `unreadable`:
    calls whose numbers could not be opened, so that nobody knows whose they are.
    """

    calls: list[PreviewCall]
    possible: list[PreviewCall]
    unreadable: int


class ErasureCursor(Cursor):
    """A position in the list of erasures: the last one of a page."""

    id: UUID


class ItemCursor(Cursor):
    """A position in the list of an erasure's calls: the last one of a page."""

    call_id: UUID


class RetentionRule(Body):
    """How long one kind is kept, in days from the beginning of the call.

    `min_days`: before that nothing goes, whoever asks. `max_days`: then it goes by itself; null: never.
    """

    min_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    max_days: Days | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.max_days is not None and self.max_days < self.min_days:
            raise ValueError("max_days must not be less than min_days")
        return self


class RetentionRules(Body):
    """How long a tenant's calls are kept, by kind; `call` is all of it, with what is known about the call."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"recording": {"max_days": 180}, "transcript": {"max_days": 365}, "call": {"max_days": 1095}}
            ]
        },
    )
    recording: RetentionRule = RetentionRule()
    transcript: RetentionRule = RetentionRule()
    call: RetentionRule = RetentionRule()

    @model_validator(mode="after")
    def _call_lasts_longest(self) -> Self:
        longest = self.call.max_days
        for kind in (ErasedKind.RECORDING, ErasedKind.TRANSCRIPT):
            rule = self.of(kind)
            if longest is not None and max(rule.max_days or 0, rule.min_days) > longest:
                raise ValueError(
                    f"with the call its {kind} goes: call.max_days must not be less than its days"
                )
        return self

    def of(self, kind: ErasedKind) -> RetentionRule:
        """The rule of a kind."""
        rule: RetentionRule = getattr(self, kind.value)
        return rule
