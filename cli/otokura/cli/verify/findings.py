"""What a verification can find, and the report that it gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum


class Code(StrEnum):
    """The kinds of trouble, each with a name that a script can rely on."""

    UNREADABLE = "unreadable"
    MISSING = "missing"
    MALFORMED = "malformed"
    WRONG_KEY = "wrong-key"
    BAD_SIGNATURE = "bad-signature"
    WRONG_ORIGIN = "wrong-origin"
    TILE_ALTERED = "tile-altered"
    ENTRY_ALTERED = "entry-altered"
    ROOT_MISMATCH = "root-mismatch"
    ROLLED_BACK = "rolled-back"
    HISTORY_REWRITTEN = "history-rewritten"
    NUMBER_REPEATED = "number-repeated"
    NOT_INCLUDED = "not-included"
    COMMITMENT_MISMATCH = "commitment-mismatch"
    SOURCE_SIGNATURE = "source-signature"
    CERTIFICATE_SIGNATURE = "certificate-signature"
    CERTIFICATE_MISMATCH = "certificate-mismatch"
    NOT_CONFIRMED = "not-confirmed"
    NOT_WITNESSED = "not-witnessed"
    FORKED = "forked"
    EVIDENCE_SEAL = "evidence-seal"
    EVIDENCE_SIGNATURE = "evidence-signature"
    EVIDENCE_MISMATCH = "evidence-mismatch"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: its kind, where, and what was expected."""

    code: Code
    where: str
    detail: str

    def __str__(self) -> str:
        return f"{self.code} at {self.where}: {self.detail}"


@dataclass(frozen=True)
class Cosignature:
    """A witness's word, verified: by whom, and when in seconds since 1970 (UTC)."""

    name: str
    at: int

    def __str__(self) -> str:
        return f"{self.name} at {datetime.fromtimestamp(self.at, UTC):%Y-%m-%dT%H:%M:%SZ}"


class VerificationError(Exception):
    """A single object (key, checkpoint, proof, receipt) does not verify."""

    def __init__(self, code: Code, where: str, detail: str) -> None:
        self.finding = Finding(code, where, detail)
        super().__init__(str(self.finding))


@dataclass
class Report:
    """The outcome of verifying a log.

    Attributes:
        location: where the log was read.
        origin: the log's name, once a checkpoint was opened.
        size: entries in the checkpoint.
        root: the checkpoint's root hash.
        checkpoint: the checkpoint as it was served; keep it, and pin it next time.
        entries: entries read and hashed.
        pinned: older checkpoints found to be a prefix of this log.
        receipts: receipts that verified.
        cosigned: of each witness that was asked for, the size of the tree it cosigned, and its word.
        sources: how many entries each source wrote.
        before: the log of the year before, as the first entry of this one names it; empty of the first log
            of all, and of one that was begun before logs were linked.
        before_found: whether that log was found, and is what it was when it was closed.
        holes: by source, the first and last of each run of numbers that is absent between two that are
            present. Not a failure by itself: an entry may be on its way.
        findings: everything that is wrong.
    """

    location: str
    origin: str = ""
    size: int = 0
    root: bytes = b""
    checkpoint: str = ""
    entries: int = 0
    pinned: int = 0
    receipts: int = 0
    before: str = ""
    before_found: bool = False
    cosigned: list[tuple[int, Cosignature]] = field(default_factory=list[tuple[int, Cosignature]])
    sources: dict[str, int] = field(default_factory=dict[str, int])
    holes: dict[str, list[tuple[int, int]]] = field(default_factory=dict[str, list[tuple[int, int]]])
    findings: list[Finding] = field(default_factory=list[Finding])

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def add(self, code: Code, where: str, detail: str) -> None:
        """Records something that is wrong."""
        self.findings.append(Finding(code, where, detail))
