"""The S3 requests that the `minio` client makes for nobody: conditional writes, single parts, exact ranges.

Blocking; `otokura.shared.objects` runs it in threads. Every failure leaves here as one of Otokura's errors.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import cast
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.datatypes import Part
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from otokura.shared.errors import NotFound, OtokuraError, PreconditionFailed, RangeNotSatisfiable, Unavailable

_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}

Headers = dict[str, str | list[str] | tuple[str]]


class StoreRefused(Unavailable):
    """The store answers and refuses: wrong credentials, missing rights, or a locked object."""

    code, title = "store-refused", "The object store refused"


class NoObjectLock(StoreRefused):
    """The bucket is there, and has no Object Lock."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What the store knows of an object. `version_id` is None in a bucket without versions."""

    name: str
    size: int
    etag: str
    version_id: str | None
    modified: datetime | None = None
    delete_marker: bool = False


@dataclass(frozen=True, slots=True)
class ObjectRange:
    """Bytes of an object, and the size and ETag of the whole that they come from."""

    data: bytes
    total: int
    etag: str


@contextmanager
def store_errors(bucket: str, name: str = "") -> Generator[None]:
    """Turns what the client raises into Otokura's errors, without the store's own words."""
    try:
        yield
    except S3Error as error:
        raise _translated(error, f"{bucket}/{name}") from error
    except (MinioException, HTTPError) as error:
        raise Unavailable("The object store does not answer as it should; try again later.") from error


def _translated(error: S3Error, what: str) -> OtokuraError:
    status = error.response.status
    if status == HTTPStatus.NOT_FOUND:
        return NotFound(f"The object store has no {what}.")
    if status == HTTPStatus.PRECONDITION_FAILED or error.code == "ConditionalRequestConflict":
        return PreconditionFailed(f"{what} in the object store is not in the state that was asked for.")
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return RangeNotSatisfiable(f"{what} in the object store does not reach that far.")
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _PASSING:
        return StoreRefused(f"The object store refused to touch {what}: {error.code}.")
    return Unavailable("The object store failed; try again later.")


def _version(version_id: str | None) -> Headers | None:
    return {"versionId": version_id} if version_id else None


class S3Client(Minio):
    """`Minio` with timeouts, and with the requests below.

    Args:
        endpoint: `http://host:port` or `https://host[:port]`.
        access_key: name of the credential.
        secret_key: its secret.
        region: the region that requests are signed for.
        connections: kept open at most.
    """

    def __init__(
        self, endpoint: str, access_key: str, secret_key: str, region: str, connections: int
    ) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
            raise ValueError(f"the S3 endpoint must look like http://host:port, not {endpoint!r}")
        # Only what changes nothing is sent again: a conditional PUT that is sent twice may refuse itself.
        retries = urllib3.Retry(total=2, backoff_factor=0.1, allowed_methods={"GET", "HEAD"}, redirect=0)
        super().__init__(
            parts.netloc,
            access_key=access_key,
            secret_key=secret_key,
            secure=parts.scheme == "https",
            region=region,
            http_client=urllib3.PoolManager(
                maxsize=connections, timeout=urllib3.Timeout(connect=3, read=30), retries=retries
            ),
        )

    def close(self) -> None:
        """Closes the idle connections."""
        self._http.clear()

    def put(self, bucket: str, name: str, data: bytes, headers: Headers) -> ObjectInfo:
        """PutObject, with the headers as they are (If-Match, If-None-Match, x-amz-object-lock-…)."""
        result = self._put_object(bucket, name, data, headers)
        return ObjectInfo(name, len(data), result.etag or "", result.version_id)

    def get_whole(self, bucket: str, name: str, version_id: str | None) -> bytes:
        """GetObject, all of it."""
        return self._execute("GET", bucket, name, query_params=_version(version_id)).data

    def get_range(
        self,
        bucket: str,
        name: str,
        start: int,
        stop: int | None,
        *,
        version_id: str | None,
        if_match: str | None,
    ) -> ObjectRange:
        """GetObject of bytes [start, stop), or to the end."""
        headers: Headers = {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
        if if_match is not None:
            headers["If-Match"] = f'"{if_match}"'
        response = self._execute("GET", bucket, name, headers=headers, query_params=_version(version_id))
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        if response.status != HTTPStatus.PARTIAL_CONTENT or not total.isdecimal():
            raise Unavailable("The object store does not answer range requests.")
        return ObjectRange(response.data, int(total), response.headers.get("etag", "").strip('"'))

    def begin(self, bucket: str, name: str, headers: Headers) -> str:
        """CreateMultipartUpload; returns the upload's id."""
        return self._create_multipart_upload(bucket, name, headers)

    def put_part(self, bucket: str, name: str, upload: str, number: int, data: bytearray) -> Part:
        """UploadPart."""
        # minio says bytes, hashes and sends any buffer; a copy would add a part to the memory of every upload
        return Part(number, self._upload_part(bucket, name, cast("bytes", data), None, upload, number))

    def complete(self, bucket: str, name: str, upload: str, parts: list[Part]) -> tuple[str, str | None]:
        """CompleteMultipartUpload; returns ETag and version id."""
        result = self._complete_multipart_upload(bucket, name, upload, parts)
        if not result.etag:  # S3 reports a late failure in a body under status 200
            raise Unavailable(
                "The object store could not put the parts of the object together; try again later."
            )
        return result.etag, result.version_id

    def abort(self, bucket: str, name: str, upload: str) -> None:
        """AbortMultipartUpload."""
        self._abort_multipart_upload(bucket, name, upload)
