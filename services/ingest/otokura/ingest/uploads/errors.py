"""What can go wrong with an upload, said so that whoever wrote the client knows what to do."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from otokura.ingest.errors import ChannelsDiffer
from otokura.shared.errors import (
    BadRequest,
    Conflict,
    NotFound,
    OtokuraError,
    PreconditionFailed,
    TooLarge,
    Unprocessable,
    UnsupportedMedia,
)


class UploadNotFound(NotFound):
    """No such upload in the caller's tenant; another tenant's upload looks the same."""

    code: ClassVar[str] = "upload-not-found"
    title: ClassVar[str] = "No such upload"

    def __init__(self, upload_id: UUID) -> None:
        super().__init__(
            f"There is no upload {upload_id} in your tenant, or no longer. Create one with"
            " POST /v1/calls/{call_id}/uploads."
        )


class UploadGone(OtokuraError):  # noqa: N818 - named after what happened, like its siblings
    """The upload expired, was terminated, or a newer one of its call took its place (RFC 9110 §15.5.11)."""

    status: ClassVar[int] = 410
    code: ClassVar[str] = "upload-gone"
    title: ClassVar[str] = "The upload is gone"

    def __init__(self, call_id: UUID) -> None:
        super().__init__(
            "This upload expired, was terminated, or was replaced by a newer one, and its bytes are deleted."
            f" Begin again with POST /v1/calls/{call_id}/uploads."
        )


class UnsupportedVersion(PreconditionFailed):
    """The client speaks another version of tus, or does not say which."""

    code: ClassVar[str] = "unsupported-tus-version"
    title: ClassVar[str] = "Unsupported version of tus"

    def __init__(self, version: str) -> None:
        super().__init__(
            f"Send the header Tus-Resumable: {version}. It is the version of the protocol spoken here.",
            headers={"Tus-Version": version},
        )


class WrongOffset(Conflict):
    """The bytes do not follow those that are stored."""

    code: ClassVar[str] = "wrong-offset"
    title: ClassVar[str] = "The bytes begin elsewhere"

    def __init__(self, stored: int, sent: int) -> None:
        super().__init__(
            f"{stored} bytes are stored, and these begin at {sent}. Send on from Upload-Offset: {stored}.",
            offset=stored,
        )


class UploadTakenOver(Conflict):
    """A newer request writes this upload; what this one sent after the stored bytes is not kept."""

    code: ClassVar[str] = "upload-taken-over"
    title: ClassVar[str] = "A newer request took over"

    def __init__(self) -> None:
        super().__init__(
            "A newer request sends this upload now. Ask with HEAD how much is stored, and send on from there"
            " in one request at a time."
        )


class UploadComplete(Conflict):
    """All bytes are here, and the recording is being made of them."""

    code: ClassVar[str] = "upload-complete"
    title: ClassVar[str] = "The upload is complete"

    def __init__(self, call_id: UUID) -> None:
        super().__init__(
            f"All bytes of this upload are stored. GET /v1/calls/{call_id} says when its recording is sealed."
        )


class BeyondLength(TooLarge):
    """More bytes came than were announced."""

    code: ClassVar[str] = "beyond-upload-length"
    title: ClassVar[str] = "More bytes than announced"

    def __init__(self, length: int) -> None:
        super().__init__(
            f"The file was announced with Upload-Length: {length}, and more came. Nothing beyond what HEAD"
            " names was kept: create another upload with the true length."
        )


class FileTooLarge(TooLarge):
    """The announced file is larger than any file may be."""

    code: ClassVar[str] = "file-too-large"
    title: ClassVar[str] = "The file is too large"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"A file may have {limit} bytes, and this one is announced with more. Encode it smaller (Opus,"
            " FLAC), or ask your operator for a higher OTOKURA_MAX_UPLOAD_BYTES.",
            headers={"Tus-Max-Size": str(limit)},
            max_bytes=limit,
        )


class TooManyParts(Conflict):
    """The upload came in so many small requests that it cannot be kept together."""

    code: ClassVar[str] = "too-many-parts"
    title: ClassVar[str] = "Too many small requests"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"This upload already came in {limit} pieces, the most there can be. Create another, and send"
            " larger pieces: a megabyte or more in each PATCH."
        )


class WrongUploadMedia(UnsupportedMedia):
    """The body is not declared as bytes at an offset."""

    code: ClassVar[str] = "wrong-upload-media"
    title: ClassVar[str] = "Wrong content type"

    def __init__(self, media_type: str) -> None:
        super().__init__(f"Send the bytes with Content-Type: {media_type}, whatever the file is.")


class UnsupportedChecksum(BadRequest):
    """The checksum is not one that can be verified."""

    code: ClassVar[str] = "unsupported-checksum"
    title: ClassVar[str] = "Unsupported checksum"


class ChecksumMismatch(OtokuraError):  # noqa: N818
    """The bytes are not those that were sent (status 460 is tus's own)."""

    status: ClassVar[int] = 460
    code: ClassVar[str] = "checksum-mismatch"
    title: ClassVar[str] = "Checksum mismatch"

    def __init__(self) -> None:
        super().__init__(
            "The body does not have the checksum that Upload-Checksum names: it was changed on its way."
            " Nothing of it was kept; send it again."
        )


class _ChannelsDiffered(Unprocessable):
    code: ClassVar[str] = ChannelsDiffer.code
    title: ClassVar[str] = ChannelsDiffer.title


def refusal_of(error: OtokuraError) -> dict[str, Any]:
    """What is kept of the reason for which a file was refused."""
    return {"code": error.code, "detail": error.detail}


def refused_again(kept: dict[str, Any]) -> OtokuraError:
    """The same reason, told another time."""
    kind = _ChannelsDiffered if kept["code"] == ChannelsDiffer.code else UnsupportedMedia
    return kind(kept["detail"])
