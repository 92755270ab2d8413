"""How well the session can be heard and read."""

from __future__ import annotations

import math

from vault.model import Json
from vault.replay.analysis.session import (
    SECOND_NS,
    Heard,
    Session,
    confidence,
    mean,
    result,
    seconds,
    share,
)

_ENERGY = (
    "by energy alone: windows of 20 ms more than 10 dB above the noise floor, gaps up to 200 ms "
    "closed; noise counts as speech where it is as loud"
)
_FLOOR = "the level that the quietest tenth of the windows does not exceed"
_RECORDINGS = (
    f"speech {_ENERGY}; noise floor: {_FLOOR}; length, level, peak and clipping are measured"
)


def analyse(session: Session) -> dict[str, Json]:
    """Levels, clipping, speech and silence of every recording and of all together.

    `speech_seconds` and `silence_seconds` add up to `audio_seconds`, the length of the
    recordings that were listened to; all three are null where nobody listened, and `unheard`
    says why not. `_dbfs` is
    relative to full scale. What the transcript says of itself is `confidence_mean`,
    `low_confidence_segments`, `truncated_segments` and `textless_segments`. There is no overall
    score: nobody could check it.
    """
    heard = session.heard
    sounds = [h.measured for h in heard]
    length_ns = sum(m.duration_ns for m in sounds)
    speech_ns = sum(m.speech_ns for m in sounds)
    samples = sum(m.frames * m.channels for m in sounds)
    clipped = sum(m.clipped_samples for m in sounds)
    peaks = [m.peak_dbfs for m in sounds if m.peak_dbfs is not None]
    floors = [m.noise_floor_dbfs for m in sounds if m.noise_floor_dbfs is not None]
    confidences = [c for s in session.segments if (c := confidence(s)) is not None]
    measured: dict[str, Json] = {
        "audio_seconds": seconds(length_ns) if sounds else None,
        "level_dbfs": _together([(m.level_dbfs, m.frames / m.rate) for m in sounds]),
        "peak_dbfs": max(peaks, default=None),
        "clipped_samples": clipped if sounds else None,
        "clipped_ratio": share(clipped, samples),
        "unheard": dict(session.unheard),
        "confidence_mean": mean(confidences),
        "low_confidence_segments": sum(c < session.options.minimum_confidence for c in confidences),
        "truncated_segments": sum(s.truncated for s in session.segments),
        "textless_segments": sum(not (s.text or "").strip() for s in session.segments),
    }
    spoken = [(m.speech_level_dbfs, seconds(m.speech_ns)) for m in sounds]
    speech_level, floor = _together(spoken), max(floors, default=None)
    variances = [m.volume_variance_db2 for m in sounds if m.volume_variance_db2 is not None]
    ratio = None if speech_level is None or floor is None else round(speech_level - floor, 2)
    return result(
        measured,
        {
            "speech_seconds": (seconds(speech_ns) if sounds else None, _ENERGY),
            "silence_seconds": (seconds(length_ns - speech_ns) if sounds else None, _ENERGY),
            "speech_level_dbfs": (speech_level, f"RMS of what is taken for speech, {_ENERGY}"),
            "noise_floor_dbfs": (floor, f"of the noisiest recording, {_FLOOR}"),
            "signal_to_noise_db": (ratio, "speech_level_dbfs less noise_floor_dbfs"),
            "volume_variance_db2": (
                mean(variances),
                "variance of the window levels in speech, the mean over recordings",
            ),
            "recordings": (
                [_recording(h) for h in heard],
                _RECORDINGS,
            ),
        },
    )


def _recording(heard: Heard) -> dict[str, Json]:
    found = heard.measured
    return {
        "name": heard.name,
        "start_seconds": seconds(heard.start_ns),
        "duration_seconds": seconds(found.duration_ns),
        "rate": found.rate,
        "channels": found.channels,
        "level_dbfs": found.level_dbfs,
        "peak_dbfs": found.peak_dbfs,
        "clipped_samples": found.clipped_samples,
        "noise_floor_dbfs": found.noise_floor_dbfs,
        "threshold_dbfs": found.threshold_dbfs,
        "speech_seconds": seconds(found.speech_ns),
        "silence_seconds": seconds(found.duration_ns - found.speech_ns),
        "speech": [[start / SECOND_NS, end / SECOND_NS] for start, end in found.speech],
    }


def _together(levels: list[tuple[float | None, float]]) -> float | None:
    """The level of several recordings one after the other: their energies, weighted by length."""
    total = sum(length for _, length in levels)
    energy = sum(10 ** (db / 10) * length for db, length in levels if db is not None)
    return round(10 * math.log10(energy / total), 2) if total > 0 and energy > 0 else None
