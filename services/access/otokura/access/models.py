"""The base of access's tables: a registry of its own, so that no other service's tables mix in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class Table(SQLModel, registry=registry()):
    """Every table of access derives from this; `Table.metadata` is what migrations are compared with."""


def moment(*, nullable: bool = False) -> datetime:
    """A column of `timestamp with time zone`; values are always aware.

    Returns:
        A field definition, typed as the value it holds.
    """
    column: datetime = Field(
        default=None if nullable else ..., sa_type=DateTime(timezone=True), nullable=nullable
    )
    return column
