"""Speaks S3 through minio-py.

Its `put_object` wants a file and hashes nothing for us, so uploads are made step by step
with the requests that minio-py keeps for its subclasses.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC
from functools import cached_property
from pathlib import Path
from typing import TypeAlias, cast
from urllib.parse import SplitResult

import urllib3
from minio import Minio
from minio.credentials.providers import EnvAWSProvider
from minio.datatypes import ListMultipartUploadsResult, Object, Part, parse_list_objects
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from minio.helpers import genheaders
from minio.retention import Retention

from vault.errors import BackendError, NotFound, UsageError
from vault.ports import Lock
from vault.storage import calls
from vault.storage.answers import BoundedPools, make_room
from vault.storage.bucket import BucketStore
from vault.storage.contract import folder
from vault.storage.failures import UNREADABLE, answered, nonsense, silent, untrusted

_BUSY = (408, 429, 500, 502, 503, 504)

Fields: TypeAlias = dict[str, str | list[str] | tuple[str]]


def connect(address: SplitResult, *, home: Path) -> BucketStore:  # noqa: ARG001 - one table, one call
    """The store in the bucket that a `minio://` or `minio+https://` URL names."""
    bucket, _, prefix = address.path.strip("/").partition("/")
    if not address.netloc or not bucket:
        raise UsageError("minio:// names a host and a bucket: minio://HOST[:PORT]/BUCKET[/PREFIX].")
    url = f"{address.scheme}://{address.netloc}{address.path.rstrip('/')}"
    secure = address.scheme == "minio+https"
    return BucketStore(url, MinioCalls(url, address.netloc, bucket, secure=secure), folder(prefix))


class _Client(Minio):
    """minio-py, with what it keeps for its subclasses opened."""

    def ask(
        self,
        method: str,
        bucket: str,
        name: str,
        *,
        query: Fields | None = None,
        headers: Fields | None = None,
        body: bytearray | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """One signed request about one object."""
        content = cast("bytes | None", body)  # all it does with it: hash, measure, send
        return self._execute(method, bucket, name, content, headers, query)

    def start(self, bucket: str, name: str, headers: Fields) -> str:
        """Begin an upload in parts."""
        return self._create_multipart_upload(bucket, name, headers)

    def complete(self, bucket: str, name: str, upload: str, parts: list[Part]) -> str | None:
        """End an upload in parts; None for the ETag if the answer was an error in disguise."""
        made = self._complete_multipart_upload(bucket, name, upload, parts)
        return (made.version_id or "") if made.etag else None


class MinioCalls:
    """The operations on one bucket; see `vault.storage.calls.Calls`.

    Retries are urllib3's, `attempts` in all with growing pauses; an answer may take
    `timeout_seconds`. Safe to share between threads, not with a forked child.
    """

    def __init__(
        self,
        store: str,
        host: str,
        bucket: str,
        *,
        secure: bool,
        timeout_seconds: float = calls.TIMEOUT_SECONDS,
        attempts: int = calls.ATTEMPTS,
    ) -> None:
        self._store = store
        self._host = host
        self._bucket = bucket
        self._secure = secure
        self._timeout_seconds = timeout_seconds
        self._retries = urllib3.Retry(
            total=attempts - 1,
            backoff_factor=0.3,
            backoff_jitter=0.3,
            status_forcelist=_BUSY,
            allowed_methods=None,  # all of them: repeating any of ours is safe
            raise_on_status=False,
            redirect=False,
            respect_retry_after_header=False,  # a store may not put us to sleep for hours
        )

    @cached_property
    def _client(self) -> _Client:
        pool = BoundedPools(
            maxsize=calls.CONNECTIONS,
            retries=self._retries,
            timeout=urllib3.Timeout(
                connect=min(self._timeout_seconds, 10), read=self._timeout_seconds
            ),
        )
        keys = EnvAWSProvider()
        try:
            keys.retrieve()
            return _Client(self._host, secure=self._secure, credentials=keys, http_client=pool)
        except ValueError as error:
            raise BackendError(
                f"{self._store} cannot be asked: check its host, AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY."
            ) from error

    def put(
        self,
        name: str,
        body: bytearray,
        sha256: bytes,
        lock: Lock | None = None,
        *,
        new: bool = False,
    ) -> str | None:
        headers = _headers(lock)
        headers["x-amz-checksum-sha256"] = base64.b64encode(sha256).decode()
        if new:
            headers["If-None-Match"] = "*"
        answer = self._ask("PUT", name, headers=headers, body=body)
        self._etag(answer)
        return answer.headers.get("x-amz-version-id") or None

    def start(self, name: str, lock: Lock | None) -> str:
        with self._translated():
            upload = self._client.start(self._bucket, name, _headers(lock))
        if not upload:
            raise nonsense(self._store, "no UploadId")
        return upload

    def send_part(self, name: str, upload: str, number: int, body: bytearray) -> str:
        query: Fields = {"partNumber": str(number), "uploadId": upload}
        answer = self._ask("PUT", name, query=query, headers={}, body=body)
        return self._etag(answer)

    def complete(self, name: str, upload: str, etags: Sequence[str]) -> str | None:
        parts = [Part(number, etag) for number, etag in enumerate(etags, 1)]
        with self._translated():
            version = self._client.complete(self._bucket, name, upload, parts)
        if version is None:  # S3 may answer 200 and then find that it cannot
            raise answered(self._store, 500, "InternalError")
        return version or None

    def abort(self, name: str, upload: str) -> None:
        with contextlib.suppress(NotFound):
            self._ask("DELETE", name, query={"uploadId": upload})

    def uploads(self, prefix: str) -> Sequence[tuple[str, str]]:
        query: Fields = {"uploads": "", "prefix": prefix, "encoding-type": "url"}
        answer = self._ask("GET", "", query=query)
        if b"ListMultipartUploadsResult" not in answer.data:  # which minio-py does not look for
            raise nonsense(self._store, "no list of uploads")
        with self._translated():
            listed = ListMultipartUploadsResult(answer).uploads
            return [(upload.object_name, upload.upload_id or "") for upload in listed]

    def read(self, name: str, version: str, start: int, stop: int | None) -> calls.Opened:
        whole = start == 0 and stop is None
        last = "" if stop is None else str(stop - 1)
        wanted: Fields = {} if whole else {"Range": f"bytes={start}-{last}"}
        with self._translated():
            answer = self._client.get_object(
                self._bucket, name, request_headers=wanted, version_id=version
            )
            length = answer.headers.get("content-length")
            size = None if length is None else int(length)
        make_room(answer, size or 0)

        def read(size: int) -> bytes:
            with self._translated():
                return answer.read(size)

        def close() -> None:
            answer.close()  # what was not read must not meet the next request
            answer.release_conn()

        found = answer.headers.get("x-amz-version-id") or calls.UNVERSIONED
        return calls.Opened(found, answer.headers.get("content-range", ""), size, read, close)

    def head(self, name: str, version: str | None = None) -> calls.Entry:
        with self._translated():
            found = self._client.stat_object(self._bucket, name, version_id=version)
            return self._entry(found, name)

    def versions(self, prefix: str, after: calls.Marker) -> calls.Page:
        query: Fields = {"versions": "", "prefix": prefix, "encoding-type": "url"}
        if after[0]:
            query |= {"key-marker": after[0], "version-id-marker": after[1]}
        answer = self._ask("GET", "", query=query)
        with self._translated():
            listed, goes_on, key, version = parse_list_objects(answer)
            kept = (found for found in listed if not found.is_delete_marker)
            entries = [self._entry(found, found.object_name or "") for found in kept]
        return calls.Page(entries, (key or "", version or "") if goes_on else None)

    def _entry(self, found: Object, name: str) -> calls.Entry:
        if found.last_modified is None or found.size is None:
            raise nonsense(self._store, "an object without a time or a length")
        at = found.last_modified.astimezone(UTC)
        return calls.Entry(name, found.version_id or calls.UNVERSIONED, found.size, at)

    def remove(self, name: str, version: str, *, bypass: bool = False) -> None:
        passing: Fields = {"x-amz-bypass-governance-retention": "true"} if bypass else {}
        self._ask("DELETE", name, query={"versionId": version}, headers=passing)

    def retention(self, name: str, version: str) -> Lock | None:
        with self._translated():
            found = self._client.get_object_retention(self._bucket, name, version)
            if found is None:
                return None
            return Lock(found.mode.lower(), found.retain_until_date.astimezone(UTC))

    def retain(self, name: str, version: str, lock: Lock) -> None:
        wanted = Retention(lock.mode.upper(), lock.until)
        with self._translated():
            self._client.set_object_retention(self._bucket, name, wanted, version)

    def legal_hold(self, name: str, version: str) -> bool:
        with self._translated():
            return bool(self._client.is_object_legal_hold_enabled(self._bucket, name, version))

    def set_legal_hold(self, name: str, version: str, *, on: bool) -> None:
        client = self._client
        with self._translated():
            turn = client.enable_object_legal_hold if on else client.disable_object_legal_hold
            turn(self._bucket, name, version)

    def exists(self) -> bool:
        with self._translated():
            return self._client.bucket_exists(self._bucket)

    def make(self) -> None:
        with self._translated():
            self._client.make_bucket(self._bucket, object_lock=True)

    def _ask(
        self,
        method: str,
        name: str,
        *,
        query: Fields | None = None,
        headers: Fields | None = None,
        body: bytearray | None = None,
    ) -> urllib3.BaseHTTPResponse:
        with self._translated():
            return self._client.ask(
                method, self._bucket, name, query=query, headers=headers, body=body
            )

    def _etag(self, answer: urllib3.BaseHTTPResponse) -> str:
        """The ETag of what was stored, which no S3 leaves out."""
        etag = answer.headers.get("etag", "").strip('"')
        if not etag:
            raise nonsense(self._store, "no ETag")
        return etag

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except S3Error as error:
            raise answered(self._store, error.response.status, error.code or "") from error
        except ServerError as error:
            raise answered(self._store, error.status_code, "") from error
        except InvalidResponseError as error:
            status = error._code  # noqa: SLF001 - the only place where it keeps the status
            raise answered(self._store, status, "") from error
        except urllib3.exceptions.HTTPError as error:
            if isinstance(getattr(error, "reason", error), urllib3.exceptions.SSLError):
                raise untrusted(self._store) from error
            raise silent(self._store, error) from error
        except (MinioException, *UNREADABLE) as error:
            raise nonsense(self._store, "what it sent is not S3") from error


def _headers(lock: Lock | None) -> Fields:
    retention = Retention(lock.mode.upper(), lock.until) if lock else None
    return genheaders({"Content-Type": "application/octet-stream"}, None, None, retention, False)
