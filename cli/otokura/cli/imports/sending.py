"""One recording, from wherever it had got to the end: started, uploaded, sealed, compared."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from otokura.cli.api.http import Api, ApiError
from otokura.cli.imports.entries import Entry
from otokura.cli.imports.journal import Journal, Progress
from otokura.cli.imports.patience import Patience, StoppedError
from otokura.cli.imports.tus import Tus

LOOK_SECONDS = 1.0
_KEY_SECONDS = 23 * 3600.0
"""Ingest remembers an idempotency key for a day."""
_LOST = frozenset({int(HTTPStatus.NOT_FOUND), int(HTTPStatus.GONE)})
_RUNNING = frozenset({int(HTTPStatus.CONFLICT)})


@dataclass(frozen=True)
class Outcome:
    """What became of a recording: `sealed`, `skipped` (it was there before) or `failed`."""

    entry: Entry
    state: str
    call_id: str | None = None
    reason: str | None = None


class Sender:
    """Sends recordings, several at once if asked from several threads.

    Args:
        api: ingest, with the vendor's key.
        journal: where each step is noted.
        stop: set from outside to stop soon.
        duplicates: whether to send what ingest has already under the same external id.
    """

    def __init__(
        self, api: Api, journal: Journal, stop: threading.Event, *, duplicates: bool = False
    ) -> None:
        self._api = api
        self._tus = Tus(api)
        self._journal = journal
        self._stop = stop
        self._duplicates = duplicates

    def send(self, entry: Entry, progress: Callable[[int], None]) -> Outcome:
        """Do all that is left to do; what fails is told in the outcome.

        Args:
            entry: the recording.
            progress: gets how many of its bytes have been sent.

        Raises:
            StoppedError: somebody asked to stop.
        """
        known = self._journal.of(entry)
        if known.outcome == "sealed":
            return Outcome(entry, "skipped", known.call_id, "was imported before")
        try:
            if known.refused and known.body_sha256 == _sha256_of(entry.body) and _is_same(entry.path, known):
                return Outcome(entry, "failed", known.call_id, known.reason)
            return self._send(entry, known, progress)
        except (ApiError, httpx.TransportError, OSError) as error:
            return self._end(entry, "failed", str(error) or type(error).__name__)

    def _send(self, entry: Entry, known: Progress, progress: Callable[[int], None]) -> Outcome:
        call = self._call_of(known)
        if call is not None and call["state"] == "live" and known.body_sha256 != _sha256_of(entry.body):
            self._give_up(call["id"])  # what is told of the call is not what it was started with
            call = None
        if call is None and known.attempt == 0 and not self._duplicates:
            there = self._there(entry)
            if there is not None:
                return Outcome(entry, "skipped", there, "ingest has a recording of this external_id")
        if call is None:
            known, call = self._start(entry, known)
        if call["state"] == "live":
            try:
                self._upload(entry, known, progress)
            except ApiError as error:
                # What was refused before it was looked at leaves the call live; otherwise the call says why.
                if self._get(call["id"])["state"] == "live":
                    if error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                        self._give_up(call["id"])
                    raise
        return self._conclude(entry, self._settled(call["id"]))

    def _call_of(self, known: Progress) -> dict[str, Any] | None:
        """The call of an earlier run, if it has become something or still can."""
        if known.call_id is None:
            return None
        try:
            call = self._get(known.call_id)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        if call["state"] == "sealing":
            call = self._settled(known.call_id)  # it may become empty
        return call if call["state"] in ("live", "sealed") else None

    def _give_up(self, call_id: str) -> None:
        """End a call that gets no file, so that it need not be waited for."""
        self._again(lambda: self._api.json("POST", f"/v1/calls/{call_id}/end"))

    def _there(self, entry: Entry) -> str | None:
        """A recording that ingest has of the phone system's id, however it came there."""
        found = self._again(
            lambda: self._api.json("GET", "/v1/calls", params={"external_id": entry.external_id})
        )
        return next((call["id"] for call in found["items"] if self._becomes_sealed(call)), None)

    def _becomes_sealed(self, call: dict[str, Any]) -> bool:
        """Whether a call has a recording, once it is decided: one that ended without a file will be empty."""
        if call["state"] == "sealing":
            call = self._settled(call["id"])
        return bool(call["state"] == "sealed")

    def _start(self, entry: Entry, known: Progress) -> tuple[Progress, dict[str, Any]]:
        """Start a call; the same one, if an earlier run asked for it and did not hear the answer."""
        body_sha256 = _sha256_of(entry.body)
        unheard = known.call_id is None and known.body_sha256 == body_sha256
        if not unheard or time.time() - (known.started or 0.0) > _KEY_SECONDS:
            fresh = Progress(entry.file, entry.external_id, known.attempt + 1, body_sha256, time.time())
            known = self._journal.note(fresh)
        key = _sha256_of([entry.file, entry.external_id, body_sha256, known.attempt])
        call = self._again(
            lambda: self._api.json("POST", "/v1/calls", json=entry.body, headers={"Idempotency-Key": key}),
            also=_RUNNING,
        )
        return self._journal.note(known, call_id=call["id"], outcome=None, reason=None), call

    def _upload(self, entry: Entry, known: Progress, progress: Callable[[int], None]) -> None:
        """Send the file, or the rest of it, however often the way breaks off."""
        patience, furthest = Patience(self._stop), -1

        def told(sent: int) -> None:
            patience.check()
            progress(sent)

        while True:
            patience.check()
            try:
                known, offset = self._announced(entry, known)
                if offset > furthest:
                    patience.progressed()
                    furthest = offset
                told(offset)
                if offset < (known.size or 0):
                    self._tus.send(known.upload or "", entry.path, offset, told)
            except ApiError as error:
                if error.status in _LOST and known.upload is not None:
                    known, furthest = self._journal.note(known, upload=None), -1
                patience.bear(error, also=_LOST)
            except httpx.TransportError as error:
                patience.bear(error)
            else:
                return

    def _announced(self, entry: Entry, known: Progress) -> tuple[Progress, int]:
        """The upload under way, or a new one where there is none or the file is another now; its offset."""
        if known.upload is not None and known.call_id is not None and _is_same(entry.path, known):
            return known, self._tus.offset(known.upload)
        stat = entry.path.stat()
        upload = self._tus.create(known.call_id or "", entry.file, stat.st_size)
        return self._journal.note(known, upload=upload, size=stat.st_size, changed=stat.st_mtime_ns), 0

    def _settled(self, call_id: str) -> dict[str, Any]:
        """The call, once it has its final state."""
        while True:
            call = self._get(call_id)
            if call["state"] in ("sealed", "failed", "empty"):
                return call
            if self._stop.wait(LOOK_SECONDS):
                raise StoppedError

    def _conclude(self, entry: Entry, call: dict[str, Any]) -> Outcome:
        if call["state"] == "failed":
            return self._end(entry, "failed", str(call["failure"]), refused=True)
        if call["state"] == "empty":
            return self._end(entry, "failed", "the call was ended before its file came")
        with entry.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != call["recording"]["plaintext_sha256"]:
            return self._end(entry, "failed", "the file is not the one that was sealed: it has changed since")
        return self._end(entry, "sealed", None)

    def _end(self, entry: Entry, state: str, reason: str | None, *, refused: bool = False) -> Outcome:
        known = self._journal.note(
            self._journal.of(entry), outcome=state, reason=reason, refused=refused, upload=None
        )
        return Outcome(entry, state, known.call_id, reason)

    def _get(self, call_id: str) -> dict[str, Any]:
        return self._again(lambda: self._api.json("GET", f"/v1/calls/{call_id}"))

    def _again(
        self, ask: Callable[[], dict[str, Any]], *, also: frozenset[int] = frozenset()
    ) -> dict[str, Any]:
        patience = Patience(self._stop)
        while True:
            patience.check()
            try:
                return ask()
            except (ApiError, httpx.TransportError) as error:
                patience.bear(error, also=also)


def _is_same(path: Path, known: Progress) -> bool:
    """Whether the file is the one that an upload began with."""
    stat = path.stat()
    return (stat.st_size, stat.st_mtime_ns) == (known.size, known.changed)


def _sha256_of(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
