"""A session as it happens: chunks and words in, one deposit out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from vault.capture.bundle import reading
from vault.capture.terms import Callbacks, Recording
from vault.capture.voice import Gauge, Voice
from vault.errors import BadInput, IntegrityError, Refused, UsageError
from vault.media.measure import Meter
from vault.media.wav import MAX_RATE
from vault.model import Event, Json, Kind, Reading, Timeline, Warn, new_id
from vault.operations.actors import permit
from vault.operations.admission import Terms, admit
from vault.operations.deposit import deposit_readings
from vault.operations.outcome import Deposited
from vault.operations.room import Room

ROLES = frozenset({"user", "agent", "system"})


class Status(StrEnum):
    """Where a capture stands."""

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"  # the deposit did not succeed; `end` may be called again


class Capture:
    """Records one session. Safe to be fed from several threads.

    Time is counted from `start`, without pauses, by `clock` (monotonic ns). What the privacy
    level does not allow is dropped as it comes: it never enters the recording. `audio`,
    `transcript` and `event` say whether anything was kept.
    """

    def __init__(
        self,
        room: Room,
        recording: Recording | None = None,
        terms: Terms | None = None,
        callbacks: Callbacks | None = None,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.recording = recording or Recording()
        terms = terms or Terms()
        level = terms.privacy_level.within(self.recording.privacy_level)
        self.terms = replace(
            terms, privacy_level=level, external_id=terms.external_id or f"capture-{new_id()}"
        )
        self.status = Status.PENDING
        self.paused_ns = 0
        self._room, self._told, self._clock = room, callbacks or Callbacks(), clock
        self._lock, self._ending = threading.RLock(), threading.Lock()
        self._keeps = level.keeps
        self._voices: list[Voice] = []
        self._events: list[Event] = []
        self._gauges: dict[tuple[str, str, int, int], Gauge] = {}
        self._started_at: datetime | None = None
        self._began = self._stopped = 0
        self._limited = False

    @property
    def position_ns(self) -> int:
        """How long the session has lasted, without pauses."""
        with self._lock:
            if self._started_at is None:
                return 0
            now = self._clock() if self.status is Status.ACTIVE else self._stopped
            return max(0, now - self._began - self.paused_ns)

    def start(self) -> None:
        """Begin. Raises `Refused` where this session may not be deposited as it is."""
        with self._lock:
            self._expect(Status.PENDING)
            permit(self._room, "deposit")
            self.terms.check(self._room.policies.classes())
            empty = Reading("scenario", None, None, None, (), Timeline(), (), {})
            admit(self._room, Path(), empty, self.terms)
            self._started_at, self._began = self._room.clock.now(), self._clock()
            self.status = Status.ACTIVE
        self._told.on_session_start(self.terms.external_id or "")

    def pause(self) -> None:
        """Take nothing until `resume`; the time in between does not count."""
        with self._lock:
            self._expect(Status.ACTIVE)
            self._stopped, self.status = self._clock(), Status.PAUSED
            for voice in self._voices:
                voice.open = False

    def resume(self) -> None:
        """Go on."""
        with self._lock:
            self._expect(Status.PAUSED)
            self.paused_ns += self._clock() - self._stopped
            self.status = Status.ACTIVE

    def audio(
        self,
        role: str,
        chunk: bytes,
        *,
        speaker: str | None = None,
        rate: int | None = None,
        channels: int | None = None,
    ) -> bool:
        """The next samples of a speaker, interleaved s16le.

        They follow on those before; after half a second without any a new turn begins.
        Raises `BadInput` for what are no whole frames, `UsageError` for an impossible shape.
        """
        rate, channels = rate or self.recording.sample_rate, channels or self.recording.channels
        _check(role, rate, channels)
        if len(chunk) % (2 * channels):
            raise BadInput("A chunk of audio holds whole frames of 16-bit samples.")
        with self._lock:
            if self.status is not Status.ACTIVE or self._over():
                return False
            voice = self._voice(role, speaker or role, rate, channels)
            left_ns = self.recording.limit_ns - voice.end_ns
            taken = chunk[: max(0, left_ns) * rate // 1_000_000_000 * 2 * channels]
            self._limited |= len(taken) < len(chunk)
            voice.add(taken, keep=Kind.AUDIO in self._keeps)
            if not taken or Kind.AUDIO not in self._keeps:
                return False
            update = self._measure(voice, taken)
        self._told.on_audio_chunk(role, len(taken))
        if update is not None:
            self._told.on_quality_update(update)
        return True

    def transcript(
        self,
        role: str,
        text: str,
        *,
        speaker: str | None = None,
        is_final: bool = True,
        confidence: float | None = None,
        language: str | None = None,
    ) -> bool:
        """What was said: of the speaker's latest turn that has no words yet, else a turn alone.

        Words that are not final are told to the callback and not kept.
        """
        _check(role)
        with self._lock:
            allowed = Kind.TRANSCRIPT in self._keeps and self.status is Status.ACTIVE
            if not allowed or self._over():
                return False
            if is_final:
                voice = self._unworded(role, speaker or role)
                voice.text, voice.open = text, False
                stated = {"confidence": confidence, "language": language}
                voice.words = {k: v for k, v in stated.items() if v is not None}
        self._told.on_transcript_segment(role, text, is_final)
        return is_final

    def event(self, kind: str, **data: Json) -> bool:
        """An entry of the timeline; of its data only a latency where words may not be kept."""
        with self._lock:
            if self.status is not Status.ACTIVE or self._over():
                return False
            if Kind.TRANSCRIPT not in self._keeps:
                data = {k: v for k, v in data.items() if k == "latency"}
            self._events.append(Event(len(self._events), kind, self.position_ns, data))
            return True

    def interrupt(self) -> bool:
        """The user cut the agent short: what the agent had still to say was never heard."""
        with self._lock:
            now = self.position_ns
            if not self.event("user_interrupt"):
                return False
            for voice in self._voices:
                if voice.role == "agent" and voice.end_ns > now:
                    voice.cut(now)
            return True

    def end(self, *, wait: bool = True) -> Deposited:
        """Seal and store what was recorded, and forget it here.

        Raises what kept it from being stored; then it is still here and `end` may be called
        again.
        """
        with self._ending:
            self._stop()
            outcome = deposit_readings(self._room, [self._reading()], self.terms, wait=wait)
            if outcome.refused:
                raise outcome.refused[0][1]
            if not outcome.sessions:
                raise IntegrityError("A recording was neither stored nor refused.")
            self.status = Status.COMPLETED
            self._voices.clear()
            self._events.clear()
        self._told.on_session_end(outcome.sessions[0].id)
        return outcome.sessions[0]

    def _stop(self) -> None:
        """Take nothing more; failed until it is stored."""
        with self._lock:
            self._expect(Status.ACTIVE, Status.PAUSED, Status.FAILED)
            if self.status is Status.PAUSED:
                self.paused_ns += self._clock() - self._stopped
            if self.status is not Status.FAILED:
                self._stopped = self._clock()
            self.status = Status.FAILED

    def _reading(self) -> Reading:
        if self._started_at is None:
            raise Refused("Nothing was recorded.")
        text = "The recording reached its longest duration; nothing after it was taken."
        warnings = [Warn("max-duration", text)] if self._limited else []
        return reading(
            self._voices,
            self._events,
            started_at=self._started_at,
            duration_ns=min(self.position_ns, self.recording.limit_ns),
            recording=replace(self.recording, privacy_level=self.terms.privacy_level),
            paused_ns=self.paused_ns,
            warnings=warnings,
        )

    def _expect(self, *allowed: Status) -> None:
        if self.status not in allowed:
            raise UsageError(f"This capture is {self.status}.")

    def _over(self) -> bool:
        """Whether the longest duration is reached."""
        over = self.position_ns >= self.recording.limit_ns
        self._limited |= over
        return over

    def _voice(self, role: str, speaker: str, rate: int, channels: int) -> Voice:
        """The turn to which sound that comes now belongs."""
        now = self.position_ns
        voice = self._latest(role, speaker)
        if voice is not None and voice.takes(now, rate, channels):
            return voice
        begin = now if voice is None else max(now, voice.end_ns)
        self._voices.append(Voice(role, speaker, begin, rate, channels))
        return self._voices[-1]

    def _unworded(self, role: str, speaker: str) -> Voice:
        """The turn to which words that come now belong."""
        for voice in reversed(self._voices):
            if (voice.role, voice.speaker) == (role, speaker):
                if voice.text is None:
                    return voice
                break
        now = self.position_ns
        rate, channels = self.recording.sample_rate, self.recording.channels
        self._voices.append(Voice(role, speaker, now, rate, channels))
        return self._voices[-1]

    def _latest(self, role: str, speaker: str) -> Voice | None:
        own = (v for v in reversed(self._voices) if (v.role, v.speaker) == (role, speaker))
        return next(own, None)

    def _measure(self, voice: Voice, chunk: bytes) -> dict[str, Json] | None:
        key = (voice.role, voice.speaker, voice.rate, voice.channels)
        gauge = self._gauges.setdefault(key, Gauge(Meter(voice.rate, voice.channels)))
        return gauge.told(voice.role, voice.speaker) if gauge.add(chunk) else None


def _check(role: str, rate: int = 1, channels: int = 1) -> None:
    if role not in ROLES:
        raise UsageError(f"A role is one of: {', '.join(sorted(ROLES))}.")
    if not 0 < rate <= MAX_RATE or not 1 <= channels <= 8:
        raise UsageError("Audio has 1 to 8 channels and a possible sample rate.")
