"""Errors that only access raises."""

from __future__ import annotations

from uuid import UUID

from otokura.shared.errors import Conflict, Forbidden, OtokuraError, Unprocessable


class WouldLockYouOut(Conflict):
    """Nobody could read from where the administrator is: perhaps they did not mean it."""

    code, title = "would-lock-you-out", "You would be outside every zone"


class PreconditionRequired(OtokuraError):  # noqa: N818
    """A change needs an If-Match, so that nobody overwrites what they have not seen (RFC 6585 §3)."""

    status, code, title = 428, "precondition-required", "If-Match needed"


class RotationOpen(Conflict):
    """The rotation before is not finished; `rotation_id` says which it is."""

    code, title = "rotation-open", "A rotation is not finished"

    def __init__(self, rotation_id: UUID) -> None:
        super().__init__("Finish the rotation before first.", rotation_id=str(rotation_id))


class KeysInUse(Conflict):
    """Something living is still under the retiring keys, or they still exist."""

    code, title = "keys-in-use", "Retiring keys are not destroyed"


class BootstrapRefused(Forbidden):
    """The bootstrap token is wrong, used, expired, or none is configured."""

    code, title = "bootstrap-refused", "Bootstrap refused"


class RoleNotAssignable(Unprocessable):
    """These roles cannot be given, or not together."""

    code, title = "role-not-assignable", "Role not assignable"


class NotReady(Conflict):
    """The call has no recording or no transcript (yet)."""

    code, title = "not-ready", "Not ready"


class HeldByCustomer(Conflict):
    """The server has destroyed its key of this call: only the customer's own opens it."""

    code, title = "held-by-customer", "Only the customer's key opens this"


class NotAcceptable(OtokuraError):  # noqa: N818
    """None of the media types in Accept is one that there is."""

    status, code, title = 406, "not-acceptable", "Not acceptable"


class Undecodable(OtokuraError):  # noqa: N818
    """What was decoded when it came cannot be decoded now: too little memory, or another decoder."""

    code, title = "undecodable", "Recording cannot be decoded"


class LeaseLost(OtokuraError):  # noqa: N818
    """Another worker took over what this one was doing."""

    code, title = "lease-lost", "Lease lost"


class NotYet(OtokuraError):  # noqa: N818
    """Something that is needed has not come yet; it will."""

    code, title = "not-yet", "Not yet"


class BrokerUnguarded(Conflict):
    """The message broker cannot keep one feed's readers from another's."""

    code, title = "broker-unguarded", "Broker without access lists"
