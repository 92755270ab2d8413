"""The servers that other tests stand on are what they claim to be."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from pytest_socket import SocketConnectBlockedError

from tests import processes, servers


def test_a_fresh_bucket_keeps_versions_under_lock(s3_server: servers.S3Server, bucket: str) -> None:
    client = servers.s3_client(s3_server)
    lock = client.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    assert lock["ObjectLockEnabled"] == "Enabled"
    put = client.put_object(Bucket=bucket, Key="k", Body=b"first", ObjectLockLegalHoldStatus="ON")
    client.put_object(Bucket=bucket, Key="k", Body=b"second")
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.delete_object(Bucket=bucket, Key="k", VersionId=put["VersionId"])
    got = client.get_object(Bucket=bucket, Key="k", VersionId=put["VersionId"])
    assert got["Body"].read() == b"first"


def test_every_test_gets_an_empty_database(postgres_server: servers.PostgresServer) -> None:
    one, other = (servers.fresh_database(postgres_server) for _ in range(2))
    with psycopg.connect(one) as connection:
        connection.execute("CREATE TABLE here (x int)")
    with psycopg.connect(other) as connection, pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT * FROM here")


def test_the_broker_answers(valkey_server: servers.ValkeyServer) -> None:
    with redis.Redis.from_url(valkey_server.url) as client:
        client.set("k", "v")
        assert client.get("k") == b"v"


def test_transit_and_kms_answer(
    openbao_server: servers.TransitServer, moto_server: servers.KmsServer
) -> None:
    assert psutil.pid_exists(openbao_server.pid)
    assert psutil.pid_exists(moto_server.pid)


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_no_test_reaches_past_the_loopback() -> None:
    with pytest.raises(SocketConnectBlockedError), socket.socket() as outside:
        outside.connect(("192.0.2.1", 80))


def test_a_server_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, time; from tests import processes, servers\n"
        "with servers.valkey(pathlib.Path(sys.argv[1])) as server:\n"
        "    print(server.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    deadline = time.monotonic() + 5
    while server.is_running() and server.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the server outlived its parent"
        time.sleep(0.02)


def test_a_server_that_does_not_come_up_is_an_error_with_its_log(tmp_path: Path) -> None:
    gives_up = [sys.executable, "-c", "print('no disk'); raise SystemExit(1)"]
    running = processes.running(lambda _: gives_up, lambda _: False, tmp_path)
    with pytest.raises(RuntimeError, match="no disk"), running:
        pass
