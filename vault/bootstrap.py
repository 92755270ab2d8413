"""Settings → Room: the one place where adapters meet operations. Holds no globals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from vault.catalogue import open_catalogue
from vault.errors import BackendError, Refused, UsageError
from vault.kms import open_kms
from vault.ledger.note import SigningKey
from vault.model import new_id
from vault.operations import actors
from vault.operations.attempt import Handler
from vault.operations.erasure import Watch
from vault.operations.keys import Keys
from vault.operations.policy import Policies
from vault.operations.room import Room
from vault.ports import Catalogue, Clock, KeyManagement, Ledger, ObjectStore, Queue
from vault.settings import HOME_FILE, Settings, read_home
from vault.storage import disk, open_store
from vault.storage.erasure import ErasureFile
from vault.storage.evidence import EvidenceLedger

if TYPE_CHECKING:
    from vault.capture.terms import Recording

TENANT = "default"
_HOME_VERSION = 1
_SIGNING_KEY = Path("ledger", "signing-key.sealed")
_PUBLIC_KEY = Path("ledger", "public-key")
_ERASURE_RECORD = Path("erasure", "record")
_CATALOGUE_FILE = "catalogue.db"
_PATIENCE_SECONDS = 30.0
_KEY_NAME = "strongroom/"


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class TestClock:
    """The time that `STRONGROOM_TEST_NOW` gives; only in a home made for it."""

    __test__ = False

    def __init__(self, instant: str | None) -> None:
        self._instant = instant

    def now(self) -> datetime:
        if self._instant is None:
            return datetime.now(UTC)
        try:
            instant = datetime.fromisoformat(self._instant)
        except ValueError as error:
            raise UsageError("STRONGROOM_TEST_NOW is not an ISO 8601 instant.") from error
        if instant.tzinfo is None:
            raise UsageError("STRONGROOM_TEST_NOW needs an offset, as in …T12:00:00+00:00.")
        return instant.astimezone(UTC)


def init(settings: Settings, *, test_clock: bool = False) -> dict[str, object]:
    """Make the home: key, catalogue, store, signing key, owner.

    What an interrupted call left is used, not made again; the home exists once this returns.
    Raises `Refused`, and changes nothing, where there is a home already.
    """
    home = settings.folder
    if (home / HOME_FILE).exists():
        raise Refused(f"There is an archive in {home} already; nothing was changed.")
    for folder in (home, home / "ledger", home / "erasure", home / "run"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    clock = _clock(settings, test_clock=test_clock)
    kms, catalogue, store = _kms(settings), _catalogue(settings), _store(settings)
    kms.create()
    catalogue.create()
    store.create()
    keys = Keys(catalogue, kms, clock, TENANT)
    archive_id = _archive_id(home)
    public_key = _signing_key(home, keys, archive_id)
    _ledger(home, keys).create()
    if not actors.exists(catalogue, keys, "owner"):
        actors.add_owner(catalogue, keys, clock)
    catalogue.close()
    document = {
        "version": _HOME_VERSION,
        "archive_id": archive_id,
        "created_at": clock.now().isoformat(),
        "test_clock": test_clock,
        "settings": _recordable(settings),
    }
    _write(home / HOME_FILE, json.dumps(document, indent=2).encode() + b"\n")
    return {"home": str(home), "public_key": public_key}


@contextmanager
def open_room(settings: Settings, actor: str | None = "owner") -> Iterator[Room]:
    """The archive in the settings' home, for one actor, or for nobody in particular.

    Raises `NotFound` where there is no home, or no such actor.
    """
    document = read_home(settings.folder)
    if document.get("version") != _HOME_VERSION:
        raise BackendError("This home was made by a newer version of strongroom.")
    if not (archive_id := document.get("archive_id")):
        raise BackendError(f"{settings.folder / HOME_FILE} is damaged: it names no archive.")
    clock = _clock(settings, test_clock=bool(document.get("test_clock")))
    catalogue, kms = _catalogue(settings), _kms(settings)
    erasure = ErasureFile(settings.folder / _ERASURE_RECORD)
    keys = Keys(catalogue, kms, clock, TENANT, Watch(catalogue, erasure).expect_current)
    ledger = _ledger(settings.folder, keys)
    try:
        yield Room(
            archive_id=str(archive_id),
            tenant=TENANT,
            catalogue=catalogue,
            store=_store(settings),
            kms=kms,
            clock=clock,
            keys=keys,
            actor=actors.find(catalogue, keys, actor) if actor else actors.nobody(clock),
            jobs=Handlers(),
            queue=_queue(settings),
            redeliver_seconds=settings.redeliver_seconds,
            default_class=settings.default_class,
            consent_required=settings.consent == "required",
            ledger=ledger,
            policies=Policies(catalogue, keys),
            erasure=erasure,
            test_clock=bool(document.get("test_clock")),
        )
    finally:
        ledger.close()
        catalogue.close()


def recording(settings: Settings) -> Recording:
    """How live capture records, by the environment; raises `UsageError` for what cannot be."""
    from vault.capture.terms import Recording

    return Recording(
        privacy_level=settings.recording_privacy_level,
        max_seconds=settings.recording_max_seconds,
        compression=settings.recording_compression,
        sample_rate=settings.recording_sample_rate,
        channels=settings.recording_channels,
    )


class Handlers(Mapping[str, Handler]):
    """The handlers of jobs, by name, from the entry points `strongroom.jobs`; loaded when asked."""

    def __init__(self) -> None:
        self._found: dict[str, EntryPoint] | None = None

    def __getitem__(self, name: str) -> Handler:
        handler: Handler = self._points()[name].load()
        return handler

    def __iter__(self) -> Iterator[str]:
        return iter(self._points())

    def __len__(self) -> int:
        return len(self._points())

    def _points(self) -> dict[str, EntryPoint]:
        if self._found is None:
            self._found = {e.name: e for e in entry_points(group="strongroom.jobs")}
        return self._found


def upgrade(settings: Settings) -> None:
    """Bring the catalogue of an existing home to the schema of this program.

    Raises `NotFound` where there is no home, `BackendError` where its catalogue is missing.
    """
    document = read_home(settings.folder)
    catalogue, kms = _catalogue(settings), _kms(settings)
    try:
        catalogue.migrate()
        clock = _clock(settings, test_clock=bool(document.get("test_clock")))
        _ledger(settings.folder, Keys(catalogue, kms, clock, TENANT)).create()
    finally:
        catalogue.close()


def put_back(settings: Settings, folder: Path) -> None:
    """The catalogue is the one that lies in `folder`, a back-up of this home, up to date.

    Everything else stays as it is. Raises `Refused` where the back-up is of another archive.
    """
    document = read_home(settings.folder)
    copied = folder / HOME_FILE
    if not copied.is_file() or read_home(folder).get("archive_id") != document.get("archive_id"):
        raise Refused(f"{folder} is no back-up of this archive: its {HOME_FILE} has to say so.")
    catalogue = _catalogue(settings)
    try:
        with catalogue.exclusive(timeout_seconds=_PATIENCE_SECONDS):
            catalogue.put_back(folder / _CATALOGUE_FILE)
            catalogue.migrate()
    finally:
        catalogue.close()


def _clock(settings: Settings, *, test_clock: bool) -> Clock:
    return TestClock(settings.test_now) if test_clock else SystemClock()


def _catalogue(settings: Settings) -> Catalogue:
    return open_catalogue(settings.catalogue_url, home=settings.folder)


def _store(settings: Settings) -> ObjectStore:
    return open_store(settings.store_url, home=settings.folder)


def _kms(settings: Settings) -> KeyManagement:
    return open_kms(
        settings.kms_url,
        home=settings.folder,
        passphrase_file=settings.passphrase_file,
        passphrase=settings.passphrase,
    )


def _ledger(home: Path, keys: Keys) -> Ledger:
    """The evidence of the archive; its signing key is opened only where something is signed."""

    def signing_key() -> SigningKey:
        name = public.partition("+")[0]
        sealed = (home / _SIGNING_KEY).read_bytes()
        return SigningKey(name, keys.tenant_key().open_value("signing-key", TENANT, sealed))

    try:
        public = (home / _PUBLIC_KEY).read_text().strip()
    except OSError as error:
        raise BackendError(
            f"{home / _PUBLIC_KEY} cannot be read: {error.strerror}. Restore it from a backup."
        ) from error
    return EvidenceLedger(home / "ledger", public, signing_key)


def _queue(settings: Settings) -> Queue | None:
    """The queue of the broker's URL scheme, from the entry points `strongroom.queues`."""
    if settings.broker_url is None:
        return None
    scheme = settings.broker_url.partition(":")[0]
    for point in entry_points(group="strongroom.queues", name=scheme):
        queue: Queue = point.load()(settings.broker_url)
        return queue
    raise UsageError(f"No queue speaks {scheme!r}; STRONGROOM_BROKER_URL is redis://HOST:PORT/N.")


def _archive_id(home: Path) -> str:
    """A new id, or the one for which an interrupted call has named the signing key."""
    try:
        name = (home / _PUBLIC_KEY).read_text().partition("+")[0]
    except FileNotFoundError:
        return new_id()
    return name.removeprefix(_KEY_NAME)


def _signing_key(home: Path, keys: Keys, archive_id: str) -> str:
    """Make the key that signs evidence, sealed; the public half as a C2SP verifier key."""
    sealed_at, public_at = home / _SIGNING_KEY, home / _PUBLIC_KEY
    if public_at.exists() and sealed_at.exists():
        return public_at.read_text().strip()
    key = SigningKey.generate(_KEY_NAME + archive_id)
    sealed = keys.tenant_key().seal_value("signing-key", TENANT, key.private_bytes)
    _write(sealed_at, sealed)
    _write(public_at, key.verifier_key.encode() + b"\n")
    return key.verifier_key


def _recordable(settings: Settings) -> dict[str, str]:
    """What the home remembers of its settings: addresses, never a secret."""
    urls = {
        "store_url": settings.store_url,
        "kms_url": settings.kms_url,
        "catalogue_url": settings.catalogue_url,
    }
    return {name: url for name, url in urls.items() if "@" not in url}


def _write(path: Path, content: bytes) -> None:
    """A new small file, whole and private, in one step."""
    scratch = path.with_name(path.name + ".new")
    scratch.unlink(missing_ok=True)  # a killed call's
    disk.replaced(scratch, path, content)
