"""Whether an original tool found in a file what strongroom says of the session."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from vault.replay.conversation import Exchange

#: What vcon 0.3.10 says against every vCon 0.4.0, and why.
OLDER = {
    r"Dialog \d+ has invalid mimetype: missing": "asks each dialog for `mimetype`, now `mediatype`",
    r"Attachment at index \d+ missing required field: type": (
        "asks each attachment for `type`, now `purpose`"
    ),
}
#: What it still says when those two have the names that it knows.
OLDER_STILL = {
    r"Dialog \d+ has invalid mimetype: .*": (
        "takes nine types of sound for a dialog; no text, no recording-set"
    ),
}


#: Their pieces are joined, their packed and raw sound is made what players take.
MADE = {"promptkit", "voice-agents-platform"}
#: "limit" or "wrong", and what.
Told = tuple[str, str]


@dataclass(slots=True)
class Verdict:
    """What one tool made of all files of one kind."""

    written: str
    by: str
    files: int = 0
    limited: int = 0
    limits: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    _wrong_files: int = 0

    def take(self, session: dict[str, Any], found: Iterator[Told]) -> None:
        """Count a file with what was found in it."""
        told = list(found)
        kinds = {kind for kind, _ in told}
        self.files += 1
        self._wrong_files += "wrong" in kinds
        self.limited += kinds == {"limit"}
        self.limits.update({what for kind, what in told if kind == "limit"})
        name = f"{session['format']} {session['external_id'] or session['id']}"
        self.wrong += [f"{name}: {what}" for kind, what in told if kind == "wrong"]

    def __str__(self) -> str:
        same = self.files - self.limited - self._wrong_files
        numbers = (self.files, same, self.limited, self._wrong_files)
        return f"| {self.written} | {self.by} | {' | '.join(map(str, numbers))} |"


def vcon(
    session: dict[str, Any], read: dict[str, Any], came: dict[str, Any] | None, *, signed: bool
) -> Iterator[Told]:
    """What is amiss in a vCon as it was read, beside the session as it is shown.

    `came` is how the tool read the session's own file, where that was a vCon.
    """
    if read.get("sealed"):
        yield "limit", "has no way to open what came encrypted and is passed on"
        return
    if "broke" in read:
        yield "wrong", f"the library cannot read it, {read['broke']}"
        return
    yield from _refused(read, came or {})
    if signed and read["verified"] is None:
        yield "limit", "verifies no payload of more than 256,000 characters (authlib's limit)"
    elif signed and (not read["verified"] or read["verified_changed"]):
        yield "wrong", "its signature does not hold, or holds for something else"
    if not read["kept"] or not (signed or read["file_as_text"]):
        yield "wrong", "the library writes something else than it read"
    people = [(p["role"], p["name"]) for p in session["participants"]]
    parties = [(p.get("role"), p.get("name")) for p in read["parties"]]
    if came is not None:  # its own words for roles stay
        people, parties = [(None, n) for _, n in people], [(None, n) for _, n in parties]
    if people != parties[: len(people)]:
        yield "wrong", f"parties {parties} for {people}"
    ours = Counter(s["text"] for s in session["segments"] if s["text"] is not None)
    theirs = Counter(_texts(read))
    # a vCon that came as one keeps its transcripts in the ways of whoever made them
    if theirs - ours if session["format"] == "vcon" else theirs != ours:
        yield "wrong", f"{theirs.total()} texts for {ours.total()}"
    held = {part["sha256"] for part in session["parts"]}
    odd = {d["sha256"] for d in read["dialog"] if d["type"] == "recording" and "sha256" in d} - held
    silent = {w["code"] for w in session["warnings"]} & {"unreadable-audio"}
    if odd and not silent and session["format"] not in MADE:
        yield "wrong", f"{len(odd)} recordings that are none of the session's"


def _refused(read: dict[str, Any], came: dict[str, Any]) -> Iterator[Told]:
    for errors, known in (("errors", OLDER), ("errors_as_then", OLDER_STILL)):
        for error in read[errors]:
            limits = [why for rule, why in known.items() if re.fullmatch(rule, error)]
            before = came.get(errors, [])
            if error in before or any(each.startswith("Error parsing") for each in before):
                limits.append("says the same, or worse, of the file that came and is passed on")
            yield ("limit", limits[0]) if limits else ("wrong", f"{errors}: {error}")


def _texts(read: dict[str, Any]) -> Iterator[str]:
    """What was said in each dialog: its transcript, else its own text."""
    said: dict[int, list[str]] = {}
    for each in read["analysis"]:
        if each["type"] == "transcript" and each["vendor"] == "strongroom":
            turns = each["body"].get("segments", [each["body"]])
            said.setdefault(each["dialog"], []).extend(turn["text"] for turn in turns)
    for index, dialog in enumerate(read["dialog"]):
        kind = dialog.get("mediatype", "text/plain").split("/")[0]  # a mail is read part by part
        inside = dialog["type"] == kind == "text" and dialog.get("encoding") == "none"
        yield from said.get(index, [dialog["body"]] if inside else [])


def log(
    source: str, said: Sequence[Exchange], counted: dict[str, Any], read: dict[str, Any]
) -> Iterator[Told]:
    """What is amiss in a log as it was read, beside what was said in the session."""
    yield from (("wrong", f"refused: {line}") for line in read["refused"])
    native = source == "voicemode"
    ours = [
        (one.kind if native or one.kind == "stt" else "tts", one.text, one.at, one.audio_file)
        for one in said
    ]
    theirs = [_row(row) for row in read["rows"]]
    if ours != theirs:
        pairs = [pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1]]
        yield "wrong", f"{len(theirs)} rows for {len(ours)}, {pairs[:1]}"
    talks = Counter(one.conversation_id for one in said)
    found = Counter({name: one["exchanges"] for name, one in read["conversations"].items()})
    if talks != found if native else list(talks.values()) != list(found.values()):
        yield "wrong", f"conversations {found} for {talks}"
    if not len(ours) == read["by_id"] == read["by_day"]:
        yield "wrong", "other rows are found by conversation or by day"
    if native or {one.kind for one in said} <= {"stt", "tts"}:
        yield from _stats(counted, read["stats"])
    else:
        yield "limit", "knows stt and tts alone; what the system said is counted as tts"


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    at = datetime.fromisoformat(row["timestamp"])
    return row["type"], row["text"], at, row.get("audio_file")


def _stats(ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[Told]:
    """Counts and times that are not the same."""
    times, talks = theirs["turnaround"], theirs["conversations"]
    pairs = {
        **{key: (ours[key], theirs[key]) for key in ("by_provider", "by_transport", "daily")},
        "by_voice": (ours["by_voice"], theirs["by_voice"]),
        "by_model": (ours["by_model"], {k: v for k, v in theirs["by_model"].items() if v}),
        "hourly": (ours["hourly"], {f"{int(h):02}": n for h, n in theirs["hourly"].items() if n}),
        "errors": (ours["errors"]["count"], theirs["errors"]["total_errors"]),
        "conversations": (ours["conversations"], talks["total_conversations"]),
        "silence": (ours["silence_detection"].get("on", 0), theirs["silence"]["vad_enabled_count"]),
    }
    for name in ("avg", "min", "max"):
        length = ours["conversation_seconds"][f"{name}_seconds"] or 0
        pairs[f"{name} length"] = (_ms(length), _ms(talks["duration_seconds"][name]))
        mine = ours["timing"]["turnaround"][f"{name}_seconds"]
        pairs[f"{name} turnaround"] = (_ms(mine), _ms(times.get(f"{name}_turnaround")))
    for what, (mine, other) in pairs.items():
        if mine != other:
            yield "wrong", f"{what}: {other} for {mine}"


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
