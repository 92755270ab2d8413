"""Fixtures every test may ask for: real servers, started by the first test that needs one.

Servers live for the whole run; buckets and databases are fresh for each test. A server
that does not start fails its tests: nothing here turns that into a skip.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings

from tests import homes, servers
from vault.operations.room import Room

Server = TypeVar("Server")

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = Path(os.environ.get("STRONGROOM_FIXTURES") or ROOT.parent / "shared" / "fixtures")

#: `HYPOTHESIS_PROFILE=deep` tries twenty times as many examples, without looking at the clock.
settings.register_profile(
    "deep", max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck)
)
#: A busy machine is no fault of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "patient")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why tests were skipped, a line for each reason; `-rs` has one for each test."""
    skipped = terminalreporter.stats.get("skipped", ())
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count} skipped: {reason}")
    if reasons and not FIXTURES.is_dir():
        terminalreporter.write_line("Recordings of other programs: STRONGROOM_FIXTURES says where.")


@pytest.fixture(scope="session", autouse=True)
def _own_environment() -> Iterator[None]:
    """No test sees the settings or the cloud credentials of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("AWS_", "STRONGROOM_", "VAULT_", "BAO_", "PG")):
                patch.delenv(name)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        yield


@contextlib.contextmanager
def _started(start: Callable[[Path], AbstractContextManager[Server]]) -> Iterator[Server]:
    # Not pytest's own folders: those let nobody but their owner pass, and PostgreSQL
    # may have to run as another user.
    with tempfile.TemporaryDirectory(prefix="strongroom-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        with start(Path(name)) as server:
            yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[servers.S3Server]:
    with _started(servers.seaweedfs) as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[servers.ValkeyServer]:
    with _started(servers.valkey) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[servers.PostgresServer]:
    with _started(servers.postgres) as server:
        yield server


@pytest.fixture(scope="session")
def openbao_server() -> Iterator[servers.TransitServer]:
    with _started(servers.openbao) as server:
        yield server


@pytest.fixture(scope="session")
def moto_server() -> Iterator[servers.KmsServer]:
    with _started(servers.moto_kms) as server:
        yield server


@pytest.fixture
def bucket(s3_server: servers.S3Server) -> str:
    """The name of a fresh bucket with Object Lock, and so versioning, enabled."""
    name = f"test-{uuid.uuid4().hex}"
    servers.s3_client(s3_server).create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


@pytest.fixture
def database_url(postgres_server: servers.PostgresServer) -> str:
    """The URL of a fresh, empty PostgreSQL database."""
    return servers.fresh_database(postgres_server)


@pytest.fixture(scope="session")
def fixtures_folder() -> Path:
    """The folder of recordings that other programs made."""
    if not FIXTURES.is_dir():
        pytest.skip("no outside recordings: set STRONGROOM_FIXTURES to their folder")
    return FIXTURES


@pytest.fixture(scope="session")
def _first_home(tmp_path_factory: pytest.TempPathFactory) -> homes.Home:
    return homes.made(tmp_path_factory.mktemp("first") / "home")


@pytest.fixture
def home(_first_home: homes.Home, tmp_path: Path) -> homes.Home:
    """A new archive: a folder of objects, SQLite, a keyring, and nothing in it yet."""
    return _first_home.copy(tmp_path / "home")


@pytest.fixture
def room(home: homes.Home) -> Iterator[Room]:
    """The same, open for its owner."""
    with home.room() as opened:
        yield opened
