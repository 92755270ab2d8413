"""What was recorded, as a scenario bundle in memory: a manifest and a recording per turn."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from vault.capture.terms import Recording
from vault.capture.voice import Voice
from vault.formats import scenario_write
from vault.formats.fields import speakers
from vault.formats.scenario import MANIFEST, SEGMENTS
from vault.model import Event, Json, Kind, Original, Reading, Segment, Timeline, Warn


def reading(
    voices: Sequence[Voice],
    events: Sequence[Event],
    *,
    started_at: datetime,
    duration_ns: int,
    recording: Recording,
    paused_ns: int,
    warnings: Sequence[Warn],
) -> Reading:
    """The session as a reader would have understood it, its files in memory.

    The manifest says under `recording` how it was recorded, as it really was.
    """
    keeps = recording.privacy_level.keeps
    ordered = sorted((v for v in voices if v.frames or v.text is not None), key=_begin)
    segments, sounds = list[Segment](), list[Original]()
    for index, voice in enumerate(ordered):
        file = None
        if voice.samples:
            file = _name(index, voice, recording)
            sounds.append(_sound(file, voice, recording))
        segments.append(_segment(index, voice, file))
    how: dict[str, Json] = {
        "privacy_level": recording.privacy_level.value,
        "max_seconds": recording.max_seconds,
        "compression": recording.compression and bool(sounds),
        "encryption": True,
        "paused_seconds": paused_ns / 1_000_000_000,
    }
    session = Reading(
        format="scenario",
        external_id=None,
        started_at=started_at,
        duration_ns=max([duration_ns, *(s.end_ns for s in segments)]),
        participants=speakers(segments),
        timeline=Timeline(segments, tuple(events)),
        originals=(),
        metrics={},
        warnings=tuple(warnings),
        source={"recording": how},
        privacy_level=recording.privacy_level,
    )
    kind = Kind.TRANSCRIPT if Kind.TRANSCRIPT in keeps else Kind.METADATA
    content = _manifest(session)
    opened = partial(io.BytesIO, content)
    manifest = Original(MANIFEST, kind, "application/json", len(content), opened)
    return replace(session, originals=(manifest, *sounds))


def _begin(voice: Voice) -> int:
    return voice.start_ns


def _name(index: int, voice: Voice, recording: Recording) -> str:
    suffix = "flac" if recording.compression else "wav"
    return f"{SEGMENTS}/{index:02d}-{voice.role}-{voice.start_ns // 1_000_000:04d}ms.{suffix}"


def _segment(index: int, voice: Voice, file: str | None) -> Segment:
    decoded = voice.frames * 1_000_000_000 // voice.rate
    named = {} if voice.speaker == voice.role else {"speaker": voice.speaker}
    return Segment(
        index=index,
        role=voice.role,
        speaker=voice.speaker if named else None,
        start_ns=voice.start_ns,
        end_ns=voice.end_ns,
        decoded_ns=decoded if file else None,
        text=voice.text,
        truncated=voice.truncated,
        file=file,
        data={**named, **voice.words},
    )


def _manifest(session: Reading) -> bytes:
    """The manifest that tells the session, by the writer of the format."""
    names = {s.index: s.file for s in session.timeline.segments if s.file is not None}
    return json.dumps(scenario_write.document(session, names), indent=2).encode() + b"\n"


def _sound(name: str, voice: Voice, recording: Recording) -> Original:
    if not recording.compression:
        return Original(name, Kind.AUDIO, "audio/wav", voice.wav_bytes, voice.wav)
    content = voice.flac()
    return Original(name, Kind.AUDIO, "audio/flac", len(content), partial(io.BytesIO, content))
