"""Counts reads where their bytes leave, apart from their entries; audit compares (decision 0041)."""

from __future__ import annotations

from otokura.access.reads.closing import Outcome
from otokura.access.reads.gate import Opened


def count_served(opened: Opened) -> None:
    """Before the first byte of a read leaves."""
    opened.state.audit.reads.serve(opened.permit.row["tenant_id"])


def give_up(opened: Opened, outcome: Outcome) -> None:
    """Closes a read of which nothing has left, and counts that."""
    opened.state.audit.reads.drop(opened.permit.row["tenant_id"])
    opened.close(outcome, 0)
