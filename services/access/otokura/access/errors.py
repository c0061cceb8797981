"""Errors that only access raises."""

from __future__ import annotations

from uuid import UUID

from otokura.shared.errors import (
    Conflict,
    Forbidden,
    NotFound,
    OtokuraError,
    TooManyRequests,
    Unauthenticated,
    Unprocessable,
)


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


class LoginRefused(Unauthenticated):
    """Company, login, password or code is wrong, or the login is closed: told alike."""

    code, title = "login-refused", "Login refused"


class TooManyTries(TooManyRequests):
    """Too many logins went wrong, by this name from this network, or from networks that nobody knows."""

    code, title = "too-many-tries", "Too many tries"


class SecondFactorNeeded(Forbidden):
    """The company demands a second factor, and the person has none."""

    code, title = "second-factor-needed", "Second factor needed"


class SessionOver(Unauthenticated):
    """The refresh token is no longer good, or was never."""

    code, title = "session-over", "Session over"


class InvitationOver(NotFound):
    """There is no such invitation, or it has been accepted, withdrawn, or has expired: told alike."""

    code, title = "invitation-over", "No such invitation"


class RoleNotAssignable(Unprocessable):
    """These roles cannot be given, or not together."""

    code, title = "role-not-assignable", "Role not assignable"


class PossibleMatches(Unprocessable):
    """Some calls may be the customer's, and nobody can say: somebody decides. `possible` says how many."""

    code, title = "possible-matches", "Some calls may be the customer's"

    def __init__(self, possible: int) -> None:
        super().__init__(
            "Look at them with POST /v1/erasures/preview; then say customer.possible, `leave` or `include`, "
            "or name calls by their ids.",
            possible=possible,
        )


class ReaderPaused(Forbidden):
    """Reading like this looks like a leak: an administrator has to look first."""

    code, title = "reader-paused", "Reading is paused"


class OwnApproval(Forbidden):
    """Nobody approves what they ask for themselves."""

    code, title = "own-approval", "Two people are needed"


class OwnPause(Forbidden):
    """Nobody lifts the pause of their own reading."""

    code, title = "own-pause", "This is your own pause"


class GrantOver(Forbidden):
    """The grant has expired, was revoked, or was used as often as it may be."""

    code, title = "grant-over", "The grant is over"


class NotReady(Conflict):
    """The call has no recording or no transcript (yet)."""

    code, title = "not-ready", "Not ready"


class HeldByCustomer(Conflict):
    """The server has destroyed its key of this call: only the customer's own opens it."""

    code, title = "held-by-customer", "Only the customer's key opens this"


class BeingErased(Conflict):
    """The call's erasure has begun: nothing stops it."""

    code, title = "being-erased", "Being erased"


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


class IndexKeyLost(OtokuraError):  # noqa: N818
    """A tenant's index key can never be unwrapped again: what was indexed with it is worth nothing."""

    code, title = "index-key-lost", "Index key lost"

    def __init__(self, key_id: UUID) -> None:
        super().__init__("The key of the index is lost: the index is being made anew.")
        self.key_id = key_id
