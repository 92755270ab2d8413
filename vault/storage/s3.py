"""Speaks S3 through boto3.

Endpoint, region and credentials are boto3's own affair (`AWS_*`, files, roles). What is set
here and why is measured in README.md.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC
from functools import cached_property
from pathlib import Path
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

import boto3
import urllib3
from botocore import exceptions as aws
from botocore.config import Config
from botocore.parsers import ResponseParserError

from vault.errors import BackendError, NotFound, StrongroomError, UsageError
from vault.ports import Lock
from vault.storage import calls, shortcuts
from vault.storage.answers import bounded, make_room, refuse_entities
from vault.storage.bucket import BucketStore
from vault.storage.contract import folder
from vault.storage.failures import UNREADABLE, answered, nonsense, silent, untrusted


def connect(address: SplitResult, *, home: Path) -> BucketStore:  # noqa: ARG001 - one table, one call
    """The store in the bucket that an `s3://` URL names."""
    if not address.netloc:
        raise UsageError("s3:// names a bucket: s3://BUCKET[/PREFIX].")
    url = f"s3://{address.netloc}{address.path.rstrip('/')}"
    return BucketStore(url, Boto3Calls(url, address.netloc), folder(address.path))


class Boto3Calls:
    """The operations on one bucket; see `vault.storage.calls.Calls`.

    Retries are botocore's, `attempts` in all with growing pauses (a small put has one more,
    before them); an answer may take `timeout_seconds`. Safe to share between threads, not with
    a forked child.
    """

    def __init__(
        self,
        store: str,
        bucket: str,
        *,
        timeout_seconds: float = calls.TIMEOUT_SECONDS,
        attempts: int = calls.ATTEMPTS,
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._origin = ""  # of the bucket's server, where its name is part of the path
        self._config: dict[str, Any] = {
            "connect_timeout": min(timeout_seconds, 10),
            "read_timeout": timeout_seconds,
            "retries": {"mode": "standard", "total_max_attempts": attempts},
            "max_pool_connections": calls.CONNECTIONS,
            "tcp_keepalive": True,
            # Our bytes are sealed, signed and hashed already: no CRC on top.
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
            # All arguments are made in this file; checking each shape costs 0.1 ms a call.
            "parameter_validation": False,
            # A given name spares composing a long one for every request: 0.2 ms.
            "user_agent": "strongroom",
        }

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
        try:
            client = self._made()
        except (aws.BotoCoreError, ValueError) as error:
            raise self._unasked(error) from error
        pools = self._http_of(client)._pool_classes_by_scheme  # noqa: SLF001 - kept nowhere else
        pools.update(bounded(pools))
        client.meta.events.register("before-send.s3", self._sent)
        return client

    def _made(self) -> Any:  # noqa: ANN401 - as above
        path_style = Config(**self._config, s3={"addressing_style": "path"})
        client = self._session.client("s3", config=path_style)
        host = urlsplit(client.meta.endpoint_url).hostname or ""
        if host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            # A second one where that is no matter: making it takes some 40 ms.
            return self._session.client("s3", config=Config(**self._config))
        self._origin = client.meta.endpoint_url
        return client

    @cached_property
    def _session(self) -> boto3.session.Session:
        return shortcuts.session("s3")

    @cached_property
    def _straight(self) -> shortcuts.Straight:
        client = self._client  # which tells the origin
        return shortcuts.Straight(client, self._session, self._origin)

    @staticmethod
    def _http_of(client: Any) -> Any:  # noqa: ANN401 - as above
        """The client's own connections, with its proxies, certificates and time limits."""
        return client._endpoint.http_session  # noqa: SLF001 - kept nowhere else

    def _sent(self, request: Any, **_: object) -> Any:  # noqa: ANN401 - botocore's own
        """Sends what botocore has made, in its place, and looks at the answer before it does."""
        answer = self._http_of(self._client).send(request)
        if self._origin and 300 <= answer.status_code < 400:  # it would ask where to, for ever
            raise answered(self._store, answer.status_code, "")
        if not request.stream_output or answer.status_code >= 300:
            refuse_entities(answer.content)
        return answer

    def put(
        self,
        name: str,
        body: bytearray,
        sha256: bytes,
        lock: Lock | None = None,
        *,
        new: bool = False,
    ) -> str | None:
        # A bytearray, not bytes: botocore wraps bytes in a file, sends that with
        # "Expect: 100-continue" and so waits for one answer more.
        if lock is None and not new:
            # What is no plain yes the long way repeats where that helps, or says what is wrong.
            stored = self._straight.put(self._bucket, name, body, sha256)
            if stored is not None:
                return _text(stored.get("x-amz-version-id"))
        digest = {"ChecksumSHA256": base64.b64encode(sha256).decode()}
        condition = {"IfNoneMatch": "*"} if new else {}
        answer = self._ask("put_object", name, Body=body, **digest, **condition, **_locking(lock))
        self._told(answer, "ETag")
        return _text(answer.get("VersionId"))

    def start(self, name: str, lock: Lock | None) -> str:
        answer = self._ask("create_multipart_upload", name, **_locking(lock))
        return str(self._told(answer, "UploadId"))

    def send_part(self, name: str, upload: str, number: int, body: bytearray) -> str:
        part = self._ask("upload_part", name, UploadId=upload, PartNumber=number, Body=body)
        return str(self._told(part, "ETag"))

    def complete(self, name: str, upload: str, etags: Sequence[str]) -> str | None:
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        answer = self._ask(
            "complete_multipart_upload", name, UploadId=upload, MultipartUpload={"Parts": parts}
        )
        self._told(answer, "ETag")
        return _text(answer.get("VersionId"))

    def abort(self, name: str, upload: str) -> None:
        with contextlib.suppress(NotFound):
            self._ask("abort_multipart_upload", name, UploadId=upload)

    def uploads(self, prefix: str) -> Sequence[tuple[str, str]]:
        answer = self._ask("list_multipart_uploads", Prefix=prefix)
        self._told(answer, "IsTruncated")
        with self._translated():
            return [(upload["Key"], upload["UploadId"]) for upload in answer.get("Uploads", ())]

    def read(self, name: str, version: str, start: int, stop: int | None) -> calls.Opened:
        whole = start == 0 and stop is None
        wanted = {} if whole else {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
        answer = self._ask("get_object", name, VersionId=version, **wanted)
        body, size = answer["Body"], answer.get("ContentLength")
        make_room(body._raw_stream, size or 0)  # noqa: SLF001 - kept nowhere else

        def read(size: int) -> bytes:
            with self._translated():
                return cast("bytes", body.read(size))

        found = str(answer.get("VersionId") or calls.UNVERSIONED)
        return calls.Opened(found, answer.get("ContentRange", ""), size, read, body.close)

    def head(self, name: str, version: str | None = None) -> calls.Entry:
        asked = {"VersionId": version} if version else {}
        found = self._ask("head_object", name, **asked)
        return self._entry(found, name, self._told(found, "ContentLength"))

    def versions(self, prefix: str, after: calls.Marker) -> calls.Page:
        marker = {"KeyMarker": after[0], "VersionIdMarker": after[1]} if after[0] else {}
        page = self._ask("list_object_versions", Prefix=prefix, **marker)
        goes_on = self._told(page, "IsTruncated")  # an answer without it is no listing
        with self._translated():
            listed = page.get("Versions", ())
            entries = [self._entry(found, found["Key"], found["Size"]) for found in listed]
            then = page.get("NextKeyMarker", ""), page.get("NextVersionIdMarker", "")
        return calls.Page(entries, then if goes_on else None)

    def _entry(self, found: dict[str, Any], name: str, size: int) -> calls.Entry:
        with self._translated():
            at = self._told(found, "LastModified").astimezone(UTC)
        return calls.Entry(name, found.get("VersionId") or calls.UNVERSIONED, size, at)

    def remove(self, name: str, version: str, *, bypass: bool = False) -> None:
        passing = {"BypassGovernanceRetention": True} if bypass else {}
        self._ask("delete_object", name, VersionId=version, **passing)

    def retention(self, name: str, version: str) -> Lock | None:
        found = self._ask("get_object_retention", name, VersionId=version).get("Retention")
        if not found or "Mode" not in found:
            return None
        with self._translated():
            return Lock(found["Mode"].lower(), found["RetainUntilDate"].astimezone(UTC))

    def retain(self, name: str, version: str, lock: Lock) -> None:
        wanted = {"Mode": lock.mode.upper(), "RetainUntilDate": lock.until}
        self._ask("put_object_retention", name, VersionId=version, Retention=wanted)

    def legal_hold(self, name: str, version: str) -> bool:
        found = self._ask("get_object_legal_hold", name, VersionId=version)
        return bool(found.get("LegalHold", {}).get("Status") == "ON")

    def set_legal_hold(self, name: str, version: str, *, on: bool) -> None:
        status = {"Status": "ON" if on else "OFF"}
        self._ask("put_object_legal_hold", name, VersionId=version, LegalHold=status)

    def exists(self) -> bool:
        try:
            self._ask("head_bucket")
        except NotFound:
            return False
        return True

    def make(self) -> None:
        region = self._client.meta.region_name
        elsewhere = region not in (None, "us-east-1", "aws-global")
        where = {"CreateBucketConfiguration": {"LocationConstraint": region}} if elsewhere else {}
        self._ask("create_bucket", None, ObjectLockEnabledForBucket=True, **where)

    def _ask(self, operation: str, name: str | None = None, **arguments: object) -> dict[str, Any]:
        """One operation on the bucket, or on the object `name` in it."""
        if name is not None:
            arguments["Key"] = name
        with self._translated():
            answer: dict[str, Any] = getattr(self._client, operation)(
                Bucket=self._bucket, **arguments
            )
        return answer

    def _told(self, answer: dict[str, Any], field: str) -> Any:  # noqa: ANN401 - of any type
        """What the answer says in `field`, which no S3 leaves out."""
        if answer.get(field) in (None, ""):
            raise nonsense(self._store, f"no {field}")
        return answer[field]

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except aws.ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
            code = str(error.response.get("Error", {}).get("Code", ""))
            raise answered(self._store, status, "" if code.isdigit() else code) from error
        except aws.SSLError as error:
            raise untrusted(self._store) from error
        except (aws.HTTPClientError, aws.ConnectionError, aws.IncompleteReadError) as error:
            if isinstance(inner := error.kwargs.get("error"), StrongroomError):
                raise inner from error
            raise silent(self._store, error) from error
        except urllib3.exceptions.HTTPError as error:  # met while it read what an error says
            raise silent(self._store, error) from error
        except ResponseParserError as error:
            raise nonsense(self._store, "what it sent is not S3") from error
        except aws.BotoCoreError as error:  # before anything was sent: no credentials, say
            raise self._unasked(error) from error
        except UNREADABLE as error:
            raise nonsense(self._store, "what it sent is not S3") from error

    def _unasked(self, error: Exception) -> BackendError:
        return BackendError(f"{self._store} cannot be asked ({type(error).__name__}): check AWS_*.")


def _locking(lock: Lock | None) -> dict[str, object]:
    if lock is None:
        return {}
    return {"ObjectLockMode": lock.mode.upper(), "ObjectLockRetainUntilDate": lock.until}


def _text(version: object) -> str | None:
    return str(version) if version else None
