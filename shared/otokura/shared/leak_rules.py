"""Rules over reads: what is taken for a leak in how one person reads (`leak_rules` of a tenant's settings).

A rule matches a reader, raises a leak signal, and by `pause` keeps them from reading until an administrator
has looked. docs/signals.md has what each kind counts.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

LeakRuleId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Weekday = Annotated[int, Field(ge=1, le=7)]
MINUTES_A_DAY = 1440


class _Rule(BaseModel):
    """What every rule says."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    id: LeakRuleId
    pause: bool = False
    """Whether the reader may read no more until an administrator lifts it."""
    again_minutes: int = Field(default=60, ge=1, le=10 * MINUTES_A_DAY)
    """For how long after a signal the rule is silent about the same reader."""


class CountRule(_Rule):
    """So many within so many minutes.

    `volume`: listenings and readings, where the requests of one `read_id` to one call are one; `breadth`:
    different calls; `denials`: refusals of any kind.
    """

    kind: Literal["volume", "breadth", "denials"]
    at_least: int = Field(ge=1, le=1_000_000)
    minutes: int = Field(ge=1, le=MINUTES_A_DAY)


class HoursRule(_Rule):
    """A read outside working hours: not between `opens` and `closes`, or not on one of `days`.

    `closes` before `opens` is a shift over midnight, of the day on which it opens.
    """

    kind: Literal["hours"]
    time_zone: str = Field(min_length=1, max_length=64)
    """Of the IANA database, such as `Asia/Tokyo`."""
    opens: TimeOfDay
    closes: TimeOfDay
    days: tuple[Weekday, ...] = Field(default=(1, 2, 3, 4, 5, 6, 7), min_length=1, max_length=7)
    """1 is Monday (ISO 8601)."""


class PlaceRule(_Rule):
    """A read, or a refusal, from a network (IPv4 /24, IPv6 /48) where the reader was never seen.

    Only of a reader who was seen in at least `known` others.
    """

    kind: Literal["new-place"]
    known: int = Field(default=1, ge=1, le=1000)


LeakRule = Annotated[CountRule | HoursRule | PlaceRule, Field(discriminator="kind")]


class LeakRules(BaseModel):
    """What a tenant changes in the shipped rules: rules that it adds, and ids of those that it turns off."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    add: tuple[LeakRule, ...] = Field(default=(), max_length=50)
    disable: tuple[LeakRuleId, ...] = Field(default=(), max_length=50)
