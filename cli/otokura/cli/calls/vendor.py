"""What a phone system does with ingest: start a call, send its audio, end it, ask how it stands."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from otokura.cli.api.auth import ApiKey
from otokura.cli.api.http import Api
from otokura.cli.calls.live import Where, stream_live
from otokura.cli.calls.wav import Wav

_PIECE = 1 << 18
SETTLED = ("sealed", "failed", "empty")


@dataclass(frozen=True)
class NewCall:
    """A call to make; `roles` has one for each channel."""

    external_id: str
    roles: tuple[str, ...]
    direction: str = "inbound"
    agent_id: str | None = None
    caller: str | None = None
    callee: str | None = None
    purposes: tuple[str, ...] = field(default=("quality",))
    language: str | None = None

    def body(self) -> dict[str, Any]:
        """The request's body; the notice is said to be given now."""
        return {
            "external_id": self.external_id,
            "direction": self.direction,
            "caller": self.caller,
            "callee": self.callee,
            "agent_id": self.agent_id,
            "channels": [{"role": role} for role in self.roles],
            "notice": {"given": "announced", "at": datetime.now(UTC).isoformat()},
            "purposes": list(self.purposes),
            "language": self.language,
        }


class Vendor:
    """Ingest, as a phone system sees it; `progress` arguments get how much went through.

    Args:
        url: the address of ingest.
        api_key: the vendor's key.
    """

    def __init__(self, url: str, api_key: str) -> None:
        self._key = api_key
        self._api = Api(url, auth=ApiKey(api_key))

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def start(self, call: NewCall) -> str:
        """Start a call; its id. Sent again with the same key it would still be one call."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return str(self._api.json("POST", "/v1/calls", json=call.body(), headers=headers)["id"])

    def upload(self, call_id: str, path: Path, progress: Callable[[int], None]) -> dict[str, Any]:
        """Send a whole file; the call is sealed after it."""
        headers = {"Content-Length": str(path.stat().st_size), "Content-Type": "application/octet-stream"}
        return self._api.json(
            "PUT", f"/v1/calls/{call_id}/audio", content=_pieces(path, progress), headers=headers
        )

    def stream(self, call_id: str, wav: Wav, *, speed: float, progress: Callable[[int], None]) -> int:
        """Stream a file live and end the call; how many connections it took."""
        url = self._api.url.replace("http", "ws", 1)
        where = Where(f"{url}/v1/calls/{call_id}/stream", {"X-API-Key": self._key})
        connections = stream_live(where, wav, speed=speed, progress=progress)
        self.end(call_id)
        return connections

    def end(self, call_id: str) -> None:
        """Nothing more comes."""
        self._api.request("POST", f"/v1/calls/{call_id}/end")

    def find(self, external_id: str) -> list[dict[str, Any]]:
        """The calls that the phone system knows by this id, the newest first."""
        found = self._api.json("GET", "/v1/calls", params={"external_id": external_id})
        items: list[dict[str, Any]] = found["items"]
        return items

    def audiosocket(self, call_id: str, channel: int = 0) -> dict[str, Any]:
        """A UUID for a channel of the call, and the address to which to stream it."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        where = f"/v1/calls/{call_id}/audiosocket"
        return self._api.json("POST", where, json={"channel": channel}, headers=headers)

    def call(self, call_id: str) -> dict[str, Any]:
        """The call as it stands."""
        return self._api.json("GET", f"/v1/calls/{call_id}")


def _pieces(path: Path, progress: Callable[[int], None]) -> Iterator[bytes]:
    with path.open("rb") as file:
        sent = 0
        while piece := file.read(_PIECE):
            yield piece
            sent += len(piece)
            progress(sent)
