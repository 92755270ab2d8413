"""How a session is recorded, and who is told of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vault.errors import UsageError
from vault.media.wav import MAX_RATE
from vault.model import Json, PrivacyLevel

LONGEST_SECONDS = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Recording:
    """What is recorded. What is recorded is always encrypted: there is no switch for it.

    `sample_rate` (Hz) and `channels` are those of chunks that do not say otherwise. After
    `max_seconds`, pauses not counted, nothing more is taken. `compression` keeps FLAC instead
    of WAV. Until the end all of it lies in memory: 32 kB a second at 16 kHz, for each speaker
    while it speaks. Raises `UsageError` for what cannot be.
    """

    privacy_level: PrivacyLevel = PrivacyLevel.FULL
    max_seconds: float = 3600.0
    compression: bool = False
    sample_rate: int = 16_000
    channels: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.max_seconds <= LONGEST_SECONDS:
            raise UsageError("A recording lasts more than 0 seconds and at most seven days.")
        if not 0 < self.sample_rate <= MAX_RATE or not 1 <= self.channels <= 8:
            raise UsageError("A recording has 1 to 8 channels and a possible sample rate.")

    @property
    def limit_ns(self) -> int:
        """`max_seconds` in nanoseconds."""
        return round(self.max_seconds * 1_000_000_000)


def _nothing(*_told: object) -> None:
    """What is told to nobody."""


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Who is told, in the caller's own thread, after it was kept; only of what was kept.

    `on_session_start(external id)`, `on_session_end(session id)`, `on_audio_chunk(role, bytes)`,
    `on_transcript_segment(role, text, is_final)`, and once a second of each speaker's sound
    `on_quality_update({role, speaker, seconds, level_dbfs, clipped_samples})`. What a callback
    raises goes to whoever called the capture; what was kept stays kept.
    """

    on_session_start: Callable[[str], None] = _nothing
    on_session_end: Callable[[str], None] = _nothing
    on_audio_chunk: Callable[[str, int], None] = _nothing
    on_transcript_segment: Callable[[str, str, bool], None] = _nothing
    on_quality_update: Callable[[dict[str, Json]], None] = _nothing
