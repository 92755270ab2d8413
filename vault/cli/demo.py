"""`strongroom demo`: the whole story once, on packaged samples, in a home that is thrown away."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vault.cli import comparing
from vault.cli.desk import Desk, duration, size
from vault.errors import IntegrityError

if TYPE_CHECKING:
    from vault.operations.outcome import Deposited
    from vault.operations.room import Room

#: Who acts beside the owner where it takes two.
_SECOND = "olga"
#: In each of the four recordings of the call, user and agent both speak then.
_INTERRUPTED_NS = 12_450_000_000
_NEXT = """
Now with a home of your own:
  strongroom init                          make it (in ~/.strongroom)
  strongroom doctor                        what it can and cannot promise
  strongroom deposit FOLDER --subject ID   put sessions in
  strongroom list, strongroom show ID      find them again
  strongroom analyse ID                    how it went; `exchanges` searches what was said
  strongroom fetch ID --originals -o DIR   have them back, byte for byte
README.md goes on from here; SECURITY.md says who can read what."""


def play(desk: Desk) -> None:
    """Deposit, compare, replay, look at what is stored, fetch, tamper, hold and dispose."""
    from vault import samples
    from vault.bootstrap import init, open_room
    from vault.cli import demo_disposal
    from vault.operations import actors
    from vault.settings import Settings

    scratch = Path(tempfile.mkdtemp(prefix="strongroom-demo-"))
    try:
        settings = Settings(
            home=scratch / "home",
            store_url="file://objects",
            kms_url="keyring://",
            catalogue_url="sqlite://",
            broker_url=None,
            consent="optional",
        )
        _tell(desk, f"1. A new archive, in a home that goes away again: {settings.home}")
        public_key = str(init(settings)["public_key"])
        with open_room(settings) as room:
            story = _story(desk, room, scratch, samples.folder())
            actors.add(room.catalogue, room.keys, room.clock, _SECOND, "officer")
            with open_room(settings, _SECOND) as second:
                story["disposal"] = demo_disposal.play(
                    partial(_tell, desk), room, second, public_key
                )
    finally:
        shutil.rmtree(scratch)
    desk.answer(story, _NEXT.splitlines())


def _story(desk: Desk, room: Room, scratch: Path, folder: Path) -> dict[str, Any]:
    from vault.operations import listing
    from vault.samples import ONE_CALL

    taken = _deposit(desk, room, folder)
    by_entry = {answer.path.relative_to(folder).parts[0]: answer for answer in taken}
    one_call = [by_entry[name].id for name in ONE_CALL]
    compared_formats = _side_by_side(desk, room, one_call)
    instants = _at_one_instant(desk, room, one_call)
    sealed = _look_at_what_is_stored(desk, room, taken)
    compared = _fetch_and_compare(desk, room, scratch, by_entry["voicemode"])
    refused = _tamper(desk, room, scratch, by_entry["voicemode"])
    return {
        "sessions": [listing.deposited(answer) for answer in taken],
        "side_by_side": compared_formats,
        "instants": instants,
        "sealed": sealed,
        "compared": compared,
        "tampering_refused": refused,
    }


def _deposit(desk: Desk, room: Room, folder: Path) -> list[Deposited]:
    from vault.operations.admission import Terms
    from vault.operations.deposit import deposit

    _tell(desk, "\n2. Sessions go in: each is sealed under keys of its own, transcoded, analysed.")
    with desk.progress() as progress:
        terms = Terms(subjects=["caller@example.com"], jurisdictions=["US-CA"])
        taken = deposit(room, [folder], terms, progress=progress).sessions
    for answer in taken:
        length, total = duration(answer.duration_ns), sum(p.size_bytes for p in answer.originals)
        files = f"{len(answer.originals)} files, {size(total)}"
        entry = answer.path.relative_to(folder).parts[0]
        _tell(desk, f"   {answer.format:<22}{length}  {answer.state}  {files:<18} {entry}")
    return taken


def _side_by_side(desk: Desk, room: Room, sessions: Sequence[str]) -> list[dict[str, Any]]:
    """What is known of one call from each of the systems that recorded it."""
    found = [comparing.summary(room, session) for session in sessions]
    _tell(desk, "\n3. One call to a pharmacy, as four systems record it (`strongroom analyse ID`).")
    for line in comparing.table(found):
        _tell(desk, f"   {line}")
    _tell(desk, "   A – is what cannot be told. VoiceMode's log begins with the first word.")
    return found


def _at_one_instant(desk: Desk, room: Room, sessions: Sequence[str]) -> list[dict[str, Any]]:
    """All of them where the caller talks over the agent."""
    found = [comparing.instant(room, session, _INTERRUPTED_NS) for session in sessions]
    _tell(desk, "\n4. The same instant in each (`strongroom replay ID --at 12.45`).")
    for line in comparing.moments(found):
        _tell(desk, f"   {line}")
    last = found[0]["messages"][-1]
    _tell(desk, f"   The {last['role']} is saying: {last['text']}")
    return found


def _look_at_what_is_stored(desk: Desk, room: Room, taken: list[Deposited]) -> dict[str, Any]:
    """Show that nothing that was said can be found in the home."""
    from vault.operations.retrieve import Opened, session

    phrases = {
        segment.text
        for answer in taken
        for segment in Opened(room, session(room, answer.id)).timeline().segments
        if segment.text
    }
    home = Path(room.catalogue.url.removeprefix("sqlite:///")).parent
    files = [p for p in home.rglob("*") if p.is_file()]
    found = sum(p.encode() in f.read_bytes() for p in phrases for f in files)
    _tell(desk, f"\n5. What lies on the disk: {len(files)} files.")
    _tell(desk, f"   {_object_of(room, taken[0]).read_bytes()[:24].hex(' ')} … is how one begins.")
    _tell(desk, f"   {len(phrases)} sentences were said; {found} of them can be found in clear.")
    return {"files": len(files), "phrases": len(phrases), "phrases_in_clear": found}


def _fetch_and_compare(
    desk: Desk, room: Room, scratch: Path, answer: Deposited
) -> list[dict[str, Any]]:
    from vault.operations import fetch

    _tell(desk, "\n6. One comes back, byte for byte.")
    fetch.originals(room, answer.id, scratch / "back")
    rows = []
    for part in answer.originals:
        digest = hashlib.sha256((scratch / "back" / part.name).read_bytes()).hexdigest()
        same = digest == part.sha256
        rows.append({"name": part.name, "sha256": digest, "same": same})
        _tell(desk, f"   {digest[:16]}  {'the same' if same else 'DIFFERENT'}  {part.name}")
    return rows


def _tamper(desk: Desk, room: Room, scratch: Path, answer: Deposited) -> bool:
    from vault.operations import fetch

    _tell(desk, "\n7. Somebody flips one bit in the store.")
    path = _object_of(room, answer)
    path.chmod(0o600)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    target = scratch / "tampered"
    try:
        fetch.originals(room, answer.id, target)
    except IntegrityError as error:
        _tell(desk, f"   refused: {error}")
        _tell(desk, f"   and nothing was written: {not target.exists()}")
        return not target.exists()
    _tell(desk, "   NOT NOTICED. This must never happen; please report it.")
    return False


def _object_of(room: Room, answer: Deposited) -> Path:
    """The file of a session's sealed originals in the demo's store."""
    with room.catalogue.transaction() as tx:
        row = next(o for o in tx.objects(answer.id) if o.compartment == "original")
    root = Path(room.store.url.removeprefix("file://"))
    return next(
        p for p in root.rglob(f"*{row.id}*") if p.is_file() and p.stat().st_size == row.size_bytes
    )


def _tell(desk: Desk, line: str) -> None:
    """The story goes to standard output, or beside the one document if that was asked for."""
    for one in line.split("\n"):
        if desk.as_json:
            desk.say(one)
        else:
            desk.answer({}, [one])
