"""The call to the pharmacy again, as three other systems would have recorded it.

`python -m vault.samples.retold [FOLDER]` writes them anew beside the bundle `pharmacy-refill`,
from its speech and nothing else; it needs ffmpeg and no synthesiser.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from vault.media import ffmpeg
from vault.model import Json
from vault.samples import folder, retold_promptkit
from vault.samples.call import RATE, STARTED_AT, Sound, Turn, mixed, turns

CALL = "pharmacy-refill"


def main(place: Path) -> None:
    """Write the three recordings into `place`, in which the bundle is."""
    call = turns(place / CALL)
    for name, write in (
        ("voicemode", voicemode),
        ("voice-agents-platform", platform),
        ("promptkit", retold_promptkit.write),
    ):
        shutil.rmtree(place / name, ignore_errors=True)
        (place / name).mkdir()
        write(place / name, call)


def voicemode(place: Path, call: Sequence[Turn]) -> None:
    """A log of exchanges of version 4, and the recordings it names."""
    rows = []
    for turn in call:
        at = STARTED_AT + timedelta(seconds=turn.start)
        kind = "stt" if turn.role == "user" else "tts"
        name = f"{at:%Y%m%d_%H%M%S}_{at.microsecond // 1000:03d}_refill_{kind}.mp3"
        _write(place / "audio" / "2026" / "03" / name, _encoded(turn.sound, "libmp3lame", "mp3"))
        row: dict[str, Json] = {
            "version": 4,
            "timestamp": at.isoformat(timespec="microseconds"),
            "conversation_id": "conv_20260302_101500_refill",
            "type": kind,
            "text": turn.text,
            "project_path": "/srv/birch-lane",
            "audio_file": name,
            "duration_ms": round(turn.seconds * 1000),
            "metadata": _heard() if kind == "stt" else _spoken(turn),
        }
        rows.append(json.dumps(row) + "\n")
    _write(place / "exchanges_2026-03-02.jsonl", "".join(rows).encode())


def _heard() -> dict[str, Json]:
    return {
        "voice_mode_version": "9.0.1",
        "model": "whisper-1",
        "provider": "whisper",
        "provider_type": "whisper",
        "language": "en",
        "audio_format": "mp3",
        "transport": "local",
        "silence_detection": {
            "enabled": True,
            "vad_aggressiveness": 2,
            "silence_threshold_ms": 1000,
        },
        "transcription_time": 0.31,
    }


def _spoken(turn: Turn) -> dict[str, Json]:
    first = turn.wait or 0.35
    return {
        "voice_mode_version": "9.0.1",
        "model": "tts-1",
        "voice": "af_sky",
        "provider": "kokoro",
        "provider_type": "kokoro",
        "audio_format": "mp3",
        "transport": "local",
        "time_to_first_audio": first,
        "generation_time": round(first + 0.2, 3),
        "playback_time": round(turn.seconds, 3),
    }


def platform(place: Path, call: Sequence[Turn]) -> None:
    """A folder of the Voice Agents Platform, with the consent it keeps beside its recordings."""
    name = "sess_5e1f0a2c9b3d"
    stem = place / "recordings" / name / name
    end, epoch = max(turn.end for turn in call), STARTED_AT.timestamp()
    quality = _quality(call, end)
    metadata: dict[str, Json] = {
        "session_id": name,
        "user_id": "caller-0142",
        "agent_id": "birch-lane",
        "start_time": STARTED_AT.isoformat(),
        "end_time": (STARTED_AT + timedelta(seconds=end)).isoformat(),
        "duration": end,
        "status": "completed",
        "privacy_level": "full",
        "tags": ["pharmacy"],
        "custom_metadata": {},
        "quality_metrics": quality,
        "audio_format": "flac",
        "sample_rate": RATE,
        "channels": 1,
        "bit_depth": 16,
        "storage_path": f"recordings/{name}",
        "compressed": False,
        "encrypted": False,
    }
    segments: list[Json] = [
        {
            "id": f"seg_{index:08x}",
            "timestamp": epoch + turn.start,
            "end_timestamp": epoch + turn.end,
            "text": turn.text,
            "speaker_id": turn.role,
            "confidence": (0.97, 0.91, 0.95, 0.64, 0.96)[index],
            "language": "en",
            "is_final": True,
        }
        for index, turn in enumerate(call)
    ]
    lines = [f"[{epoch + turn.start}] {turn.role}: {turn.text}" for turn in call]
    _json(Path(f"{stem}_metadata.json"), metadata)
    _json(Path(f"{stem}_quality.json"), quality)
    _json(Path(f"{stem}_transcript.json"), {"session_id": name, "segments": segments})
    _write(Path(f"{stem}_transcript.txt"), "\n".join(lines).encode())
    _write(Path(f"{stem}_audio.flac"), _encoded(mixed(call), "flac", "flac"))
    _json(place / "consent" / "consent_records.json", {"caller-0142": _consent()})


def _quality(call: Sequence[Turn], end: float) -> dict[str, Json]:
    waits = sorted(turn.wait for turn in call if turn.wait is not None)
    spoken = sum(turn.seconds for turn in call)
    return {
        "audio_quality_score": 0.85,
        "transcript_accuracy_score": 0.886,
        "latency_p95": waits[-1],
        "latency_avg": sum(waits) / len(waits),
        "interruption_count": 0,  # which is what the platform says of every session
        "silence_duration": max(0.0, end - spoken),
        "speech_duration": spoken,
        "speaker_switch_count": len(call) - 1,
        "volume_variance": None,
        "background_noise_level": None,
    }


def _consent() -> list[Json]:
    return [
        {
            "user_id": "caller-0142",
            "consent_type": kind,
            "granted": True,
            "timestamp": STARTED_AT.isoformat(),
            "version": "1.0",
            "legal_basis": "consent",
        }
        for kind in ("recording", "transcript")
    ]


def _encoded(sound: Sound, codec: str, container: str) -> bytes:
    quality = ("-q:a", "6") if container == "mp3" else ()
    output = ffmpeg.Output((*ffmpeg.AUDIO, "-c:a", codec, *quality, "-f", container))
    blocks = ffmpeg.run(ffmpeg.pcm(iter([sound.tobytes()]), RATE, 1), [output])
    return b"".join(block for _, block in blocks)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _json(path: Path, value: Mapping[str, Json]) -> None:
    _write(path, (json.dumps(value, indent=2) + "\n").encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else folder())
