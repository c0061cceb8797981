"""The rules that come with Otokura, and those that hold for a tenant."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict

from otokura.shared.leak_rules import LeakRule, LeakRules

PREFIX = "otokura."
"""Ids of shipped rules begin with this, those of tenants do not."""


class _RuleFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    rule: tuple[LeakRule, ...]


@lru_cache
def shipped() -> tuple[LeakRule, ...]:
    """The rules of `rules.toml`."""
    text = (files("otokura.access.signals") / "rules.toml").read_text(encoding="utf-8")
    return _RuleFile.model_validate(tomllib.loads(text)).rule


def rules_of(settings: dict[str, Any]) -> list[LeakRule]:
    """The rules that hold for a tenant of these settings."""
    changed = LeakRules.model_validate(settings.get("leak_rules") or {})
    kept = [rule for rule in shipped() if rule.id not in changed.disable]
    return [*kept, *changed.add]
