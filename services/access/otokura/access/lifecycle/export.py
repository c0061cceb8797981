"""What a person is given of their own calls: each call through the gate, into an archive made as it is sent.

For each call `read.opened` is acknowledged before anything of it is opened, and closed when its last byte is
on its way; `disclosure.opened` stands before all of them and names them. Nothing is kept: memory holds one
piece of one file.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import UUID

from otokura.access.errors import NotReady
from otokura.access.identity.subject import Reader
from otokura.access.lifecycle.archive import Archive
from otokura.access.lifecycle.person_index import Shown, index_html
from otokura.access.lifecycle.renditions import add_rendition
from otokura.access.permission import entry
from otokura.access.reads import gate
from otokura.access.reads.closing import Outcome
from otokura.access.reads.content import RawRecording, Rendition
from otokura.access.reads.counting import count_served
from otokura.access.reads.delivery import Revoked, failed
from otokura.access.reads.redacted_audio import RedactedRecording
from otokura.access.reads.rendering import TranscriptFormat, text
from otokura.access.reads.stored import announced_transcript, searched, stored_transcript
from otokura.access.reads.views import Cover, View
from otokura.access.state import AccessState
from otokura.shared.address import ResolvedAddress
from otokura.shared.audit_entries import Action
from otokura.shared.errors import Forbidden, NotFound, Unauthenticated
from otokura.shared.events import TenantSettings, TranscriptCompleted
from otokura.shared.ids import uuid7
from otokura.shared.policy.facts import PolicyAction
from otokura.shared.redacted import redacted
from otokura.shared.tokens import Principal


@dataclass(frozen=True, slots=True)
class Asked:
    """Who gives what to the person concerned, and why."""

    token: Principal
    place: ResolvedAddress
    reason: str
    view: View

    @property
    def action(self) -> PolicyAction:
        """What that takes, of each call."""
        return PolicyAction.EXPORT if self.view is View.REDACTED else PolicyAction.EXPORT_RAW


class Export:
    """One archive.

    Args:
        state: the service's.
        asked: by whom, and why.
        settings: of the tenant: what the index says of it.
        call_ids: which calls, in their order.
    """

    def __init__(
        self, state: AccessState, asked: Asked, settings: TenantSettings, call_ids: Sequence[UUID]
    ) -> None:
        self._state = state
        self._asked = asked
        self._settings = settings
        self._call_ids = call_ids
        self._made_at = datetime.now(UTC)
        self._archive = Archive(self._made_at.timetuple()[:6])
        self._shown: list[Shown] = []
        self.id = uuid7()
        self.sent = 0

    async def open(self, reader: Reader) -> UUID:
        """Asks for every call whether it may be given, and writes down that all of them are.

        Raises:
            Forbidden, NotFound: one of them may not be.
            Unavailable: the entry was not acknowledged. Nothing is given then.
        """
        for call_id in self._call_ids:
            await gate.permit(self._state, self._request(call_id))
        detail = {
            "kind": "export",
            "export_id": self.id,
            "view": self._asked.view.value,
            "reason": self._asked.reason,
            "calls": list(self._call_ids),
        }
        return await self._state.audit.write(entry(Action.DISCLOSURE_OPENED, reader, detail))

    def close(self, reader: Reader, opened: UUID, outcome: Outcome) -> None:
        """Writes how it ended, beside the request."""
        detail = {"kind": "export", "export_id": self.id, "opened": opened, "bytes_sent": self.sent}
        draft = entry(Action.DISCLOSURE_CLOSED, reader, {**detail, "outcome": outcome.value})
        self._state.closings.add(draft)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The archive's bytes.

        Raises:
            Unavailable, IntegrityError, Revoked: it breaks off, and no archive opens that was broken off.
        """
        for number, call_id in enumerate(self._call_ids, 1):
            async with aclosing(self._call(number, call_id)) as chunks:
                async for chunk in chunks:
                    self.sent += len(chunk)
                    yield chunk
        last = self._finish()
        self.sent += len(last)
        yield last

    def _request(self, call_id: UUID) -> gate.Request:
        asked = self._asked
        return gate.Request(asked.token, asked.place, call_id, asked.action, None, asked.reason, self.id)

    async def _call(self, number: int, call_id: UUID) -> AsyncGenerator[bytes]:
        """One call's files; what there is not is said in the index."""
        try:
            permit = await gate.permit(self._state, self._request(call_id))
        except NotFound:
            return  # erased since the archive was begun
        except (Forbidden, Unauthenticated) as error:
            raise Revoked("The permission for this archive has ended.") from error
        row = permit.row
        shown = Shown(number, row["started_at"], row["direction"], None, row["purposes"])
        self._shown.append(shown)
        if row["manifest"] is None:
            shown.missing += ["no-recording", "no-transcript"]
            return
        if row["wrapped"] is None:
            shown.missing.append("not-ready" if row["customer_key"] is None else "held-by-customer")
            return
        manifest = gate.require_manifest(permit)
        shown.duration_ms = manifest.duration_ms
        announced = await self._announced(permit, shown)
        about = {"kind": "export", "view": self._asked.view.value, "export_id": self.id}
        opened = await gate.open_read(self._state, permit, manifest, about)
        count_served(opened)
        sent = 0
        try:
            async with aclosing(self._files(opened, shown, announced)) as chunks:
                async for chunk in chunks:
                    sent += len(chunk)
                    yield chunk
        except BaseException as error:
            opened.close(failed(error, opened), sent)
            raise
        opened.close(Outcome.COMPLETE, sent)

    async def _announced(self, permit: gate.Permit, shown: Shown) -> TranscriptCompleted | None:
        try:
            return await announced_transcript(self._state, permit)
        except NotReady:
            shown.missing.append("no-transcript")
            return None

    async def _files(
        self, opened: gate.OpenedRead, shown: Shown, announced: TranscriptCompleted | None
    ) -> AsyncGenerator[bytes]:
        folder = f"calls/{shown.number:03d}"
        without = self._asked.view is View.REDACTED
        if announced is not None:
            transcript = await stored_transcript(opened.state.store, await opened.unwrap(), announced)
            if without and transcript.redactions is None:
                shown.missing.append("not-searched")
                return
            transcript = redacted(searched(transcript)) if without else transcript
            self._add(shown, f"{folder}/transcript.txt", text(transcript).encode())
            self._add(shown, f"{folder}/transcript.json", transcript.model_dump_json().encode())
            yield self._archive.take()
        if opened.permit.row["recording_erased_at"] is not None:
            shown.missing.append("recording-erased")
            return
        rendition = self._rendition(opened, announced)
        if rendition is None:
            shown.missing.append("not-searched")
            return
        suffix = "wav" if without else rendition.media_type.rpartition("/")[2]
        async for chunk in self._audio(opened, shown, f"{folder}/audio.{suffix}", rendition):
            yield chunk

    def _rendition(self, opened: gate.OpenedRead, announced: TranscriptCompleted | None) -> Rendition | None:
        """What is heard; without a transcript nobody knows what would have to be covered."""
        if self._asked.view is View.RAW:
            return RawRecording(opened.manifest)
        if announced is None:
            return None
        patience = opened.state.settings.stalled_seconds
        return RedactedRecording(opened.manifest, announced, Cover.SILENCE, patience)

    async def _audio(
        self, opened: gate.OpenedRead, shown: Shown, name: str, rendition: Rendition
    ) -> AsyncGenerator[bytes]:
        added = add_rendition(self._archive, name, rendition, opened, shown.missing.append)
        async with aclosing(added) as chunks:
            async for chunk in chunks:
                yield chunk
        if "undecodable" not in shown.missing:
            shown.files.append(name)

    def _add(self, shown: Shown, name: str, content: bytes) -> None:
        self._archive.add(name, content)
        shown.files.append(name)

    def _finish(self) -> bytes:
        """The index and the manifest: they say what the rest of the archive was."""
        page = index_html(
            self._shown, self._settings, self._made_at, redacted=self._asked.view is View.REDACTED
        )
        self._archive.add("index.html", page.encode())
        manifest = {
            "export_id": str(self.id),
            "made_at": self._made_at.isoformat(),
            "view": self._asked.view.value,
            "transcript_formats": [TranscriptFormat.TEXT.value, TranscriptFormat.JSON.value],
            "files": [asdict(member) for member in self._archive.members],
        }
        self._archive.add("manifest.json", json.dumps(manifest, ensure_ascii=False, indent=1).encode())
        return self._archive.finish()
