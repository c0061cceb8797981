"""The event that says that a call is gone."""

from __future__ import annotations

from datetime import datetime

from otokura.shared.events.base import CallEvent, Topic


class CallErased(CallEvent):
    """The call's recording, transcript and keys are being destroyed, for good.

    Every feed that had something of the call gets this event, too: whoever took a copy deletes it.
    """

    TOPIC = Topic.ERASURES
    TYPE = "otokura.call.erased.v1"
    erased_at: datetime
