"""What the demonstration does with Otokura, step by step; showing it is `otokura.cli.demo.show`'s part."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from rich.progress import Progress

from otokura.cli.api.http import Api, ApiError
from otokura.cli.calls.command import Job, send_one
from otokura.cli.calls.vendor import SETTLED, Vendor
from otokura.cli.evidence import fetch
from otokura.cli.target import Target
from otokura.cli.verify.evidence import Evidence, verify_evidence
from otokura.cli.verify.findings import Finding, Report, VerificationError
from otokura.cli.verify.log import verify_log

PURPOSE = "quality"
EVIDENCE_REASON = "デモ: 裁判所に提出 / demonstration: to be handed to a court"
OUTSIDE = "127.0.0.2"
"""A local address that is not in the office's zone."""

_POLL_SECONDS = 1.0
_ENTRIES_SECONDS = 60.0
_SETTLE_SECONDS = 900.0


class DemoError(RuntimeError):
    """The demonstration did not go as it should; the text says at which step."""


@dataclass(frozen=True)
class MadeCall:
    """A call of the demonstration."""

    id: str
    name: str
    path: Path


@dataclass(frozen=True)
class Read:
    """Somebody asked for something of a call: what came of it."""

    who: str
    where: str
    what: str
    call: MadeCall
    allowed: bool
    answer: str
    """How much was read, or why nothing was."""
    entry_id: str | None
    content: bytes = b""


class Scenario:
    """The steps, on a running Otokura.

    Args:
        target: where.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._access = target.stack.urls["access"]
        self._credentials = target.credentials
        key = self._credentials.principals["vendor"].api_key
        self._vendor = Vendor(target.stack.urls["ingest"], str(key))
        self._supervisor = self._credentials.api("supervisor", self._access)

    def close(self) -> None:
        """Close the connections."""
        self._vendor.close()
        self._supervisor.close()

    def make_call(self, job: Job, bars: Progress) -> MadeCall:
        """Send a call as the vendor, drawing how far it is."""
        return MadeCall(send_one(self._vendor, job, bars), job.path.stem, job.path)

    def wait_for_transcript(self, call: MadeCall, tell: Callable[[str], None]) -> dict[str, Any]:
        """Wait until the call can be read as text; the call as a reader sees it.

        Raises:
            DemoError: it was not sealed, could not be transcribed, or took too long.
        """
        deadline = time.monotonic() + _SETTLE_SECONDS
        while (state := str(self._vendor.call(call.id)["state"])) not in SETTLED:
            _wait(deadline, f"{call.name} was not sealed")
            tell(state)
        if state != "sealed":
            raise DemoError(f"{call.name} was {state} in the place of sealed")
        tell("transcribing")
        while not (view := self._view(call)).get("transcript"):
            _wait(deadline, f"{call.name} was not transcribed")
        if failure := view["transcript"].get("failure"):
            raise DemoError(f"{call.name} was not transcribed: {failure}")
        tell("transcribed")
        return view

    def read_all(self, call: MadeCall) -> list[Read]:
        """Audio and transcript, as the supervisor in the office."""
        audio = read(self._supervisor, "supervisor", "office", "audio", call)
        expected = self._vendor.call(call.id)["recording"]["plaintext_sha256"]
        if audio.allowed and hashlib.sha256(audio.content).hexdigest() != expected:
            raise DemoError(f"the audio of {call.name} is not what was sealed")
        return [audio, read(self._supervisor, "supervisor", "office", "transcript", call)]

    def try_forbidden(self, call: MadeCall) -> list[Read]:
        """The same read from outside the office, and by those whose role does not permit it."""
        reads: list[Read] = []
        for who, where in (("supervisor", OUTSIDE), ("admin", None), ("auditor", None)):
            with self._credentials.api(who, self._access, source=where) as api:
                reads.append(read(api, who, where or "office", "audio", call))
        return reads

    def entries(self, calls: list[MadeCall], reads: list[Read]) -> list[dict[str, Any]]:
        """What the log says about reading these calls, oldest first; waits until all of it is there.

        Raises:
            DemoError: an entry does not come.
        """
        opened = {read.entry_id for read in reads if read.allowed}
        denied = sum(not read.allowed for read in reads)
        deadline = time.monotonic() + _ENTRIES_SECONDS
        with self._credentials.api("auditor", self._access, self._target.stack.urls["audit"]) as api:
            while True:
                found = [entry for call in calls for entry in _entries_of(api, call)]
                ids = {entry["entry_id"] for entry in found}
                if opened <= ids and sum(e["action"] == "read.denied" for e in found) >= denied:
                    return sorted(found, key=lambda entry: str(entry["time"]))
                _wait(deadline, "an entry did not reach the log")

    def verify(self, entry_id: str) -> Report:
        """Verify the whole log, and that the entry is in it, with public keys alone."""
        with self._credentials.api("auditor", self._access, self._target.stack.urls["audit"]) as api:
            receipt = api.json("GET", f"/v1/receipts/{entry_id}")
        keys = self._target.source_keys
        return verify_log(self._target.log_url, self._target.log_vkey, receipts=[receipt], source_keys=keys)

    def make_evidence(self, call: MadeCall) -> Path:
        """The call as a signed bundle in the data folder, made by the evidence officer."""
        folder = self._target.layout.folder / "evidence"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{call.name}-{call.id}.zip"
        with self._credentials.api("evidence-officer", self._access) as api:
            fetch(api, call.id, EVIDENCE_REASON, path)
        return path

    def verify_evidence(self, path: Path) -> Evidence:
        """Verify a bundle with public keys alone.

        Raises:
            VerificationError: it is not what was made.
        """
        return verify_evidence(path, [self._target.log_vkey], self._target.source_keys)

    def refuse_changed(self, path: Path) -> Finding | None:
        """What the verifier finds in a copy of which one bit, in the middle, is another; None if nothing."""
        with TemporaryDirectory() as folder:
            changed = Path(folder) / path.name
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            changed.write_bytes(data)
            try:
                self.verify_evidence(changed)
            except VerificationError as error:
                return error.finding
        return None

    def _view(self, call: MadeCall) -> dict[str, Any]:
        """The call in access, which learns of it by events; nothing is known of it at first."""
        try:
            return self._supervisor.json("GET", f"/v1/calls/{call.id}")
        except ApiError as error:
            if error.status != httpx.codes.NOT_FOUND.value:
                raise
            return {}


def read(api: Api, who: str, where: str, what: str, call: MadeCall) -> Read:
    """Ask for `audio` or `transcript`."""
    try:
        response = api.request("GET", f"/v1/calls/{call.id}/{what}", params={"purpose": PURPOSE})
    except ApiError as error:
        return Read(who, where, what, call, allowed=False, answer=str(error), entry_id=None)
    answer = f"{response.headers['Content-Type']}, {len(response.content):,} bytes"
    entry_id = response.headers["Otokura-Entry-Id"]
    return Read(who, where, what, call, True, answer, entry_id, response.content)


def _entries_of(api: Api, call: MadeCall) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = api.json("GET", "/v1/entries", params={"call_id": call.id, "limit": 100, **more})
        found += [entry for entry in page["items"] if str(entry["action"]).startswith("read.")]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def _wait(deadline: float, otherwise: str) -> None:
    if time.monotonic() > deadline:
        raise DemoError(otherwise)
    time.sleep(_POLL_SECONDS)
