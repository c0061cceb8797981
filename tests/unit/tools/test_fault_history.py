"""The history checker fails on each kind of wrong, and on nothing else."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from fault.history import Content, Entry, Event, History, Journal, Read, violations

AUDIO = bytes(range(200))
PCM = bytes(range(256)) * 4
TRANSCRIPT = b'{"turns":[]}'


def a_read(entry_id: str, start: int, stop: int, *, complete: bool = True) -> Read:
    digest = hashlib.sha256(AUDIO[start:stop]).hexdigest()
    return Read(entry_id, "c", "audio", start, stop - start, digest, complete)


def good() -> History:
    """A call with a repeated event, a repeated entry, a read of a range, and one that broke off."""
    log = [
        Entry("e1", "access/1", 1, "source.opened"),
        Entry("e2", "access/1", 2, "read.opened", "c", (10, 20)),
        Entry("e3", "access/1", 3, "read.opened", "c", (0, 200)),
        Entry("e4", "access/1", 4, "read.opened", "c"),
        Entry("e5", "ingest/1", 1, "recording.sealed", "c"),
        Entry("e6", "transcribe/1", 1, "recording.transcribed", "c"),
    ]
    again = Entry("e5", "ingest/2", 1, "recording.sealed", "c")
    return History(
        journals=[Journal("c", PCM, 4, (0, 100, 100, 256))],
        reads=[
            a_read("e2", 10, 20),
            a_read("e3", 0, 50, complete=False),
            Read("e4", "c", "transcript", 0, 12, hashlib.sha256(TRANSCRIPT).hexdigest(), True),
        ],
        answers=Counter({200: 2, 206: 1, 503: 7}),
        content={"c": Content(AUDIO, PCM, TRANSCRIPT)},
        events=[
            Event("v1", "otokura.call.started.v1", "c"),
            Event("v2", "otokura.call.settled.v1", "c", "sealed"),
            Event("v2", "otokura.call.settled.v1", "c", "sealed"),
            Event("v3", "otokura.recording.sealed.v1", "c"),
            Event("v4", "otokura.transcript.completed.v1", "c"),
        ],
        announced=[*log, again],
        log=log,
        living={"access/1", "ingest/2", "transcribe/1"},
        alerts=[("silent-source", "ingest/1")],
        holes={"ingest/2": [(1, 1)]},
    )


def without(history: History, entry_id: str) -> None:
    history.log = [entry for entry in history.log if entry.entry_id != entry_id]


def shifted(history: History) -> None:
    history.content["c"] = Content(AUDIO, PCM[4:], TRANSCRIPT)


def altered(history: History) -> None:
    history.content["c"] = Content(AUDIO, PCM[:-1] + b"\x00", TRANSCRIPT)


def longer(history: History) -> None:
    history.content["c"] = Content(AUDIO, PCM + bytes(4), TRANSCRIPT)


def rewritten(history: History) -> None:
    history.content["c"] = Content(AUDIO, PCM, TRANSCRIPT + b" ")


def changed_read(number: int, **changes: object) -> Callable[[History], None]:
    def change(history: History) -> None:
        history.reads[number] = replace(history.reads[number], **changes)  # type: ignore[arg-type]

    return change


def told(*samples: int) -> Callable[[History], None]:
    def change(history: History) -> None:
        history.journals = [Journal("c", PCM, 4, samples)]

    return change


def event(kind: str, call_id: str = "c", outcome: str = "") -> Callable[[History], None]:
    return lambda history: history.events.append(Event("v9", kind, call_id, outcome))


def entry(one: Entry, *, announced: bool = True) -> Callable[[History], None]:
    def change(history: History) -> None:
        history.log.append(one)
        if announced:
            history.announced.append(one)

    return change


WRONG: dict[str, tuple[Callable[[History], object], str]] = {
    "a beginning is missing": (shifted, "audio: call c differs from sample 0 "),
    "a sample differs": (altered, "audio: call c differs from sample 255 "),
    "something was added": (longer, "audio: call c differs from sample 256 "),
    "there is no recording": (lambda h: h.content.clear(), "no recording: call c"),
    "acceptance was withdrawn": (told(0, 100, 90, 256), "withdrawn: "),
    "the end was not accepted": (told(0, 100), "unfinished: "),
    "settled twice": (event("otokura.call.settled.v1", outcome="sealed"), "settled: call c 2 times"),
    "never settled": (lambda h: h.events.clear(), "settled: call c 0 times"),
    "settled otherwise": (event("otokura.call.settled.v1", outcome="empty"), "settled: call c is empty"),
    "sealed twice": (event("otokura.recording.sealed.v1"), "sealed: call c 2 times"),
    "transcribed twice": (event("otokura.transcript.completed.v1"), "transcribed: call c 2 times"),
    "sealed twice by the log": (
        entry(Entry("e8", "ingest/1", 2, "recording.sealed", "c")),
        "logged: recording.sealed of call c 2 times",
    ),
    "a call for nobody": (event("otokura.call.started.v1", "d"), "unknown: call d"),
    "a read without its entry": (lambda h: without(h, "e2"), "read: audio of call c has 0 entries e2"),
    "an entry of another kind": (changed_read(0, entry_id="e1"), "read: audio of call c has 0 entries e1"),
    "an entry of another call": (changed_read(0, call_id="d"), "read: entry e2 is about call c"),
    "an entry about other bytes": (changed_read(0, start=11), "read: entry e2 is about (10, 20)"),
    "one entry for two reads": (lambda h: h.reads.append(h.reads[0]), "read: entry e2 stands for 2 reads"),
    "more bytes than the entry says": (changed_read(1, length=201), "read: entry e3 is about (0, 200)"),
    "too few bytes that pass for all": (changed_read(1, complete=True), "read: entry e3 is about (0, 200)"),
    "other bytes": (changed_read(0, sha256="0"), "bytes: audio of call c from 10 to 20"),
    "another transcript": (changed_read(2, sha256="0"), "bytes: transcript of call c"),
    "a transcript that grew": (rewritten, "bytes: transcript of call c from 0 to 12 passes for all 13"),
    "an acknowledged entry is lost": (lambda h: without(h, "e1"), "log: entry e1 is lost"),
    "an entry stands twice": (lambda h: h.log.append(h.log[0]), "log: entry e1 stands 2 times"),
    "an entry from nowhere": (
        entry(Entry("e9", "access/1", 9, "read.denied"), announced=False),
        "log: entry e9 comes from nowhere",
    ),
    "a second first entry": (
        lambda h: h.log.extend(Entry(f"o{at}", f"audit/{at}", 1, "shard.opened") for at in (1, 2)),
        "log: entry o2 comes from nowhere",
    ),
    "a number is absent": (lambda h: h.holes.update({"access/1": [(7, 8)]}), "log: number 7 of access/1"),
    "the verifier objects": (lambda h: h.findings.append("tile-altered"), "verifier: tile-altered"),
    "a false gap": (lambda h: h.alerts.append(("gap", "access/1")), "alert: gap of access/1"),
    "a false silence": (lambda h: h.alerts.append(("silent-source", "access/1")), "alert: access/1 is said"),
    "a silence that nobody noticed": (lambda h: h.alerts.clear(), "alert: nothing says that ingest/1 fell"),
    "a crash": (lambda h: h.crashed.append("ingest ended (1)"), "crashed: ingest"),
    "a dead letter": (lambda h: h.dead_letters.append("otokura.calls"), "given up: otokura.calls"),
    "an error without a name": (lambda h: h.answers.update([500]), "answers: 1 times 500"),
}


def test_a_history_of_kills_without_harm_is_clean() -> None:
    assert violations(good()) == []


@pytest.mark.parametrize("name", WRONG)
def test_each_wrong_is_named(name: str) -> None:
    spoil, expected = WRONG[name]
    history = good()
    spoil(history)
    found = violations(history)
    assert any(violation.startswith(expected) for violation in found), found
