"""What can go wrong between a recording and its transcript."""

from __future__ import annotations

from otokura.shared.errors import OtokuraError


class ModelMissing(OtokuraError):  # noqa: N818 - named after the state of the world, like its siblings
    """The model's files are not there, or are not the files that they should be."""

    code, title = "model-missing", "Model files missing or damaged"


class EngineFailed(OtokuraError):  # noqa: N818
    """The engine's process died, hung or answered nonsense; a new one may do better."""

    code, title = "engine-failed", "Speech recognition failed"


class EngineAbsent(EngineFailed):
    """The engine does not even start, as without its model: no recording is to blame."""

    code, title = "engine-absent", "Speech recognition does not start"


class LeaseLost(OtokuraError):  # noqa: N818
    """Another worker holds this job now: whatever this one found out does not count."""

    code, title = "lease-lost", "Lease lost"
