"""The short way of a small put through boto3: taken where it may be, and no other way a change."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from tests import servers
from tests.conformance import shelves
from tests.conformance.hostile import hostile, whole
from vault.storage.s3 import Boto3Calls
from vault.storage.shortcuts import signed_put

BODY = bytearray(b"sealed")


@pytest.fixture
def long_ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations that went the long way, as they happen."""
    taken: list[str] = []
    ask = Boto3Calls._ask

    def watched(
        self: Boto3Calls, operation: str, name: str | None = None, **arguments: object
    ) -> object:
        taken.append(operation)
        return ask(self, operation, name, **arguments)

    monkeypatch.setattr(Boto3Calls, "_ask", watched)
    return taken


@pytest.mark.parametrize("name", ["k", "a/b c/ü+%41~*'()=&"])
def test_the_real_store_takes_its_signature_whatever_the_name(
    s3_server: servers.S3Server,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    long_ways: list[str],
    name: str,
) -> None:
    for variable, value in s3_server.environment.items():
        monkeypatch.setenv(variable, value)
    version = Boto3Calls(f"s3://{bucket}", bucket).put(name, BODY, hashlib.sha256(BODY).digest())
    assert long_ways == []
    found = servers.s3_client(s3_server).get_object(Bucket=bucket, Key=name, VersionId=version)
    assert found["Body"].read() == BODY


@given(
    names=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1),
    token=st.none() | st.text("abc/+=", min_size=1),
    size_bytes=st.integers(0, 2**33),
    digest=st.binary(min_size=32, max_size=32),
    origin=st.sampled_from(["http://127.0.0.1:8333", "https://store", "http://[::1]:1/below"]),
)
def test_it_is_signed_as_botocore_signs(
    names: str, token: str | None, size_bytes: int, digest: bytes, origin: str
) -> None:
    url = f"{origin}/bucket/{quote(names)}"
    known = ReadOnlyCredentials("ID", "secret", token)
    headers = signed_put(url, size_bytes, digest, known, "eu-central-1")
    signature, when = headers["Authorization"], headers["X-Amz-Date"]
    theirs = AWSRequest("PUT", url, {k: v for k, v in headers.items() if k != "Authorization"})
    theirs.context["timestamp"] = when
    signer = S3SigV4Auth(known, "s3", "eu-central-1")
    to_sign = signer.string_to_sign(theirs, signer.canonical_request(theirs))
    assert signature.rpartition("Signature=")[2] == signer.signature(to_sign, theirs)
    assert ("X-Amz-Security-Token" in headers) == (token is not None)


def test_a_wrong_digest_is_refused_by_both_ways(
    s3_server: servers.S3Server,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    long_ways: list[str],
) -> None:
    shelf = shelves.on_bucket("s3", s3_server, bucket, monkeypatch, "")
    with pytest.raises(Exception, match=r"refused|nonsense|digest"):
        Boto3Calls(shelf.url, bucket).put("k", BODY, bytes(32))
    assert long_ways == ["put_object"]
    assert shelf.whole() == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_behind_a_proxy_nothing_goes_past_it(
    monkeypatch: pytest.MonkeyPatch, long_ways: list[str], scheme: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"{scheme}://store.invalid")
    with hostile() as proxy:
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy.endpoint)
        proxy.always(whole(b"", 'ETag: "e"') if scheme == "http" else whole(b"", status="403 No"))
        calls = Boto3Calls("s3://bucket", "bucket", attempts=1)
        if scheme == "http":
            calls.put("k", BODY, hashlib.sha256(BODY).digest())
            assert proxy.requests == [("PUT", "http://store.invalid/bucket/k")]
        else:
            with pytest.raises(Exception, match="ProxyConnectionError"):
                calls.put("k", BODY, hashlib.sha256(BODY).digest())
            assert proxy.requests == [("CONNECT", "store.invalid:443")]
    assert long_ways == ["put_object"]


def test_an_unknown_model_of_the_service_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of botocore's own models can be another's (`AWS_DATA_PATH`)."""
    monkeypatch.setenv("AWS_DATA_PATH", "/nowhere")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = Boto3Calls("s3://bucket", "bucket")._client
    assert client.meta.service_model.service_name == "s3"
