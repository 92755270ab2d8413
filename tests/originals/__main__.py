"""Have the original tools read what strongroom exports: `make originals`.

Every packaged sample and, where there are any, every recording of other programs goes into an
archive and comes out as a vCon, plain and signed, as a VoiceMode log and, where there is a
checkout of PromptKit, as its recording, all through the command line. Prints a table and what is
wrong, and exits with 1 if anything is.
"""

from __future__ import annotations

import json
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests import homes
from tests.conftest import FIXTURES
from tests.originals import programs
from tests.originals.compare import Verdict, log, vcon
from tests.originals.recordings import Noted, recording
from tests.unit.test_formats_vcon_envelope import signer
from vault import samples
from vault.operations import conversations, records, remarks, retrieve, show
from vault.operations.room import Room
from vault.replay.conversation_counts import count


def main() -> int:
    """Deposit, export, have it read, compare."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = homes.made(folder / "home")
        sessions = _deposited(home)
        verdicts = [*_vcons(home, folder, sessions), *_logs(home, folder, sessions)]
        verdicts += _recordings(home, folder, sessions)
    print("| Written | Read by | Files | As ours | With its own limits | Wrong |")
    print("|---|---|--:|--:|--:|--:|")
    for verdict in verdicts:
        print(verdict)
    for verdict in verdicts:
        for limit, files in sorted(verdict.limits.items()):
            print(f"limit, {verdict.written}: {limit} ({files})")
        for what in verdict.wrong:
            print(f"WRONG, {verdict.written}: {what}", file=sys.stderr)
    return int(any(verdict.wrong or not verdict.files for verdict in verdicts))


def _deposited(home: homes.Home) -> dict[str, Any]:
    """Every session as strongroom shows it, by its id."""
    places = [samples.folder(), *([FIXTURES] if FIXTURES.is_dir() else [])]
    if len(places) == 1:
        print("No recordings of other programs: STRONGROOM_FIXTURES says where.", file=sys.stderr)
    answer = home.run("deposit", "--no-wait", *places, code=None).document
    with home.room() as room:
        return {
            each["id"]: {**show.session(_opened(room, each["id"])), "path": each["path"]}
            for each in answer["sessions"]
        }


def _opened(room: Room, each: str) -> retrieve.Opened:
    return retrieve.Opened(room, retrieve.session(room, each))


def _vcons(home: homes.Home, folder: Path, sessions: dict[str, Any]) -> list[Verdict]:
    """Every session as a vCon, as it is and signed."""
    key, certificate, public = (folder / name for name in ("key", "certificate", "public"))
    for path, pem in zip((key, certificate), signer(), strict=True):
        path.write_bytes(pem)
    signed = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    public.write_bytes(signed.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    verdicts = []
    sealed: set[str] = set()
    foreign = [s["path"] for s in sessions.values() if s["format"] == "vcon"]
    came = programs.python(folder, "read_vcon.py", "-", *foreign)
    for written, options in (
        ("vCon", ()),
        ("vCon, signed", ("--sign-with", key, "--certificate", certificate)),
    ):
        out = folder / written.replace(", ", "-")
        home.run("export", "--all", "--format", "vcon", *options, "-o", out)
        files = {each: out / f"{each}.vcon" for each in sessions}
        if options:  # nobody signs what came encrypted and nobody here can open
            files = {each: path for each, path in files.items() if each not in sealed}
        read = programs.python(folder, "read_vcon.py", public, *files.values())
        sealed = {each for each, path in files.items() if read[str(path)].get("sealed")}
        verdict = Verdict(written, "vcon 0.3.10")
        for each, path in files.items():
            session, before = sessions[each], came.get(sessions[each]["path"])
            verdict.take(session, vcon(session, read[str(path)], before, signed=bool(options)))
        verdicts.append(verdict)
    return verdicts


def _logs(home: homes.Home, folder: Path, sessions: dict[str, Any]) -> list[Verdict]:
    """Every session of which a row can be written, in a folder as VoiceMode keeps it."""
    out, kept = folder / "logs", {}
    home.run("export", "--all", "--format", "voicemode", "-o", out)
    for each, session in sessions.items():
        # A log alone, or in a folder with its recordings beside it.
        written = [*out.glob(f"{each}.jsonl"), *out.glob(f"{each}/*.jsonl")]
        if not session["segments"] and not written:  # no row would be in it
            continue
        (exported,) = written
        first = json.loads(exported.read_bytes().partition(b"\n")[0])
        if "event_type" in first:  # an event log, for which VoiceMode has no reader
            continue
        day = datetime.fromisoformat(first["timestamp"]).date().isoformat()
        place = kept[each] = folder / "voicemode" / each
        (place / "logs" / "conversations").mkdir(parents=True)
        name = place / "logs" / "conversations" / f"exchanges_{day}.jsonl"
        name.write_bytes(exported.read_bytes())
    read = programs.python(folder, "read_voicemode.py", *kept.values())
    verdict = Verdict("VoiceMode log", "voice-mode 9.0.1")
    with home.room() as room:
        for each, place in kept.items():
            choice = records.Choice(ids=[each])
            rows = [row for _, talk in conversations.said(room, choice) for row in talk]
            found = log(sessions[each]["format"], rows, count(rows), read[str(place)])
            verdict.take(sessions[each], found)
    return [verdict]


def _recordings(home: homes.Home, folder: Path, sessions: dict[str, Any]) -> list[Verdict]:
    """Every session as a PromptKit recording in both forms, with an annotation made here."""
    program = programs.promptkit(folder)
    if program is None:
        return []
    with home.room() as room:
        noted = {each: _noted(room, session) for each, session in sessions.items()}
    foreign = [s["path"] for s in sessions.values() if s["format"] == "promptkit"]
    came, verdicts = programs.run(folder, [program], *foreign), []
    for form, ending in (("promptkit", "json"), ("promptkit-jsonl", "jsonl")):
        out = folder / form
        home.run("export", "--all", "--format", form, "-o", out)
        files = {each: out / each / f"{each}.{ending}" for each in sessions}
        read = programs.run(folder, [program], *files.values())
        verdict = Verdict(f"recording, {ending.upper()}", "PromptKit")
        for each, path in files.items():
            session, before = sessions[each], came.get(sessions[each]["path"])
            verdict.take(session, recording(session, read[str(path)], before, noted[each]))
        verdicts.append(verdict)
    return verdicts


def _noted(room: Room, session: dict[str, Any]) -> Noted:
    """Say something of the session's last event, or of all of it where it has none."""
    target, where, since_ns = "session", {}, 0
    if session["events"]:
        last = session["events"][-1]
        target, where, since_ns = "event", {"seq": last["seq"]}, last["offset_ns"]
    made = remarks.annotate(
        room, session["id"], type="score", key="heard", value=0.5, target=target, where=where
    )
    return Noted(made.id, since_ns)


if __name__ == "__main__":
    sys.exit(main())
