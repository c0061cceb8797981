"""A tenant's leak rules as its administrator writes them: what cannot work is refused."""

from __future__ import annotations

from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from otokura.access.signals.shipped import PREFIX, shipped
from otokura.shared.leak_rules import CountRule, HoursRule, LeakRuleId, LeakRules, PlaceRule


def _own(rule: str) -> str:
    if rule.startswith(PREFIX):
        raise ValueError(f"ids that begin with {PREFIX} are those of shipped rules")
    return rule


def _shipped(rule: str) -> str:
    if rule not in {known.id for known in shipped()}:
        raise ValueError("there is no shipped rule of this id; docs/signals.md lists them")
    return rule


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("this is no time zone of the IANA database, such as Asia/Tokyo") from None
    return name


OwnId = Annotated[LeakRuleId, AfterValidator(_own)]


# Frozen, so that nothing of the base's type is ever assigned.
class CountRuleBody(CountRule):
    """So many within so many minutes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: OwnId


class HoursRuleBody(HoursRule):
    """A read outside working hours."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: OwnId
    time_zone: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_known_zone)]

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.opens == self.closes:
            raise ValueError("opens and closes are the same: no hour would be a working hour")
        return self


class PlaceRuleBody(PlaceRule):
    """A read from where the reader was never seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: OwnId


LeakRuleBody = Annotated[CountRuleBody | HoursRuleBody | PlaceRuleBody, Field(discriminator="kind")]


class LeakRulesBody(LeakRules):
    """What becomes of the shipped rules: more are added, some are turned off."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    add: tuple[LeakRuleBody, ...] = Field(default=(), max_length=50)  # pyright: ignore[reportIncompatibleVariableOverride]
    disable: tuple[Annotated[LeakRuleId, AfterValidator(_shipped)], ...] = Field(default=(), max_length=50)

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        ids = [rule.id for rule in self.add]
        if len(set(ids)) != len(ids):
            raise ValueError("two rules have the same id")
        return self
