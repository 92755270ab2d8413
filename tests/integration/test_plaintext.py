"""Nothing that was said, nobody's name and no run of sound lies in clear on the disk.

While sessions are deposited, worked on, fetched and exported, every file below the home and
below the folder for temporary files is read over and over: catalogue, journals, objects,
logs, whatever a process puts there for a moment.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import recordings, servers
from tests.homes import Home, ended, made
from tests.integration.test_workers import done, eventually, up

PHRASES = (
    "the quick brown parcel never arrived",
    "I will send the replacement to your sister",
    "her name is Wilhelmina Ackerley",
)
SUBJECTS = ("wilhelmina.ackerley@example.org", "+442079460958")
NAMES = {
    "--external-id": "case-73915-blue-heron",
    "--agent": "agent-marmaduke",
    "--tag": "quarrelsome-customer",
}
FOLDER = "call-of-mrs-ackerley"
WINDOW_BYTES = 32


class Watch:
    """Reads every file below some folders until it is told to stop; what was found, where.

    A file that is gone before it could be read is missed; what takes so little time to write
    and remove is looked for on the next round.
    """

    def __init__(self, folders: list[Path], secrets: list[bytes], sounds: list[bytes]) -> None:
        self.found: set[tuple[str, bytes]] = set()
        self.rounds = 0
        self._folders = folders
        self._secrets = secrets
        # A run of twice that many bytes anywhere holds at least one of these whole.
        self._windows = {
            sound[at : at + WINDOW_BYTES]
            for sound in sounds
            for at in range(44, len(sound) - WINDOW_BYTES, WINDOW_BYTES)
        }
        self._seen: dict[Path, tuple[int, int]] = {}
        self._stop = threading.Event()

    def look(self) -> None:
        """One round."""
        for folder in self._folders:
            for path in folder.rglob("*"):
                with contextlib.suppress(OSError):
                    self._check_name(path)
                    if path.is_file():
                        self._read(path)
        self.rounds += 1

    def _check_name(self, path: Path) -> None:
        self.found |= {(str(path), s) for s in self._secrets if s in path.name.encode()}

    def _read(self, path: Path) -> None:
        state = path.stat()
        if self._seen.get(path) == (state.st_size, state.st_mtime_ns):
            return
        self._seen[path] = (state.st_size, state.st_mtime_ns)
        content = path.read_bytes()
        self.found |= {(path.name, s) for s in self._secrets if s in content}
        # Any alignment: a step of one through what may be sound.
        if self._sound_in(content):
            self.found.add((path.name, b"sound"))

    def _sound_in(self, content: bytes) -> bool:
        windows = self._windows
        return any(
            content[at : at + WINDOW_BYTES] in windows for at in range(len(content) - WINDOW_BYTES)
        )

    @contextlib.contextmanager
    def ing(self) -> Iterator[None]:
        """Watch while the block runs, and once more after it."""
        thread = threading.Thread(target=self._go)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
        self._seen.clear()
        self.look()

    def _go(self) -> None:
        while not self._stop.is_set():
            self.look()
            time.sleep(0.005)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    path = tmp_path / "tmp"
    path.mkdir()
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A bundle that is full of things nobody else may know."""
    source = recordings.bundle(tmp_path / FOLDER, PHRASES, seconds=0.4)
    (source / "manifest.json").write_text(
        (source / "manifest.json").read_text().replace('"idx"', '"speaker": "Wilhelmina", "idx"')
    )
    return source


def watch(home: Home, scratch: Path, source: Path) -> Watch:
    words = [*PHRASES, *SUBJECTS, *NAMES.values(), FOLDER, "Wilhelmina", "segments/", "full.wav"]
    # A phone number may be written in other ways than it was given.
    words += ["02079460958", "2079460958"]
    sounds = [path.read_bytes() for path in source.rglob("*.wav")]
    return Watch([home.folder, scratch], [w.encode() for w in words], sounds)


def terms() -> list[str]:
    named = [word for pair in NAMES.items() for word in pair]
    return [*named, *(w for s in SUBJECTS for w in ("--subject", s))]


def test_nothing_in_clear_is_written_while_jobs_run_in_process(
    tmp_path: Path, scratch: Path, source: Path
) -> None:
    home = made(tmp_path / "home", TMPDIR=str(scratch))
    watching = watch(home, scratch, source)
    with watching.ing():
        (session,) = home.script("deposit", source, *terms()).document["sessions"]
        assert session["state"] == "ready"
        home.script("show", session["id"])
        home.script("list", "--subject", SUBJECTS[0])
        home.script("keys", "rotate")
        out = tmp_path / "out"
        home.script("fetch", session["id"], "--part", "full.wav", "-o", out)
        assert out.read_bytes() == (source / "full.wav").read_bytes()
        home.script("export", session["id"], "--format", "ogg", "-o", out)
        home.script("fixity", "--all")
    assert watching.rounds > 10
    assert watching.found == set()


def test_nothing_in_clear_is_written_by_a_worker_or_stays_after_a_kill(
    tmp_path: Path, scratch: Path, source: Path, valkey_server: servers.ValkeyServer
) -> None:
    home = made(tmp_path / "home", TMPDIR=str(scratch), STRONGROOM_BROKER_URL=valkey_server.url)
    watching = watch(home, scratch, source)
    with watching.ing():
        home.script("deposit", source, *terms())
        with up(home, scratch / "worker.log") as worker:
            eventually(lambda: done(home))
            worker.terminate()
            worker.wait(timeout=20)
        # A deposit that dies half-way leaves nothing in clear either.
        other = recordings.bundle(tmp_path / "other" / FOLDER, PHRASES, seed=50)
        process = home.start("deposit", other, *terms())
        time.sleep(0.7)
        process.kill()
        ended(process, None)
    assert (scratch / "worker.log").stat().st_size > 0
    assert watching.rounds > 10
    assert watching.found == set()


def test_nothing_in_clear_is_written_when_input_is_bad(
    tmp_path: Path, scratch: Path, source: Path
) -> None:
    home = made(tmp_path / "home", TMPDIR=str(scratch))
    manifest = source / "manifest.json"
    manifest.write_text(manifest.read_text()[:-40])
    watching = watch(home, scratch, source)
    with watching.ing():
        answer = home.script("deposit", source, *terms(), "--debug", code=7)
    assert watching.found == set()
    assert not any(phrase in answer.out + answer.err for phrase in PHRASES)


@pytest.mark.parametrize("place", ["home/catalogue.db-wal", "tmp/x/left.tmp", "home/run/w.log"])
@pytest.mark.parametrize("what", ["phrase", "subject", "sound", "name"])
def test_the_watch_finds_what_is_planted(
    tmp_path: Path, scratch: Path, source: Path, place: str, what: str
) -> None:
    home = Home(tmp_path / "home")
    planted = tmp_path / place
    planted.parent.mkdir(parents=True, exist_ok=True)
    sound = (source / "full.wav").read_bytes()[1001:1101]
    content = {"phrase": PHRASES[1].encode(), "subject": SUBJECTS[0].encode(), "sound": sound}
    if what == "name":
        planted = planted.with_name(FOLDER)
    watching = watch(home, scratch, source)
    with watching.ing():
        planted.write_bytes(b"\0" * 77 + content.get(what, b"") + b"\0" * 99)
        time.sleep(0.1)
        planted.unlink()
    assert watching.found
