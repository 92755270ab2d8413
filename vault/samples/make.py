"""Speak the sample sessions anew: `python -m vault.samples.make [FOLDER]`, for maintainers.

Needs the extra `samples` (the speech synthesiser eSpeak NG, used only here). Run again on the
same machine it makes the same bytes. Everyone in the calls is invented; telephone numbers are
of the 555-01xx range that is kept for fiction.
"""

from __future__ import annotations

import ctypes
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vault.media import ffmpeg
from vault.media.wav import write_header
from vault.model import Json
from vault.samples import folder, retold

RATE = 16_000
VOICES = {"agent": "en-us+f3", "user": "en-gb+m3"}
Sound = NDArray[np.int16]


class Speaker:
    """Speech from text, 16 kHz mono, through the shared library of eSpeak NG."""

    def __init__(self) -> None:
        import espeakng_loader

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self._rate = self._library.espeak_Initialize(1, 0, data, 0)  # 1: samples come back here
        if self._rate <= 0:
            raise SystemExit("eSpeak NG did not start.")
        self._heard: list[Sound] = []
        kind = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_int16), ctypes.c_int, ctypes.c_void_p
        )
        self._listener = kind(self._listen)  # kept: the library calls it later
        self._library.espeak_SetSynthCallback(self._listener)
        self._library.espeak_SetParameter(1, 185, 0)  # words a minute

    def say(self, role: str, text: str) -> Sound:
        """One utterance, without the silence around it."""
        self._heard.clear()
        self._library.espeak_SetVoiceByName(VOICES[role].encode())
        self._library.espeak_ng_SetRandSeed(1)  # its breath is made of random numbers
        line = text.encode() + b"\0"
        self._library.espeak_Synth(line, len(line), 0, 1, 0, 1, None, None)
        self._library.espeak_Synchronize()
        sound = _resampled(np.concatenate(self._heard), self._rate)
        loud = np.flatnonzero(np.abs(sound) > 150)
        return sound[loud[0] : loud[-1] + 1]

    def _listen(self, samples: ctypes._Pointer[ctypes.c_int16], count: int, _: object) -> int:
        if samples and count:
            self._heard.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0


@dataclass(frozen=True, slots=True)
class Line:
    """One turn: `gap` seconds after the end of the one before (negative: it talks over it).

    Only the first `heard` seconds sound where that is given: the speaker was cut off.
    """

    role: str
    text: str
    gap: float
    heard: float | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A line that has been spoken; times in seconds."""

    line: Line
    sound: Sound
    start: float

    @property
    def end(self) -> float:
        """When its last sample ends."""
        return self.start + len(self.sound) / RATE


REFILL = (
    Line("agent", "Birch Lane Pharmacy, how can I help?", 0.35),
    Line("user", "Hello. Could you refill my allergy tablets? My number is 555, 0142.", 0.6),
    Line("agent", "I found it. You have two refills left, ready on Thursday at", 0.9, 3.1),
    Line("user", "Sorry, could it be today?", -0.45),
    Line("agent", "Yes. Today, after five.", 0.7),
)
PARCEL = (
    Line("agent", "Your parcel is at the depot. Keep it there?", 0.3),
    Line("user", "Yes please, until Friday.", 0.5),
)
VOICEMAIL = (
    "Hi, this is Robin Marsh. I have to move the boiler service from Monday to Wednesday. "
    "Please call me back on 555, 0167. Thank you, goodbye."
)


def main(place: Path) -> None:
    """Write every sample session into `place`, and nothing else that was there stays."""
    speaker = Speaker()
    shutil.rmtree(place, ignore_errors=True)
    refill = _spoken(speaker, REFILL)
    _bundle(place / "pharmacy-refill", refill)
    _json(place / "pharmacy-refill" / "manifest.json", _manifest(refill))
    _bundle(place / "parcel-callback", _spoken(speaker, PARCEL))
    _voicemail(place, speaker.say("user", VOICEMAIL))
    retold.main(place)


def _resampled(sound: Sound, rate: int) -> Sound:
    """The same sound at 16 kHz; what is above 8 kHz is cut off in the spectrum."""
    count = len(sound) * RATE // rate
    spectrum = np.fft.rfft(sound.astype(np.float64))[: count // 2 + 1]
    wave = np.fft.irfft(spectrum, count) * (count / len(sound))
    return np.clip(np.rint(wave), -32768, 32767).astype(np.int16)


def _spoken(speaker: Speaker, lines: Sequence[Line]) -> list[Turn]:
    turns: list[Turn] = []
    at = 0.0
    for line in lines:
        sound = speaker.say(line.role, line.text)
        if line.heard is not None:
            sound = sound[: round(line.heard * RATE)]
        turns.append(Turn(line, sound, round(at + line.gap, 3)))
        at = turns[-1].end
    return turns


def _name(index: int, turn: Turn) -> str:
    return f"segments/{index:02d}-{turn.line.role}-{round(turn.start * 1000):04d}ms.wav"


def _wav(path: Path, sound: Sound) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(write_header(RATE, 1, 16, len(sound)) + sound.astype("<i2").tobytes())


def _json(path: Path, value: Mapping[str, Json]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


def _bundle(place: Path, turns: Sequence[Turn]) -> None:
    for index, turn in enumerate(turns):
        _wav(place / _name(index, turn), turn.sound)
    _wav(place / "full.wav", np.concatenate([turn.sound for turn in turns]))


def _manifest(turns: Sequence[Turn]) -> Mapping[str, Json]:
    segments: list[Json] = []
    for index, turn in enumerate(turns):
        cut: dict[str, Json] = {"transcript_truncated": True} if turn.line.heard else {}
        segments.append(
            {
                "idx": index,
                "file": _name(index, turn),
                "role": turn.line.role,
                "start_time": turn.start,
                "end_time": round(turn.end, 6),
                "duration": round(turn.end - turn.start, 6),
                "transcript": turn.line.text,
                **cut,
            }
        )
    return {
        "generated_at": "2026-03-02T10:15:00.000000+00:00",
        "duration": round(max(turn.end for turn in turns), 6),
        "segment_count": len(turns),
        "segments": segments,
        "events": _events(turns),
    }


def _events(turns: Sequence[Turn]) -> list[Json]:
    """Who spoke when, the look-up before the third turn, and the interruption of it."""
    events: list[dict[str, Json]] = []
    for before, turn in zip((None, *turns), turns, strict=False):
        start: dict[str, Json] = {"time": turn.start, "type": f"{turn.line.role}_start_speaking"}
        if before and turn.line.role == "agent":
            start["latency"] = turn.line.gap
        events += [start, {"time": round(turn.end, 6), "type": f"{turn.line.role}_stop_speaking"}]
    asked, call = turns[1].end, {"call_id": "call-1"}
    look_up: dict[str, Json] = {"name": "find_prescription", "metadata": {**call}}
    events += [
        {
            "time": round(asked + 0.1, 6),
            "type": "tool_call",
            **look_up,
            "args": {"phone": "555-0142"},
        },
        {
            "time": round(asked + 0.5, 6),
            "type": "tool_result",
            **look_up,
            "result": {"prescription": "RX-1042", "refills_left": 2},
        },
        {"time": turns[3].start, "type": "user_interrupt", "metadata": {"native": True}},
    ]
    return [*sorted(events, key=lambda event: float(str(event["time"])))]


def _voicemail(place: Path, sound: Sound) -> None:
    options = (*ffmpeg.AUDIO, "-c:a", "libopus", "-b:a", "24k", "-f", "ogg")
    samples = iter([sound.astype("<i2").tobytes()])
    blocks = ffmpeg.run(ffmpeg.pcm(samples, RATE, 1), [ffmpeg.Output(options)])
    (place / "voicemail.opus").write_bytes(b"".join(block for _, block in blocks))
    sidecar: dict[str, Json] = {
        "external_id": "voicemail-0001",
        "started_at": "2026-03-03T17:42:10+01:00",
        "participants": [{"role": "user", "name": "Robin Marsh"}],
        "transcript": VOICEMAIL,
    }
    _json(place / "voicemail.json", sidecar)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else folder())
