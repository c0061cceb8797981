"""The peer of `read.py`: access itself, and the same route, with the gate and the log taken out.

Who asks, and whether they may, is found once and remembered; no entry is written. Everything else happens
at each request: the parameters are read, the key is unwrapped, the range fetched, opened and sent. What the
gated route takes longer is what being allowed, and being written down, costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from unittest.mock import patch
from uuid import UUID

from starlette.requests import HTTPConnection

from otokura.access.app import create_app
from otokura.access.reads import gate
from otokura.access.reads.closing import Outcome
from otokura.access.settings import Settings
from otokura.access.state import AccessState
from otokura.shared.authentication import Authenticator
from otokura.shared.http import run
from otokura.shared.tokens import Principal

_find, _judge = Authenticator.authenticate, gate.permit
_principals: dict[str, Principal] = {}
_permits: dict[UUID, gate.Permit] = {}


async def authenticate(authenticator: Authenticator, connection: HTTPConnection) -> Principal:
    """Whose token it is, as it was the first time."""
    header = connection.headers["authorization"]
    if header not in _principals:
        _principals[header] = await _find(authenticator, connection)
    return _principals[header]


async def permit(state: AccessState, request: gate.Request) -> gate.Permit:
    """What was permitted the first time."""
    if request.call_id not in _permits:
        _permits[request.call_id] = await _judge(state, request)
    return replace(_permits[request.call_id], request=request)


async def write_nothing(_opened: gate.Opened, _about: Mapping[str, Any]) -> None:
    """In the place of `read.opened`."""


def close(_opened: gate.Opened, _outcome: Outcome, _sent: int) -> None:
    """In the place of `read.closed`."""


if __name__ == "__main__":
    with (
        patch.object(Authenticator, "authenticate", authenticate),
        patch.multiple(gate, permit=permit, _write_down=write_nothing),
        patch.object(gate.Opened, "close", close),
    ):
        run(create_app, Settings.load())
