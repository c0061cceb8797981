"""The history of a run with faults, and what has to be true of it.

Pure: a history holds what the clients wrote down while things died, and what the system shows once it is
calm. `violations` compares the two. Clients are believed, the system is not.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

SETTLED = "otokura.call.settled.v1"
SEALED = "otokura.recording.sealed.v1"
TRANSCRIBED = "otokura.transcript.completed.v1"
STARTED = "otokura.call.started.v1"
ONCE = {SETTLED: "settled", SEALED: "sealed", TRANSCRIBED: "transcribed"}
"""Events that each call has exactly once; a repeat has the same event id."""

ONCE_LOGGED = ("recording.sealed", "recording.transcribed")
"""Entries that each call has exactly once."""


@dataclass(frozen=True)
class Journal:
    """What a phone system knows of one call.

    Attributes:
        call_id: the call.
        pcm: what it recorded: interleaved s16le.
        frame_bytes: bytes of one sample of every channel in `pcm`.
        told: samples of each channel that were accepted, in the order in which it was told.
    """

    call_id: str
    pcm: bytes
    frame_bytes: int
    told: tuple[int, ...]


@dataclass(frozen=True)
class Read:
    """A 2xx answer with content, as far as it came.

    Attributes:
        part: `audio` or `transcript`.
        start: the first byte of the part that it was to hold.
        length: bytes received.
        sha256: of the bytes received.
        complete: whether all bytes came.
    """

    entry_id: str
    call_id: str
    part: str
    start: int
    length: int
    sha256: str
    complete: bool


@dataclass(frozen=True)
class Event:
    """An event on a topic; one that was sent twice is there twice."""

    event_id: str
    type: str
    call_id: str
    outcome: str = ""


@dataclass(frozen=True)
class Entry:
    """An audit entry, on the topic or in the log; `span` is the bytes that a `read.opened` is about."""

    entry_id: str
    source: str
    seq: int
    action: str
    call_id: str | None = None
    span: tuple[int, int] | None = None


@dataclass(frozen=True)
class Content:
    """What a call's content is in the end: the recording's file, its samples (s16le), the transcript."""

    audio: bytes
    pcm: bytes
    transcript: bytes


@dataclass
class History:
    """Everything that is known of a run.

    Attributes:
        journals: by the phone systems, of every call that they started.
        reads: by the readers.
        answers: how often each HTTP status came, for all clients.
        content: by call, read when all was calm.
        events: on all topics but the audit log's.
        announced: entries on the audit topic.
        log: entries in the log.
        living: the sources of the processes that run at the end.
        alerts: kind and source of each alert of the log.
        findings: what the independent verifier found wrong.
        holes: by source, the numbers that the verifier misses: first and last of each run.
        crashed: parts that ended although nobody killed them.
        dead_letters: what was given up.
    """

    journals: list[Journal] = field(default_factory=list[Journal])
    reads: list[Read] = field(default_factory=list[Read])
    answers: Counter[int] = field(default_factory=Counter[int])
    content: dict[str, Content] = field(default_factory=dict[str, Content])
    events: list[Event] = field(default_factory=list[Event])
    announced: list[Entry] = field(default_factory=list[Entry])
    log: list[Entry] = field(default_factory=list[Entry])
    living: set[str] = field(default_factory=set[str])
    alerts: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    findings: list[str] = field(default_factory=list[str])
    holes: dict[str, list[tuple[int, int]]] = field(default_factory=dict[str, list[tuple[int, int]]])
    crashed: list[str] = field(default_factory=list[str])
    dead_letters: list[str] = field(default_factory=list[str])


def violations(history: History) -> list[str]:
    """Everything in the history that may not be; each begins with the kind of wrong."""
    checks = (_audio, _once, _reads, _bytes, _entries, _alerts, _processes)
    return [violation for check in checks for violation in check(history)]


def _audio(history: History) -> Iterator[str]:
    return audio_violations(history.journals, history.content)


def audio_violations(journals: Iterable[Journal], contents: Mapping[str, Content]) -> Iterator[str]:
    """Every accepted sample is in the sealed recording, unchanged and in its place, and nothing else is."""
    for journal in journals:
        told, call, frame = journal.told, journal.call_id, journal.frame_bytes
        if list(told) != sorted(told):
            yield f"withdrawn: call {call} was told {told}"
        if max(told, default=0) * frame != len(journal.pcm):
            yield f"unfinished: call {call} recorded {len(journal.pcm) // frame} samples, was told {told}"
        content = contents.get(call)
        if content is None:
            yield f"no recording: call {call}"
        elif content.pcm != journal.pcm:
            at = _first_difference(content.pcm, journal.pcm) // frame
            samples = len(content.pcm) // frame
            yield f"audio: call {call} differs from sample {at} on ({samples} of {len(journal.pcm) // frame})"


def _first_difference(one: bytes, other: bytes) -> int:
    for at, (ours, theirs) in enumerate(zip(one, other, strict=False)):
        if ours != theirs:
            return at
    return min(len(one), len(other))


def _once(history: History) -> Iterator[str]:
    """Each call is settled, sealed and transcribed once, and there are no other calls."""
    calls = {journal.call_id for journal in history.journals}
    events: dict[tuple[str, str], set[str]] = defaultdict(set)
    for event in history.events:
        events[event.type, event.call_id].add(event.event_id)
        if event.type == SETTLED and event.outcome != "sealed":
            yield f"settled: call {event.call_id} is {event.outcome}"
    entries = Counter((entry.action, entry.call_id) for entry in history.log)
    for call in sorted(calls):
        for kind, word in ONCE.items():
            if (times := len(events[kind, call])) != 1:
                yield f"{word}: call {call} {times} times"
        for action in ONCE_LOGGED:
            if (times := entries[action, call]) != 1:
                yield f"logged: {action} of call {call} {times} times"
    for call in sorted({event.call_id for event in history.events if event.type == STARTED} - calls):
        yield f"unknown: call {call} was started for nobody"


def _reads(history: History) -> Iterator[str]:
    """Each answer with content has one `read.opened` of its own, about this call and these bytes."""
    opened: dict[str, list[Entry]] = defaultdict(list)
    for entry in history.log:
        opened[entry.entry_id].append(entry)
    users = Counter(read.entry_id for read in history.reads)
    for read in history.reads:
        found = [entry for entry in opened[read.entry_id] if entry.action == "read.opened"]
        if len(found) != 1:
            yield f"read: {read.part} of call {read.call_id} has {len(found)} entries {read.entry_id}"
        elif found[0].call_id != read.call_id:
            yield f"read: entry {read.entry_id} is about call {found[0].call_id}, not {read.call_id}"
        elif not _covers(found[0].span, read):
            yield f"read: entry {read.entry_id} is about {found[0].span}, got {read.start}+{read.length}"
    for entry_id, times in users.items():
        if times > 1:
            yield f"read: entry {entry_id} stands for {times} reads"


def _covers(span: tuple[int, int] | None, read: Read) -> bool:
    if span is None:
        return read.part != "audio"
    start, stop = span
    whole = not read.complete or read.start + read.length == stop
    return start == read.start and read.start + read.length <= stop and whole


def _bytes(history: History) -> Iterator[str]:
    """What was read is what is there, even where it broke off."""
    for read in history.reads:
        content = history.content.get(read.call_id)
        if content is None:
            yield f"bytes: nothing is known of call {read.call_id}, which was read"
            continue
        whole = content.audio if read.part == "audio" else content.transcript
        stop = read.start + read.length
        what = f"{read.part} of call {read.call_id} from {read.start} to {stop}"
        if hashlib.sha256(whole[read.start : stop]).hexdigest() != read.sha256:
            yield f"bytes: {what} is not what is stored"
        elif read.part == "transcript" and read.complete and stop != len(whole):
            yield f"bytes: {what} passes for all {len(whole)}"


def _entries(history: History) -> Iterator[str]:
    """What the broker acknowledged is in the log, each entry once, and the log verifies."""
    logged = Counter(entry.entry_id for entry in history.log)
    announced = {entry.entry_id for entry in history.announced}
    yield from (f"log: entry {entry} stands {times} times" for entry, times in logged.items() if times > 1)
    yield from (f"log: entry {entry} is lost" for entry in sorted(announced - logged.keys()))
    # The log makes its first entry by itself, which no broker has seen (`shard.opened`): one of a year.
    own = [entry.entry_id for entry in history.log if entry.action == "shard.opened"][:1]
    strangers = logged.keys() - announced - set(own)
    yield from (f"log: entry {entry} comes from nowhere" for entry in sorted(strangers))
    yield from (f"verifier: {finding}" for finding in history.findings)
    repeats = {(entry.source, entry.seq): entry.entry_id for entry in history.announced}
    for source, numbers in _expand(history.holes):
        # A number may be absent when its entry is in the log under another: sent again after a kill.
        if repeats.get((source, numbers)) not in logged:
            yield f"log: number {numbers} of {source} is absent"


def _expand(holes: dict[str, list[tuple[int, int]]]) -> Iterable[tuple[str, int]]:
    for source, runs in holes.items():
        for first, last in runs:
            yield from ((source, number) for number in range(first, last + 1))


_ABOUT_READERS = {"break-glass", "leak-signal"}
"""Kinds of alerts that accuse no source: in a storm readers read as nobody else does."""


def _alerts(history: History) -> Iterator[str]:
    """No alarm is false and none is missing: nothing was lost, and who was killed fell silent."""
    closed = {entry.source for entry in history.announced if entry.action == "source.closed"}
    killed = {entry.source for entry in history.announced} - history.living - closed
    for source in sorted(killed - {source for kind, source in history.alerts if kind == "silent-source"}):
        yield f"alert: nothing says that {source} fell silent"
    for kind, source in history.alerts:
        if kind in _ABOUT_READERS:
            continue
        if kind != "silent-source":
            yield f"alert: {kind} of {source}"
        elif source in history.living:
            yield f"alert: {source} is said to be silent, and lives"


def _processes(history: History) -> Iterator[str]:
    """Nothing died by itself, nothing was given up, and no answer was an error without a name."""
    yield from (f"crashed: {part}" for part in history.crashed)
    yield from (f"given up: {what}" for what in history.dead_letters)
    if history.answers[500]:
        yield f"answers: {history.answers[500]} times 500"
