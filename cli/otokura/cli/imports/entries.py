"""From a sidecar's rows to calls: what each says, what the options add, and everything that is wrong.

The limits of the values are those of `POST /v1/calls`, so that what passes here is not refused there for its
form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, cast

from otokura.cli.calls.wav import channels_of
from otokura.cli.imports.files import FileNameError, Folder
from otokura.cli.imports.sidecar import RawRow
from otokura.shared.events import ChannelRole, Direction

COLUMNS = (
    *("file", "external_id", "direction", "caller", "callee", "agent_id", "channels", "notice", "notice_at"),
    *("notice_version", "purposes", "language", "started_at"),
)
_ROLES = {1: ("mixed",), 2: ("agent", "customer")}
_NOTICES = ("announced", "attested", "none")
_MOST_CHANNELS = 2
_LISTED = re.compile(r"[,;、\s]+")
_PURPOSE = re.compile(r"[a-z][a-z0-9-]{0,62}")
_LANGUAGE = re.compile(r"[a-z]{2}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SHORTENED = re.compile(r"\d(\.\d+)?E\+\d+", re.IGNORECASE)
_TIMES = ("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m-%d %H:%M")
"""As spreadsheets write them, beside ISO 8601."""


@dataclass(frozen=True)
class Defaults:
    """What holds for a row that does not say it itself."""

    direction: str = "inbound"
    agent_id: str | None = None
    channels: tuple[str, ...] | None = None
    notice: str = "none"
    notice_version: str | None = None
    purposes: tuple[str, ...] = ()
    language: str | None = None
    zone: tzinfo | None = None
    """Of times that do not name theirs."""


@dataclass(frozen=True)
class Entry:
    """A recording to import.

    Attributes:
        row: its place in the sidecar; 0 without one.
        file: its name in the folder.
        path: where it lies.
        size: its bytes, as found.
        body: of `POST /v1/calls`.
    """

    row: int
    file: str
    path: Path
    size: int
    body: dict[str, Any]

    @property
    def external_id(self) -> str:
        """The phone system's id of the call."""
        return str(self.body["external_id"])


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that is wrong."""

    row: int
    column: str
    message: str


@dataclass
class Entries:
    """What came of the rows."""

    good: list[Entry] = field(default_factory=list[Entry])
    faults: list[Fault] = field(default_factory=list[Fault])


def entries_of(
    rows: Iterable[RawRow], folder: Folder, defaults: Defaults, *, ignore_unknown: bool = False
) -> Entries:
    """Every row as a call, or what is wrong with it: all of it, not only the first."""
    result = Entries()
    seen: dict[tuple[str, str], int] = {}
    for row in rows:
        reading = _Reading(row, folder, defaults)
        entry = reading.entry(ignore_unknown=ignore_unknown)
        for column, value in (("file", entry.file), ("external_id", entry.external_id)) if entry else ():
            first = seen.setdefault((column, value), row.number)
            if first != row.number:
                reading.fault(column, f"is that of row {first}, too")
        result.faults += reading.faults
        if entry is not None and not reading.faults:
            result.good.append(entry)
    return result


class _Reading:
    """One row being read; what is wrong is noted, and reading goes on."""

    def __init__(self, row: RawRow, folder: Folder, defaults: Defaults) -> None:
        self._row = row
        self._folder = folder
        self._defaults = defaults
        self.faults: list[Fault] = []

    def fault(self, column: str, message: str) -> None:
        self.faults.append(Fault(self._row.number, column, message))

    def entry(self, *, ignore_unknown: bool) -> Entry | None:
        if not ignore_unknown:
            for column in self._row.values:
                if column not in COLUMNS:
                    self.fault(column, f"is no column; there are {', '.join(COLUMNS)}")
        file = self._file()
        body = {
            "external_id": self._text("external_id", 128) or (file or "")[-128:],
            "direction": self._one_of("direction", list(Direction), self._defaults.direction),
            "caller": self._number("caller"),
            "callee": self._number("callee"),
            "agent_id": self._text("agent_id", 128) or self._defaults.agent_id,
            "channels": [{"role": role} for role in self._channels(file)],
            "notice": self._notice(),
            "purposes": self._purposes(),
            "language": self._language(),
            "started_at": self._time("started_at"),
        }
        if file is None:
            return None
        path = self._folder.path / file
        return Entry(self._row.number, file, path, path.stat().st_size, body)

    def _file(self) -> str | None:
        name = self._text("file", 4096)
        if name is None:
            self.fault("file", "is missing: every row names a file")
            return None
        try:
            return self._folder.find(name)
        except FileNameError as error:
            self.fault("file", f"{name!r}: {error}")
            return None

    def _channels(self, file: str | None) -> list[str]:
        stated = self._list("channels") or list(self._defaults.channels or ())
        if any(role not in list(ChannelRole) for role in stated) or len(stated) > _MOST_CHANNELS:
            self.fault(
                "channels", f"names one or two of {', '.join(ChannelRole)}, in the order of the channels"
            )
            return []
        if file is None:
            return stated
        found = channels_of(self._folder.path / file)
        if not stated and found not in _ROLES:
            told = (
                "say who is on them"
                if found is None
                else f"the file has {found} channels; a call has two at most"
            )
            self.fault("channels", f"are missing: {told} (--channels agent,customer or mixed)")
            return []
        if stated and found not in (None, len(stated)):
            self.fault("channels", f"names {len(stated)}, and the file has {found}")
        return stated or list(_ROLES[cast("int", found)])

    def _notice(self) -> dict[str, Any]:
        given = self._one_of("notice", list(_NOTICES), self._defaults.notice)
        version = self._text("notice_version", 64) or self._defaults.notice_version
        at = self._time("notice_at")
        if given == "none":
            if at is not None:
                self.fault("notice_at", "is the time of a notice, and notice is none")
            return {"given": "none"}
        return {"given": given, "at": at, "version": version}

    def _purposes(self) -> list[str]:
        purposes = self._list("purposes") or list(self._defaults.purposes)
        if not purposes:
            self.fault(
                "purposes",
                "are missing: nobody may listen to a call that was recorded for nothing (--purpose)",
            )
        for purpose in purposes:
            if not _PURPOSE.fullmatch(purpose):
                self.fault("purposes", f"{purpose!r} is no name of a purpose")
        return purposes

    def _language(self) -> str | None:
        language = self._text("language", 16)
        if language is not None and not _LANGUAGE.fullmatch(language):
            self.fault("language", "is two small letters, such as ja")
        return language or self._defaults.language

    def _time(self, column: str) -> str | None:
        text = self._text(column, 64)
        if text is None:
            return None
        moment = _parsed(text)
        if moment is None:
            self.fault(column, "is no time such as 2026-11-24T09:05:00+09:00 or 2026/11/24 9:05")
            return None
        if moment.tzinfo is None:
            if self._defaults.zone is None:
                self.fault(column, "names no time zone: add it, or give --time-zone Asia/Tokyo")
                return None
            moment = moment.replace(tzinfo=self._defaults.zone)
        if moment > datetime.now(UTC):
            self.fault(column, "lies in the future")
        return moment.isoformat()

    def _number(self, column: str) -> str | None:
        text = self._text(column, 64)
        if text is not None and _SHORTENED.fullmatch(text):
            self.fault(column, "was shortened by a spreadsheet: format the column as text")
        return text

    def _one_of(self, column: str, known: list[str], default: str) -> str:
        text = self._text(column, 64)
        value = default if text is None else text.lower()
        if value not in known:
            self.fault(column, f"is one of {', '.join(known)}")
        return value

    def _text(self, column: str, most: int) -> str | None:
        value = self._row.values.get(column)
        if value is None:
            return None
        if not isinstance(value, str | int) or isinstance(value, bool):
            self.fault(column, "is text")
            return None
        text = str(value).strip()
        if len(text) > most or _CONTROL.search(text):
            self.fault(column, f"has at most {most} characters, none of them a control character")
            return None
        return text or None

    def _list(self, column: str) -> list[str]:
        value = self._row.values.get(column)
        if isinstance(value, list):
            return [str(one) for one in cast("list[object]", value)]
        text = self._text(column, 1024)
        return [part for part in _LISTED.split(text) if part] if text else []


def _parsed(text: str) -> datetime | None:
    attempts: list[Callable[[], datetime]] = [
        lambda: datetime.fromisoformat(text),
        *(lambda form=form: datetime.strptime(text, form) for form in _TIMES),  # noqa: DTZ007 - the caller sees to it
    ]
    for attempt in attempts:
        try:
            return attempt()
        except ValueError:
            continue
    return None
