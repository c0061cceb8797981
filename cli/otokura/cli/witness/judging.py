"""What a witness answers to a checkpoint: its cosignature, or why not (C2SP tlog-witness, add-checkpoint)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from otokura.cli.verify.findings import Code, VerificationError
from otokura.cli.verify.merkle import is_consistent
from otokura.cli.verify.notes import Checkpoint, VerifierKey, decode_base64, open_checkpoint
from otokura.cli.witness.book import Book, Seen
from otokura.cli.witness.keys import CosigningKey

MAX_BODY_BYTES = 1 << 18
"""An old size, 63 hashes, and a checkpoint with more signatures than anybody has."""
SIZE_TYPE = "text/x.tlog.size"
TEXT_TYPE = "text/plain; charset=utf-8"

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")
_MAX_PROOF = 63
_HASH_BYTES = 32
_LARGEST = (1 << 63) - 1


@dataclass(frozen=True)
class Answer:
    """What goes back: status, body and its type."""

    status: HTTPStatus
    body: str
    media_type: str = TEXT_TYPE


@dataclass(frozen=True)
class Submission:
    """The body of add-checkpoint, taken apart; nothing in it is verified."""

    old: int
    proof: list[bytes]
    note: str

    @property
    def origin(self) -> str:
        """The log that the checkpoint says it is of."""
        return self.note.partition("\n")[0]


class Refused(Exception):  # noqa: N818 - an outcome, answered
    """The checkpoint is not cosigned."""

    def __init__(self, answer: Answer, *, against: Seen | None = None) -> None:
        """`against`: what was cosigned, if the checkpoint may contradict it."""
        self.answer = answer
        self.against = against
        super().__init__(answer.body)


def parse_submission(body: bytes) -> Submission:
    """Reads the body of add-checkpoint.

    Raises:
        Refused: 400.
    """
    try:
        head, separator, note = body.decode().partition("\n\n")
        lines = head.split("\n")
        match = _OLD.fullmatch(lines[0])
        if match is None or not separator or len(lines) - 1 > _MAX_PROOF:
            raise Refused(Answer(HTTPStatus.BAD_REQUEST, "not an old size, hashes, and a checkpoint\n"))
        proof = [decode_base64(line, _HASH_BYTES, Code.MALFORMED, "proof") for line in lines[1:]]
    except UnicodeDecodeError as error:
        raise Refused(Answer(HTTPStatus.BAD_REQUEST, "not UTF-8\n")) from error
    except VerificationError as error:
        raise Refused(Answer(HTTPStatus.BAD_REQUEST, f"{error}\n")) from error
    return Submission(int(match[1]), proof, note)


class Witness:
    """Cosigns what continues what it cosigned before, and nothing else.

    Args:
        key: signs.
        book: what was cosigned last, of each log.
        logs: by origin, the keys that the witness believes; asked anew for each submission.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        key: CosigningKey,
        book: Book,
        logs: Callable[[], Mapping[str, Sequence[VerifierKey]]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = key
        self._book = book
        self._logs = logs
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> Answer:
        """Judges a submission; what it cosigns is on the disk before it has a signature."""
        try:
            submission = parse_submission(body)
            checkpoint = self._open(submission)
        except Refused as refused:
            return refused.answer
        try:
            self._book.replace(checkpoint, lambda seen: _continue(submission, checkpoint, seen))
        except Refused as refused:
            if refused.against is not None:
                # The log's own signature stands under both: they may be proof that the log has forked.
                self._book.keep_refused(checkpoint, refused.against, refused.answer.status, body)
            return refused.answer
        return Answer(HTTPStatus.OK, self._key.cosign(checkpoint, int(self._clock())))

    def _open(self, submission: Submission) -> Checkpoint:
        keys = self._logs().get(submission.origin)
        if not keys:
            raise Refused(Answer(HTTPStatus.NOT_FOUND, "this witness does not know that log\n"))
        try:
            checkpoint = open_checkpoint(submission.note, keys)
        except VerificationError as error:
            forbidden = error.finding.code in {Code.WRONG_KEY, Code.BAD_SIGNATURE}
            status = HTTPStatus.FORBIDDEN if forbidden else HTTPStatus.BAD_REQUEST
            raise Refused(Answer(status, f"{error}\n")) from error
        if submission.old > checkpoint.size or checkpoint.size > _LARGEST:
            raise Refused(Answer(HTTPStatus.BAD_REQUEST, "the old size is larger than the checkpoint's\n"))
        return checkpoint


def _continue(submission: Submission, checkpoint: Checkpoint, seen: Seen) -> None:
    """Makes sure that the checkpoint continues what was seen.

    Raises:
        Refused: 409 with the size seen last, or 422.
    """
    known = Answer(HTTPStatus.CONFLICT, f"{seen.size}\n", SIZE_TYPE)
    if submission.old != seen.size:
        raise Refused(known)
    if checkpoint.size == seen.size and checkpoint.root != seen.root:
        raise Refused(known, against=seen)
    old, new = (seen.size, seen.root), (checkpoint.size, checkpoint.root)
    if not is_consistent(old, new, submission.proof):
        text = f"no proof that the tree of {seen.size} is a prefix of the tree of {checkpoint.size}\n"
        # A wrong proof is no sign of a fork where every tree, or this very one, continues what was seen.
        against = seen if 0 < seen.size < checkpoint.size else None
        raise Refused(Answer(HTTPStatus.UNPROCESSABLE_ENTITY, text), against=against)
