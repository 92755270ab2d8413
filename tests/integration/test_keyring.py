"""The keyring's file under what happens to files: other readers, other writers, rot and kill -9."""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from vault.errors import BackendError, IntegrityError, NotFound, UsageError
from vault.kms import change_passphrase, open_kms
from vault.kms.address import secret
from vault.kms.keyring import Keyring

CONTEXT = {"tenant": "t", "bucket": "long", "generation": "1"}
KEY = bytes(range(32))
PASSPHRASE = "correct horse battery staple"

#: Changes the passphrase from one number to the next without end, telling of each once durable.
CHANGE = """
import sys, pathlib
from vault.kms.keyring import Keyring
number = int(sys.argv[2])
keyring = Keyring(pathlib.Path(sys.argv[1]), str(number))
while True:
    number += 1
    keyring.change_passphrase(str(number))
    print(number, flush=True)
"""

#: Rotates without end, telling of each version once it is durable.
ROTATE = """
import sys, pathlib
from vault.kms.keyring import Keyring
keyring = Keyring(pathlib.Path(sys.argv[1]), sys.argv[2] or None)
for _ in range(int(sys.argv[3])):
    print(keyring.rotate(), flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keyring.json"


def _versions(path: Path) -> list[str]:
    return [root["id"] for root in json.loads(path.read_bytes())["roots"]]


def _rotating(path: Path, count: int, passphrase: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ROTATE, str(path), passphrase, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_the_file_is_for_its_owner_alone_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        Keyring(path, None).create()
        Keyring(path, None).rotate()
    finally:
        os.umask(before)
    assert [stat.S_IMODE(found.stat().st_mode) for found in path.parent.iterdir()] == [0o600] * 2


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o644])
def test_a_file_that_others_may_read_is_refused(path: Path, mode: int) -> None:
    Keyring(path, None).create()
    path.chmod(mode)
    keyring = Keyring(path, None)
    with pytest.raises(BackendError, match="chmod 600") as refusal:
        keyring.wrap(KEY, CONTEXT)
    assert not refusal.value.retryable
    assert [(f.name, f.ok) for f in keyring.probe()] == [("keyring", False), ("root key", False)]


def test_under_a_passphrase_no_root_key_stands_in_the_file(path: Path) -> None:
    Keyring(path, PASSPHRASE).create()
    keyring = Keyring(path, PASSPHRASE)
    keyring.wrap(KEY, CONTEXT)
    assert keyring._unlocked is not None
    root = next(iter(keyring._unlocked.roots.values()))
    assert root.hex() not in path.read_text()
    assert root.hex() not in repr(keyring._unlocked)
    assert repr(root) not in repr(keyring._unlocked)


def test_a_missing_passphrase_is_asked_for(path: Path) -> None:
    Keyring(path, PASSPHRASE).create()
    with pytest.raises(BackendError, match="STRONGROOM_PASSPHRASE_FILE"):
        Keyring(path, None).wrap(KEY, CONTEXT)


def test_a_passphrase_for_a_keyring_without_one_is_refused_and_the_way_to_one_named(
    path: Path,
) -> None:
    Keyring(path, None).create()
    with pytest.raises(BackendError, match="strongroom keys passphrase --new-file"):
        Keyring(path, PASSPHRASE).wrap(KEY, CONTEXT)


def test_the_probe_warns_of_a_keyring_without_a_passphrase(path: Path) -> None:
    Keyring(path, None).create()
    found = {finding.name: finding for finding in Keyring(path, None).probe()}
    assert not found["keyring passphrase"].ok
    assert "whoever reads HOME reads everything" in found["keyring passphrase"].detail
    Keyring(path.with_name("other.json"), PASSPHRASE).create()
    assert all(one.ok for one in Keyring(path.with_name("other.json"), PASSPHRASE).probe())


def test_a_passphrase_may_come_from_a_file_with_a_line_end(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE + "\n", encoding="utf-8")
    open_kms("keyring://", home=tmp_path, passphrase=PASSPHRASE).create()
    kms = open_kms("keyring://", home=tmp_path, passphrase_file=file)
    assert kms.unwrap(kms.wrap(KEY, CONTEXT), CONTEXT) == KEY
    file.write_text("\n", encoding="utf-8")
    for unusable in (file, tmp_path / "absent"):
        with pytest.raises(BackendError):
            open_kms("keyring://", home=tmp_path, passphrase_file=unusable)


def test_the_way_letters_are_composed_does_not_matter(path: Path) -> None:
    Keyring(path, "caf\u00e9 cr\u00e8me").create()
    wrapped = Keyring(path, "cafe\u0301 cre\u0300me").wrap(KEY, CONTEXT)
    assert Keyring(path, "caf\u00e9 cr\u00e8me").unwrap(wrapped, CONTEXT) == KEY


def test_the_same_passphrase_composed_otherwise_is_no_other_one(path: Path) -> None:
    keyring = Keyring(path, "caf\u00e9")
    keyring.create()
    with pytest.raises(UsageError, match="already"):
        keyring.change_passphrase("cafe\u0301")


def test_changing_the_passphrase_keeps_every_version(path: Path) -> None:
    Keyring(path, PASSPHRASE).create()
    keyring, elsewhere = Keyring(path, PASSPHRASE), Keyring(path, PASSPHRASE)
    old = elsewhere.wrap(KEY, CONTEXT)
    keyring.rotate()
    new = keyring.wrap(KEY, CONTEXT)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="already"):
        keyring.change_passphrase(PASSPHRASE)
    assert path.read_bytes() == before
    assert keyring.change_passphrase("another one")
    for handle in (keyring, Keyring(path, "another one")):
        assert handle.unwrap(old, CONTEXT) == handle.unwrap(new, CONTEXT) == KEY
    for handle in (elsewhere, Keyring(path, PASSPHRASE)):
        with pytest.raises(BackendError, match="does not open"):
            handle.unwrap(old, CONTEXT)


def test_a_first_passphrase_protects_a_plain_keyring(path: Path) -> None:
    Keyring(path, None).create()
    keyring = Keyring(path, None)
    wrapped = keyring.wrap(KEY, CONTEXT)
    assert not keyring.change_passphrase(PASSPHRASE)
    assert Keyring(path, PASSPHRASE).unwrap(wrapped, CONTEXT) == KEY
    with pytest.raises(BackendError):
        Keyring(path, None).unwrap(wrapped, CONTEXT)


def test_kill_9_while_the_passphrase_changes_leaves_a_keyring_under_the_old_or_the_new(
    path: Path,
) -> None:
    dice = random.Random(2027)
    Keyring(path, "0").create()
    wrapped = Keyring(path, "0").wrap(KEY, CONTEXT)
    number = 0
    for _ in range(4):
        command = [sys.executable, "-c", CHANGE, str(path), str(number)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        told = process.stdout.readline()  # it has begun
        while not path.with_name("keyring.json.new").exists():
            time.sleep(0.0005)  # most of a change is Argon2id: death comes when it writes
        time.sleep(dice.uniform(0, 0.005))
        process.send_signal(signal.SIGKILL)
        told += process.communicate()[0]
        last = int(told[: told.rindex("\n")].split()[-1])
        (number,) = (n for n in (last - 1, last, last + 1) if _opens(path, str(n), wrapped))
        assert number >= last


def _opens(path: Path, passphrase: str, wrapped: bytes) -> bool:
    try:
        return Keyring(path, passphrase).unwrap(wrapped, CONTEXT) == KEY
    except BackendError:
        return False


def test_only_a_keyring_has_a_passphrase_to_change(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE)
    elsewhere = open_kms("transit://127.0.0.1:1/transit/key", home=tmp_path)
    with pytest.raises(UsageError, match="only a keyring"):
        change_passphrase(elsewhere, file)


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_a_damaged_file_is_an_integrity_error_and_never_another_key(
    path: Path, passphrase: str | None
) -> None:
    Keyring(path, passphrase).create()
    text = path.read_bytes()
    for place in random.Random(7).sample(range(len(text) - 1), 60):
        damaged = bytearray(text)
        damaged[place] ^= 1
        if json_equal(bytes(damaged), text):
            continue  # a blank became another blank
        path.write_bytes(damaged)
        with pytest.raises((IntegrityError, BackendError)) as refusal:
            Keyring(path, passphrase).wrap(KEY, CONTEXT)
        assert "does not open" not in str(refusal.value)  # rot is not a wrong passphrase
    for shorter in (b"", text[:40], text[:-30], b"[]\n", b"{}\n", b"null\n"):
        path.write_bytes(shorter)
        with pytest.raises(IntegrityError):
            Keyring(path, passphrase).wrap(KEY, CONTEXT)


def json_equal(one: bytes, other: bytes) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


def test_another_keyring_in_its_place_does_not_know_the_old_wraps(path: Path) -> None:
    Keyring(path, None).create()
    keyring = Keyring(path, None)
    wrapped = keyring.wrap(KEY, CONTEXT)
    path.unlink()
    Keyring(path, None).create()
    with pytest.raises(NotFound, match="another keyring"):
        keyring.unwrap(wrapped, CONTEXT)


def test_the_passphrase_is_worked_on_once_for_all_threads(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Keyring(path, PASSPHRASE).create()
    from vault.kms import keyring as room

    worked, derive = [], room._derive

    def counted(passphrase: str, salt: bytes) -> bytes:
        worked.append(1)
        return derive(passphrase, salt)

    monkeypatch.setattr(room, "_derive", counted)
    keyring = Keyring(path, PASSPHRASE)
    threads = [threading.Thread(target=keyring.wrap, args=(KEY, CONTEXT)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keyring.rotate()
    keyring.wrap(KEY, CONTEXT)
    Keyring(path, PASSPHRASE).rotate()  # by another: one derivation of its own, none of ours
    keyring.wrap(KEY, CONTEXT)
    assert len(worked) == 2


def test_two_processes_that_rotate_at_once_lose_no_version(path: Path) -> None:
    Keyring(path, None).create()
    first = _versions(path)
    processes = [_rotating(path, 40) for _ in range(3)]
    told = {line.strip() for process in processes for line in process.communicate()[0].splitlines()}
    assert all(process.returncode == 0 for process in processes)
    assert len(told) == 120
    assert set(_versions(path)) == told | set(first)


def test_two_processes_that_create_at_once_make_one_root(path: Path) -> None:
    script = "import sys, pathlib; from vault.kms.keyring import Keyring; "
    script += "Keyring(pathlib.Path(sys.argv[1]), None).create()"
    processes = [subprocess.Popen([sys.executable, "-c", script, str(path)]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert len(_versions(path)) == 1


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_kill_9_while_rotating_leaves_a_keyring_that_opens_everything(
    path: Path, passphrase: str
) -> None:
    dice = random.Random(2026)
    Keyring(path, passphrase or None).create()
    wrapped: list[bytes] = []
    for _ in range(12):
        wrapped.append(Keyring(path, passphrase or None).wrap(KEY, CONTEXT))
        process = _rotating(path, 1_000_000, passphrase)
        assert process.stdout is not None
        told = [process.stdout.readline().strip()]  # it has begun
        time.sleep(dice.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        told += process.communicate()[0].split()
        after = Keyring(path, passphrase or None)
        assert {line for line in told if len(line) == 32} <= set(_versions(path))
        assert all(after.unwrap(one, CONTEXT) == KEY for one in wrapped)
        after.rotate()
        assert sorted(found.name for found in path.parent.iterdir()) == [
            "keyring.json", "keyring.json.lock",
        ]  # fmt: skip


def test_a_passphrase_without_an_end_and_a_file_without_a_floor_are_refused(path: Path) -> None:
    with pytest.raises(BackendError, match="too long"):
        secret(Path("/dev/zero"), "passphrase file")
    Keyring(path, None).create()
    path.write_bytes(b"[" * 100_000)
    with pytest.raises(IntegrityError, match="damaged"):
        Keyring(path, None).wrap(bytes(32), {})
