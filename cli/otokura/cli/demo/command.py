"""`otokura demo`: two calls from the first ring to the verified log of who read them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from otokura.cli.api.http import ApiError
from otokura.cli.calls.command import Job
from otokura.cli.calls.live import StreamError
from otokura.cli.calls.vendor import NewCall
from otokura.cli.calls.wav import WavError
from otokura.cli.demo import show
from otokura.cli.demo.scenario import DemoError, MadeCall, Read, Scenario
from otokura.cli.demo.tenant import AGENT_ID, SetupError
from otokura.cli.local.layout import Layout
from otokura.cli.local.program import StartError
from otokura.cli.local.running import find
from otokura.cli.local.session import StopRequested, local_otokura, stoppable
from otokura.cli.target import DEFAULT_FOLDER, DataFolder, Target, running_target
from otokura.cli.verify.findings import VerificationError

_EXAMPLES = Path("examples/calls")
_FAILURES = (
    ApiError,
    DemoError,
    StreamError,
    WavError,
    SetupError,
    StartError,
    VerificationError,
    httpx.TransportError,
)


@dataclass
class Outcome:
    """What came of it; `--json` prints just this."""

    calls: int = 0
    transcribed: int = 0
    reads_allowed: int = 0
    reads_denied: int = 0
    audit_entries: int = 0
    audit_verified: bool = False
    evidence_verified: bool = False
    evidence_tampering_found: bool = False
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether everything went as it should."""
        enough = self.calls > 1 and self.transcribed == self.calls and self.reads_denied > 1
        evidence = self.evidence_verified and self.evidence_tampering_found
        return enough and self.reads_allowed == 2 * self.calls and self.audit_verified and evidence


def demo(
    data: DataFolder = DEFAULT_FOLDER,
    *,
    examples: Annotated[
        Path, typer.Option(help="Folder with the sample calls.", exists=True, file_okay=False)
    ] = _EXAMPLES,
    speed: Annotated[
        float, typer.Option(min=0.1, max=100, help="Times the pace of speech when streaming.")
    ] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")] = False,
) -> None:
    """Make two calls, read them, be refused twice, verify the log, and hand one call over as evidence.

    Uses the Otokura that runs on the data folder, or starts one and stops it again.
    """
    console = Console(quiet=as_json)
    if not console.is_terminal:
        # A log file has no width; eighty columns would break every line of the tables.
        console.width = 110
    try:
        with stoppable():
            outcome = _Demonstration(console, examples, speed).run(data)
    except StopRequested:
        raise typer.Exit(130) from None
    except _FAILURES as error:
        Console(stderr=True).print(f"[red]The demonstration failed:[/] {escape(str(error))}")
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps(asdict(outcome)))
    if not outcome.good:
        raise typer.Exit(1)


@contextmanager
def _otokura(folder: Path, tell: Callable[[str], None]) -> Generator[Target]:
    if find(Layout(folder.resolve()).state) is not None:
        tell("It runs already.")
        yield running_target(folder)
        return
    with local_otokura(folder, tell=tell) as target:
        yield target


class _Demonstration:
    """The steps in order, each with its time."""

    def __init__(self, console: Console, examples: Path, speed: float) -> None:
        self._console = console
        self._examples = examples
        self._speed = speed
        self._outcome = Outcome()
        self._laps: list[tuple[str, float]] = []
        self._calls: list[MadeCall] = []
        self._reads: list[Read] = []

    def run(self, data: Path) -> Outcome:
        """All of it; times are taken between the steps."""
        began = time.monotonic()
        self._laps = [("", began)]
        show.heading(self._console, 1, "Start PostgreSQL, an S3 store, a Kafka broker and the four services")
        with _otokura(data, self._tell) as target, closing(Scenario(target)) as scenario:
            self._lap("start")
            self._make(scenario)
            self._wait(scenario)
            self._read(scenario)
            self._look_into_the_log(scenario)
            self._verify(scenario)
            self._hand_over(scenario)
            self._outcome.seconds = round(time.monotonic() - began, 1)
            self._show_times()
            if self._console.is_terminal:
                self._console.print("\n   Stopping.", style="dim")
        return self._outcome

    def _make(self, scenario: Scenario) -> None:
        show.heading(self._console, 2, "Make two calls: one is uploaded, one is streamed while it is spoken")
        stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
        columns = (TextColumn("   {task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        with Progress(*columns, TimeElapsedColumn(), console=self._console) as bars:
            for name, live in (("en-support", False), ("ja-support", True)):
                path = self._examples / f"{name}.wav"
                how = f"live, {self._speed:g} times as fast as speech" if live else "upload"
                call = NewCall(
                    f"{name}-{stamp}",
                    ("agent", "customer"),
                    agent_id=AGENT_ID,
                    caller="+81312345678",
                    callee="+81120000000",
                    language=name.partition("-")[0],
                )
                job = Job(path, call, live, self._speed, f"{name} ({how})")
                self._calls.append(scenario.make_call(job, bars))
        self._outcome.calls = len(self._calls)
        self._lap("send")

    def _wait(self, scenario: Scenario) -> None:
        show.heading(self._console, 3, "Wait until they are sealed and transcribed")
        columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=self._console) as bars:
            tasks = [bars.add_task(call.name, total=1) for call in self._calls]
            for call, task in zip(self._calls, tasks, strict=True):
                draw = partial(_describe, bars, task, call.name)
                scenario.wait_for_transcript(call, draw)
                bars.update(task, completed=1)
                self._outcome.transcribed += 1
        self._lap("transcribe")

    def _read(self, scenario: Scenario) -> None:
        show.heading(self._console, 4, "Read them, as a supervisor in the office")
        for call in self._calls:
            self._reads += scenario.read_all(call)
        for one in self._reads:
            if one.allowed and one.what == "transcript":
                show.conversation(self._console, one.call, one.content)
        self._console.print()
        show.reads(self._console, self._reads)
        show.heading(self._console, 5, "Try the same from outside the office, and in other roles")
        refused = scenario.try_forbidden(self._calls[0])
        show.reads(self._console, refused)
        self._reads += refused
        self._outcome.reads_allowed = sum(one.allowed for one in self._reads)
        self._outcome.reads_denied = sum(not one.allowed for one in self._reads)
        self._lap("read")

    def _look_into_the_log(self, scenario: Scenario) -> None:
        show.heading(self._console, 6, "See who heard what, as an auditor")
        found = scenario.entries(self._calls, self._reads)
        show.entries(self._console, found, self._calls)
        self._outcome.audit_entries = len(found)

    def _verify(self, scenario: Scenario) -> None:
        show.heading(self._console, 7, "Verify the log, with public keys alone")
        entry_id = next(one.entry_id for one in self._reads if one.entry_id is not None)
        report = scenario.verify(entry_id)
        show.verification(self._console, report)
        self._outcome.audit_verified = report.ok and report.receipts == 1
        self._lap("audit")

    def _hand_over(self, scenario: Scenario) -> None:
        show.heading(self._console, 8, "Hand a call over as evidence: one signed file, verified, and changed")
        path = scenario.make_evidence(self._calls[0])
        found = scenario.verify_evidence(path)
        refusal = scenario.refuse_changed(path)
        show.evidence(self._console, path, found, refusal)
        self._outcome.evidence_verified = found.audio_sha256 is not None and found.history.opened is not None
        self._outcome.evidence_tampering_found = refusal is not None
        self._lap("evidence")

    def _tell(self, line: str) -> None:
        self._console.print(f"   {escape(line)}", style="dim", highlight=False)

    def _lap(self, name: str) -> None:
        self._laps.append((name, time.monotonic()))

    def _show_times(self) -> None:
        pairs = zip(self._laps, self._laps[1:], strict=False)
        parts = [f"{name} {end - start:.0f} s" for (_, start), (name, end) in pairs]
        total = f"{self._outcome.seconds:.0f} s"
        self._console.print(f"\n[bold]Done in {total}[/] ({', '.join(parts)}).", highlight=False)


def _describe(bars: Progress, task: TaskID, name: str, state: str) -> None:
    bars.update(task, description=f"{name}: {state}")
