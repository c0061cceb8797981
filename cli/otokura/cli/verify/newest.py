"""A log's newest checkpoint, fetched while the log goes on.

Files of a log that is written to are not of one moment: between the request for `checkpoint` and the next one
the log may have grown, and a cache may give `checkpoint` as it was a second ago.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from otokura.cli.verify.findings import Code, VerificationError
from otokura.cli.verify.notes import Checkpoint, VerifierKey, open_checkpoint
from otokura.cli.verify.places import Place, fetch_note

CHECKPOINT = "checkpoint"
_CACHED_SECONDS = 1.2
"""A little more than caches may keep `checkpoint` (`max-age=1`)."""


def fetch_checkpoint(place: Place, keys: Sequence[VerifierKey]) -> Checkpoint:
    """The checkpoint that the log serves.

    Raises:
        VerificationError: there is none, or it is not signed by one of the keys.
    """
    note = fetch_note(place, CHECKPOINT)
    if note is None:
        raise VerificationError(Code.MISSING, CHECKPOINT, "the log does not serve it")
    return open_checkpoint(note, keys)


def catch_up(
    place: Place, keys: Sequence[VerifierKey], newest: Checkpoint, seen: Sequence[Checkpoint]
) -> Checkpoint:
    """The newest checkpoint, asked for once more when something larger was seen.

    Only a log that still shows less, after the time that a cache may be late, has been rolled back.
    """
    if all(each.size <= newest.size for each in seen):
        return newest
    time.sleep(_CACHED_SECONDS)
    return max(newest, fetch_checkpoint(place, keys), key=lambda each: each.size)
